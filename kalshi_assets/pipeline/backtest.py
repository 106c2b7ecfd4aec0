"""Steps that backtest the trading of a day and score its forecasts."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.instants import microseconds_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.family import LadderFamily
from kalshi_assets.pipeline.market import counts, counts_of
from kalshi_assets.pipeline.step import Input, Made, Parameters, Service, Step, step
from kalshi_assets.settlement.rule import fair_price, settled_by
from kalshi_assets.statistics.hourly_scores import scoreboard
from kalshi_assets.tables import (
    CALIBRATED,
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    FILLS,
    FUSED_PMF,
    LEDGER,
    METRICS,
    ORDERS,
    PREDICTIONS,
    REPORT,
    TRADES,
    Table,
)
from kalshi_assets.trading.day import TradingDay, priced
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.ledger import postings
from kalshi_assets.trading.metrics import metrics
from kalshi_assets.trading.params import CONFIG_NAME, TradingParams
from kalshi_assets.trading.records import Outcome, daily_pnl, decisions, fills, orders
from kalshi_assets.trading.terms import EventTerms
from kalshi_assets.units import CC_A_DOLLAR


def backtest_steps(of: LadderFamily) -> tuple[Step, ...]:
    """The steps of a family."""

    def trade(
        key: LadderDay,
        events: pl.DataFrame,
        trades: pl.DataFrame,
        panel: pl.DataFrame,
        calibrated: pl.DataFrame,
        settlements: pl.DataFrame | None,
        document: Mapping[str, Any],
        configurations: Configurations,
        predictions: pl.DataFrame | None = None,
        **of_stress: pl.DataFrame,
    ) -> dict[Table, pl.DataFrame]:
        params = of.trading_params(document, key.ladder)
        configurations.add(params.model_dump())
        day = trading_day(
            of,
            events=events,
            trades=trades,
            panel=panel,
            calibrated=calibrated,
            predictions=predictions,
            params=params,
        )
        outcome = None if settlements is None else outcome_of(settlements, events)
        runs = backtest(day)
        sent, filled = orders(day, runs), fills(day, runs, outcome)
        tested = () if of.stress is None else of.stress.judge(key, events, settlements, **of_stress)
        return {
            DECISIONS: decisions(day, runs),
            ORDERS: sent,
            FILLS: filled,
            LEDGER: postings(
                filled,
                None if outcome is None else outcome.payoffs_cc,
                day.markets,
                day.terms.close if outcome is None else outcome.known_at,
            ),
            DAILY_PNL: daily_pnl(day, runs, outcome),
            METRICS: metrics(day, runs, sent, filled, tested),
        }

    def scored(fused: pl.DataFrame, events: pl.DataFrame, pnl: pl.DataFrame) -> pl.DataFrame:
        return scoreboard(
            fused,
            events["day_start"][0],
            pnl["winning_bracket"][0],
            model=of.model.name,
            ladder=atoms_of(events),
        )

    return (
        step(
            (DECISIONS, ORDERS, FILLS, LEDGER, DAILY_PNL, METRICS),
            trade,
            events=Input(EVENTS),
            trades=Input(TRADES),
            panel=Input(of.full),
            calibrated=Input(CALIBRATED),
            # Decisions do not need it; without it gains are not known.
            settlements=Input(of.settlements, optional=True),
            document=Parameters(lambda: load_toml(CONFIG_NAME)),
            configurations=Service(),
            **predicted_input(of),
            **stress_inputs(of),
            kinds={"python"},
            describe={
                DECISIONS: _describe_decisions,
                ORDERS: lambda made: {"ends": counts(made, "end")},
                DAILY_PNL: _describe_pnl,
            },
        ),
        step(
            REPORT,
            scored,
            fused=Input(FUSED_PMF),
            events=Input(EVENTS),
            pnl=Input(DAILY_PNL),
            kinds={"numpy"},
        ),
    )


def predicted_input(of: LadderFamily) -> dict[str, Any]:
    """The input of predictions, of families that have them; without it `move` sends no order."""
    return {} if of.classified is None else {"predictions": Input(PREDICTIONS, optional=True)}


def stress_inputs(of: LadderFamily) -> dict[str, Any]:
    """The inputs by which days that test a trader are told."""
    tables = {} if of.stress is None else of.stress.tables
    return {name: Input(table) for name, table in tables.items()}


def trading_day(
    of: LadderFamily,
    *,
    events: pl.DataFrame,
    trades: pl.DataFrame,
    panel: pl.DataFrame,
    calibrated: pl.DataFrame,
    predictions: pl.DataFrame | None,
    params: TradingParams,
) -> TradingDay:
    """A day as the engine reads it.

    Parameters
    ----------
    of
        The family.
    events, trades, panel, calibrated, predictions
        The event's tables; without predictions `move` sends no order.
    params
        The trader's settings, of the family's class.
    """
    seen = priced(
        panel,
        calibrated,
        of.veto(panel, params),
        pressure=None if of.pressure is None else of.pressure(panel),
        predictions=predictions,
    )
    return TradingDay.of(seen, trades, EventTerms.of(events), params)


def stored_day(
    of: LadderFamily, lake: Lake, key: LadderDay, params: TradingParams
) -> tuple[TradingDay, Outcome | None]:
    """A day from its stored features, and its outcome; None: not settled.

    Parameters
    ----------
    of, lake, key
        The family, its lake and the day.
    params
        The trader's settings, of the family's class.

    Raises
    ------
    MissingPartitionError
        A feature of the day is not stored.
    OutdatedPartitionError, PartsDisagreeError
        A feature does not fit the others; the message says how to make it again.
    """
    events = lake.read(EVENTS, key)
    day = trading_day(
        of,
        events=events,
        trades=lake.read(TRADES, key),
        panel=lake.read(of.full, key),
        calibrated=lake.read(CALIBRATED, key),
        predictions=lake.read(PREDICTIONS, key) if lake.has(PREDICTIONS, key) else None,
        params=params,
    )
    if not lake.has(of.settlements, key):
        return day, None
    return day, outcome_of(lake.read(of.settlements, key), events)


def outcome_of(settlements: pl.DataFrame, events: pl.DataFrame) -> Outcome | None:
    """The outcome that settled the event; None: not settled."""
    paid = fair_price(settlements)
    if paid is not None:
        return Outcome(
            settled_by="exchange",
            value=None,
            winning_bracket=None,
            payoffs_cc=paid.payoffs_cc,
            known_at=microseconds_of(paid.known_at),
        )
    settled = settled_by(settlements, events)
    if settled is None or settled.winner is None:
        return None
    pays = atoms_of(events).payoff[:, settled.winner]
    return Outcome(
        settled_by=settled.source,
        value=settled.value,
        winning_bracket=settled.winner,
        payoffs_cc=tuple(CC_A_DOLLAR * int(each) for each in pays),
        known_at=microseconds_of(settled.known_at),
    )


def _describe_decisions(made: Made) -> dict[str, Any]:
    strategies = made.frame["strategy"].unique(maintain_order=True)
    return {
        f"reasons of {name}": counts_of(made.frame.filter(strategy=name)["reason"])
        for name in strategies
    }


def _describe_pnl(made: Made) -> dict[str, Any]:
    return {
        "net": {
            f"{strategy}, {model}": "not settled" if net is None else f"{net / 10_000:+.2f} dollars"
            for strategy, model, net in made.frame.select(
                "strategy", "fill_model", "net_cc"
            ).iter_rows()
        }
    }
