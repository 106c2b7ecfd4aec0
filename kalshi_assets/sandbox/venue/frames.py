"""What happens at the venue as messages of the WebSocket.

Here: the body (`msg`) of each message, as text. Not here: who receives it, numbers and times of
sending (`streams`).
"""

import json
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from kalshi_assets.sandbox.exchange_state import EMPTY_ASK, EMPTY_BID
from kalshi_assets.sandbox.exchange_wire import rfc3339_us
from kalshi_assets.sandbox.venue.account import Position
from kalshi_assets.sandbox.venue.account_wire import USER_ID, direction
from kalshi_assets.sandbox.venue.events import GroupChanged, LevelChanged, Lifecycle, Top, Traded
from kalshi_assets.sandbox.venue.levels import Book
from kalshi_assets.sandbox.venue.numbers import (
    A_CONTRACT,
    MICRO_A_DOLLAR,
    count_text,
    money_text,
    price_text,
)
from kalshi_assets.sandbox.venue.orders import Fill, Order
from kalshi_assets.units import CC_A_DOLLAR


def json_text(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


@lru_cache(maxsize=4096)
def market_id(ticker: str) -> str:
    """A market's UUID; the recordings have none."""
    return str(uuid5(NAMESPACE_URL, f"kalshi-assets sandbox market {ticker}"))


def snapshot(ticker: str, book: Book, *, yes_scale: bool) -> str:
    """Body of orderbook_snapshot; a side without levels is left out.

    Parameters
    ----------
    ticker, book
        The market.
    yes_scale
        Whether the no side has prices of YES (`use_yes_price`).
    """
    body: dict[str, Any] = {"market_ticker": ticker, "market_id": market_id(ticker)}
    bids, asks = book.depth("bid"), book.depth("ask")
    if not yes_scale:
        asks = [(CC_A_DOLLAR - price, size) for price, size in reversed(asks)]
    for name, levels in (("yes_dollars_fp", bids), ("no_dollars_fp", asks)):
        if levels:
            body[name] = [[price_text(price), count_text(size)] for price, size in levels]
    return json_text(body)


def delta(change: LevelChanged, *, yes_scale: bool) -> str:
    """Body of orderbook_delta."""
    no = change.side == "ask"
    price = CC_A_DOLLAR - change.price_cc if no and not yes_scale else change.price_cc
    own = change.client_order_id
    mark = f',"client_order_id":{json.dumps(own)},"subaccount":0' if own else ""
    return (
        f'{{"market_ticker":"{change.ticker}","market_id":"{market_id(change.ticker)}",'
        f'"price_dollars":"{price_text(price)}","delta_fp":"{count_text(change.by)}",'
        f'"side":"{"no" if no else "yes"}"{mark},"ts":"{rfc3339_us(change.at_us)}",'
        f'"ts_ms":{change.at_us // 1000}}}'
    )


def trade(traded: Traded) -> str:
    """Body of trade."""
    return (
        f'{{"trade_id":"{traded.trade_id}","market_ticker":"{traded.ticker}",'
        f'"yes_price_dollars":"{price_text(traded.price_cc)}",'
        f'"no_price_dollars":"{price_text(CC_A_DOLLAR - traded.price_cc)}",'
        f'"count_fp":"{count_text(traded.size)}","taker_outcome_side":"{traded.taker}",'
        f'"taker_book_side":"{"bid" if traded.taker == "yes" else "ask"}",'
        f'"taker_side":"{traded.taker}","is_block_trade":false,"ts_ms":{traded.at_us // 1000}}}'
    )


def ticker(top: Top) -> str:
    """Body of ticker."""
    bid = EMPTY_BID if top.bid_cc is None else top.bid_cc
    ask = EMPTY_ASK if top.ask_cc is None else top.ask_cc
    return (
        f'{{"market_ticker":"{top.ticker}","market_id":"{market_id(top.ticker)}",'
        f'"price_dollars":"{price_text(top.last_cc or 0)}","yes_bid_dollars":"{price_text(bid)}",'
        f'"yes_ask_dollars":"{price_text(ask)}","yes_bid_size_fp":"{count_text(top.bid_size)}",'
        f'"yes_ask_size_fp":"{count_text(top.ask_size)}",'
        f'"last_trade_size_fp":"{count_text(top.last_size)}",'
        f'"volume_fp":"{count_text(top.volume)}",'
        f'"open_interest_fp":"{count_text(top.open_interest)}",'
        f'"dollar_volume":{top.money // MICRO_A_DOLLAR},'
        f'"dollar_open_interest":{top.open_interest // A_CONTRACT},"ts_ms":{top.at_us // 1000}}}'
    )


def fill(done: Fill) -> str:
    """Body of fill."""
    return json_text(
        {
            "trade_id": done.trade_id,
            "order_id": done.order_id,
            "client_order_id": done.client_order_id or "",
            "market_ticker": done.ticker,
            "exchange_index": 0,
            "is_taker": done.is_taker,
            "yes_price_dollars": price_text(done.price_cc),
            "count_fp": count_text(done.size),
            "fee_cost": money_text(done.fee),
            **direction(done.side),
            "purchased_side": direction(done.side)["outcome_side"],
            "post_position_fp": count_text(done.position_after),
            "subaccount": 0,
            "ts_ms": done.at_us // 1000,
        }
    )


def user_order(order: Order) -> str:
    """Body of user_order."""
    body = {
        "order_id": order.order_id,
        "user_id": USER_ID,
        "ticker": order.ticker,
        "exchange_index": 0,
        "status": order.status,
        **direction(order.side),
        "yes_price_dollars": price_text(order.price_cc),
        "initial_count_fp": count_text(order.initial),
        "fill_count_fp": count_text(order.filled),
        "remaining_count_fp": count_text(order.remaining),
        "taker_fill_cost_dollars": money_text(order.taker_cost),
        "maker_fill_cost_dollars": money_text(order.maker_cost),
        "taker_fees_dollars": money_text(order.taker_fees),
        "maker_fees_dollars": money_text(order.maker_fees),
        "client_order_id": order.client_order_id or "",
        "self_trade_prevention_type": order.self_trade_prevention,
        "created_ts_ms": order.created_us // 1000,
        "last_updated_ts_ms": order.updated_us // 1000,
        "subaccount_number": 0,
    }
    if order.group_id is not None:
        body["order_group_id"] = order.group_id
    if order.expires_us is not None:
        body["expiration_ts_ms"] = order.expires_us // 1000
    if order.reason is not None:
        body["last_update_reason"] = order.reason
    return json_text(body)


def market_position(position: Position) -> str:
    """Body of market_position."""
    return json_text(
        {
            "user_id": USER_ID,
            "market_ticker": position.ticker,
            "position_fp": count_text(position.contracts),
            "position_cost_dollars": money_text(position.cost),
            "realized_pnl_dollars": money_text(position.realized),
            "fees_paid_dollars": money_text(position.fees),
            "position_fee_cost_dollars": money_text(position.fees),
            "volume_fp": count_text(position.volume),
            "subaccount": 0,
        }
    )


def lifecycle(change: Lifecycle) -> str:
    """Body of market_lifecycle_v2; instants in seconds."""
    head = {"market_ticker": change.ticker, "event_type": change.event_type}
    return json_text(head | change.more)


def group_update(change: GroupChanged) -> str:
    """Body of order_group_updates."""
    return json_text(
        {
            "event_type": change.event_type,
            "order_group_id": change.group_id,
            "contracts_limit_fp": count_text(change.limit),
            "ts_ms": change.at_us // 1000,
        }
    )
