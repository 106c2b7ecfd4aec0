"""Records of a day: the frames of schema `backtest`, from runs and the outcome.

Here: the form of the record, and gains once the outcome is known. Not here: decisions or fills
themselves, postings (`ledger`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from kalshi_assets.instants import as_times
from kalshi_assets.tables import DAILY_PNL, DECISIONS, FILLS, ORDERS, Table
from kalshi_assets.tables.backtest import REASONS
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.desk_kernels import (
    ARRIVES_AT,
    BRACKET,
    CASH,
    CONTRACTS,
    DECIDED_AT,
    END,
    ENDED_AT,
    ENDS,
    FEE,
    FEES,
    FILL_AT,
    FILL_CONTRACTS,
    FILL_FEE,
    FILL_ORDER,
    FILL_PRICE,
    FILLED_SO_FAR,
    PRICE,
    SIGN,
    TAKES,
)
from kalshi_assets.trading.engine import Run
from kalshi_assets.trading.ledger import worst_case_cc
from kalshi_assets.trading.signal_kernels import TAKER
from kalshi_assets.units import CC_A_DOLLAR, MINUTE_US, Array, Ints

MARK_OUT_MINUTES = (1, 5)

_SIDES = pl.Series(["bid", "ask", None])
_EXECUTIONS = pl.Series(["maker", "taker", None])
_VETO = REASONS.index("veto")


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
        Payoff of a YES contract of each bracket, lowest first.
    known_at
        When it was known, microseconds.

    Raises
    ------
    ValueError
        A payoff is beyond a dollar.
    """

    settled_by: str
    value: int | None
    winning_bracket: int | None
    payoffs_cc: tuple[int, ...]
    known_at: int

    def __post_init__(self) -> None:
        if not all(0 <= payoff <= CC_A_DOLLAR for payoff in self.payoffs_cc):
            raise ValueError(f"payoffs {self.payoffs_cc} are not all from 0 to {CC_A_DOLLAR} cc")


def decisions(day: TradingDay, runs: Sequence[Run], minutes: range | None = None) -> pl.DataFrame:
    """`backtest.decisions`: a row per strategy, bracket and minute.

    Parameters
    ----------
    day
        The event's day.
    runs
        Those that kept decisions count.
    minutes
        Positions in the day of the minutes wanted; None: all.
    """
    panel, rows = day.panel[_OF_PANEL], np.arange(day.panel.height)
    if minutes is not None:
        rows = np.sort((day.first[:, None] + np.array(minutes, np.int64)).ravel())
        panel = panel[rows]
    # In the order of the table's key, so that its rows need not be sorted.
    own = sorted((run for run in runs if run.decided is not None), key=lambda run: run.strategy)
    frames = [_decisions(day, run, panel, rows) for run in own]
    return DECISIONS.arranged(pl.concat(frames)) if frames else DECISIONS.empty()


_OF_PANEL = ["market_ticker", "bracket", "minute", "known_at", "p_mkt"]


def _decisions(day: TradingDay, run: Run, panel: pl.DataFrame, rows: Ints) -> pl.DataFrame:
    signal, of_run = run.wanted.signal, run.decided
    assert of_run is not None
    reason, want, price, contracts, position = (values[rows] for values in of_run)
    side, edge, used = (getattr(run.wanted.wants, name)[rows] for name in ("side", "edge", "used"))
    words = pl.Series([*REASONS, *day.vetoes])
    of_veto = len(REASONS) - 1 + day.rows.veto[rows].astype(np.int64)
    reason = np.where(reason == _VETO, of_veto, reason)
    sent = want != 0
    side = np.where(sent, np.sign(want), side)
    parts = ("total", "ras", "velocity", "flow", "pressure")
    names = ("signal", *(f"signal_{part}" for part in parts[1:]))
    unknown = pl.lit(None, pl.Float32)
    components: dict[str, pl.Expr | pl.Series] = dict.fromkeys(names, unknown)
    if signal is not None:
        components = {
            name: pl.Series(getattr(signal, part)[rows], dtype=pl.Float32, nan_to_null=True)
            for name, part in zip(names, parts, strict=True)
        }
    return panel.select(
        *_OF_PANEL,
        strategy=pl.lit(run.strategy),
        reason=words.gather(reason),
        side=_SIDES.gather(np.where(side == 0, 2, side < 0)),
        execution=_EXECUTIONS.gather(np.where(sent, np.abs(want) == TAKER, 2)),
        price_cc=pl.Series(np.where(sent, price, np.nan), nan_to_null=True).cast(pl.Int32),
        contracts=pl.Series(contracts),
        edge_cents=pl.Series(edge, nan_to_null=True),
        p_used=pl.Series(used, nan_to_null=True),
        position=pl.Series(position),
        **components,
    ).select(list(DECISIONS.dtypes))


def orders(day: TradingDay, runs: Sequence[Run]) -> pl.DataFrame:
    """`backtest.orders`: every order of every run.

    Parameters
    ----------
    day, runs
        The event's day and its runs.
    """
    of, run = _stacked([each.desk.orders for each in runs])
    if not len(run):
        return ORDERS.empty()
    ended = as_times(of[ENDED_AT])
    return ORDERS.arranged(
        _frame(
            ORDERS,
            **_names(runs, run),
            order_id=_order_ids(day, runs, of, run),
            market_ticker=pl.Series(day.markets, dtype=pl.String).gather(of[BRACKET]),
            side=_SIDES.gather(of[SIGN] < 0),
            execution=_EXECUTIONS.gather(of[TAKES]),
            decided_at=as_times(of[DECIDED_AT]),
            placed_at=as_times(of[ARRIVES_AT]),
            event_time=ended,
            known_at=ended,
            price_cc=pl.Series(of[PRICE]),
            contracts=pl.Series(of[CONTRACTS]),
            filled=pl.Series(of[FILLED_SO_FAR]),
            fee_cc=pl.Series(of[FEE]),
            end=pl.Series(ENDS).gather(of[END]),
        )
    )


def fills(day: TradingDay, runs: Sequence[Run], outcome: Outcome | None) -> pl.DataFrame:
    """`backtest.fills`: every execution of every run.

    Parameters
    ----------
    day, runs
        The event's day and its runs.
    outcome
        The settlement of the day; None: gains are null.
    """
    desks = [each.desk for each in runs]
    filled, run = _stacked(
        [each.fills[np.argsort(each.fills[:, FILL_AT], kind="stable")] for each in desks]
    )
    if not len(run):
        return FILLS.empty()
    of, run_of = _stacked([each.orders for each in desks])
    # Number of the fill within its run, and its order among those of all runs.
    number = np.arange(len(run)) - _starts(each.fills for each in desks)[run]
    order = filled[FILL_ORDER] + _starts(each.orders for each in desks)[run]
    sign, bracket, at = of[SIGN][order], of[BRACKET][order], filled[FILL_AT]
    price, contracts = filled[FILL_PRICE], filled[FILL_CONTRACTS]
    pnl = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(run))
    if outcome is not None:
        paid = np.array(outcome.payoffs_cc, np.int64)[bracket]
        pnl = pl.Series(sign * contracts * (paid - price) - filled[FILL_FEE])
    marks = {
        f"mark_out_{minutes}m_cc": pl.Series(
            sign * (_mid_after(day, bracket, at, minutes) - price), nan_to_null=True
        )
        for minutes in MARK_OUT_MINUTES
    }
    when = as_times(at)
    return FILLS.arranged(
        _frame(
            FILLS,
            **_names(runs, run),
            fill=pl.Series(number),
            order_id=_order_ids(day, runs, of, run_of).gather(order),
            market_ticker=pl.Series(day.markets, dtype=pl.String).gather(bracket),
            side=_SIDES.gather(sign < 0),
            execution=_EXECUTIONS.gather(of[TAKES][order]),
            event_time=when,
            known_at=when,
            price_cc=pl.Series(price),
            contracts=pl.Series(contracts),
            fee_cc=pl.Series(filled[FILL_FEE]),
            pnl_cc=pnl,
            **marks,
        )
    )


def _stacked(rows: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Rows of all runs as one array per column, shape (columns, rows), and the run of each."""
    run = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    return np.ascontiguousarray(np.concatenate(rows).T), run


def _starts(rows: Iterable[Ints]) -> Ints:
    """Position of the first row of every run among those of all runs."""
    counts = [len(each) for each in rows]
    return np.cumsum([0, *counts[:-1]])


def _names(runs: Sequence[Run], run: Ints) -> dict[str, pl.Series]:
    return {
        "strategy": pl.Series([each.strategy for each in runs]).gather(run),
        "fill_model": pl.Series([each.fill_model for each in runs]).gather(run),
    }


def _order_ids(day: TradingDay, runs: Sequence[Run], of: Ints, run: Ints) -> pl.Series:
    """Event, strategy, instant, bracket, side: the same for the same order."""
    frame = pl.DataFrame(
        {
            "strategy": _names(runs, run)["strategy"],
            "at": as_times(of[DECIDED_AT]),
            "bracket": of[BRACKET],
            "side": _SIDES.gather(of[SIGN] < 0),
        }
    )
    at = pl.col("at").dt.strftime("%Y%m%dT%H%M%S%6fZ")
    parts = (pl.lit(day.terms.event), "strategy", at, "bracket", "side")
    return frame.select(pl.format("{}/{}/{}/{}/{}", *parts)).to_series()


def _mid_after(day: TradingDay, bracket: Ints, at: Ints, minutes: int) -> Array:
    """Mid so many minutes after instants, cc; what ends with a minute is in the next row."""
    m = -(-(at - day.instants[0]) // MINUTE_US) + minutes + 1
    inside = m < len(day.instants)
    rows = day.first[bracket] + np.where(inside, m, 0)
    return np.where(inside, day.mid_cc[rows], np.nan)


def daily_pnl(day: TradingDay, runs: Sequence[Run], outcome: Outcome | None) -> pl.DataFrame:
    """`backtest.daily_pnl`: one row per strategy and fill model.

    Parameters
    ----------
    day, runs
        The event's day and its runs; one without orders still has its row.
    outcome
        The settlement of the day; None: gains are null.
    """
    return DAILY_PNL.arranged(
        pl.DataFrame([_pnl(day, run, outcome) for run in runs], schema=DAILY_PNL.dtypes)
    )


def _pnl(day: TradingDay, run: Run, outcome: Outcome | None) -> dict[str, object]:
    desk = run.desk
    cash, fees = int(desk.counts[CASH]), int(desk.counts[FEES])
    net = None
    if outcome is not None:
        net = cash + int(desk.position @ np.array(outcome.payoffs_cc, np.int64))
    taker, filled = desk.orders[:, TAKES] == 1, desk.orders[:, FILLED_SO_FAR] > 0
    return {
        "strategy": run.strategy,
        "fill_model": run.fill_model,
        "settled_by": "unsettled" if outcome is None else outcome.settled_by,
        "value": None if outcome is None else outcome.value,
        "winning_bracket": None if outcome is None else outcome.winning_bracket,
        "orders": len(desk.orders),
        "maker_fills": int((filled & ~taker).sum()),
        "taker_fills": int((filled & taker).sum()),
        "contracts": int(desk.orders[:, FILLED_SO_FAR].sum()),
        "gross_cc": None if net is None else net + fees,
        "fees_cc": fees,
        "net_cc": net,
        "worst_case_cc": worst_case_cc(
            desk.position, day.terms.kernel.runs, day.terms.kernel.atoms, cash
        ),
    }


def _frame(table: Table, **columns: pl.Series) -> pl.DataFrame:
    """Columns in the order and types of a table."""
    # A query for the whole frame would take ten times as long.
    return pl.DataFrame({name: columns[name].cast(dtype) for name, dtype in table.dtypes.items()})
