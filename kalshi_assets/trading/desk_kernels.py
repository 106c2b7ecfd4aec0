"""Compiled decisions: a desk's positions and orders, and what it sends and cancels at an instant.

The same functions decide in the backtest and in sessions. Here: the desk, sizes and limits. Not
here: which orders are wanted (`signal_kernels`), what fills them (`exchange_kernels`, or the
exchange).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.instants import NEVER
from kalshi_assets.kernel_cache import lean
from kalshi_assets.tables.backtest import REASONS
from kalshi_assets.trading.fee_kernels import FeeTerms, fee_of_fill
from kalshi_assets.trading.signal_kernels import (
    BUY_MAKER,
    BUY_TAKER,
    MAKER,
    SELL_MAKER,
    SELL_TAKER,
    TAKER,
    TRADE,
    PriceGrid,
    Rows,
    Wants,
    buy_limit,
    sell_limit,
)
from kalshi_assets.trading.sizing_kernels import Memory, atom_probabilities, joint_kelly, new_memory
from kalshi_assets.units import CC_A_DOLLAR, MINUTE_US, Array, Ints

_ORDER_WORKING = REASONS.index("order_working")
_SIZE_ZERO = REASONS.index("size_zero")
_POSITION_LIMIT = REASONS.index("position_limit")
_OPEN_ORDERS_LIMIT = REASONS.index("open_orders_limit")
_ORDER_RATE_LIMIT = REASONS.index("order_rate_limit")
_PRICE_COLLAR = REASONS.index("price_collar")
_LOSS_LIMIT = REASONS.index("loss_limit")

# Ends of an order; `WORKING`: none yet.
WORKING, FILLED, EXPIRED, CANCELLED, CROSSED, CLOSED, UNFILLED = range(7)
ENDS = ("working", "filled", "expired", "cancelled", "crossed", "closed", "unfilled")

_ANY = np.iinfo(np.int64).max

# Off a contract's gain, different in each bracket: orders that hedge each other exactly, such as of
# a whole set at a dollar, are not sent in any size only because no size is worse than another.
_HAIR_CC = 0.001

# Numbers of `Desk.counts`.
CASH, FEES, ORDERS, FILLS, OPEN, LIMIT_HIT, FULL = range(7)

# Columns of `Desk.orders`: instants in microseconds, prices in cc, `AHEAD` and `LEFT_OVER` in
# hundredths of a contract, `CARRIED` what the order's fees carry to its next fill, `FEE_ALONE` the
# fee of a contract filled alone.
(
    DECIDED_AT,
    ARRIVES_AT,
    ENDS_AT,
    ENDED_AT,
    BRACKET,
    SIGN,
    TAKES,
    PRICE,
    CONTRACTS,
    FILLED_SO_FAR,
    FEE,
    CARRIED,
    AHEAD,
    LEFT_OVER,
    ARRIVED,
    IS_CANCELLED,
    END,
    FEE_ALONE,
) = range(18)
# Columns of `Scratch.wanted`: want, price, most contracts, whether the order only reduces what is
# held, and the fee of a contract filled alone.
_WANT, _LIMIT, _MOST, _REDUCES, _FEE_ALONE = range(5)
# Columns of `Desk.fills`.
FILL_AT, FILL_ORDER, FILL_CONTRACTS, FILL_PRICE, FILL_FEE = range(5)


class Terms(NamedTuple):
    """The exchange's terms of the event.

    Attributes
    ----------
    runs
        First atom of every leg and the one after its last, shape (legs, 2).
    atoms
        Number of atoms.
    partition
        Whether exactly one leg pays.
    fee
        The fee's terms.
    fee_from
        From when each bracket's fills cost a fee, microseconds.
    close
        When trading ends, microseconds.
    """

    runs: Ints
    atoms: int
    partition: bool
    fee: FeeTerms
    fee_from: Ints
    close: int


class Limits(NamedTuple):
    """Sizes, limits and delays; names as in `TradingParams`, times in microseconds."""

    order_contracts: int
    max_position_contracts: int
    max_open_orders: int
    max_orders_a_bracket: int
    max_orders_a_minute: int
    collar_cc: int
    slippage_cc: int
    max_loss_cc: int
    bankroll_cc: int
    kelly_fraction: float
    sized_by_kelly: bool
    latency_us: int
    lifetime_us: int
    hold_us: int


class Desk(NamedTuple):
    """Positions, orders and fills of one account in one event.

    Attributes
    ----------
    position
        YES contracts by bracket; negative: NO.
    filled_at, filled_sign
        Instant and sign of each bracket's last fill.
    working
        Positions in `orders` of those that work, in the order sent.
    orders, fills
        A row each, as far as counted; columns above.
    counts
        Cash and fees, cc; numbers of orders, fills, working orders; whether a loss limit was hit;
        whether there was no room for more orders or fills.
    """

    position: Ints
    filled_at: Ints
    filled_sign: Ints
    working: Ints
    orders: Ints
    fills: Ints
    counts: Ints


class Decided(NamedTuple):
    """What was decided, per row, and the position then."""

    reason: NDArray[np.int8]
    want: NDArray[np.int8]
    price: NDArray[np.int32]
    contracts: NDArray[np.int32]
    position: NDArray[np.int32]


class Scratch(NamedTuple):
    """Working memory of `decide`: kernels of a day allocate none."""

    wanted: Ints
    exposed: Ints
    most: Ints
    which: Ints
    own: Ints
    wealth: Array
    p: Array
    of_legs: Array
    above: Array
    gain: Array
    caps: Array
    sizes: Array
    of_market: Array
    memory: Memory


def new_scratch(brackets: int, atoms: int) -> Scratch:
    """Working memory for a ladder.

    Parameters
    ----------
    brackets, atoms
        Their numbers.
    """
    return Scratch(
        wanted=np.empty((brackets, _FEE_ALONE + 1), np.int64),
        exposed=np.empty(atoms, np.int64),
        most=np.empty(brackets, np.int64),
        which=np.empty(brackets, np.int64),
        own=np.empty(atoms, np.int64),
        wealth=np.empty(atoms),
        p=np.empty(atoms),
        of_legs=np.empty(brackets),
        above=np.empty(atoms + 1),
        gain=np.empty((brackets, atoms)),
        caps=np.empty(brackets),
        sizes=np.empty(brackets),
        of_market=np.empty(brackets),
        memory=new_memory(brackets, atoms),
    )


def new_desk(brackets: int, *, orders: int, fills: int, open_orders: int) -> Desk:
    """An empty desk.

    Parameters
    ----------
    brackets
        Number of brackets.
    orders, fills, open_orders
        Room for so many orders, fills, and orders that work at once.
    """
    return Desk(
        position=np.zeros(brackets, np.int64),
        filled_at=np.full(brackets, NEVER),
        filled_sign=np.zeros(brackets, np.int64),
        working=np.zeros(open_orders, np.int64),
        orders=np.zeros((orders, FEE_ALONE + 1), np.int64),
        fills=np.zeros((fills, FILL_FEE + 1), np.int64),
        counts=np.zeros(FULL + 1, np.int64),
    )


@lean
def decide(
    desk: Desk,
    now: int,
    m: int,
    first: Ints,
    rows: Rows,
    wants: Wants,
    terms: Terms,
    limits: Limits,
    grid: PriceGrid,
    scratch: Scratch,
    keep: bool,
    out: Decided,
) -> None:
    """Cancel and send what one instant calls for; fills so far are booked.

    Parameters
    ----------
    desk
        State, changed in place.
    now, m
        The instant, microseconds, and its minute's position in the day.
    first, rows, wants
        The day.
    terms, limits, grid
        The exchange's; the trader's; allowed prices.
    scratch
        From `new_scratch`.
    keep, out
        Whether `out` receives what was decided.
    """
    if _propose(desk, now, m, first, rows, wants, limits, grid, scratch.wanted) == 0:
        return
    wanted, orders, working, counts = scratch.wanted, desk.orders, desk.working, desk.counts
    # What follows from all orders together is computed when the first gets so far.
    together = False
    for b in range(len(first)):
        if wanted[b, _WANT] == 0:
            continue
        r = first[b] + m
        sign = 1 if wanted[b, _WANT] > 0 else -1
        takes, price = int(abs(wanted[b, _WANT]) == TAKER), wanted[b, _LIMIT]
        contracts, reason = wanted[b, _MOST], TRADE
        if contracts <= 0:
            reason = _POSITION_LIMIT
        elif _stands(orders, working, counts[OPEN], b, sign, takes, price, now, limits):
            reason = _ORDER_WORKING
        else:
            if not together:
                _price_fees(wanted, terms.fee)
                _exposed_gain(desk, terms, scratch.exposed)
                _kelly(desk, m, first, wants, rows, terms, limits, scratch)
                together = True
            mid_twice = rows.bid[r] + rows.ask[r]
            reason, contracts = _limited(
                orders,
                counts,
                b,
                sign,
                price,
                contracts,
                now,
                mid_twice,
                terms,
                limits,
                scratch,
            )
        if reason == TRADE:
            _send(
                orders,
                working,
                counts,
                b,
                sign,
                takes,
                price,
                contracts,
                wanted[b, _FEE_ALONE],
                now,
                terms.close,
                limits,
            )
        if keep:
            sent = reason == TRADE
            out.reason[r] = reason
            out.contracts[r] = contracts if sent else 0
            out.want[r] = wanted[b, _WANT] if sent else 0
            out.price[r] = price if sent else 0


@lean
def _propose(
    desk: Desk,
    now: int,
    m: int,
    first: Ints,
    rows: Rows,
    wants: Wants,
    limits: Limits,
    grid: PriceGrid,
    wanted: Ints,
) -> int:
    """Cancel what is pulled; the order that each bracket's row and position call for.

    `wanted` receives all but the fee; a want of 0: no order. Returns their number.
    """
    orders, working, many = desk.orders, desk.working, desk.counts[OPEN]
    found = 0
    for b in range(len(first)):
        r = first[b] + m
        position, want, price = desk.position[b], int(wants.want[r]), int(wants.price[r])
        wanted[b, _WANT] = wanted[b, _REDUCES] = 0
        if wants.pull[r] and many > 0:
            _cancel_all(orders, working, many, b, now, limits.latency_us)
        less = 0
        due = now >= desk.filled_at[b] + limits.hold_us
        if position != 0 and want * position >= 0 and due:
            less = _reduction(wants.reduce[r], position)
        if less != 0:
            want, most = less, abs(position)
            price = _price_to_reduce(less, b, rows.bid[r], rows.ask[r], limits.slippage_cc, grid)
            wanted[b, _REDUCES] = 1
        elif want != 0:
            most = limits.max_position_contracts - (position if want > 0 else -position)
        else:
            continue
        most -= _working_contracts(orders, working, many, b, 1 if want > 0 else -1)
        wanted[b, _WANT], wanted[b, _LIMIT] = want, price
        wanted[b, _MOST] = min(limits.order_contracts, most)
        found += 1
    return found


@lean
def _price_to_reduce(
    want: int, b: int, bid: float, ask: float, slippage_cc: int, grid: PriceGrid
) -> int:
    if abs(want) == MAKER:
        return int(bid if want > 0 else ask)
    if want > 0:
        return int(buy_limit(grid, b, ask + slippage_cc))
    return int(sell_limit(grid, b, bid - slippage_cc))


@lean
def _limited(
    orders: Ints,
    counts: Ints,
    b: int,
    sign: int,
    price: int,
    contracts: int,
    now: int,
    mid_twice: float,
    terms: Terms,
    limits: Limits,
    scratch: Scratch,
) -> tuple[int, int]:
    """The first limit that refuses an order, or `TRADE`, and its contracts; counts its exposure."""
    if scratch.most[b] < 1:
        return _SIZE_ZERO, 0
    if counts[OPEN] >= limits.max_open_orders:
        return _OPEN_ORDERS_LIMIT, 0
    if _sent_lately(orders, counts[ORDERS], now) >= limits.max_orders_a_minute:
        return _ORDER_RATE_LIMIT, 0
    if 2 * sign * price > sign * mid_twice + 2 * limits.collar_cc:
        return _PRICE_COLLAR, 0
    lost = -sign * price - scratch.wanted[b, _FEE_ALONE]
    won = lost + sign * CC_A_DOLLAR
    start, end = terms.runs[b, 0], terms.runs[b, 1]
    contracts = _affordable(
        scratch.exposed,
        start,
        end,
        lost,
        won,
        min(contracts, scratch.most[b]),
        counts[LIMIT_HIT],
        limits.max_loss_cc,
    )
    if contracts <= 0:
        counts[LIMIT_HIT] = 1
        return _LOSS_LIMIT, 0
    _expose(scratch.exposed, start, end, lost, won, contracts)
    return TRADE, contracts


@lean
def _reduction(reduce: int, position: int) -> int:
    if position > 0:
        if reduce & SELL_TAKER:
            return -TAKER
        return -MAKER if reduce & SELL_MAKER else 0
    if reduce & BUY_TAKER:
        return TAKER
    return MAKER if reduce & BUY_MAKER else 0


@lean
def _working_contracts(orders: Ints, working: Ints, many: int, b: int, sign: int) -> int:
    """Contracts of working orders of one side of a bracket that may still fill."""
    total = 0
    for i in range(many):
        n = working[i]
        if orders[n, BRACKET] == b and orders[n, SIGN] == sign:
            total += orders[n, CONTRACTS] - orders[n, FILLED_SO_FAR]
    return total


@lean
def _cancel_all(orders: Ints, working: Ints, many: int, b: int, now: int, latency_us: int) -> None:
    ends = now + latency_us
    for i in range(many):
        n = working[i]
        if orders[n, BRACKET] == b and ends < orders[n, ENDS_AT]:
            orders[n, ENDS_AT] = ends
            orders[n, IS_CANCELLED] = 1


@lean
def _stands(
    orders: Ints,
    working: Ints,
    many: int,
    b: int,
    sign: int,
    takes: int,
    price: int,
    now: int,
    limits: Limits,
) -> bool:
    """Whether a working order is, or keeps out, the wanted one; others of the bracket end."""
    same, crossed, of_bracket = False, False, 0
    for i in range(many):
        n = working[i]
        if orders[n, BRACKET] == b:
            of_bracket += 1
            if orders[n, SIGN] != sign:
                crossed = crossed or sign * (price - orders[n, PRICE]) >= 0
            elif orders[n, PRICE] == price and orders[n, TAKES] == takes:
                same = same or orders[n, IS_CANCELLED] == 0
    if same:
        return True
    if of_bracket:
        _cancel_all(orders, working, many, b, now, limits.latency_us)
    return crossed or of_bracket >= limits.max_orders_a_bracket


@lean
def _sent_lately(orders: Ints, many: int, now: int) -> int:
    sent, n = 0, many - 1
    while n >= 0 and orders[n, DECIDED_AT] > now - MINUTE_US:
        sent += 1
        n -= 1
    return sent


@lean
def gain_by_atom(position: Ints, cash: int, runs: Ints, gain: Ints) -> None:
    """Gain of positions, cash and fees on each atom, cc.

    Parameters
    ----------
    position, cash
        YES contracts by bracket; cash received less paid, fees included.
    runs
        First atom of every leg and the one after its last.
    gain
        Receives the gains, shape (atoms,).
    """
    for j in range(len(gain)):
        gain[j] = cash
    for b in range(len(position)):
        if position[b] != 0:
            for j in range(runs[b, 0], runs[b, 1]):
                gain[j] += CC_A_DOLLAR * position[b]


@lean
def _exposed_gain(desk: Desk, terms: Terms, exposed: Ints) -> None:
    """Gain on each atom if exactly the working orders that lose on it filled, cc."""
    orders, working, runs = desk.orders, desk.working, terms.runs
    gain_by_atom(desk.position, desk.counts[CASH], runs, exposed)
    for i in range(desk.counts[OPEN]):
        n = working[i]
        sign = orders[n, SIGN]
        lost = -sign * orders[n, PRICE] - orders[n, FEE_ALONE]
        won = lost + sign * CC_A_DOLLAR
        left, b = orders[n, CONTRACTS] - orders[n, FILLED_SO_FAR], orders[n, BRACKET]
        _expose(exposed, runs[b, 0], runs[b, 1], lost, won, left)


@lean
def _price_fees(wanted: Ints, fee: FeeTerms) -> None:
    """The fee of a contract of each wanted order that is filled alone, which is the most."""
    for b in range(len(wanted)):
        want = wanted[b, _WANT]
        if want != 0:
            sign, takes = 1 if want > 0 else -1, abs(want) == TAKER
            wanted[b, _FEE_ALONE] = fee_of_fill(fee, 0, wanted[b, _LIMIT], 1, sign, takes)[0]


@lean
def _expose(exposed: Ints, start: int, end: int, lost: int, won: int, contracts: int) -> None:
    """Count contracts of a leg where they lose; `lost` and `won` are gains of one, cc."""
    for j in range(len(exposed)):
        gain = won if start <= j < end else lost
        if gain < 0:
            exposed[j] += gain * contracts


@lean
def _affordable(
    exposed: Ints,
    start: int,
    end: int,
    lost: int,
    won: int,
    contracts: int,
    hit: int,
    max_loss_cc: int,
) -> int:
    """Contracts that the loss limits allow; once one was hit, only what raises the worst case."""
    least = exposed[0]
    for j in range(len(exposed)):
        least = min(least, exposed[j])
    floor = max(-max_loss_cc, least + 1) if hit else -max_loss_cc
    for j in range(len(exposed)):
        gain = won if start <= j < end else lost
        if gain < 0:
            contracts = min(contracts, max(0, exposed[j] - floor) // -gain)
        elif gain == 0 and hit and exposed[j] == least:
            return 0
    return contracts


@lean
def _kelly(
    desk: Desk,
    m: int,
    first: Ints,
    wants: Wants,
    rows: Rows,
    terms: Terms,
    limits: Limits,
    scratch: Scratch,
) -> None:
    """`Scratch.most`: contracts of each bracket's order by the fraction of its joint Kelly size."""
    wanted, most, which = scratch.wanted, scratch.most, scratch.which
    orders, makers = 0, False
    for b in range(len(first)):
        most[b] = _ANY
        if (
            wanted[b, _WANT] != 0 and wanted[b, _REDUCES] == 0
        ):  # one that reduces has the size that is held
            which[orders] = b
            makers = makers or abs(wanted[b, _WANT]) == MAKER
            orders += 1
    if orders == 0 or not limits.sized_by_kelly:
        return
    gain = scratch.gain[:orders]
    for i in range(orders):
        b = which[i]
        sign = 1 if wanted[b, _WANT] > 0 else -1
        lost = -sign * wanted[b, _LIMIT] - wanted[b, _FEE_ALONE]
        won = lost + sign * CC_A_DOLLAR
        hair = _HAIR_CC * (2.0 - 0.5**b)
        for j in range(terms.atoms):
            gain[i, j] = (won if terms.runs[b, 0] <= j < terms.runs[b, 1] else lost) - hair
        # Beyond it the order's own limit decides.
        scratch.caps[i] = max(wanted[b, _MOST], 0) / limits.kelly_fraction
    known = _optimum(desk, m, first, wants.used, terms, limits, scratch, gain, scratch.sizes)
    if known and makers:
        known = _optimum(
            desk, m, first, rows.market, terms, limits, scratch, gain, scratch.of_market
        )
    for i in range(orders):
        b = which[i]
        size = scratch.sizes[i] if known else 0.0
        if known and abs(wanted[b, _WANT]) == MAKER:
            size = min(size, scratch.of_market[i])
        # A hair more, since caps / fraction x fraction may fall short of whole contracts.
        most[b] = int(limits.kelly_fraction * size + 1e-9)


@lean
def _optimum(
    desk: Desk,
    m: int,
    first: Ints,
    probabilities: Array,
    terms: Terms,
    limits: Limits,
    scratch: Scratch,
    gain: Array,
    sizes: Array,
) -> bool:
    """Joint Kelly sizes under probabilities per row; False: not known, or nothing is left."""
    of_legs, wealth, own = scratch.of_legs, scratch.wealth, scratch.own
    for b in range(len(first)):
        of_legs[b] = probabilities[first[b] + m]
    gain_by_atom(desk.position, desk.counts[CASH], terms.runs, own)
    for j in range(terms.atoms):
        wealth[j] = limits.bankroll_cc + own[j]
        if wealth[j] <= 0.0:
            return False
    if not atom_probabilities(of_legs, terms.runs, terms.partition, scratch.above, scratch.p):
        return False
    joint_kelly(scratch.p, wealth, gain, scratch.caps, scratch.memory, sizes)
    return True


@lean
def _send(
    orders: Ints,
    working: Ints,
    counts: Ints,
    b: int,
    sign: int,
    takes: int,
    price: int,
    contracts: int,
    fee_alone: int,
    now: int,
    close: int,
    limits: Limits,
) -> None:
    n = counts[ORDERS]
    if n >= len(orders):
        counts[FULL] = 1
        return
    arrives = now + limits.latency_us
    ends = arrives if takes else arrives + limits.lifetime_us
    orders[n, DECIDED_AT], orders[n, ARRIVES_AT] = now, arrives
    orders[n, ENDS_AT] = min(ends, max(close, arrives))
    orders[n, BRACKET], orders[n, SIGN], orders[n, TAKES] = b, sign, takes
    orders[n, PRICE], orders[n, CONTRACTS] = price, contracts
    orders[n, FEE_ALONE] = fee_alone
    working[counts[OPEN]] = n
    counts[OPEN] += 1
    counts[ORDERS] = n + 1


@lean
def book(desk: Desk, n: int, contracts: int, price: int, at: int, terms: Terms) -> None:
    """Book a fill of order `n`.

    Parameters
    ----------
    desk
        State, changed in place.
    n, contracts, price, at
        The order's position, what filled at which price, cc, and when.
    terms
        For the fee.
    """
    k, orders, fills = desk.counts[FILLS], desk.orders, desk.fills
    if k >= len(fills):
        desk.counts[FULL] = 1
        return
    b, sign, fee = orders[n, BRACKET], orders[n, SIGN], 0
    if at >= terms.fee_from[b]:
        fee, carried = fee_of_fill(
            terms.fee, orders[n, CARRIED], price, contracts, sign, orders[n, TAKES] == 1
        )
        orders[n, CARRIED] = carried
    orders[n, FILLED_SO_FAR] += contracts
    orders[n, FEE] += fee
    orders[n, ENDED_AT] = at
    fills[k, FILL_AT], fills[k, FILL_ORDER], fills[k, FILL_FEE] = at, n, fee
    fills[k, FILL_CONTRACTS], fills[k, FILL_PRICE] = contracts, price
    desk.counts[FILLS] = k + 1
    desk.position[b] += sign * contracts
    desk.filled_at[b], desk.filled_sign[b] = at, sign
    desk.counts[CASH] -= sign * contracts * price + fee
    desk.counts[FEES] += fee
