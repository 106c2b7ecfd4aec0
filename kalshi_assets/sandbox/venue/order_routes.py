"""Routes of the write side: orders and order groups.

Here: HTTP around `order_entry`. Not here: reads (`portfolio_routes`).
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kalshi_assets.sandbox.account_routes import DEFAULT_COST, request_cost
from kalshi_assets.sandbox.buckets import Buckets
from kalshi_assets.sandbox.exchange_errors import WireError, coded, too_many_requests
from kalshi_assets.sandbox.gate import BATCHED
from kalshi_assets.sandbox.venue.account_wire import cancelled_json, decreased_json, receipt_json
from kalshi_assets.sandbox.venue.groups import Group
from kalshi_assets.sandbox.venue.numbers import count_text
from kalshi_assets.sandbox.venue.order_entry import OrderEntry
from kalshi_assets.sandbox.venue.order_requests import (
    AmendOrder,
    Batch,
    CancelItem,
    CreateOrder,
    DecreaseOrder,
    GroupLimit,
)
from kalshi_assets.sandbox.venue.venue import Venue

_ORDERS = "/portfolio/events/orders"
_GROUPS = "/portfolio/order_groups"
_OLD = "/portfolio/orders"


class OrderRoutes:
    """The routes that change orders and groups.

    Parameters
    ----------
    venue, entry
        What they change.
    before
        Called first, to bring the venue to the present.
    writes
        Token buckets, for batches.
    """

    def __init__(
        self, venue: Venue, entry: OrderEntry, *, before: Callable[[], None], writes: Buckets
    ) -> None:
        self._venue = venue
        self._entry = entry
        self._before = before
        self._writes = writes

    def routes(self) -> list[Route]:
        """All routes, in the order of matching."""
        one, group = _ORDERS + "/{order_id}", _GROUPS + "/{group_id}"
        old = [
            (_OLD, ["POST", "DELETE"]),
            (_OLD + "/batched", ["POST", "DELETE"]),
            (_OLD + "/{order_id}", ["DELETE"]),
            (_OLD + "/{order_id}/amend", ["POST"]),
            (_OLD + "/{order_id}/decrease", ["POST"]),
        ]
        return [
            *(Route(path, self.gone, methods=methods) for path, methods in old),
            Route(_ORDERS, self.create, methods=["POST"]),
            Route(_ORDERS, self.cancel_all, methods=["DELETE"]),
            Route(_ORDERS + "/batched", self.create_batch, methods=["POST"]),
            Route(_ORDERS + "/batched", self.cancel_batch, methods=["DELETE"]),
            Route(one, self.cancel, methods=["DELETE"]),
            Route(one + "/amend", self.amend, methods=["POST"]),
            Route(one + "/decrease", self.decrease, methods=["POST"]),
            Route(_GROUPS + "/create", self.create_group, methods=["POST"]),
            Route(_GROUPS, self.groups, methods=["GET"]),
            Route(group, self.group, methods=["GET"]),
            Route(group, self.delete_group, methods=["DELETE"]),
            Route(group + "/reset", self.reset_group, methods=["PUT"]),
            Route(group + "/trigger", self.trigger_group, methods=["PUT"]),
            Route(group + "/limit", self.limit_group, methods=["PUT"]),
        ]

    async def gone(self, request: Request) -> Response:
        """The paths of the first version."""
        raise coded(
            410,
            "deprecated_v1_order_endpoint",
            "Please switch to the V2 endpoints",
            "https://docs.kalshi.com/api-reference/orders/create-order-v2",
        )

    async def create(self, request: Request) -> Response:
        """POST /portfolio/events/orders."""
        asked = CreateOrder.of(await self._body(request))
        receipt = self._entry.create(asked)
        return JSONResponse(receipt_json(receipt, self._venue.now_us), status_code=201)

    async def create_batch(self, request: Request) -> Response:
        """POST /portfolio/events/orders/batched: errors per item."""

        def create(item: dict[str, Any]) -> dict[str, Any]:
            return receipt_json(self._entry.create(CreateOrder.of(item)), self._venue.now_us)

        batch = await self._batch(request)
        rows = [_row(create, item, ("client_order_id",)) for item in batch.orders]
        return JSONResponse({"orders": rows}, status_code=201)

    async def cancel(self, request: Request) -> Response:
        """DELETE /portfolio/events/orders/{order_id}."""
        self._before()
        order, left = self._entry.cancel(request.path_params["order_id"])
        return JSONResponse(cancelled_json(order, left, self._venue.now_us))

    async def cancel_batch(self, request: Request) -> Response:
        """DELETE /portfolio/events/orders/batched: errors per item."""

        def cancel(item: dict[str, Any]) -> dict[str, Any]:
            order, left = self._entry.cancel(CancelItem.of(item).order_id)
            return cancelled_json(order, left, self._venue.now_us)

        batch = await self._batch(request)
        rows = [_row(cancel, item, ("order_id",)) for item in batch.orders]
        for row in rows:
            row.setdefault("reduced_by", "0")
        return JSONResponse({"orders": rows})

    async def cancel_all(self, request: Request) -> Response:
        """DELETE /portfolio/events/orders."""
        self._before()
        self._entry.cancel_all()
        return Response(status_code=204)

    async def amend(self, request: Request) -> Response:
        """POST /portfolio/events/orders/{order_id}/amend."""
        asked = AmendOrder.of(await self._body(request))
        receipt = self._entry.amend(request.path_params["order_id"], asked)
        return JSONResponse(receipt_json(receipt, self._venue.now_us))

    async def decrease(self, request: Request) -> Response:
        """POST /portfolio/events/orders/{order_id}/decrease."""
        asked = DecreaseOrder.of(await self._body(request))
        order = self._entry.decrease(request.path_params["order_id"], asked)
        return JSONResponse(decreased_json(order, self._venue.now_us))

    async def create_group(self, request: Request) -> Response:
        """POST /portfolio/order_groups/create."""
        group = self._entry.create_group(GroupLimit.of(await self._body(request)))
        body = {"order_group_id": group.group_id, "subaccount": 0, "exchange_index": 0}
        return JSONResponse(body, status_code=201)

    async def groups(self, request: Request) -> Response:
        """GET /portfolio/order_groups."""
        self._before()
        held = [g for g in self._venue.groups.values() if not g.deleted]
        rows = [{"id": g.group_id, "exchange_index": 0, **_group(g)} for g in held]
        return JSONResponse({"order_groups": rows})

    async def group(self, request: Request) -> Response:
        """GET /portfolio/order_groups/{group_id}."""
        self._before()
        group = self._entry.group(request.path_params["group_id"])
        orders = [o.order_id for o in self._entry.group_orders(group.group_id)]
        return JSONResponse({**_group(group), "orders": orders, "exchange_index": 0})

    async def delete_group(self, request: Request) -> Response:
        """DELETE /portfolio/order_groups/{group_id}."""
        self._before()
        self._entry.delete_group(request.path_params["group_id"])
        return JSONResponse({})

    async def reset_group(self, request: Request) -> Response:
        """PUT /portfolio/order_groups/{group_id}/reset."""
        self._before()
        self._entry.reset_group(request.path_params["group_id"])
        return JSONResponse({})

    async def trigger_group(self, request: Request) -> Response:
        """PUT /portfolio/order_groups/{group_id}/trigger."""
        self._before()
        self._entry.trigger_group(request.path_params["group_id"])
        return JSONResponse({})

    async def limit_group(self, request: Request) -> Response:
        """PUT /portfolio/order_groups/{group_id}/limit."""
        asked = GroupLimit.of(await self._body(request))
        self._entry.limit_group(request.path_params["group_id"], asked)
        return JSONResponse({})

    async def _body(self, request: Request) -> bytes:
        raw = await request.body()
        self._before()
        return raw

    async def _batch(self, request: Request) -> Batch:
        """The batch, paid for: it must fit into the bucket at once."""
        batch = Batch.of(await self._body(request))
        each = request_cost("DELETE", BATCHED) if request.method == "DELETE" else DEFAULT_COST
        if not self._writes.take(request.state.key_id, each * max(len(batch.orders), 1)):
            raise too_many_requests()
        return batch


def _row(
    act: Callable[[dict[str, Any]], dict[str, Any]], item: dict[str, Any], named: tuple[str, ...]
) -> dict[str, Any]:
    """The response to one item of a batch, or its error with the fields that name it."""
    try:
        return act(item)
    except WireError as refusal:
        body = refusal.body if isinstance(refusal.body, dict) else {}
        names = {name: item[name] for name in named if name in item}
        return {**names, "error": body.get("error", body)}


def _group(group: Group) -> dict[str, Any]:
    return {"is_auto_cancel_enabled": True, "contracts_limit_fp": count_text(group.limit)}
