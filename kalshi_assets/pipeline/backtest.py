"""Steps that backtest the trading of a day and score its forecasts."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.terms import atoms_of, terms_at
from kalshi_assets.pipeline.family import LadderFamily
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
    REPORT,
    Table,
)
from kalshi_assets.trading.engine import FILL_MODELS, run_day
from kalshi_assets.trading.params import CONFIG_NAME
from kalshi_assets.trading.records import Outcome, daily_pnl
from kalshi_assets.trading.signal import priced
from kalshi_assets.trading.terms import EventTerms
from kalshi_assets.units import CC_A_DOLLAR


def backtest_steps(of: LadderFamily) -> tuple[Step, ...]:
    """The steps of a family."""

    def trade(
        key: LadderDay,
        events: pl.DataFrame,
        panel: pl.DataFrame,
        calibrated: pl.DataFrame,
        settlements: pl.DataFrame | None,
        document: Mapping[str, Any],
    ) -> dict[Table, pl.DataFrame]:
        params = of.trading_params(document, key.ladder)
        day = run_day(
            priced(panel, calibrated, of.veto(panel, params)),
            terms=terms_of(events),
            params=params,
            outcome=None if settlements is None else outcome_of(settlements, events),
        )
        return {DECISIONS: day.decisions, FILLS: day.fills}

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
            (DECISIONS, FILLS),
            trade,
            events=Input(EVENTS),
            panel=Input(of.full),
            calibrated=Input(CALIBRATED),
            # Decisions do not need it; without it the P&L of fills is not known.
            settlements=Input(of.settlements, optional=True),
            document=Parameters(lambda: load_toml(CONFIG_NAME)),
            kinds={"python"},
            describe={DECISIONS: lambda made: {"reasons": counts(made, "reason")}},
        ),
        step(
            DAILY_PNL,
            _earned,
            events=Input(EVENTS),
            fills=Input(FILLS),
            settlements=Input(of.settlements),
            kinds={"python"},
            describe=_describe_pnl,
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


def terms_of(events: pl.DataFrame) -> EventTerms:
    """The exchange's terms of the event when it opened."""
    return EventTerms.of(terms_at(events))


def outcome_of(settlements: pl.DataFrame, events: pl.DataFrame) -> Outcome | None:
    """The outcome that settled the event; None: not settled."""
    paid = fair_price(settlements)
    if paid is not None:
        return Outcome(
            settled_by="exchange",
            value=None,
            winning_bracket=None,
            payoffs_cc=paid.payoffs_cc,
        )
    settled = settled_by(settlements, events)
    if settled is None:
        return None
    ladder = atoms_of(events)
    payoffs_cc = None
    if ladder.shape != "partition" and settled.winner is not None:
        payoffs_cc = tuple(CC_A_DOLLAR * int(pays) for pays in ladder.payoff[:, settled.winner])
    return Outcome(
        settled_by=settled.source,
        value=settled.value,
        winning_bracket=settled.winner,
        payoffs_cc=payoffs_cc,
    )


def _earned(events: pl.DataFrame, fills: pl.DataFrame, settlements: pl.DataFrame) -> pl.DataFrame:
    ladder = atoms_of(events)
    markets = [leg.market_ticker for leg in ladder.legs]
    return daily_pnl(fills, markets, ladder, FILL_MODELS, outcome_of(settlements, events))


def _describe_pnl(made: Made) -> dict[str, Any]:
    return {
        "net": {
            model: "not settled" if net is None else f"{net / 10_000:+.2f} dollars"
            for model, net in made.frame.select("fill_model", "net_cc").iter_rows()
        }
    }
