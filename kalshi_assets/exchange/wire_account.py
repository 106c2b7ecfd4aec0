"""Decoding account data: limits, balance, orders, fills, positions, settlements, status.

Here: what trading sessions read. Not here: market data (wire, wire_stream), order logic (trading,
live). Amounts and counts are exact `Decimal`s in dollars and contracts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from kalshi_assets.exchange.wire_values import Record, amount, epoch_ms, price_cc, utc


@dataclass(frozen=True, kw_only=True)
class ExchangeStatus:
    """Whether the exchange is up, and whether trading is active."""

    exchange_active: bool
    trading_active: bool
    resumes_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A token bucket granted by the exchange: tokens per second, and maximum tokens."""

    refill_rate: float
    bucket_capacity: float


@dataclass(frozen=True, kw_only=True)
class AccountLimits:
    """The account's usage tier and budgets."""

    usage_tier: str
    read: Budget
    write: Budget


@dataclass(frozen=True, kw_only=True)
class EndpointCosts:
    """Tokens per request: the default, and exceptions by (method, path pattern)."""

    default: float
    exceptions: Mapping[tuple[str, str], float]


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Cash in dollars, over all exchange shards."""

    dollars: Decimal
    updated_ts: int


@dataclass(frozen=True, kw_only=True)
class Position:
    """Contracts held in one market; positive: YES, negative: NO."""

    ticker: str
    contracts: Decimal
    exposure: Decimal
    realized_pnl: Decimal
    fees_paid: Decimal


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One execution of one of our orders, with the fee charged."""

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
    """One of our orders, as recorded by the exchange; reads may lag behind writes."""

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
    """The response to creating an order."""

    order_id: str
    client_order_id: str | None
    filled: Decimal
    remaining: Decimal
    average_price: Decimal | None
    average_fee: Decimal | None
    ts_ms: int


@dataclass(frozen=True, kw_only=True)
class OrderCancelled:
    """The response to cancelling an order; `reduced_by`: contracts that were still resting."""

    order_id: str
    reduced_by: Decimal


@dataclass(frozen=True, kw_only=True)
class FeeChange:
    """A series' fee terms from `scheduled_ts` on."""

    series_ticker: str
    fee_type: str
    fee_multiplier: float
    scheduled_ts: datetime


@dataclass(frozen=True, kw_only=True)
class PortfolioSettlement:
    """What a settled market paid into the account, dollars."""

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
    return [
        Position(
            ticker=record.text("ticker"),
            contracts=record.get("position_fp", amount),
            exposure=record.get("market_exposure_dollars", amount),
            realized_pnl=record.get("realized_pnl_dollars", amount),
            fees_paid=record.get("fees_paid_dollars", amount),
        )
        for record in _records(payload, "market_positions", "position in", "ticker")
    ]


def fills_of(payload: Any) -> list[Fill]:
    """Decode one page of /portfolio/fills."""
    return [
        Fill(
            trade_id=record.text("trade_id"),
            order_id=record.text("order_id"),
            ticker=record.text("ticker"),
            outcome_side=record.outcome("outcome_side", "book_side"),
            contracts=record.get("count_fp", amount),
            yes_price_cc=record.get("yes_price_dollars", price_cc),
            is_taker=record.flag("is_taker"),
            fee=record.get("fee_cost", amount),
            created_time=record.get("created_time", utc),
        )
        for record in _records(payload, "fills", "fill", "trade_id")
    ]


def orders_of(payload: Any) -> list[Order]:
    """Decode one page of /portfolio/orders."""
    return [_order(record) for record in _records(payload, "orders", "order", "order_id")]


def order_of(payload: Any) -> Order:
    """Decode /portfolio/orders/{order_id}."""
    order = Record(payload, "response").payload.get("order")
    return _order(Record(order, "order", "order_id"))


def order_created_of(payload: Any) -> OrderCreated:
    """Decode the response to creating an order.

    Raises
    ------
    MalformedAnswerError
        No order_id: the order may not exist, whatever the HTTP status was.
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
    """Decode the response to cancelling an order; without order_id the cancel failed."""
    record = Record(payload, "cancelled order")
    return OrderCancelled(
        order_id=record.text("order_id"), reduced_by=record.get("reduced_by", amount)
    )


def fee_changes_of(rows: Sequence[Any]) -> list[FeeChange]:
    """Decode the objects under ``series_fee_change_arr``."""
    return [
        FeeChange(
            series_ticker=record.text("series_ticker"),
            fee_type=record.text("fee_type"),
            fee_multiplier=record.number("fee_multiplier"),
            scheduled_ts=record.get("scheduled_ts", utc),
        )
        for record in (Record(row, "fee change") for row in rows)
    ]


def settlements_of(payload: Any) -> list[PortfolioSettlement]:
    """Decode one page of /portfolio/settlements, whose `revenue` is still in integer cents."""
    return [
        PortfolioSettlement(
            ticker=record.text("ticker"),
            market_result=record.text("market_result"),
            revenue=Decimal(record.integer("revenue")) / 100,
            settled_time=record.get("settled_time", utc),
        )
        for record in _records(payload, "settlements", "settlement of", "ticker")
    ]


def _records(payload: Any, field: str, name: str, id_field: str) -> Iterator[Record]:
    for row in Record(payload, field).rows(field):
        yield Record(row, name, id_field)


def _budget(record: Record, name: str) -> Budget:
    budget = Record(record.payload.get(name), f"{record.name}, {name}")
    return Budget(
        refill_rate=budget.number("refill_rate"), bucket_capacity=budget.number("bucket_capacity")
    )


def _order(record: Record) -> Order:
    return Order(
        order_id=record.text("order_id"),
        client_order_id=record.maybe_text("client_order_id"),
        ticker=record.text("ticker"),
        outcome_side=record.outcome("outcome_side", "book_side"),
        status=record.text("status"),
        yes_price_cc=record.get("yes_price_dollars", price_cc),
        initial=record.get("initial_count_fp", amount),
        filled=record.get("fill_count_fp", amount),
        remaining=record.get("remaining_count_fp", amount),
    )
