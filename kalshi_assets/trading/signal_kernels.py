"""Compiled signals: for every row which order a strategy wants, or the gate that forbids one.

A row is judged alone, whatever is held or working. Comparisons with NaN are false, so every gate
tests that a value is known to be good. Here: gates, and the rules of the strategies that ship. Not
here: what is sent (`desk_kernels`), what the strategies are for (`strategies`).

Rows are flat arrays in the order of the tables; `first` has the first row of every bracket, lowest
first, and a bracket's minutes follow each other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.kernel_cache import lean
from kalshi_assets.tables.backtest import REASONS
from kalshi_assets.units import CC_A_CENT, CC_A_DOLLAR, Array, Bools, Ints

# numba folds globals into the code.
TRADE = REASONS.index("trade")
_NO_QUOTE = REASONS.index("no_quote")
_INPUT_UNKNOWN = REASONS.index("input_unknown")
_MARKET_INVALID = REASONS.index("market_invalid")
_DEAD_BRACKET = REASONS.index("dead_bracket")
_STALE_QUOTE = REASONS.index("stale_quote")
_EXTREME_PROBABILITY = REASONS.index("extreme_probability")
_WIDE_SPREAD = REASONS.index("wide_spread")
_LOW_VOLUME = REASONS.index("low_volume")
_VETO = REASONS.index("veto")
_INFERRED_QUOTE = REASONS.index("inferred_quote")
_EDGE_TOO_SMALL = REASONS.index("edge_too_small")
_NO_PREDICTION = REASONS.index("no_prediction")
_SIGNAL_UNKNOWN = REASONS.index("signal_unknown")
_SIGNAL_TOO_WEAK = REASONS.index("signal_too_weak")
_MOVE_TOO_SMALL = REASONS.index("move_too_small")
_NO_SET = REASONS.index("no_set")
_TOO_LATE = REASONS.index("too_late")
_NOT_WANTED = REASONS.index("not_wanted")

# What a row wants: the side's sign, doubled if it takes.
MAKER, TAKER = 1, 2
# How a held position may be reduced.
SELL_MAKER, SELL_TAKER, BUY_MAKER, BUY_TAKER = 1, 2, 4, 8

# Earlier rows of the day that a signal's scale, and rows whose moves a prediction's size, need.
_LEAST_ROWS = 30
_LEAST_MOVES = 10
MOVE_MINUTES = 120


class Rows(NamedTuple):
    """What was known, per row.

    Attributes
    ----------
    bid, ask
        Quotes, cc; NaN: none.
    recorded
        Whether the quote is the exchange's, not inferred from trades.
    age_s
        Age of the quote.
    volume_15m
        Contracts traded in 15 minutes.
    market, calibrated
        Probabilities; NaN: not known.
    valid, impossible
        Whether the market's PMF counts; whether the bracket can no longer pay.
    unknown
        Whether another value that every strategy needs is not known.
    veto
        0: orders are allowed; else the family's word, by position from 1.
    to_close
        Minutes.
    """

    bid: Array
    ask: Array
    recorded: Bools
    age_s: Array
    volume_15m: Array
    market: Array
    calibrated: Array
    valid: Bools
    impossible: Bools
    unknown: Bools
    veto: NDArray[np.int8]
    to_close: Array


class Wants(NamedTuple):
    """What a strategy wants, per row.

    Attributes
    ----------
    reason
        Position in `REASONS`; `TRADE`: an order is wanted.
    want
        Sign of the wanted order, times `MAKER` or `TAKER`; 0: none.
    price
        Its limit, cc.
    side, edge
        Sign and edge, cents, of the better side; 0 and NaN: not known.
    reduce
        How held contracts may be sold or bought back: a sum of `SELL_MAKER`, ...
    pull
        Whether working orders of the bracket are cancelled.
    used
        p_used; NaN: not known.
    """

    reason: NDArray[np.int8]
    want: NDArray[np.int8]
    price: NDArray[np.int32]
    side: NDArray[np.int8]
    edge: Array
    reduce: NDArray[np.int8]
    pull: Bools
    used: Array


class Gates(NamedTuple):
    """Limits of the common gates; names as in `TradingParams`."""

    min_probability: float
    max_probability: float
    max_spread_cc: float
    min_volume_15m: float
    max_quote_age_s: float
    last_minutes_without_orders: float
    honesty: float


class ValueRule(NamedTuple):
    """Least edges of `value`, cents, and what is taken off an edge."""

    adverse_selection_cents: float
    slippage_cc: int
    maker_min_edge_cents: float
    taker_min_edge_cents: float
    reduce_min_edge_cents: float


class MoveRule(NamedTuple):
    """Weights and thresholds of `move`."""

    weight_ras: float
    weight_velocity: float
    weight_flow: float
    weight_pressure: float
    min_signal: float
    maker_min_move_cents: float
    taker_min_move_cents: float
    maker_offset_ticks: int
    slippage_cc: int
    horizon_minutes: int


class MoveInputs(NamedTuple):
    """What only `move` reads, per row; NaN: not known.

    Attributes
    ----------
    ras, velocity, flow, pressure
        Components of the signal before they are scaled; flow is a percentile less a half.
    up, down
        Probabilities that the mid rises, falls within the horizon.
    mid
        Cents.
    """

    ras: Array
    velocity: Array
    flow: Array
    pressure: Array
    up: Array
    down: Array
    mid: Array


class MoveSignal(NamedTuple):
    """Components of the signal, scaled and weighted, their sum, and the predicted move, cents."""

    ras: Array
    velocity: Array
    flow: Array
    pressure: Array
    total: Array
    predicted: Array


class Fees(NamedTuple):
    """Fee per contract by the price of what is bought, cents, and until when each bracket has none.

    Selling YES is buying NO: fees that are rounded with the price, to the cent, differ.

    Attributes
    ----------
    maker, taker
        Shape (10,001,).
    free_until
        By bracket, microseconds: an order decided before it is free however late it fills.
    """

    maker: Array
    taker: Array
    free_until: Ints


class PriceGrid(NamedTuple):
    """The prices that the brackets' markets allow.

    Attributes
    ----------
    of
        Which grid a bracket has.
    down, up
        By grid and price in cc the nearest allowed price not above, and not below.
    """

    of: Ints
    down: Array
    up: Array


@lean
def buy_limit(grid: PriceGrid, bracket: int, price: float) -> float:
    """The greatest allowed price of a bid that is not above a price, and below a dollar.

    Parameters
    ----------
    grid, bracket
        Whose prices.
    price
        In cc.
    """
    return grid.down[grid.of[bracket], int(min(price, CC_A_DOLLAR - 1.0))]


@lean
def sell_limit(grid: PriceGrid, bracket: int, price: float) -> float:
    """The least allowed price of an ask that is not below a price, and above 0.

    Parameters
    ----------
    grid, bracket
        Whose prices.
    price
        In cc.
    """
    return grid.up[grid.of[bracket], int(max(np.ceil(price), 1.0))]


@lean
def _used_of(market: float, calibrated: float, honesty: float) -> float:
    used = market + honesty * (calibrated - market)
    if used < 0.0:
        return 0.0
    return 1.0 if used > 1.0 else used


@lean
def _first_gate(
    bid: float,
    ask: float,
    unknown: bool,
    valid: bool,
    impossible: bool,
    age_s: float,
    used: float,
    volume: float,
    veto: int,
    gates: Gates,
) -> int:
    """The first common gate that fails, before the strategy's own; `TRADE`: none."""
    if not (bid >= 0.0 and ask >= 0.0):
        return _NO_QUOTE
    if unknown:
        return _INPUT_UNKNOWN
    if not valid:
        return _MARKET_INVALID
    if impossible:
        return _DEAD_BRACKET
    if not age_s <= gates.max_quote_age_s:
        return _STALE_QUOTE
    if not (used >= gates.min_probability and used <= gates.max_probability):
        return _EXTREME_PROBABILITY
    if not ask - bid <= gates.max_spread_cc:
        return _WIDE_SPREAD
    if not volume >= gates.min_volume_15m:
        return _LOW_VOLUME
    return _VETO if veto != 0 else TRADE


@lean
def _soft(gate: int) -> bool:
    """Whether a gate forbids new risk alone: price, spread and volume."""
    return gate in (_EXTREME_PROBABILITY, _WIDE_SPREAD, _LOW_VOLUME)


@lean
def gate_wants(rows: Rows, first: Ints, minutes: int, gates: Gates, out: Wants) -> None:
    """The common gates of every row, what is pulled, and p_used; no order is wanted.

    Parameters
    ----------
    rows, first, minutes, gates
        The day; its limits.
    out
        Receives them; a row that passes all gates has the reason ``not_wanted``.
    """
    for bracket in range(len(first)):
        for r in range(first[bracket], first[bracket] + minutes):
            bid, ask, veto = rows.bid[r], rows.ask[r], rows.veto[r]
            used = _used_of(rows.market[r], rows.calibrated[r], gates.honesty)
            gate = _first_gate(
                bid,
                ask,
                rows.unknown[r],
                rows.valid[r],
                rows.impossible[r],
                rows.age_s[r],
                used,
                rows.volume_15m[r],
                veto,
                gates,
            )
            two_sided = bid >= 0.0 and ask >= 0.0
            out.pull[r] = veto != 0 or rows.impossible[r] or rows.unknown[r] or not two_sided
            out.used[r], out.reason[r] = used, (_NOT_WANTED if gate == TRADE else gate)
            out.want[r], out.price[r], out.side[r] = 0, 0, 0
            out.edge[r], out.reduce[r] = np.nan, 0


@lean
def value_wants(
    rows: Rows,
    first: Ints,
    instants: Ints,
    gates: Gates,
    rule: ValueRule,
    fees: Fees,
    grid: PriceGrid,
    out: Wants,
) -> None:
    """Wants of `value` for every row.

    Parameters
    ----------
    rows, first, instants
        The day; `instants` of its minutes, microseconds.
    gates, rule, fees, grid
        Limits, edges, fees, allowed prices.
    out
        From `gate_wants`; receives the wants.
    """
    for bracket in range(len(first)):
        for m in range(len(instants)):
            r = first[bracket] + m
            gate, used, bid, ask = out.reason[r], out.used[r], rows.bid[r], rows.ask[r]
            if gate == _NO_QUOTE or np.isnan(used):
                continue
            due = instants[m] >= fees.free_until[bracket]
            buy_at = buy_limit(grid, bracket, ask + rule.slippage_cc)
            sell_at = sell_limit(grid, bracket, bid - rule.slippage_cc)
            buy_taker, sell_taker, buy_maker, sell_maker = _edges(
                100.0 * used, 100.0 * rows.market[r], bid, ask, buy_at, sell_at, due, rule, fees
            )
            best_taker, best_maker = max(buy_taker, sell_taker), max(buy_maker, sell_maker)
            would_take = best_taker >= rule.taker_min_edge_cents
            takes = would_take and rows.recorded[r]
            wants_maker = not takes and best_maker >= rule.maker_min_edge_cents
            if takes:
                buys, edge = buy_taker >= sell_taker, best_taker
            elif wants_maker:
                buys, edge = buy_maker >= sell_maker, best_maker
            else:
                buys = max(buy_taker, buy_maker) >= max(sell_taker, sell_maker)
                edge = max(best_taker, best_maker)
            out.side[r], out.edge[r] = (1 if buys else -1), edge
            in_time = rows.to_close[r] >= gates.last_minutes_without_orders
            if in_time and rows.veto[r] == 0 and (gate == _NOT_WANTED or _soft(gate)):
                least, known = rule.reduce_min_edge_cents, rows.recorded[r]
                out.reduce[r] = (
                    SELL_MAKER * (sell_maker >= least)
                    + SELL_TAKER * (known and sell_taker >= least)
                    + BUY_MAKER * (buy_maker >= least)
                    + BUY_TAKER * (known and buy_taker >= least)
                )
            if gate != _NOT_WANTED:
                continue
            if not (takes or wants_maker):
                out.reason[r] = _INFERRED_QUOTE if would_take else _EDGE_TOO_SMALL
            elif takes:
                _want(out, r, buys, TAKER, buy_at if buys else sell_at, in_time)
            else:
                _want(out, r, buys, MAKER, bid if buys else ask, in_time)


@lean
def _edges(
    fair: float,
    market: float,
    bid: float,
    ask: float,
    buy_at: float,
    sell_at: float,
    due: bool,
    rule: ValueRule,
    fees: Fees,
) -> tuple[float, float, float, float]:
    """Edges in cents: buy and sell as taker at the limits, buy and sell as maker at the quotes."""
    mid = 0.5 * (bid + ask) / CC_A_CENT
    buy_taker, sell_taker = fair - buy_at / CC_A_CENT, sell_at / CC_A_CENT - fair
    buy_maker = min(fair - mid, fair - market) - rule.adverse_selection_cents
    sell_maker = min(mid - fair, market - fair) - rule.adverse_selection_cents
    if due:
        buy_taker -= fees.taker[int(buy_at)]
        sell_taker -= fees.taker[CC_A_DOLLAR - int(sell_at)]
        buy_maker -= fees.maker[int(bid)]
        sell_maker -= fees.maker[CC_A_DOLLAR - int(ask)]
    # Of a quote that is not on the grid there may be no allowed price.
    if not buy_at > 0.0:
        buy_taker = -np.inf
    if not sell_at < CC_A_DOLLAR:
        sell_taker = -np.inf
    if not bid < ask:  # in a locked book a post-only order is refused
        buy_maker = sell_maker = -np.inf
    return buy_taker, sell_taker, buy_maker, sell_maker


@lean
def _want(out: Wants, r: int, buys: bool, kind: int, price: float, in_time: bool) -> None:
    """Note a wanted order, unless the close is too near."""
    if not in_time:
        out.reason[r] = _TOO_LATE
        return
    out.reason[r], out.price[r] = TRADE, int(price)
    out.want[r] = kind if buys else -kind


@lean
def move_wants(
    rows: Rows,
    inputs: MoveInputs,
    first: Ints,
    instants: Ints,
    gates: Gates,
    rule: MoveRule,
    fees: Fees,
    grid: PriceGrid,
    memory: Array,
    signal: MoveSignal,
    out: Wants,
) -> None:
    """Wants of `move` for every row, and its signal.

    Parameters
    ----------
    rows, inputs, first, instants
        The day.
    gates, rule, fees, grid
        Limits, weights, fees, allowed prices.
    memory
        Working memory, shape (10,).
    signal
        Receives the signal.
    out
        From `gate_wants`; receives the wants.
    """
    for bracket in range(len(first)):
        memory[:] = 0.0
        for m in range(len(instants)):
            r = first[bracket] + m
            _signal(inputs, signal, rule, r, m, memory)
            gate, total, predicted = out.reason[r], signal.total[r], signal.predicted[r]
            if gate == _NO_QUOTE:
                continue
            bid, ask, recorded = rows.bid[r], rows.ask[r], rows.recorded[r]
            in_time = rows.to_close[r] >= gates.last_minutes_without_orders
            if in_time and rows.veto[r] == 0 and (gate == _NOT_WANTED or _soft(gate)):
                out.reduce[r] = (SELL_MAKER + BUY_MAKER) * (bid < ask)
                sells = sell_limit(grid, bracket, bid - rule.slippage_cc) < CC_A_DOLLAR
                bids = buy_limit(grid, bracket, ask + rule.slippage_cc) > 0.0
                out.reduce[r] += SELL_TAKER * (recorded and sells) + BUY_TAKER * (recorded and bids)
            if np.isnan(predicted) or np.isnan(total):
                if gate == _NOT_WANTED:
                    out.reason[r] = _NO_PREDICTION if np.isnan(predicted) else _SIGNAL_UNKNOWN
                continue
            buys = total > 0.0
            rests, limit = _move_prices(buys, bid, ask, bracket, rule, grid)
            makes = bid < ask and 0.0 < rests < CC_A_DOLLAR
            makes = makes and (rests < ask if buys else rests > bid)
            maker_from = rule.maker_min_move_cents
            # A way in and out pays half the spread twice.
            taker_from = rule.taker_min_move_cents + (ask - bid) / CC_A_CENT
            if instants[m] >= fees.free_until[bracket]:
                maker_from += fees.maker[_bought(buys, rests)] if makes else 0.0
                taker_from += 2.0 * fees.taker[_bought(buys, limit)]
            gain = predicted if buys else -predicted
            out.side[r], out.edge[r] = (1 if buys else -1), gain
            if gate != _NOT_WANTED:
                continue
            # The spread of a crossed book is negative, so that any gain would exceed it.
            would_take = gain > 0.0 and gain >= taker_from and 0.0 < limit < CC_A_DOLLAR
            if total == 0.0 or not abs(total) >= rule.min_signal:
                out.reason[r] = _SIGNAL_TOO_WEAK
            elif would_take and recorded:
                _want(out, r, buys, TAKER, limit, in_time)
            elif makes and gain >= maker_from:
                _want(out, r, buys, MAKER, rests, in_time)
            else:
                out.reason[r] = _INFERRED_QUOTE if would_take else _MOVE_TOO_SMALL


@lean
def _bought(buys: bool, price: float) -> int:
    """Price of the contract that an order buys: YES, or NO if it sells YES."""
    return int(price) if buys else CC_A_DOLLAR - int(price)


@lean
def _signal(
    inputs: MoveInputs, signal: MoveSignal, rule: MoveRule, r: int, m: int, memory: Array
) -> None:
    """The signal of a row and the predicted move, from the bracket's rows so far.

    `memory` has four sums of squares, four counts, the sum and the count of recent moves.
    """
    signal.ras[r] = _scaled(inputs.ras[r], rule.weight_ras, memory, 0)
    signal.velocity[r] = _scaled(inputs.velocity[r], rule.weight_velocity, memory, 1)
    signal.flow[r] = _scaled(inputs.flow[r], rule.weight_flow, memory, 2)
    signal.pressure[r] = _scaled(inputs.pressure[r], rule.weight_pressure, memory, 3)
    signal.total[r] = signal.ras[r] + signal.velocity[r] + signal.flow[r] + signal.pressure[r]
    # Moves over the horizon that ended within the last `MOVE_MINUTES`.
    move = _move(inputs.mid, r, m, rule.horizon_minutes)
    if move > 0.0:
        memory[8] += move
        memory[9] += 1.0
    if m >= MOVE_MINUTES:
        old = _move(inputs.mid, r - MOVE_MINUTES, m - MOVE_MINUTES, rule.horizon_minutes)
        if old > 0.0:
            memory[8] -= old
            memory[9] -= 1.0
    signal.predicted[r] = np.nan
    if memory[9] >= _LEAST_MOVES:
        signal.predicted[r] = (inputs.up[r] - inputs.down[r]) * memory[8] / memory[9]


@lean
def _move_prices(
    buys: bool, bid: float, ask: float, bracket: int, rule: MoveRule, grid: PriceGrid
) -> tuple[float, float]:
    """Price of a maker's order, and limit of a taker's."""
    if buys:
        rests = _stepped(grid, bracket, bid, rule.maker_offset_ticks)
        return rests, buy_limit(grid, bracket, ask + rule.slippage_cc)
    rests = _stepped(grid, bracket, ask, -rule.maker_offset_ticks)
    return rests, sell_limit(grid, bracket, bid - rule.slippage_cc)


@lean
def _stepped(grid: PriceGrid, bracket: int, price: float, ticks: int) -> float:
    """A price moved by ticks of its grid; negative: down."""
    for _ in range(ticks):
        price = sell_limit(grid, bracket, min(price + 1.0, float(CC_A_DOLLAR)))
    for _ in range(-ticks):
        price = buy_limit(grid, bracket, max(price - 1.0, 0.0))
    return price


@lean
def _scaled(value: float, weight: float, memory: Array, which: int) -> float:
    """A component over the root of its mean square so far, times its weight; then counts it."""
    if weight == 0.0:
        return 0.0
    scaled = np.nan
    squares, known = memory[which], memory[4 + which]
    if known >= _LEAST_ROWS and squares > 0.0:
        scaled = weight * value / np.sqrt(squares / known)
    if not np.isnan(value):
        memory[which] += value * value
        memory[4 + which] += 1.0
    return scaled


@lean
def _move(mid: Array, r: int, m: int, horizon: int) -> float:
    """Absolute move of the mid over the horizon that ends at row `r`; NaN: not known."""
    return abs(mid[r] - mid[r - horizon]) if m >= horizon else np.nan


@lean
def set_wants(
    rows: Rows,
    first: Ints,
    instants: Ints,
    gates: Gates,
    min_edge_cents: float,
    fees: Fees,
    out: Wants,
) -> None:
    """Wants of `sets` for every row: all brackets of a partition, or none.

    Parameters
    ----------
    rows, first, instants
        The day.
    gates, fees
        Limits and fees.
    min_edge_cents
        Least gain of a set after fees.
    out
        From `gate_wants`; receives the wants.
    """
    brackets = len(first)
    for m in range(len(instants)):
        whole, in_time = True, True
        cost = proceeds = buy_fees = sell_fees = 0.0
        for bracket in range(brackets):
            r = first[bracket] + m
            gate, bid, ask = out.reason[r], rows.bid[r], rows.ask[r]
            if _soft(gate):
                gate = _VETO if rows.veto[r] != 0 else _NOT_WANTED
            if gate == _NOT_WANTED and not rows.recorded[r]:
                gate = _INFERRED_QUOTE
            out.reason[r] = gate
            whole = whole and gate == _NOT_WANTED
            in_time = in_time and rows.to_close[r] >= gates.last_minutes_without_orders
            if whole:
                cost += ask
                proceeds += bid
                if instants[m] >= fees.free_until[bracket]:
                    buy_fees += fees.taker[int(ask)]
                    sell_fees += fees.taker[CC_A_DOLLAR - int(bid)]
        # Sums of prices are whole numbers, so that an edge at the limit is at the limit.
        buy = (CC_A_DOLLAR - cost) / CC_A_CENT - buy_fees
        sell = (proceeds - CC_A_DOLLAR) / CC_A_CENT - sell_fees
        buys, edge = buy >= sell, max(buy, sell)
        for bracket in range(brackets):
            r = first[bracket] + m
            if whole:
                out.side[r], out.edge[r] = (1 if buys else -1), edge
            if out.reason[r] != _NOT_WANTED:
                continue
            if not whole or not (edge > 0.0 and edge >= min_edge_cents):
                out.reason[r] = _NO_SET
            else:
                _want(out, r, buys, TAKER, rows.ask[r] if buys else rows.bid[r], in_time)
