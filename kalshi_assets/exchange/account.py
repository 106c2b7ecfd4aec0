"""Reads of the account: orders, fills, positions, settlements, balance, order groups, queues.

Here: complete lists of the account, page by page; an incomplete list is an error. Not here: writes
(orders), market data (client), comparing the account with a journal (live.reconciliation).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote

from kalshi_assets.exchange.errors import PaginationError
from kalshi_assets.exchange.rest import RestReader
from kalshi_assets.exchange.wire_account import (
    Balance,
    EndpointCosts,
    Fill,
    Order,
    PortfolioSettlement,
    Position,
    balance_of,
    endpoint_costs_of,
    fills_of,
    order_of,
    orders_of,
    positions_of,
    settlements_of,
)
from kalshi_assets.exchange.wire_values import Record, amount

PAGE_LIMIT = 1000

T = TypeVar("T")


class AccountReader(RestReader):
    """Signed reads of the account; see `RestReader` for its parameters.

    Lists are complete or an error: a cursor that is missing or repeated, a page that repeats rows
    already read, or pages that do not end, raise `PaginationError` or `MalformedAnswerError`.
    """

    def balance(self) -> Balance:
        """Cash of the account."""
        return self.get("/portfolio/balance").decode(lambda a: balance_of(a.payload))

    def orders(self, *, status: str | None = None, min_ts_s: int | None = None) -> list[Order]:
        """Orders of the account.

        Parameters
        ----------
        status
            resting, canceled or executed; None: all.
        min_ts_s
            Only those from this Unix second on; None: all.
        """
        params = _given(status=status, min_ts=min_ts_s)
        return self._all(
            "/portfolio/orders", params, "orders", orders_of, lambda order: order.order_id
        )

    def order(self, order_id: str) -> Order:
        """One order; `NotFoundError` if the exchange does not have it."""
        path = f"/portfolio/orders/{quote(order_id, safe='')}"
        return self.get(path).decode(lambda a: order_of(a.payload))

    def fills(self, *, min_ts_s: int | None = None) -> list[Fill]:
        """Executions of the account's orders.

        Parameters
        ----------
        min_ts_s
            Only those from this Unix second on; None: all.
        """
        params = _given(min_ts=min_ts_s)
        return self._all("/portfolio/fills", params, "fills", fills_of, lambda fill: fill.trade_id)

    def positions(self) -> list[Position]:
        """Positions in markets that have not settled."""
        return self._all(
            "/portfolio/positions",
            {},
            "market_positions",
            positions_of,
            lambda position: position.ticker,
        )

    def settlements(self, *, min_ts_s: int | None = None) -> list[PortfolioSettlement]:
        """What settled markets paid.

        Parameters
        ----------
        min_ts_s
            Only those from this Unix second on; None: all.
        """
        return self._all(
            "/portfolio/settlements",
            _given(min_ts=min_ts_s),
            "settlements",
            settlements_of,
            lambda settlement: settlement.ticker,
        )

    def queue_position(self, order_id: str) -> Decimal:
        """Contracts ahead of a resting order."""
        path = f"/portfolio/orders/{quote(order_id, safe='')}/queue_position"
        return self.get(path).decode(
            lambda a: a.record(f"queue position of {order_id}").get("queue_position_fp", amount)
        )

    def order_groups(self) -> list[str]:
        """IDs of the account's order groups; the list has one page, and no field if it is empty."""
        return self.get("/portfolio/order_groups").decode(
            lambda a: [
                Record(group, "order group").text("id")
                for group in a.payload.get("order_groups") or []
            ]
        )

    def endpoint_costs(self) -> EndpointCosts:
        """Tokens per request, as published."""
        return self.get("/account/endpoint_costs").decode(lambda a: endpoint_costs_of(a.payload))

    def _all(
        self,
        path: str,
        params: dict[str, Any],
        rows: str,
        read: Callable[[Any], list[T]],
        key: Callable[[T], str],
    ) -> list[T]:
        """Every row of a list, the last version of each."""
        found: dict[str, T] = {}
        for page in self.pages(path, {**params, "limit": PAGE_LIMIT}, rows):
            read_rows = page.decode(lambda a: read(a.payload))
            fresh = {key(row): row for row in read_rows}
            if fresh and fresh.keys() <= found.keys():
                raise PaginationError(
                    f"a page repeats {len(fresh)} rows of earlier pages: the list does not advance",
                    endpoint=page.endpoint,
                )
            found |= fresh
        return list(found.values())


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
