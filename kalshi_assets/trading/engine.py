"""The backtest of a day: every strategy under every fill model, each with a desk of its own.

Here: the day's loop and what it returns. Not here: decisions (`desk_kernels`), wanted orders
(`strategies`), fills (`exchange_kernels`), the frames of the result (`records`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.tables.backtest import DECIDING_MODEL, FILL_MODELS
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.desk_kernels import (
    FILLS,
    FULL,
    OPEN,
    ORDERS,
    Decided,
    Desk,
    Limits,
    Scratch,
    decide,
    new_desk,
    new_scratch,
)
from kalshi_assets.trading.exchange_kernels import (
    QUEUE,
    THROUGH,
    TOUCH,
    FillRule,
    advance,
    busy_minutes,
    run_day,
)
from kalshi_assets.trading.signal_kernels import PriceGrid
from kalshi_assets.trading.strategies import (
    NOT_WANTED,
    SHIPPED,
    Minute,
    MinuteStrategy,
    Quote,
    Strategy,
    Wanted,
    gated,
    set_want,
)
from kalshi_assets.units import CC_A_CENT, CC_A_DOLLAR, MINUTE_US, SECOND_US, Array

_MODELS = {"touch": TOUCH, "through": THROUGH, "queue": QUEUE}

# Room for orders and fills; a day that needs more is run again with more.
_ROOM = 8192
_UNTIL_THE_END = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True)
class Run:
    """One strategy under one fill model.

    Attributes
    ----------
    strategy, fill_model
        Names.
    desk
        Its orders, fills and positions at the end.
    wanted
        What the strategy wanted.
    decided
        What was decided, per row; None unless the model is `DECIDING_MODEL`.
    """

    strategy: str
    fill_model: str
    desk: Desk
    wanted: Wanted
    decided: Decided | None


def backtest(
    day: TradingDay,
    strategies: Sequence[Strategy | MinuteStrategy] = SHIPPED,
    fill_models: Sequence[str] = tuple(FILL_MODELS),
) -> list[Run]:
    """Backtest one event.

    Parameters
    ----------
    day
        The event's day.
    strategies
        Of different names.
    fill_models
        Names in `tables.backtest.FILL_MODELS`.

    Raises
    ------
    ValueError
        An unknown fill model, two strategies of one name, or an order of a user's strategy in no
        bracket, on no side or off the price grid.
    """
    if unknown := [name for name in fill_models if name not in _MODELS]:
        raise ValueError(f"unknown fill models {unknown}; known: {', '.join(_MODELS)}")
    names = [each.name for each in strategies]
    if len(set(names)) < len(names):
        raise ValueError(f"strategies have different names, not {names}")
    runs = []
    for strategy in strategies:
        wanted = strategy.wanted(day) if isinstance(strategy, Strategy) else None
        for model in fill_models:
            if wanted is not None:
                runs.append(_whole_day(day, strategy.name, wanted, model))
            else:
                assert isinstance(strategy, MinuteStrategy)
                runs.append(_minute_by_minute(day, strategy, model))
    return runs


def limits_of(day: TradingDay, wanted: Wanted) -> Limits:
    """The trader's limits in the form of the kernels.

    Parameters
    ----------
    day
        For its parameters.
    wanted
        For what the strategy decides itself.
    """
    p = day.params
    return Limits(
        order_contracts=p.order_contracts,
        max_position_contracts=p.max_position_contracts,
        max_open_orders=p.max_open_orders,
        max_orders_a_bracket=p.max_orders_a_bracket,
        max_orders_a_minute=p.max_orders_a_minute,
        collar_cc=round(p.collar_cents * CC_A_CENT),
        slippage_cc=wanted.slippage_cc,
        max_loss_cc=min(p.max_ladder_loss_cc, p.max_daily_loss_cc),
        bankroll_cc=p.bankroll_cc,
        kelly_fraction=p.kelly_fraction,
        sized_by_kelly=wanted.sized_by_kelly,
        latency_us=round(p.latency_s * SECOND_US),
        lifetime_us=round(p.order_lifetime_s * SECOND_US),
        hold_us=wanted.hold_minutes * MINUTE_US,
    )


def fill_rule(day: TradingDay, model: str) -> FillRule:
    """A fill model in the form of the kernels.

    Parameters
    ----------
    day
        For its parameters.
    model
        Name of the model.
    """
    p = day.params
    return FillRule(
        model=_MODELS[model],
        touch_share=int(p.touch_share * 10_000),
        volume_share=int(p.volume_share * 10_000),
        displayed_contracts=p.displayed_contracts,
        queue_ahead=round(p.queue_ahead_contracts * 100),
        max_quote_age_s=p.max_quote_age_s,
    )


def _whole_day(day: TradingDay, name: str, wanted: Wanted, model: str) -> Run:
    keep, limits, rule = model == DECIDING_MODEL, limits_of(day, wanted), fill_rule(day, model)
    busy = busy_minutes(wanted.wants, day.first, len(day.instants))
    room = _ROOM
    while True:
        desk = _desk(day, room)
        decided = _decided(day, wanted, keep=keep)
        run_day(
            desk,
            day.instants,
            day.first,
            day.rows,
            day.volume_1m,
            wanted.wants,
            busy,
            day.tape,
            day.terms.kernel,
            limits,
            day.terms.prices,
            rule,
            _scratch(day),
            keep,
            decided,
        )
        if not desk.counts[FULL]:
            return _run(name, model, desk, wanted, decided if keep else None)
        room *= 4


def _desk(day: TradingDay, room: int) -> Desk:
    return new_desk(
        len(day.first), orders=room, fills=2 * room, open_orders=day.params.max_open_orders
    )


def _scratch(day: TradingDay) -> Scratch:
    return new_scratch(len(day.first), day.terms.kernel.atoms)


def _decided(day: TradingDay, wanted: Wanted, *, keep: bool) -> Decided:
    if not keep:
        return _NOTHING
    size = day.panel.height
    return Decided(
        reason=wanted.wants.reason.copy(),
        want=np.zeros(size, np.int8),
        price=np.zeros(size, np.int32),
        contracts=np.zeros(size, np.int32),
        position=np.zeros(size, np.int32),
    )


_NOTHING = Decided(
    reason=np.empty(0, np.int8),
    want=np.empty(0, np.int8),
    price=np.empty(0, np.int32),
    contracts=np.empty(0, np.int32),
    position=np.empty(0, np.int32),
)


def _run(name: str, model: str, desk: Desk, wanted: Wanted, decided: Decided | None) -> Run:
    orders, fills = desk.counts[ORDERS], desk.counts[FILLS]
    desk = desk._replace(orders=desk.orders[:orders], fills=desk.fills[:fills])
    return Run(strategy=name, fill_model=model, desk=desk, wanted=wanted, decided=decided)


def _minute_by_minute(day: TradingDay, strategy: MinuteStrategy, model: str) -> Run:
    """A day of a strategy that is called at every minute, with the positions then."""
    wants = gated(day)
    wanted = Wanted(wants=wants, slippage_cc=0, hold_minutes=0, sized_by_kelly=False)
    keep, limits, rule = model == DECIDING_MODEL, limits_of(day, wanted), fill_rule(day, model)
    terms, grid, first = day.terms.kernel, day.terms.prices, day.first
    desk, scratch = _desk(day, _ROOM), _scratch(day)
    decided = _decided(day, wanted, keep=keep)
    facts = _by_minute(day, wants.used, wants.reason)
    now = Minute(position=desk.position.tolist())
    trade, starts = 0, first.tolist()
    pulls: list[bool] = np.asarray(_columns(day, wants.pull).any(axis=1)).tolist()
    after = np.searchsorted(day.tape.at, day.instants, side="right").tolist()
    held = False
    rows_of = (day.instants, first, day.rows, day.volume_1m)
    for m, (at, pull) in enumerate(zip(day.instants.tolist(), pulls, strict=True)):
        if desk.counts[OPEN]:
            trade = advance(desk, at, trade, *rows_of, day.tape, terms, rule)
            now.position = desk.position.tolist()
            held = any(now.position)
        now.at = at
        now.bid_cc, now.ask_cc, now.p_used, now.p_mkt, now.allowed = facts[m]
        some = False
        for quote in strategy.quotes(now):
            refuse_impossible(strategy.name, quote, grid)
            row = starts[quote.bracket] + m
            if now.allowed[quote.bracket]:
                set_want(wants, row, quote)
                some = True
        if some or (pull and desk.counts[OPEN]):
            if not desk.counts[OPEN]:
                trade = after[m]
            decide(desk, at, m, first, day.rows, wants, terms, limits, grid, scratch, keep, decided)
        if keep and held:
            decided.position[first + m] = desk.position
    if desk.counts[OPEN]:
        advance(desk, _UNTIL_THE_END, trade, *rows_of, day.tape, terms, rule)
    if desk.counts[FULL]:
        raise ValueError(f"{strategy.name} sent more than {len(desk.orders)} orders in a day")
    if keep:
        np.copyto(decided.reason, wants.reason, where=decided.reason == NOT_WANTED)
    return _run(strategy.name, model, desk, wanted, decided if keep else None)


def refuse_impossible(strategy: str, quote: Quote, prices: PriceGrid) -> None:
    """Raise for an order that the exchange would not understand.

    Parameters
    ----------
    strategy
        Its name.
    quote, prices
        The order, and the prices that are allowed.

    Raises
    ------
    ValueError
        No such bracket or side, or a price off the grid.
    """
    bracket, price = quote.bracket, quote.price_cc
    if not 0 <= bracket < len(prices.of):
        why = f"the ladder has brackets 0 to {len(prices.of) - 1}"
    elif quote.side not in ("bid", "ask"):
        why = "a side is 'bid' or 'ask'"
    elif price not in range(1, CC_A_DOLLAR) or prices.down[prices.of[bracket], price] != price:
        why = "price_cc is not on the market's price grid, in 1/10,000 dollar"
    else:
        return
    raise ValueError(f"{strategy} wants {quote}: {why}")


def _by_minute(day: TradingDay, used: Array, reason: NDArray[np.int8]) -> list[list[list[Any]]]:
    """Per minute the facts of `Minute` in its order, each by bracket."""
    columns = (day.rows.bid, day.rows.ask, used, day.rows.market, reason == NOT_WANTED)
    matrices = [_columns(day, column).tolist() for column in columns]
    return [list(each) for each in zip(*matrices, strict=True)]


def _columns(day: TradingDay, rows: NDArray[Any]) -> NDArray[Any]:
    """Values per row as shape (minutes, brackets), the lowest bracket first."""
    minutes = len(day.instants)
    return np.column_stack([rows[r : r + minutes] for r in day.first.tolist()])
