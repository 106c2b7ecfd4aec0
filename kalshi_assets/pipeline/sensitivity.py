"""The step that varies parameters of the backtest of a day, beside negative controls."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.pipeline.backtest import outcome_of, predicted_input, trading_day
from kalshi_assets.pipeline.family import LadderFamily
from kalshi_assets.pipeline.step import Input, LookBack, Parameters, Service, Step, step
from kalshi_assets.tables import CALIBRATED, EVENTS, SENSITIVITY, TRADES
from kalshi_assets.trading import params, sensitivity
from kalshi_assets.trading.controls import (
    market_only,
    other_outcome,
    with_forecast_of_the_day_before,
)
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.records import Outcome
from kalshi_assets.trading.sensitivity import Surface, surfaces_of, swept, with_changes

OF_FORECASTS = ("market_only", "day_before")
"""Controls that replace the calibrated PMF."""

JUDGES_FORECASTS = ("value",)
"""Strategies that trade on it; the others have the control of the outcome alone."""

CONTROL_DAYS = 7
"""How far back the winner of another day is looked for."""


def sensitivity_step(of: LadderFamily) -> Step:
    """The step of a family."""

    def vary(
        key: LadderDay,
        events: pl.DataFrame,
        trades: pl.DataFrame,
        panel: pl.DataFrame,
        calibrated: pl.DataFrame,
        settlements: pl.DataFrame | None,
        before: Sequence[tuple[LadderDay, pl.DataFrame]],
        winners: Sequence[tuple[LadderDay, int]],
        document: Mapping[str, Any],
        surfaces: Sequence[Surface],
        configurations: Configurations,
        predictions: pl.DataFrame | None = None,
    ) -> pl.DataFrame:
        day = trading_day(
            of,
            events=events,
            trades=trades,
            panel=panel,
            calibrated=calibrated,
            predictions=predictions,
            params=of.trading_params(document, key.ladder),
        )
        for surface in surfaces:
            for changes in surface.points:
                configurations.add(with_changes(day.params, changes).model_dump())
        outcome = None if settlements is None else outcome_of(settlements, events)
        made = [
            swept(each, paid, surface)
            .with_columns(control=pl.lit(control))
            .select(list(SENSITIVITY.dtypes))
            for control, each, paid in _days(day, trades, outcome, before, winners)
            for surface in surfaces
            if control not in OF_FORECASTS or surface.strategy in JUDGES_FORECASTS
        ]
        return SENSITIVITY.arranged(pl.concat(made)) if made else SENSITIVITY.empty()

    return step(
        SENSITIVITY,
        vary,
        events=Input(EVENTS),
        trades=Input(TRADES),
        panel=Input(of.full),
        calibrated=Input(CALIBRATED),
        settlements=Input(of.settlements, optional=True),
        before=LookBack(1, (CALIBRATED,), may_be_outdated=True),
        winners=LookBack(
            CONTROL_DAYS, (of.settlements, EVENTS), keep=_winner, may_be_outdated=True
        ),
        document=Parameters(lambda: load_toml(params.CONFIG_NAME)),
        surfaces=Parameters(lambda: surfaces_of(load_toml(sensitivity.CONFIG_NAME))),
        configurations=Service(),
        **predicted_input(of),
        kinds={"python"},
    )


def _days(
    day: TradingDay,
    trades: pl.DataFrame,
    outcome: Outcome | None,
    before: Sequence[tuple[LadderDay, pl.DataFrame]],
    winners: Sequence[tuple[LadderDay, int]],
) -> Iterator[tuple[str, TradingDay, Outcome | None]]:
    """The day and its controls: name, day, outcome."""

    def seen(panel: pl.DataFrame) -> TradingDay:
        return TradingDay.of(panel, trades, day.terms, day.params)

    yield "none", day, outcome
    yield "market_only", seen(market_only(day.panel)), outcome
    if before:
        _, forecast = before[-1]
        yield "day_before", seen(with_forecast_of_the_day_before(day.panel, forecast)), outcome
    if winners and outcome is not None:
        _, winner = winners[-1]
        yield (
            "other_winner",
            day,
            other_outcome(outcome, winner, partition=day.terms.kernel.partition),
        )


def _winner(key: LadderDay, settlements: pl.DataFrame, events: pl.DataFrame) -> int | None:
    outcome = outcome_of(settlements, events)
    return None if outcome is None else outcome.winning_bracket
