"""Strategies: what turns a bracket's facts into wanted orders.

A strategy says for every row which order it wants, or why none. Sizes, limits, positions and orders
are the engine's, the same for all. Here: those that ship, and the form of a user's own. Not here:
their arithmetic (`signal_kernels`). docs/trading.md has the rules.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from kalshi_assets.instants import NEVER
from kalshi_assets.tables.backtest import REASONS
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.signal_kernels import (
    MAKER,
    TAKER,
    Fees,
    MoveRule,
    MoveSignal,
    ValueRule,
    Wants,
    gate_wants,
    move_wants,
    set_wants,
    value_wants,
)
from kalshi_assets.units import CC_A_CENT, SECOND_US

NOT_WANTED = REASONS.index("not_wanted")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a strategy wants of a day.

    Attributes
    ----------
    wants
        Per row.
    slippage_cc
        How far beyond the quote an order that reduces may take.
    hold_minutes
        How long after its last fill a bracket's contracts are held before they may be reduced.
    sized_by_kelly
        Whether the joint Kelly size bounds its orders.
    signal
        Components of the signal, per row; None: it has none.
    """

    wants: Wants
    slippage_cc: int
    hold_minutes: int
    sized_by_kelly: bool
    signal: MoveSignal | None = None


@runtime_checkable
class Strategy(Protocol):
    """A strategy that judges all rows of a day at once; each row by itself and by earlier ones."""

    @property
    def name(self) -> str:
        """What it is called in tables and orders."""

    def wanted(self, day: TradingDay) -> Wanted:
        """What it wants at every row."""


@dataclass(frozen=True)
class Value:
    """Trades the calibrated PMF against the market's and holds to settlement."""

    name: str = "value"

    def wanted(self, day: TradingDay) -> Wanted:
        """What it wants at every row."""
        of, out = day.params.value, gated(day)
        slippage_cc = round(of.slippage_cents * CC_A_CENT)
        rule = ValueRule(
            adverse_selection_cents=of.adverse_selection_cents,
            slippage_cc=slippage_cc,
            maker_min_edge_cents=of.maker_min_edge_cents,
            taker_min_edge_cents=of.taker_min_edge_cents,
            reduce_min_edge_cents=of.reduce_min_edge_cents,
        )
        grid = day.terms.prices
        value_wants(day.rows, day.first, day.instants, day.gates, rule, _fees(day), grid, out)
        return Wanted(wants=out, slippage_cc=slippage_cc, hold_minutes=0, sized_by_kelly=True)


@dataclass(frozen=True)
class Move:
    """Trades a predicted change of the mid and leaves by the clock."""

    name: str = "move"

    def wanted(self, day: TradingDay) -> Wanted:
        """What it wants at every row."""
        of, out, size = day.params.move, gated(day), day.panel.height
        slippage_cc = round(of.slippage_cents * CC_A_CENT)
        rule = MoveRule(
            weight_ras=of.weight_ras,
            weight_velocity=of.weight_velocity,
            weight_flow=of.weight_flow,
            weight_pressure=of.weight_pressure,
            min_signal=of.min_signal,
            maker_min_move_cents=of.maker_min_move_cents,
            taker_min_move_cents=of.taker_min_move_cents,
            maker_offset_ticks=of.maker_offset_ticks,
            slippage_cc=slippage_cc,
            horizon_minutes=of.horizon_minutes,
        )
        signal = MoveSignal(*(np.empty(size) for _ in MoveSignal._fields))
        move_wants(
            day.rows,
            day.move_inputs,
            day.first,
            day.instants,
            day.gates,
            rule,
            _fees(day),
            day.terms.prices,
            np.empty(10),
            signal,
            out,
        )
        return Wanted(
            wants=out,
            slippage_cc=slippage_cc,
            hold_minutes=of.horizon_minutes,
            sized_by_kelly=False,
            signal=signal,
        )


@dataclass(frozen=True)
class Sets:
    """Buys or sells every bracket at once where the quotes do not sum to a dollar."""

    name: str = "sets"

    def wanted(self, day: TradingDay) -> Wanted:
        """What it wants at every row."""
        out, edge = gated(day), day.params.sets.set_min_edge_cents
        if not day.terms.kernel.partition:
            edge = np.inf
        set_wants(day.rows, day.first, day.instants, day.gates, edge, _fees(day), out)
        return Wanted(wants=out, slippage_cc=0, hold_minutes=0, sized_by_kelly=False)


SHIPPED: tuple[Strategy, ...] = (Value(), Move(), Sets())


class Quote(NamedTuple):
    """An order that a user's strategy wants.

    Attributes
    ----------
    bracket
        Position in the ladder, 0 is the lowest.
    side
        ``bid`` buys YES, ``ask`` sells it.
    price_cc
        Limit price, 1/10,000 dollar.
    takes
        Whether it is immediate; else it rests and is post-only.
    edge_cents
        Gain per contract that is expected, for the record.
    """

    bracket: int
    side: str
    price_cc: int
    takes: bool = False
    edge_cents: float = float("nan")


@dataclass(kw_only=True)
class Minute:
    """What a user's strategy is told at a minute; sequences are by bracket, lowest first.

    Attributes
    ----------
    at
        Microseconds since the epoch.
    bid_cc, ask_cc
        Quotes; NaN: none.
    p_used, p_mkt
        Probabilities; NaN: not known.
    allowed
        Whether the common gates allow an order: quotes, inputs, spread, volume, veto, time.
    position
        YES contracts held; negative: NO.
    """

    at: int = 0
    bid_cc: list[float] = field(default_factory=list)
    ask_cc: list[float] = field(default_factory=list)
    p_used: list[float] = field(default_factory=list)
    p_mkt: list[float] = field(default_factory=list)
    allowed: list[bool] = field(default_factory=list)
    position: list[int] = field(default_factory=list)


@runtime_checkable
class MinuteStrategy(Protocol):
    """A user's strategy: called minute by minute, in order, with the positions then."""

    @property
    def name(self) -> str:
        """What it is called in tables and orders."""

    def quotes(self, now: Minute) -> Iterable[Quote]:
        """The orders wanted at the minute, at most one per bracket."""


def strategy_of(path: str) -> Strategy | MinuteStrategy:
    """A strategy by its name, or as ``module:Class`` of a user's file.

    Parameters
    ----------
    path
        ``value``, ``move``, ``sets``, or a class that is called without arguments.

    Raises
    ------
    ValueError
        There is no such strategy; the message says what was looked for.
    """
    named = {each.name: each for each in SHIPPED}
    if path in named:
        return named[path]
    module, _, name = path.partition(":")
    if not name:
        raise ValueError(
            f"no strategy is called {path!r}; known: {', '.join(named)}, or module:Class of yours"
        )
    try:
        found: Any = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"the strategy {path} cannot be made: {error}") from error
    if not isinstance(found, Strategy | MinuteStrategy):
        raise ValueError(f"{path} has no name and quotes(minute), or wanted(day)")
    return found


def _no_wants(day: TradingDay) -> Wants:
    size = day.panel.height
    return Wants(
        reason=np.empty(size, np.int8),
        want=np.empty(size, np.int8),
        price=np.empty(size, np.int32),
        side=np.empty(size, np.int8),
        edge=np.empty(size),
        reduce=np.empty(size, np.int8),
        pull=np.empty(size, np.bool_),
        used=np.empty(size),
    )


def _fees(day: TradingDay) -> Fees:
    """Fees of orders of the greatest size; free where a waiver outlasts the order."""
    maker, taker = day.terms.fees_a_contract(day.params.order_contracts)
    last_fill = round((day.params.latency_s + day.params.order_lifetime_s) * SECOND_US)
    fee_from = np.array(day.terms.fee_from, np.int64)
    free_until = np.where(fee_from == NEVER, fee_from, fee_from - last_fill)
    return Fees(maker=maker, taker=taker, free_until=free_until)


def gated(day: TradingDay) -> Wants:
    """The common gates of a day; no row wants an order."""
    out = _no_wants(day)
    gate_wants(day.rows, day.first, len(day.instants), day.gates, out)
    return out


def set_want(wants: Wants, row: int, quote: Quote) -> None:
    """Note a wanted order.

    Parameters
    ----------
    wants
        Receives it.
    row, quote
        Where; what.
    """
    sign = 1 if quote.side == "bid" else -1
    wants.want[row] = sign * (TAKER if quote.takes else MAKER)
    wants.price[row] = quote.price_cc
    wants.side[row] = sign
    wants.edge[row] = quote.edge_cents
    wants.reason[row] = 0
