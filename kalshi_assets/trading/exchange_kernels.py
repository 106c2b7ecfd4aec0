"""Compiled past: what the tape and the quotes would have done to a desk's orders.

Here: arrival, fills under the three models, ends, and a day's loop. Not here: decisions
(`desk_kernels`). See docs/trading.md.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.kernel_cache import lean, njit
from kalshi_assets.trading.desk_kernels import (
    AHEAD,
    ARRIVED,
    ARRIVES_AT,
    BRACKET,
    CANCELLED,
    CLOSED,
    CONTRACTS,
    CROSSED,
    END,
    ENDED_AT,
    ENDS_AT,
    EXPIRED,
    FILLED,
    FILLED_SO_FAR,
    FULL,
    IS_CANCELLED,
    LEFT_OVER,
    OPEN,
    PRICE,
    SIGN,
    TAKES,
    UNFILLED,
    WORKING,
    Decided,
    Desk,
    Limits,
    Scratch,
    Terms,
    book,
    decide,
)
from kalshi_assets.trading.signal_kernels import PriceGrid, Rows, Wants
from kalshi_assets.units import MINUTE_US, Array, Ints

TOUCH, THROUGH, QUEUE = range(3)

_HUNDRED = 100  # volumes on the tape are hundredths of a contract
_ANY_WANT, _ANY_REDUCTION, _ANY_PULL = 1, 2, 4


class Tape(NamedTuple):
    """The event's trades in order of time.

    Attributes
    ----------
    at
        Microseconds.
    bracket
        Position in the ladder.
    price
        Of YES, cc.
    quantity
        Hundredths of a contract.
    sign
        +1: the taker bought YES; -1: sold it; 0: not known.
    bar
        How long before its instant a trade may have happened at most, microseconds.
    """

    at: Ints
    bracket: NDArray[np.int16]
    price: NDArray[np.int32]
    quantity: Ints
    sign: NDArray[np.int8]
    bar: int


class FillRule(NamedTuple):
    """A fill model and its parameters.

    Attributes
    ----------
    model
        `TOUCH`, `THROUGH` or `QUEUE`.
    touch_share, volume_share
        Shares of a trade at the price, and of a minute's volume for a taker, in 1 / 10,000.
    displayed_contracts
        Least size of a standing quote.
    queue_ahead
        Assumed ahead of a new order at a standing price, in hundredths of a contract.
    max_quote_age_s
        Older quotes cannot be taken.
    """

    model: int
    touch_share: int
    volume_share: int
    displayed_contracts: int
    queue_ahead: int
    max_quote_age_s: float


@njit(cache=True)
def busy_minutes(wants: Wants, first: Ints, minutes: int) -> NDArray[np.int8]:
    """Per minute whether any row wants an order, may reduce, or pulls, as a sum of flags.

    Parameters
    ----------
    wants
        What the strategy wants, by row.
    first, minutes
        First row of every bracket, and the number of rows behind it.
    """
    busy, want, reduce, pull = np.zeros(minutes, np.int8), wants.want, wants.reduce, wants.pull
    for b in range(len(first)):
        for m in range(minutes):
            r = first[b] + m
            busy[m] |= (
                _ANY_WANT * (want[r] != 0) + _ANY_REDUCTION * (reduce[r] != 0) + _ANY_PULL * pull[r]
            )
    return busy


@lean
def run_day(
    desk: Desk,
    instants: Ints,
    first: Ints,
    rows: Rows,
    volume_1m: Array,
    wants: Wants,
    busy: NDArray[np.int8],
    tape: Tape,
    terms: Terms,
    limits: Limits,
    grid: PriceGrid,
    rule: FillRule,
    scratch: Scratch,
    keep: bool,
    out: Decided,
) -> None:
    """A day of one strategy under one fill model.

    Parameters
    ----------
    desk
        State, changed in place; `FULL` of its counts tells that it had too little room.
    instants, first, rows, volume_1m, wants, busy, tape
        The day.
    terms, limits, grid, rule
        The exchange's, the trader's, allowed prices, the fill model.
    scratch
        From `new_scratch`.
    keep, out
        Whether `out` receives what was decided.
    """
    trade, brackets, held = 0, len(first), False
    counts, position, at, of_row = desk.counts, desk.position, tape.at, out.position
    for m in range(len(instants)):
        now, flags = instants[m], busy[m]
        if counts[OPEN] > 0:
            trade = advance(desk, now, trade, instants, first, rows, volume_1m, tape, terms, rule)
            held = False
            for b in range(brackets):
                held = held or position[b] != 0
        if (
            flags & _ANY_WANT
            or (flags & _ANY_REDUCTION and held)
            or (flags & _ANY_PULL and counts[OPEN] > 0)
        ):
            if counts[OPEN] == 0:
                trade = _after(at, trade, now)
            decide(desk, now, m, first, rows, wants, terms, limits, grid, scratch, keep, out)
        if keep and held:
            for b in range(brackets):
                of_row[first[b] + m] = position[b]
        if counts[FULL]:
            return
    if counts[OPEN] > 0:
        end = np.iinfo(np.int64).max
        advance(desk, end, trade, instants, first, rows, volume_1m, tape, terms, rule)


@lean
def _after(at: Ints, trade: int, now: int) -> int:
    """The first trade after an instant, from position `trade` on."""
    while trade < len(at) and at[trade] <= now:
        trade += 1
    return trade


@lean
def advance(
    desk: Desk,
    now: int,
    trade: int,
    instants: Ints,
    first: Ints,
    rows: Rows,
    volume_1m: Array,
    tape: Tape,
    terms: Terms,
    rule: FillRule,
) -> int:
    """Let arrivals, trades and ends up to an instant happen to the working orders.

    Parameters
    ----------
    desk
        State, changed in place.
    now
        Microseconds.
    trade
        Position on the tape of the first trade that has not happened.
    instants, first, rows, volume_1m, tape
        The day.
    terms, rule
        For fees and fills.

    Returns
    -------
    int
        `trade` for the next call.
    """
    orders, working, counts = desk.orders, desk.working, desk.counts
    makers = False
    for i in range(counts[OPEN]):
        n = working[i]
        if orders[n, ARRIVED] == 0:
            # Orders arrive in the order in which they were sent.
            if orders[n, ARRIVES_AT] > now:
                break
            trade = _trade(desk, orders[n, ARRIVES_AT] - 1, trade, makers, tape, terms, rule)
            _arrive(desk, n, trade, instants, first, rows, volume_1m, tape, terms, rule)
        makers = makers or orders[n, TAKES] == 0
    trade = _trade(desk, now, trade, makers, tape, terms, rule)
    _end(orders, working, counts, now)
    return trade


@lean
def _trade(
    desk: Desk, until: int, trade: int, makers: bool, tape: Tape, terms: Terms, rule: FillRule
) -> int:
    """Let trades up to an instant fill the makers that have arrived; the first trade after it."""
    if not makers:
        return _after(tape.at, trade, until)
    while trade < len(tape.at) and tape.at[trade] <= until:
        for i in range(desk.counts[OPEN]):
            if desk.orders[desk.working[i], BRACKET] == tape.bracket[trade]:
                _match(desk, trade, tape, terms, rule)
                break
        trade += 1
    return trade


@lean
def _end(orders: Ints, working: Ints, counts: Ints, now: int) -> None:
    """End the orders that filled, expired or were cancelled by an instant."""
    kept = 0
    for i in range(counts[OPEN]):
        n = working[i]
        if orders[n, END] == WORKING:
            if orders[n, FILLED_SO_FAR] == orders[n, CONTRACTS]:
                orders[n, END] = FILLED
            elif orders[n, ENDS_AT] <= now:
                orders[n, END] = CANCELLED if orders[n, IS_CANCELLED] else EXPIRED
                orders[n, ENDED_AT] = orders[n, ENDS_AT]
        if orders[n, END] == WORKING:
            working[kept] = n
            kept += 1
    counts[OPEN] = kept


@lean
def _arrive(
    desk: Desk,
    n: int,
    trade: int,
    instants: Ints,
    first: Ints,
    rows: Rows,
    volume_1m: Array,
    tape: Tape,
    terms: Terms,
    rule: FillRule,
) -> None:
    """What the quote after its arrival does to an order."""
    orders, a = desk.orders, desk.orders[n, ARRIVES_AT]
    orders[n, ARRIVED], orders[n, ENDED_AT] = 1, a
    # A quote of a minute's end is in the next row.
    m = -(-(a - instants[0]) // MINUTE_US) + 1
    if m >= len(instants) or a >= terms.close:
        orders[n, END] = CLOSED
        return
    r = first[orders[n, BRACKET]] + m
    price, own, opposite = orders[n, PRICE], rows.bid[r], rows.ask[r]
    if orders[n, SIGN] < 0:  # as if it bought
        price, own, opposite = -price, -rows.ask[r], -rows.bid[r]
    if orders[n, TAKES] == 0:
        if price >= opposite:
            orders[n, END] = CROSSED
        else:
            orders[n, AHEAD] = 0 if price > own else rule.queue_ahead
        return
    orders[n, END] = UNFILLED
    fresh = rows.age_s[r] >= 0.0 and rows.age_s[r] <= rule.max_quote_age_s
    if rows.recorded[r] and fresh and opposite <= price:
        contracts, paid = _taken(orders, n, int(opposite), volume_1m[r], trade, tape, rule)
        if contracts > 0:
            book(desk, n, contracts, paid, a, terms)
        if contracts == orders[n, CONTRACTS]:
            orders[n, END] = FILLED


@lean
def _taken(
    orders: Ints, n: int, quote: int, volume: float, trade: int, tape: Tape, rule: FillRule
) -> tuple[int, int]:
    """Contracts and price of an immediate order: the worse of the quote and of later trades.

    `quote` has the sign of the order.
    """
    a, sign, worst = orders[n, ARRIVES_AT], orders[n, SIGN], quote
    t = _after(tape.at, trade, a)
    while t < len(tape.at) and tape.at[t] <= a + MINUTE_US:
        if tape.bracket[t] == orders[n, BRACKET]:
            worst = max(worst, sign * tape.price[t])
        t += 1
    if worst > sign * orders[n, PRICE]:
        return 0, 0
    share = 0
    if volume >= 0.0:
        share = int(np.rint(volume * _HUNDRED)) * rule.volume_share // (10_000 * _HUNDRED)
    return min(orders[n, CONTRACTS], max(rule.displayed_contracts, share)), sign * worst


@lean
def _match(desk: Desk, t: int, tape: Tape, terms: Terms, rule: FillRule) -> None:
    """Give a trade's contracts to the orders that it fills: better prices first, then earlier."""
    at, b, left, price = tape.at[t], tape.bracket[t], tape.quantity[t], tape.price[t]
    orders, working, many = desk.orders, desk.working, desk.counts[OPEN]
    for sign in (1, -1):
        if desk.filled_at[b] == at and desk.filled_sign[b] == -sign:
            continue
        rank, n = 0, -1
        while left > 0:
            n = _next_in_line(orders, working, many, b, sign, at, price, tape.bar, rank, n)
            if n < 0:
                break
            left -= _fill_maker(desk, n, t, left, tape, terms, rule)
            rank = sign * orders[n, PRICE]


@lean
def _next_in_line(
    orders: Ints,
    working: Ints,
    many: int,
    b: int,
    sign: int,
    at: int,
    price: int,
    bar: int,
    last_rank: int,
    last: int,
) -> int:
    """The order of one side that a trade reaches after order `last`; -1: none is left."""
    best, best_rank = -1, 0
    for i in range(many):
        n = working[i]
        if orders[n, BRACKET] != b or orders[n, SIGN] != sign or not _rests(orders, n, at, bar):
            continue
        rank = sign * orders[n, PRICE]
        if rank < sign * price or orders[n, FILLED_SO_FAR] == orders[n, CONTRACTS]:
            continue
        if last >= 0 and (rank > last_rank or (rank == last_rank and n <= last)):
            continue
        if best < 0 or rank > best_rank:
            best, best_rank = n, rank
    return best


@lean
def _rests(orders: Ints, n: int, at: int, bar: int) -> bool:
    """Whether an order is in the book when a trade happens."""
    if orders[n, TAKES] == 1 or orders[n, ARRIVED] == 0 or orders[n, END] != WORKING:
        return False
    return orders[n, ARRIVES_AT] < at - bar and at <= orders[n, ENDS_AT]


@lean
def _fill_maker(
    desk: Desk, n: int, t: int, left: int, tape: Tape, terms: Terms, rule: FillRule
) -> int:
    """Fill an order from what is left of a trade that reached its price; returns what it took."""
    orders = desk.orders
    sign, price = orders[n, SIGN], orders[n, PRICE]
    beyond, give = sign * (price - tape.price[t]), 0
    if beyond > 0:
        orders[n, AHEAD] = 0
        give = left
    elif rule.model == TOUCH:
        give = left * rule.touch_share // 10_000
    elif rule.model == QUEUE and tape.sign[t] == -sign:
        ahead = orders[n, AHEAD]
        give = max(0, left - ahead)
        orders[n, AHEAD] = max(0, ahead - left)
    if give == 0:
        return 0
    left_over = orders[n, LEFT_OVER]
    needed = (orders[n, CONTRACTS] - orders[n, FILLED_SO_FAR]) * _HUNDRED - left_over
    give = min(give, needed)
    whole = (left_over + give) // _HUNDRED
    orders[n, LEFT_OVER] = left_over + give - whole * _HUNDRED
    if whole > 0:
        book(desk, n, whole, price, tape.at[t], terms)
    return give
