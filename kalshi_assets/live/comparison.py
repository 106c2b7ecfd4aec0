"""The account as the exchange shows it, compared with the journal: what to repair, what blocks.

Pure: no reads, no writes. Reads lag behind writes, so that a read which contradicts a newer write
of ours is not believed but made again (`Finding.may_pass`). Sizes are 1/100 contract.

Here: the comparison. Not here: reading and repairing (reconciliation).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from kalshi_assets.exchange.wire_account import Fill, Order
from kalshi_assets.instants import microseconds_of
from kalshi_assets.live.journal_records import (
    JournaledFill,
    JournaledOrder,
    note_of_end,
    state_of,
)
from kalshi_assets.live.journal_schema import DONE, REJECTED
from kalshi_assets.units import HUNDREDTHS, MILLIONTHS, SECOND_US

STATUSES = ("resting", "canceled", "executed")
ACCOUNT = ""
"""Scope of a finding that blocks every market."""


@dataclass(frozen=True, kw_only=True)
class LagBounds:
    """How far reads may lag.

    Attributes
    ----------
    read_lag_us
        A read that began so long after our last write about an order is believed.
    arrival_us
        A request that was sent so long ago cannot arrive any more: its signature has expired.
    """

    read_lag_us: int = 3 * SECOND_US
    arrival_us: int = 60 * SECOND_US


@dataclass(frozen=True, kw_only=True)
class AccountView:
    """The account as read, all lists complete.

    Attributes
    ----------
    read_at_us
        When the first read began.
    orders, fills
        Orders that rest and those since the session began, by the exchange's ID; executions since
        the session began.
    positions, costs
        YES contracts by market (negative: NO), and what they cost, 1/1,000,000 dollar.
    settled
        Markets that settled since the session began, and what they paid, 1/1,000,000 dollar.
    cash_millionths
        Balance.
    """

    read_at_us: int
    orders: Mapping[str, Order]
    fills: Sequence[Fill]
    positions: Mapping[str, int]
    costs: Mapping[str, int]
    settled: Mapping[str, int]
    cash_millionths: int


@dataclass(frozen=True, kw_only=True)
class JournalView:
    """What the journal holds; orders of `in_flight` are not judged."""

    started_at_us: int
    orders: Sequence[JournaledOrder]
    fills: Sequence[JournaledFill]
    positions: Mapping[str, int]
    in_flight: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the journal is to learn of an order."""

    client_order_id: str
    state: str
    order_id: str | None
    filled: int
    note: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A difference that stays.

    Attributes
    ----------
    kind
        unresolved, order_missing, list_incomplete, stranger_order, stranger_fill, ended_but_rests,
        rejected_but_exists, order_differs, fills_missing, position_differs, read_failed.
    market
        The market that it blocks; `ACCOUNT`: all.
    detail
        What differs.
    may_pass
        Reading again may resolve it.
    """

    kind: str
    market: str
    detail: str
    may_pass: bool = False


@dataclass
class Comparison:
    """Changes and executions for the journal, and what stays different."""

    changes: list[Change] = field(default_factory=list)
    fills: list[JournaledFill] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def compare_orders(account: AccountView, journal: JournalView, bounds: LagBounds) -> Comparison:
    """Compare orders and executions.

    Parameters
    ----------
    account, journal
        Both sides.
    bounds
        How far reads may lag.
    """
    result = Comparison()
    by_name = {o.client_order_id: o for o in account.orders.values() if o.client_order_id}
    known = {order.client_order_id for order in journal.orders}
    ids: dict[str, JournaledOrder] = {}
    for order in journal.orders:
        if order.client_order_id in journal.in_flight:
            continue
        found = by_name.get(order.client_order_id) or account.orders.get(order.order_id or "")
        judged = (
            _missing(order, account, bounds)
            if found is None
            else _found(order, found, account, bounds)
        )
        if isinstance(judged, Change):
            result.changes.append(judged)
        elif judged is not None:
            result.findings.append(judged)
        if found is not None:
            ids[found.order_id] = order
    result.findings += _strangers(account, known)
    _compare_fills(account, journal, ids, result)
    if any(finding.kind == "list_incomplete" for finding in result.findings):
        # What such a list lacks may exist.
        result.changes = [change for change in result.changes if change.state != REJECTED]
    return result


def compare_positions(account: AccountView, journal: JournalView) -> list[Finding]:
    """Compare positions, those of settled markets left out.

    Parameters
    ----------
    account, journal
        Both sides, the journal as it is after the repairs.
    """
    markets = (account.positions.keys() | journal.positions.keys()) - account.settled.keys()
    return [
        Finding(
            kind="position_differs",
            market=ACCOUNT,
            detail=f"{market}: the exchange holds {there / HUNDREDTHS:g} contracts, the journal "
            f"{here / HUNDREDTHS:g}",
            may_pass=True,
        )
        for market in sorted(markets)
        if (there := account.positions.get(market, 0)) != (here := journal.positions.get(market, 0))
    ]


def cash_expected(
    opening: int, flows: int, positions: Mapping[str, int], before: Mapping[str, int], paid: int
) -> int:
    """Cash if every market keeps its own collateral of a dollar for each contract sold.

    The exchange returns collateral of markets of which only one can pay, so that the balance may
    be above this.

    Parameters
    ----------
    opening, flows, paid
        Cash at the opening, of fills less fees, and of settlements, 1/1,000,000 dollar.
    positions, before
        Contracts now and at the opening.
    """
    short = sum(max(0, -size) for size in positions.values())
    short_before = sum(max(0, -size) for size in before.values())
    return opening + flows + paid - (short - short_before) * MILLIONTHS // HUNDREDTHS


def size_of(contracts: Decimal) -> int:
    """Contracts in 1/100.

    Raises
    ------
    ValueError
        The number is finer.
    """
    return _exact(contracts, HUNDREDTHS)


def millionths_of(dollars: Decimal) -> int:
    """Dollars in 1/1,000,000.

    Raises
    ------
    ValueError
        The amount is finer.
    """
    return _exact(dollars, MILLIONTHS)


def _exact(amount: Decimal, parts: int) -> int:
    scaled = amount * parts
    if scaled != int(scaled):
        raise ValueError(f"{amount} is finer than 1/{parts}")
    return int(scaled)


def _found(
    order: JournaledOrder, found: Order, account: AccountView, bounds: LagBounds
) -> Change | Finding | None:
    """What an order at the exchange says of ours."""
    market, name = order.market_ticker, f"order {order.client_order_id} ({order.market_ticker})"
    if order.state == REJECTED:
        detail = f"{name} is {found.status} there, the journal has it as refused: {order.note}"
        return Finding(kind="rejected_but_exists", market=ACCOUNT, detail=detail)
    side = "bid" if found.outcome_side == "yes" else "ask"
    terms = (found.ticker, side, found.yes_price_cc, size_of(found.initial))
    if terms != (market, order.side, order.price_cc, order.size):
        return Finding(kind="order_differs", market=ACCOUNT, detail=f"{name} is {terms} there")
    if found.status not in STATUSES:
        detail = f"{name} has the status {found.status!r} there, which is none of {STATUSES}"
        return Finding(kind="order_differs", market=market, detail=detail, may_pass=True)
    filled, rests = size_of(found.filled), found.status == "resting"
    believed = account.read_at_us - order.updated_at_us >= bounds.read_lag_us
    behind = filled < order.filled or (rests and order.state == DONE)
    doubtful = rests and order.is_unresolved and order.order_id is not None
    if behind or (doubtful and not believed):
        kind = "ended_but_rests" if rests and order.state == DONE else "order_differs"
        detail = (
            f"{name} is {found.status} with {filled}/100 contracts filled there, "
            f"{order.state} with {order.filled}/100 in the journal"
        )
        return Finding(kind=kind, market=market, detail=detail, may_pass=True)
    remaining = size_of(found.remaining) if rests else 0
    state = state_of(filled, remaining)
    if (state, filled, found.order_id) == (order.state, order.filled, order.order_id):
        return None
    note = note_of_end(filled, remaining, order.size) and f"{found.status} at the exchange"
    return Change(
        client_order_id=order.client_order_id,
        state=state,
        order_id=found.order_id,
        filled=filled,
        note=note,
    )


def _missing(
    order: JournaledOrder, account: AccountView, bounds: LagBounds
) -> Change | Finding | None:
    """What it says of our order that the exchange does not list it."""
    name = f"order {order.client_order_id} ({order.market_ticker})"
    if order.order_id is not None:
        detail = f"{name} is not listed, though the exchange accepted it as {order.order_id}"
        return Finding(kind="list_incomplete", market=ACCOUNT, detail=detail, may_pass=True)
    if not order.is_unresolved:
        return None
    waited = account.read_at_us - order.created_at_us
    if waited < bounds.arrival_us:
        left = (bounds.arrival_us - waited) / SECOND_US
        detail = f"{name} is {order.state} and not listed; it may still arrive for {left:.0f} s"
        return Finding(kind="unresolved", market=order.market_ticker, detail=detail)
    return Change(
        client_order_id=order.client_order_id,
        state=REJECTED,
        order_id=None,
        filled=0,
        note="never arrived",
    )


def _strangers(account: AccountView, known: set[str]) -> Iterator[Finding]:
    """Orders that rest and are not the journal's; ours are known by their client order ID."""
    for found in account.orders.values():
        if found.status == "resting" and found.client_order_id not in known:
            yield Finding(
                kind="stranger_order",
                market=ACCOUNT,
                detail=f"order {found.order_id} (client order ID {found.client_order_id}) rests "
                f"in {found.ticker} and is not in the journal",
            )


def _compare_fills(
    account: AccountView,
    journal: JournalView,
    ids: Mapping[str, JournaledOrder],
    result: Comparison,
) -> None:
    booked = {fill.trade_id: fill for fill in journal.fills}
    sums = {order.client_order_id: order.booked for order in journal.orders}
    for fill in account.fills:
        order = ids.get(fill.order_id)
        listed = account.orders.get(fill.order_id)
        if fill.trade_id in booked or (listed and listed.client_order_id in journal.in_flight):
            continue
        at_us = microseconds_of(fill.created_time)
        if order is None:
            if at_us >= journal.started_at_us:
                detail = f"trade {fill.trade_id} in {fill.ticker} is of no order of the journal"
                result.findings.append(
                    Finding(kind="stranger_fill", market=ACCOUNT, detail=detail, may_pass=True)
                )
            continue
        result.fills.append(_journaled(fill, order, at_us))
        sums[order.client_order_id] += result.fills[-1].size
    listed_trades = {fill.trade_id for fill in account.fills}
    result.findings += [
        Finding(
            kind="list_incomplete",
            market=ACCOUNT,
            detail=f"trade {trade} in {fill.market_ticker} is booked and not listed",
            may_pass=True,
        )
        for trade, fill in booked.items()
        if trade not in listed_trades
    ]
    for order_id, order in ids.items():
        filled = max(order.filled, size_of(account.orders[order_id].filled))
        if sums[order.client_order_id] != filled:
            detail = (
                f"order {order.client_order_id} ({order.market_ticker}) has fills of "
                f"{sums[order.client_order_id]}/100 contracts listed, {filled}/100 are filled"
            )
            result.findings.append(
                Finding(
                    kind="fills_missing",
                    market=order.market_ticker,
                    detail=detail,
                    may_pass=True,
                )
            )


def _journaled(fill: Fill, order: JournaledOrder, at_us: int) -> JournaledFill:
    return JournaledFill(
        trade_id=fill.trade_id,
        client_order_id=order.client_order_id,
        market_ticker=order.market_ticker,
        side=order.side,
        is_taker=fill.is_taker,
        price_cc=fill.yes_price_cc,
        size=size_of(fill.contracts),
        fee_millionths=millionths_of(fill.fee),
        filled_at_us=at_us,
    )
