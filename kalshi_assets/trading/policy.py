"""The step that decides: state and one minute's signals in, orders and cancels out.

Here: the one set of functions that backtest, shadow and live all call. Not here: fills, the clock,
or a loop over a day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.trading.ledger import Ledger
from kalshi_assets.trading.orders import Candidate, FeeOf, Order, WorkingOrder
from kalshi_assets.trading.params import TradingParams
from kalshi_assets.trading.risk import allowed_contracts
from kalshi_assets.units import MINUTE_US

_NOBODY: frozenset[int] = frozenset()
_NOT_SAID = np.iinfo(np.int64).max


class MinuteSignals(NamedTuple):
    """Signals of one minute.

    Attributes
    ----------
    minute
        Minutes since the epoch.
    close
        The minute when trading closes; the present one if it is not known.
    candidates
        Orders wanted, by bracket.
    pull
        Brackets whose resting orders must be cancelled, including those without a row at the
        minute.
    """

    minute: int
    close: int
    candidates: tuple[Candidate, ...] = ()
    pull: frozenset[int] = _NOBODY


@dataclass(kw_only=True)
class Desk:
    """Positions and working orders of the account: the state between two steps."""

    ledger: Ledger
    working: dict[int, WorkingOrder] = field(default_factory=dict)
    next_order_id: int = 0


class Step(NamedTuple):
    """Orders and cancels of one step.

    Attributes
    ----------
    orders
        Orders to send.
    cancels
        Working orders to cancel.
    refusals
        The reason, per bracket with a candidate but no order.
    """

    orders: tuple[Order, ...]
    cancels: tuple[WorkingOrder, ...]
    refusals: Mapping[int, str]


def step(desk: Desk, now: MinuteSignals, params: TradingParams, fee: FeeOf) -> Step:
    """Decide at one minute, and note the new orders and cancels in `desk`.

    Parameters
    ----------
    desk
        State; its ledger already holds every fill known at the minute.
    now
        The minute's signals.
    params, fee
        Limits; the exchange's fee.
    """
    cancels = _cancel(desk, now, params)
    orders: list[Order] = []
    refusals: dict[int, str] = {}
    for candidate in now.candidates:
        if candidate.bracket in desk.working:
            refusals[candidate.bracket] = "order_working"
            continue
        contracts, reason = allowed_contracts(
            candidate, desk.ledger, desk.working.values(), params, fee
        )
        if contracts == 0:
            refusals[candidate.bracket] = reason
            continue
        orders.append(_send(desk, now, candidate, contracts, params))
    return Step(orders=tuple(orders), cancels=cancels, refusals=refusals)


def _cancel(desk: Desk, now: MinuteSignals, params: TradingParams) -> tuple[WorkingOrder, ...]:
    effective = now.minute + params.latency_minutes
    cancels = []
    for bracket in now.pull:
        working = desk.working.get(bracket)
        if working is not None and effective < working.dies_at:
            working.dies_at = effective
            cancels.append(working)
    return tuple(cancels)


def _send(
    desk: Desk, now: MinuteSignals, candidate: Candidate, contracts: int, params: TradingParams
) -> Order:
    placed_at = now.minute + params.latency_minutes
    order = Order(
        order_id=desk.next_order_id,
        bracket=candidate.bracket,
        side=candidate.side,
        execution=candidate.execution,
        price_cc=candidate.price_cc,
        contracts=contracts,
        decided_at=now.minute,
        placed_at=placed_at,
        expires_at=min(placed_at + params.order_lifetime_minutes, now.close),
    )
    desk.next_order_id += 1
    desk.working[order.bracket] = WorkingOrder(order=order, dies_at=order.expires_at)
    return order


def minute_signals(signals: pl.DataFrame) -> list[MinuteSignals]:
    """`signal.signals` as input of the step: one value per minute, in order.

    Parameters
    ----------
    signals
        As returned by `signal.signals`: whole minutes of one event, any order of rows.
    """
    minute = signals["minute"].to_physical().to_numpy() // MINUTE_US
    minutes, place = np.unique(minute, return_inverse=True)
    return list(
        map(
            MinuteSignals,
            minutes.tolist(),
            (minutes + _to_close(signals, place, len(minutes))).tolist(),
            _candidates(signals, place, len(minutes)),
            _pulls(signals, place, len(minutes)),
        )
    )


def _to_close(signals: pl.DataFrame, place: NDArray[np.int64], minutes: int) -> NDArray[np.int64]:
    """Minutes to the close at each minute: the least of its rows, 0 where none knows it."""
    says = signals["minutes_to_close"]
    known = says.is_not_null().to_numpy()
    least = np.full(minutes, _NOT_SAID)
    np.minimum.at(least, place[known], says.drop_nulls().to_numpy())
    return np.where(least < _NOT_SAID, least, 0)


def _candidates(
    signals: pl.DataFrame, place: NDArray[np.int64], minutes: int
) -> list[tuple[Candidate, ...]]:
    """Orders wanted at each minute, the coldest bracket first; `place` is the minute of a row."""
    found: list[tuple[Candidate, ...]] = [()] * minutes
    is_wanted = signals["reason"] == "trade"
    if is_wanted.any():
        wanted = signals.filter(is_wanted).with_columns(at=place[is_wanted.to_numpy()])
        rows = wanted.sort("at", "bracket").select("at", *Candidate._fields).iter_rows()
        for at, *candidate in rows:
            found[at] = (*found[at], Candidate(*candidate))
    return found


def _pulls(signals: pl.DataFrame, place: NDArray[np.int64], minutes: int) -> list[frozenset[int]]:
    """Brackets whose resting orders must be cancelled at each minute."""
    brackets = signals["bracket"].to_numpy().astype(np.int64)
    pull = np.ones((minutes, int(brackets.max(initial=-1)) + 1), dtype=np.bool_)
    pull[place, brackets] = signals["pull"].to_numpy()
    # Few sets, each for many minutes.
    named: dict[bytes, frozenset[int]] = {}
    found = []
    for row in pull:
        key = row.tobytes()
        if key not in named:
            named[key] = frozenset(np.flatnonzero(row).tolist())
        found.append(named[key])
    return found
