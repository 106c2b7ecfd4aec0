"""The bodies of order requests, validated as strictly as by the exchange.

Here: types, required fields, rules that depend on the request alone. Not here: rules that depend on
the market, the account or the time (`venue`).
"""

import json
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kalshi_assets.sandbox.exchange_errors import WireError, bad_body, coded
from kalshi_assets.sandbox.venue.numbers import scaled
from kalshi_assets.units import CC_A_CENT, CC_A_DOLLAR

_SHARDS = (-1, 0)
_GO_TYPES = {"string_type": "string", "bool_type": "bool", "int_type": "int", "list_type": "slice"}
_JSON_TYPES = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}


class Body(BaseModel):
    """A JSON object; `struct` names it in the exchange's messages. Unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)
    struct: ClassVar[str]

    @classmethod
    def of(cls, raw: bytes | dict[str, Any]) -> Self:
        """Decode a request's body.

        Raises
        ------
        WireError
            400: not JSON, a wrong type, or a field is missing.
        """
        try:
            payload = json.loads(raw or b"{}") if isinstance(raw, bytes) else raw
        except ValueError:
            raise bad_body("invalid character in JSON body") from None
        if not isinstance(payload, dict):
            kind = _JSON_TYPES.get(type(payload), "null")
            raise bad_body(f"json: cannot unmarshal {kind} into Go value of type {cls.struct}")
        try:
            return cls(**{name: value for name, value in payload.items() if value is not None})
        except ValidationError as error:
            raise cls._refusal(error) from None

    @classmethod
    def _refusal(cls, error: ValidationError) -> WireError:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
        if first["type"] in _GO_TYPES:
            held = _JSON_TYPES.get(type(first["input"]), "object")
            return bad_body(
                f"json: cannot unmarshal {held} into Go struct field {cls.struct}.{field} "
                f"of type {_GO_TYPES[first['type']]}"
            )
        name = "".join(part.capitalize() for part in field.split("_"))
        tag = "required" if first["type"] == "missing" else "oneof"
        return bad_body(
            f"Key: '{cls.struct}.{name}' Error:Field validation for '{name}' failed on the "
            f"'{tag}' tag"
        )


class Routed(Body):
    """A body that may name a shard and a subaccount; only the first of each exists."""

    exchange_index: int = 0
    subaccount: int = 0

    def check_route(self) -> None:
        """Refuse other shards and subaccounts.

        Raises
        ------
        WireError
            400.
        """
        if self.exchange_index not in _SHARDS:
            raise invalid_order(f"exchange index {self.exchange_index} does not trade this market")
        if self.subaccount != 0:
            raise invalid_order(f"subaccount {self.subaccount} does not exist")


class CreateOrder(Routed):
    """POST /portfolio/events/orders."""

    struct: ClassVar[str] = "CreateOrderV2Request"
    ticker: str
    side: Literal["bid", "ask"]
    count: str
    price: str
    time_in_force: Literal["good_till_canceled", "immediate_or_cancel", "fill_or_kill"]
    self_trade_prevention_type: Literal["taker_at_cross", "maker"]
    client_order_id: str | None = None
    expiration_time: int | None = None
    post_only: bool = False
    cancel_order_on_pause: bool = False
    reduce_only: bool = False
    order_group_id: str | None = None

    @property
    def rests(self) -> bool:
        """Whether what does not trade at once stays in the book."""
        return self.time_in_force == "good_till_canceled"

    def check(self) -> None:
        """Refuse what contradicts itself.

        Raises
        ------
        WireError
            400.
        """
        self.check_route()
        if not self.rests and self.expiration_time is not None:
            raise invalid_order("expiration_time needs good_till_canceled")
        if not self.rests and self.post_only:
            raise invalid_order("post_only needs good_till_canceled")
        if self.reduce_only and self.time_in_force != "immediate_or_cancel":
            raise invalid_order("reduce_only needs immediate_or_cancel")


class AmendOrder(Routed):
    """POST /portfolio/events/orders/{order_id}/amend; `count` includes what is filled."""

    struct: ClassVar[str] = "AmendOrderV2Request"
    ticker: str
    side: Literal["bid", "ask"]
    price: str
    count: str
    client_order_id: str | None = None
    updated_client_order_id: str | None = None
    expiration_time: int | None = None


class DecreaseOrder(Routed):
    """POST /portfolio/events/orders/{order_id}/decrease."""

    struct: ClassVar[str] = "DecreaseOrderV2Request"
    reduce_by: str | None = None
    reduce_to: str | None = None
    market_ticker: str | None = None


class Batch(Body):
    """A batch of creates or cancels."""

    struct: ClassVar[str] = "BatchOrdersV2Request"
    orders: list[dict[str, Any]]


class CancelItem(Routed):
    """One cancel of a batch."""

    struct: ClassVar[str] = "BatchCancelOrdersV2RequestOrder"
    order_id: str
    market_ticker: str | None = None


class GroupLimit(Routed):
    """The limit of an order group, as a number or as a text with two decimals."""

    struct: ClassVar[str] = "OrderGroupRequest"
    contracts_limit: int | None = None
    contracts_limit_fp: str | None = None

    @property
    def hundredths(self) -> int:
        """The limit in hundredths of contracts.

        Raises
        ------
        WireError
            400: no limit, both, or not positive.
        """
        if (self.contracts_limit is None) == (self.contracts_limit_fp is None):
            raise bad_body("exactly one of contracts_limit and contracts_limit_fp is needed")
        if self.contracts_limit_fp is not None:
            return size_of(self.contracts_limit_fp)
        return size_of(str(self.contracts_limit))


def price_of(text: str) -> int:
    """A price on the grid of whole cents, 0.01 to 0.99, in cc.

    Raises
    ------
    WireError
        400 invalid_price.
    """
    price = scaled(text, 4)
    if price is None or price % CC_A_CENT or not 0 < price < CC_A_DOLLAR:
        raise coded(400, "invalid_price", "invalid price")
    return price


def size_of(text: str) -> int:
    """A positive number of contracts, in hundredths.

    Raises
    ------
    WireError
        400 invalid_order_size.
    """
    size = scaled(text, 2)
    if not size:
        raise coded(400, "invalid_order_size", "invalid order size")
    return size


def invalid_order(details: str) -> WireError:
    """400 with the reason in `details`."""
    return coded(400, "invalid_order", "invalid order", details)
