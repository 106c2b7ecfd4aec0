"""The account's orders, fills, positions and settlements as JSON objects of REST.

Here: one object each. Not here: which rows a request gets (`portfolio_routes`).
"""

from collections.abc import Iterable
from typing import Any

from kalshi_assets.sandbox.exchange_wire import rfc3339_us
from kalshi_assets.sandbox.venue.account import Position, Settlement
from kalshi_assets.sandbox.venue.levels import Side
from kalshi_assets.sandbox.venue.numbers import MICRO_A_DOLLAR, count_text, money_text, price_text
from kalshi_assets.sandbox.venue.order_entry import Receipt
from kalshi_assets.sandbox.venue.orders import Fill, Order
from kalshi_assets.units import CC_A_DOLLAR, SECOND_US

USER_ID = "5a9d0b0c-0000-4000-8000-00000000000a"


def direction(side: Side) -> dict[str, str]:
    """The four fields that say what was bought; an ask buys NO."""
    outcome = "yes" if side == "bid" else "no"
    return {"action": "buy", "book_side": side, "outcome_side": outcome, "side": outcome}


def order_json(order: Order) -> dict[str, Any]:
    """An Order object."""
    body = {
        **direction(order.side),
        "cancel_order_on_pause": order.cancel_on_pause,
        "client_order_id": order.client_order_id or "",
        "created_time": rfc3339_us(order.created_us),
        "exchange_index": 0,
        "fill_count_fp": count_text(order.filled),
        "initial_count_fp": count_text(order.initial),
        "last_update_time": rfc3339_us(order.updated_us),
        "maker_fees_dollars": money_text(order.maker_fees),
        "maker_fill_cost_dollars": money_text(order.maker_cost),
        "no_price_dollars": price_text(CC_A_DOLLAR - order.price_cc),
        "order_id": order.order_id,
        "remaining_count_fp": count_text(order.remaining),
        "self_trade_prevention_type": order.self_trade_prevention,
        "status": order.status,
        "subaccount_number": 0,
        "taker_fees_dollars": money_text(order.taker_fees),
        "taker_fill_cost_dollars": money_text(order.taker_cost),
        "ticker": order.ticker,
        "type": "limit",
        "user_id": USER_ID,
        "yes_price_dollars": price_text(order.price_cc),
    }
    if order.expires_us is not None:
        body["expiration_time"] = rfc3339_us(order.expires_us)
    if order.group_id is not None:
        body["order_group_id"] = order.group_id
    return body


def receipt_json(receipt: Receipt, now_us: int) -> dict[str, Any]:
    """The response to a create or an amend."""
    order = receipt.order
    body: dict[str, Any] = {
        "order_id": order.order_id,
        "fill_count": count_text(receipt.filled),
        "remaining_count": count_text(order.remaining),
        "ts_ms": now_us // 1000,
    }
    if order.client_order_id:
        body["client_order_id"] = order.client_order_id
    if receipt.filled:
        body["average_fill_price"] = price_text(round(receipt.value / receipt.filled))
        body["average_fee_paid"] = price_text(round(receipt.fee / receipt.filled))
    return body


def cancelled_json(order: Order, left: int, now_us: int) -> dict[str, Any]:
    """The response to a cancel; `left` in hundredths of contracts."""
    return _of_order(order) | {"reduced_by": count_text(left), "ts_ms": now_us // 1000}


def decreased_json(order: Order, now_us: int) -> dict[str, Any]:
    """The response to a decrease."""
    return _of_order(order) | {
        "remaining_count": count_text(order.remaining),
        "ts_ms": now_us // 1000,
    }


def fill_json(fill: Fill) -> dict[str, Any]:
    """A Fill object."""
    return {
        **direction(fill.side),
        "count_fp": count_text(fill.size),
        "created_time": rfc3339_us(fill.at_us),
        "exchange_index": 0,
        "fee_cost": money_text(fill.fee),
        "fill_id": fill.trade_id,
        "is_taker": fill.is_taker,
        "market_ticker": fill.ticker,
        "no_price_dollars": price_text(CC_A_DOLLAR - fill.price_cc),
        "order_id": fill.order_id,
        "subaccount_number": 0,
        "ticker": fill.ticker,
        "trade_id": fill.trade_id,
        "ts": fill.at_us // SECOND_US,
        "yes_price_dollars": price_text(fill.price_cc),
    }


def position_json(position: Position) -> dict[str, Any]:
    """A MarketPosition object."""
    return {
        "exchange_index": 0,
        "fees_paid_dollars": money_text(position.fees),
        "last_updated_ts": rfc3339_us(position.updated_us),
        "market_exposure_dollars": money_text(position.cost),
        "position_fp": count_text(position.contracts),
        "realized_pnl_dollars": money_text(position.realized),
        "ticker": position.ticker,
        "total_traded_dollars": money_text(position.traded),
    }


def event_position_json(event_ticker: str, positions: Iterable[Position]) -> dict[str, Any]:
    """An EventPosition object of the event's positions."""
    held = list(positions)
    return {
        "event_exposure_dollars": money_text(sum(p.cost for p in held)),
        "event_ticker": event_ticker,
        "fees_paid_dollars": money_text(sum(p.fees for p in held)),
        "realized_pnl_dollars": money_text(sum(p.realized for p in held)),
        "total_cost_dollars": money_text(sum(p.traded for p in held)),
        "total_cost_shares_fp": count_text(sum(p.volume for p in held)),
    }


def settlement_json(settlement: Settlement) -> dict[str, Any]:
    """A Settlement object; `revenue` and `value` are still in cents."""
    yes = settlement.contracts > 0
    count, cost = count_text(abs(settlement.contracts)), money_text(settlement.cost)
    nothing = count_text(0), money_text(0)
    return {
        "event_ticker": settlement.event_ticker,
        "exchange_index": 0,
        "fee_cost": money_text(settlement.fees),
        "market_result": settlement.result,
        "no_count_fp": nothing[0] if yes else count,
        "no_total_cost_dollars": nothing[1] if yes else cost,
        "revenue": settlement.revenue * 100 // MICRO_A_DOLLAR,
        "settled_time": rfc3339_us(settlement.settled_us),
        "ticker": settlement.ticker,
        "value": settlement.value_cc // 100,
        "yes_count_fp": count if yes else nothing[0],
        "yes_total_cost_dollars": cost if yes else nothing[1],
    }


def _of_order(order: Order) -> dict[str, Any]:
    body = {"order_id": order.order_id}
    return body | ({"client_order_id": order.client_order_id} if order.client_order_id else {})
