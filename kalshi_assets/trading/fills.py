"""Fill models: what a minute's trades and quotes would have filled.

Here: pure rules for one order in one minute. Not here: when an order is in the book, its fee, or
what the fill does to a position.

No model fills an order in the minute of its placement (the engine passes only later bars): a maker
order can fill in the minutes after its arrival, a taker order at the quote of a minute after its
decision. A bracket has one working order at a time, so both sides of one bar cannot fill.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from kalshi_assets.trading.orders import Order
from kalshi_assets.trading.params import TradingParams


class Bar(NamedTuple):
    """One bracket's minute, for fills. Prices in cc; None: no quote, no trade.

    Attributes
    ----------
    bid_cc, ask_cc
        Best quotes at the minute's end.
    takeable
        Whether the quotes are recorded, not inferred from trades, and fresh.
    low_cc, high_cc, volume
        Lowest and highest trade and contracts traded in the minute; None: not known, fills nothing.
    """

    bid_cc: int | None
    ask_cc: int | None
    takeable: bool
    low_cc: int | None
    high_cc: int | None
    volume: float | None


MakerRule = Callable[[Order, int, Bar, int, TradingParams], int]


def conservative(
    order: Order, remaining: int, bar: Bar, tick_cc: int, params: TradingParams
) -> int:
    """Contracts filled if only a trade *through* the price, by a tick or more, fills it.

    Parameters
    ----------
    order, remaining
        The order, and its contracts that are not filled yet.
    bar
        The minute.
    tick_cc
        Price tick.
    params
        Shares of the volume.
    """
    if _trade_beyond(order, bar) < tick_cc:
        return 0
    return min(remaining, whole_share(bar.volume, params.volume_share))


def touch(order: Order, remaining: int, bar: Bar, tick_cc: int, params: TradingParams) -> int:
    """Contracts filled if a trade at the price fills a share of the minute; an optimistic bound.

    Parameters
    ----------
    order, remaining, bar, tick_cc, params
        As in `conservative`.
    """
    if _trade_beyond(order, bar) < 0:
        return 0
    return min(remaining, whole_share(bar.volume, params.touch_share))


MAKER_RULES: dict[str, MakerRule] = {"conservative": conservative, "touch": touch}


def whole_share(volume: float | None, share: Decimal) -> int:
    """Whole contracts in a share of a volume, exact: 29 in .29 of 100.

    Parameters
    ----------
    volume
        Contracts. The exchange counts hundredths; further digits of a sum are floating-point
        residue. None or NaN: not known, so none.
    share
        Share, 0 to 1.
    """
    if volume is None or not math.isfinite(volume):
        return 0
    return int(round(volume * 100) * share // 100)


def _trade_beyond(order: Order, bar: Bar) -> int:
    """How far, cc, the minute's trades went beyond the order's price; negative: not up to it."""
    if bar.low_cc is None or bar.high_cc is None:
        return -1
    if order.side == "bid":
        return order.price_cc - bar.low_cc
    return bar.high_cc - order.price_cc


def crosses(order: Order, bar: Bar) -> bool:
    """Whether the order would trade at once against the standing quote; post-only orders may not.

    Parameters
    ----------
    order
        The order.
    bar
        The minute in which it arrives.
    """
    if order.side == "bid":
        return bar.ask_cc is not None and bar.ask_cc <= order.price_cc
    return bar.bid_cc is not None and bar.bid_cc >= order.price_cc


def take(order: Order, bar: Bar, params: TradingParams) -> tuple[int, int]:
    """Contracts and price, cc, of an immediate-or-cancel order that arrives in `bar`.

    It pays the worse of the opposite quote and the minute's worst trade, if its limit allows, and
    takes a share of the minute's volume, or the least size assumed for a standing quote.

    Parameters
    ----------
    order
        The order.
    bar
        The minute in which it arrives.
    params
        Share of the volume, and least size of a quote.
    """
    quote = bar.ask_cc if order.side == "bid" else bar.bid_cc
    if quote is None or not bar.takeable:
        return 0, order.price_cc
    if order.side == "bid":
        price = quote if bar.high_cc is None else max(quote, bar.high_cc)
        allowed = price <= order.price_cc
    else:
        price = quote if bar.low_cc is None else min(quote, bar.low_cc)
        allowed = price >= order.price_cc
    if not allowed:
        return 0, order.price_cc
    depth = max(params.displayed_contracts, whole_share(bar.volume, params.volume_share))
    return min(order.contracts, depth), price
