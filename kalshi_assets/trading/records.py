"""Records of a run: frames of `backtest.decisions`, `backtest.fills`, `backtest.daily_pnl`.

Here: the shape of the record, and gains once the outcome is known. Not here: decisions or fills
themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.tables import DAILY_PNL, DECISIONS, FILLS
from kalshi_assets.trading.ledger import Ledger
from kalshi_assets.trading.market_day import MarketDay
from kalshi_assets.trading.orders import Fill, WorkingOrder, sign_of
from kalshi_assets.trading.policy import Step
from kalshi_assets.units import CC_A_DOLLAR, MINUTE_US

MARK_OUT_MINUTES = 5


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The settlement of the day.

    Attributes
    ----------
    settled_by
        Source of the result.
    value
        The settlement value, in ticks, where known.
    winning_bracket
        Position of the atom that contains the settlement value, of a partition the bracket that
        paid; None: the exchange paid a fair price.
    payoffs_cc
        Payoff of a YES contract of each bracket, lowest first; None: the winning bracket alone paid
        a dollar.

    Raises
    ------
    ValueError
        A winner and payoffs between nothing and a dollar, or neither winner nor payoffs.
    """

    settled_by: str
    value: int | None
    winning_bracket: int | None
    payoffs_cc: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        fair = self.payoffs_cc is not None and not {0, CC_A_DOLLAR}.issuperset(self.payoffs_cc)
        if (self.winning_bracket is None and self.payoffs_cc is None) or (
            fair and self.winning_bracket is not None
        ):
            raise ValueError(
                f"either one bracket pays or all pay a fair price, not winning bracket "
                f"{self.winning_bracket} with payoffs {self.payoffs_cc}"
            )

    def payoff_cc(self, bracket: int) -> int:
        """Payoff of a YES contract of `bracket`."""
        if self.payoffs_cc is not None:
            return self.payoffs_cc[bracket]
        return CC_A_DOLLAR if bracket == self.winning_bracket else 0

    def net_cc(self, ledger: Ledger) -> int:
        """Gain of `ledger` after fees."""
        if self.payoffs_cc is not None:
            return ledger.settle_at(self.payoffs_cc)
        assert self.winning_bracket is not None
        return ledger.settle(self.winning_bracket)


@dataclass(kw_only=True)
class Run:
    """One fill model's day.

    Attributes
    ----------
    orders
        Every order, ended.
    changes
        Fills with the minute in which each became known.
    verdicts
        (minute, bracket, reason, contracts) of every candidate.
    """

    orders: list[WorkingOrder] = field(default_factory=list)
    changes: list[tuple[int, Fill]] = field(default_factory=list)
    verdicts: list[tuple[int, int, str, int]] = field(default_factory=list)

    def note(self, minute: int, done: Step) -> None:
        """Record the decisions of a step.

        Parameters
        ----------
        minute
            Minutes since the epoch.
        done
            Return value of the step.
        """
        for order in done.orders:
            self.verdicts.append((minute, order.bracket, "trade", order.contracts))
        for bracket, reason in done.refusals.items():
            self.verdicts.append((minute, bracket, reason, 0))


def decisions(day: MarketDay, wanted: pl.DataFrame, run: Run) -> pl.DataFrame:
    """`backtest.decisions`: one row per bracket and minute of the panel.

    Parameters
    ----------
    day
        The panel's bars.
    wanted
        `signal.signals` of the same panel, in its order of rows.
    run
        The run whose decisions these are.
    """
    moved = np.zeros(day.rows.shape, dtype=np.int32)
    for minute, fill in run.changes:
        moved[fill.bracket, minute - day.first_minute] += sign_of(fill.side) * fill.contracts
    has_row = day.rows >= 0
    position = np.zeros(wanted.height, dtype=np.int32)
    position[day.rows[has_row]] = np.cumsum(moved, axis=1, dtype=np.int32)[has_row]

    contracts = np.zeros(wanted.height, dtype=np.int32)
    refused = {}
    for minute, bracket, reason, size in run.verdicts:
        row = int(day.rows[bracket, minute - day.first_minute])
        contracts[row] = size
        if reason != "trade":
            refused[row] = reason
    frame = wanted.with_columns(
        contracts=pl.Series(contracts),
        position=pl.Series(position),
        reason=_overwritten(wanted["reason"], refused),
        execution=_overwritten(wanted["execution"], dict.fromkeys(refused)),
        price_cc=_overwritten(wanted["price_cc"], dict.fromkeys(refused)),
    )
    return DECISIONS.arranged(frame)


def _overwritten(values: pl.Series, changes: Mapping[int, str | None]) -> pl.Series:
    """`values` with some rows replaced."""
    return values.clone().scatter(list(changes), list(changes.values())) if changes else values


def fills(day: MarketDay, runs: Mapping[str, Run], outcome: Outcome | None) -> pl.DataFrame:
    """`backtest.fills`: every order of every fill model, and its outcome.

    Parameters
    ----------
    day
        The panel's bars.
    runs
        By fill model.
    outcome
        The settlement of the day; None: gains are null.
    """
    rows = [
        _fill_row(day, model, working, outcome)
        for model, run in runs.items()
        for working in run.orders
    ]
    if not rows:
        return FILLS.empty()
    frame = pl.DataFrame(rows, schema=_EPOCH_SCHEMA, orient="row")
    return FILLS.arranged(
        frame.with_columns((pl.col(name) * MINUTE_US).cast(FILLS.dtypes[name]) for name in _TIMES)
    )


_TIMES = ("placed_at", "event_time", "known_at")
_EPOCH_SCHEMA: dict[str, Any] = {
    name: pl.Int64 if name in _TIMES else dtype for name, dtype in FILLS.dtypes.items()
}


def _fill_row(
    day: MarketDay, model: str, working: WorkingOrder, outcome: Outcome | None
) -> tuple[Any, ...]:
    order = working.order
    sign = sign_of(order.side)
    price_cc = order.price_cc if working.filled_price_cc is None else working.filled_price_cc
    mark_out = None
    if working.filled_at is not None:
        later = day.mid_cc(working.filled_at + MARK_OUT_MINUTES, order.bracket)
        mark_out = None if later is None else sign * (later - price_cc)
    pnl = None
    if outcome is not None:
        payoff = outcome.payoff_cc(order.bracket)
        pnl = sign * working.filled * (payoff - price_cc) - working.fee_cc
    return (
        model,
        order.order_id,
        day.market_tickers[order.bracket],
        order.side,
        order.execution,
        order.placed_at,
        working.ended_at,
        working.ended_at,
        price_cc,
        order.contracts,
        working.filled,
        working.fee_cc,
        working.outcome,
        pnl,
        mark_out,
    )


def daily_pnl(
    fills_: pl.DataFrame,
    market_tickers: Sequence[str],
    ladder: Atoms | None,
    fill_models: Sequence[str],
    outcome: Outcome | None,
) -> pl.DataFrame:
    """`backtest.daily_pnl`: one row per fill model, its fills booked into a ledger of their own.

    Parameters
    ----------
    fills_
        `backtest.fills` of one event.
    market_tickers
        The event's markets in ladder order.
    ladder
        The event's legs by bracket; None: a partition.
    fill_models
        The models that were run; one without orders still has its row.
    outcome
        The settlement of the day; None: gains are null.
    """
    bracket_of = {ticker: bracket for bracket, ticker in enumerate(market_tickers)}
    orders = fills_.to_dicts()
    rows = []
    for model in fill_models:
        own = [order for order in orders if order["fill_model"] == model]
        filled = [order for order in own if order["filled"]]
        ledger = Ledger(len(market_tickers), ladder)
        for order in filled:
            ledger.book(
                Fill(
                    bracket=bracket_of[order["market_ticker"]],
                    side=order["side"],
                    price_cc=order["price_cc"],
                    contracts=order["filled"],
                    fee_cc=order["fee_cc"],
                )
            )
        net = None if outcome is None else outcome.net_cc(ledger)
        makers = sum(order["execution"] == "maker" for order in filled)
        rows.append(
            {
                "fill_model": model,
                "settled_by": "unsettled" if outcome is None else outcome.settled_by,
                "value": None if outcome is None else outcome.value,
                "winning_bracket": None if outcome is None else outcome.winning_bracket,
                "orders": len(own),
                "maker_fills": makers,
                "taker_fills": len(filled) - makers,
                "contracts": sum(order["filled"] for order in filled),
                "gross_cc": None if net is None else net + ledger.fees_cc,
                "fees_cc": ledger.fees_cc,
                "net_cc": net,
                "worst_case_cc": ledger.worst_case_cc(),
            }
        )
    return DAILY_PNL.arranged(pl.DataFrame(rows, schema=DAILY_PNL.dtypes))
