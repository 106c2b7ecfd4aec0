"""Steps that trade a day on paper, score it, and write its page."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.terms import terms_at
from kalshi_assets.pipeline.market import counts
from kalshi_assets.pipeline.step import Input, Made, Parameters, Step, step
from kalshi_assets.settlement.rule import fair_price, settled_by
from kalshi_assets.statistics.hourly_scores import scoreboard
from kalshi_assets.tables import (
    CALIBRATED,
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    FILLS,
    FUSED_PMF,
    MINUTE_PANEL_FULL,
    REPORT,
    SETTLEMENTS,
    Table,
)
from kalshi_assets.trading.engine import FILL_MODELS, run_day
from kalshi_assets.trading.params import CONFIG_NAME, params_of
from kalshi_assets.trading.records import Outcome, daily_pnl
from kalshi_assets.trading.signal import priced
from kalshi_assets.trading.terms import EventTerms


def backtest_steps(ladders: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps of a family with these ladders, by name."""

    def trade(
        key: LadderDay,
        events: pl.DataFrame,
        panel: pl.DataFrame,
        calibrated: pl.DataFrame,
        settlements: pl.DataFrame | None,
        document: Mapping[str, Any],
    ) -> dict[Table, pl.DataFrame]:
        day = run_day(
            priced(panel, calibrated),
            terms=terms_of(events),
            params=params_of(document, key.ladder, ladders),
            outcome=None if settlements is None else outcome_of(settlements, events),
        )
        return {DECISIONS: day.decisions, FILLS: day.fills}

    return (
        step(
            (DECISIONS, FILLS),
            trade,
            events=Input(EVENTS),
            panel=Input(MINUTE_PANEL_FULL),
            calibrated=Input(CALIBRATED),
            # Decisions need none; without one the gains of fills are not known.
            settlements=Input(SETTLEMENTS, optional=True),
            document=Parameters(lambda: load_toml(CONFIG_NAME)),
            kinds={"python"},
            describe={DECISIONS: lambda made: {"reasons": counts(made, "reason")}},
        ),
        step(
            DAILY_PNL,
            _earned,
            events=Input(EVENTS),
            fills=Input(FILLS),
            settlements=Input(SETTLEMENTS),
            kinds={"python"},
            describe=_describe_pnl,
        ),
        step(
            REPORT,
            _scored,
            fused=Input(FUSED_PMF),
            events=Input(EVENTS),
            pnl=Input(DAILY_PNL),
            kinds={"numpy"},
        ),
    )


def terms_of(events: pl.DataFrame) -> EventTerms:
    """What the exchange said about trading the event when it opened."""
    return EventTerms.of(terms_at(events))


def outcome_of(settlements: pl.DataFrame, events: pl.DataFrame) -> Outcome | None:
    """What settled the event, if anything did."""
    paid = fair_price(settlements)
    if paid is not None:
        return Outcome(
            settled_by="exchange",
            tmax_f=None,
            winning_bracket=None,
            fair_price_cc=paid.payoffs_cc,
        )
    settled = settled_by(settlements, events)
    if settled is None:
        return None
    return Outcome(settled_by=settled.source, tmax_f=settled.tmax_f, winning_bracket=settled.winner)


def _earned(events: pl.DataFrame, fills: pl.DataFrame, settlements: pl.DataFrame) -> pl.DataFrame:
    markets = terms_at(events).sort("bracket")["market_ticker"].to_list()
    return daily_pnl(fills, markets, FILL_MODELS, outcome_of(settlements, events))


def _scored(fused: pl.DataFrame, events: pl.DataFrame, pnl: pl.DataFrame) -> pl.DataFrame:
    return scoreboard(fused, events["climate_start"][0], pnl["winning_bracket"][0])


def _describe_pnl(made: Made) -> dict[str, Any]:
    return {
        "net": {
            model: "not settled" if net is None else f"{net / 10_000:+.2f} dollars"
            for model, net in made.frame.select("fill_model", "net_cc").iter_rows()
        }
    }
