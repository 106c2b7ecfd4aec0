"""The account on the wire: limits, balance, orders, fills, positions, settlements, status.

Here: decoding what the trading side reads. Not here: market data (wire, wire_stream) and what to
do about an order (trading, live). Money and counts are exact `Decimal`s in dollars and contracts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire_values import Record, amount, epoch_ms, price_cc, utc


@dataclass(frozen=True, kw_only=True)
class ExchangeStatus:
    """Whether the exchange is up, and whether it trades."""

    exchange_active: bool
    trading_active: bool
    resumes_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A token bucket as the exchange grants it: tokens a second, and the most it holds."""

    refill_rate: float
    bucket_capacity: float


@dataclass(frozen=True, kw_only=True)
class AccountLimits:
    """The account's tier and budgets."""

    usage_tier: str
    read: Budget
    write: Budget


@dataclass(frozen=True, kw_only=True)
class EndpointCosts:
    """Tokens per request: the default, and the exceptions by (method, path pattern)."""

    default: float
    exceptions: Mapping[tuple[str, str], float]


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Cash in dollars, over all shards."""

    dollars: Decimal
    updated_ts: int


@dataclass(frozen=True, kw_only=True)
class Position:
    """Contracts of one market; positive: YES, negative: NO."""

    ticker: str
    contracts: Decimal
    exposure: Decimal
    realized_pnl: Decimal
    fees_paid: Decimal


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One execution of an order of ours, with the fee that was charged."""

    trade_id: str
    order_id: str
    ticker: str
    outcome_side: str
    contracts: Decimal
    yes_price_cc: int
    is_taker: bool
    fee: Decimal
    created_time: datetime


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order of ours as the exchange's books have it; reads lag writes."""

    order_id: str
    client_order_id: str | None
    ticker: str
    outcome_side: str
    status: str
    yes_price_cc: int
    initial: Decimal
    filled: Decimal
    remaining: Decimal


@dataclass(frozen=True, kw_only=True)
class OrderCreated:
    """The reply to a created order."""

    order_id: str
    client_order_id: str | None
    filled: Decimal
    remaining: Decimal
    average_price: Decimal | None
    average_fee: Decimal | None
    ts_ms: int


@dataclass(frozen=True, kw_only=True)
class OrderCancelled:
    """The reply to a cancel: how much was still resting."""

    order_id: str
    reduced_by: Decimal


@dataclass(frozen=True, kw_only=True)
class FeeChange:
    """A series' fee terms from an instant on."""

    series_ticker: str
    fee_type: str
    fee_multiplier: float
    scheduled_ts: datetime


@dataclass(frozen=True, kw_only=True)
class PortfolioSettlement:
    """What a settled market paid us, dollars."""

    ticker: str
    market_result: str
    revenue: Decimal
    settled_time: datetime


def exchange_status_of(payload: Any) -> ExchangeStatus:
    """Decode /exchange/status."""
    record = Record(payload, "exchange status")
    return ExchangeStatus(
        exchange_active=record.flag("exchange_active"),
        trading_active=record.flag("trading_active"),
        resumes_at=record.maybe("exchange_estimated_resume_time", utc),
    )


def account_limits_of(payload: Any) -> AccountLimits:
    """Decode /account/limits."""
    record = Record(payload, "account limits")
    return AccountLimits(
        usage_tier=record.text("usage_tier"),
        read=_budget(record, "read"),
        write=_budget(record, "write"),
    )


def endpoint_costs_of(payload: Any) -> EndpointCosts:
    """Decode /account/endpoint_costs."""
    record = Record(payload, "endpoint costs")
    costs = [Record(entry, "endpoint cost") for entry in record.rows("endpoint_costs")]
    return EndpointCosts(
        default=record.number("default_cost"),
        exceptions={(c.text("method"), c.text("path")): c.number("cost") for c in costs},
    )


def balance_of(payload: Any) -> Balance:
    """Decode /portfolio/balance."""
    record = Record(payload, "balance")
    return Balance(
        dollars=record.get("balance_dollars", amount), updated_ts=record.integer("updated_ts")
    )


def positions_of(payload: Any) -> list[Position]:
    """Decode one page of /portfolio/positions."""
    return [_position(row) for row in Record(payload, "positions").rows("market_positions")]


def fills_of(payload: Any) -> list[Fill]:
    """Decode one page of /portfolio/fills."""
    return [_fill(row) for row in Record(payload, "fills").rows("fills")]


def orders_of(payload: Any) -> list[Order]:
    """Decode one page of /portfolio/orders."""
    return [_order(row) for row in Record(payload, "orders").rows("orders")]


def order_of(payload: Any) -> Order:
    """Decode /portfolio/orders/{order_id}."""
    return _order(Record(payload, "answer").payload.get("order"))


def order_created_of(payload: Any) -> OrderCreated:
    """Decode the reply to a created order.

    Raises
    ------
    MalformedAnswerError
        No order_id: whatever the status said, the order may not exist.
    """
    record = Record(payload, "created order")
    return OrderCreated(
        order_id=record.text("order_id"),
        client_order_id=record.maybe_text("client_order_id"),
        filled=record.get("fill_count", amount),
        remaining=record.get("remaining_count", amount),
        average_price=record.maybe("average_fill_price", amount),
        average_fee=record.maybe("average_fee_paid", amount),
        ts_ms=record.get("ts_ms", epoch_ms),
    )


def order_cancelled_of(payload: Any) -> OrderCancelled:
    """Decode the reply to a cancelled order; without order_id it is a failure."""
    record = Record(payload, "cancelled order")
    return OrderCancelled(
        order_id=record.text("order_id"), reduced_by=record.get("reduced_by", amount)
    )


def fee_changes_of(rows: Sequence[Any]) -> list[FeeChange]:
    """Decode the objects under ``series_fee_change_arr``."""
    return [_fee_change(row) for row in rows]


def settlements_of(payload: Any) -> list[PortfolioSettlement]:
    """Decode one page of /portfolio/settlements, whose `revenue` is still whole cents."""
    return [_settlement(row) for row in Record(payload, "settlements").rows("settlements")]


def _budget(record: Record, name: str) -> Budget:
    budget = Record(record.payload.get(name), f"{record.name}, {name}")
    return Budget(
        refill_rate=budget.number("refill_rate"), bucket_capacity=budget.number("bucket_capacity")
    )


def _position(row: Any) -> Position:
    record = Record(row, "position")
    record.name = f"position in {record.text('ticker')}"
    return Position(
        ticker=record.text("ticker"),
        contracts=record.get("position_fp", amount),
        exposure=record.get("market_exposure_dollars", amount),
        realized_pnl=record.get("realized_pnl_dollars", amount),
        fees_paid=record.get("fees_paid_dollars", amount),
    )


def _fill(row: Any) -> Fill:
    record = Record(row, "fill")
    record.name = f"fill {record.text('trade_id')}"
    return Fill(
        trade_id=record.text("trade_id"),
        order_id=record.text("order_id"),
        ticker=record.text("ticker"),
        outcome_side=_outcome(record),
        contracts=record.get("count_fp", amount),
        yes_price_cc=record.get("yes_price_dollars", price_cc),
        is_taker=record.flag("is_taker"),
        fee=record.get("fee_cost", amount),
        created_time=record.get("created_time", utc),
    )


def _order(row: Any) -> Order:
    record = Record(row, "order")
    record.name = f"order {record.text('order_id')}"
    return Order(
        order_id=record.text("order_id"),
        client_order_id=record.maybe_text("client_order_id"),
        ticker=record.text("ticker"),
        outcome_side=_outcome(record),
        status=record.text("status"),
        yes_price_cc=record.get("yes_price_dollars", price_cc),
        initial=record.get("initial_count_fp", amount),
        filled=record.get("fill_count_fp", amount),
        remaining=record.get("remaining_count_fp", amount),
    )


def _fee_change(row: Any) -> FeeChange:
    record = Record(row, "fee change")
    return FeeChange(
        series_ticker=record.text("series_ticker"),
        fee_type=record.text("fee_type"),
        fee_multiplier=record.number("fee_multiplier"),
        scheduled_ts=record.get("scheduled_ts", utc),
    )


def _settlement(row: Any) -> PortfolioSettlement:
    record = Record(row, "settlement")
    record.name = f"settlement of {record.text('ticker')}"
    return PortfolioSettlement(
        ticker=record.text("ticker"),
        market_result=record.text("market_result"),
        revenue=Decimal(record.integer("revenue")) / 100,
        settled_time=record.get("settled_time", utc),
    )


def _outcome(record: Record) -> str:
    book_side = {"bid": "yes", "ask": "no"}.get(record.maybe_text("book_side") or "")
    side = record.maybe_text("outcome_side") or book_side
    if side not in ("yes", "no"):
        raise MalformedAnswerError(
            f"{side!r} is neither yes nor no", record=record.name, field="outcome_side"
        )
    return side
