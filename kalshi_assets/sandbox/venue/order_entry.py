"""Order requests: checks against market, account and time, then the effect.

Here: create, amend, decrease, cancel, cancel all, order groups. Not here: decoding bodies
(`order_requests`), matching (`matching`), HTTP (`order_routes`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

from kalshi_assets.exchange.fees import model_fee
from kalshi_assets.sandbox.exchange_errors import WireError, coded, not_found
from kalshi_assets.sandbox.venue.events import GroupChanged, OrderChanged
from kalshi_assets.sandbox.venue.groups import Group
from kalshi_assets.sandbox.venue.matching import TradedMarket
from kalshi_assets.sandbox.venue.numbers import A_CONTRACT, MICRO_A_CC, MICRO_A_DOLLAR, scaled
from kalshi_assets.sandbox.venue.order_requests import (
    AmendOrder,
    CreateOrder,
    DecreaseOrder,
    GroupLimit,
    invalid_order,
    price_of,
    size_of,
)
from kalshi_assets.sandbox.venue.orders import FEE_MULTIPLIER, FEE_TYPE, Fill, Order
from kalshi_assets.sandbox.venue.venue import Venue, market_inactive
from kalshi_assets.units import MINUTE_US, SECOND_US

KILL_US = MINUTE_US
"""So long after a cancel-all new orders are cancelled, too."""
FILL_OR_KILL = "fill_or_kill"


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a write did to an order; `filled`, `value` (at prices of YES) and `fee` of its fills."""

    order: Order
    filled: int
    value: int
    fee: int


class OrderEntry:
    """The account's requests to a venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._matching = venue.matching
        self._used_ids = {o.client_order_id for o in venue.orders.values() if o.client_order_id}
        venue.on_match.append(self._count_match)

    def create(self, asked: CreateOrder) -> Receipt:
        """Place an order.

        Raises
        ------
        WireError
            The order is refused.
        """
        asked.check()
        if asked.client_order_id in self._used_ids:
            raise _already_exists()
        traded = self._venue.open_market(asked.ticker)
        order = self._order(asked)
        self._check_group(order)
        self._check_money(order, traded)
        self._check_at_once(order, traded)
        self._accept(order, rests=asked.rests)
        if self._venue.now_us < self._venue.kill_until_us:
            self._matching.end(order, None)
            return self._receipt(order, [])
        filled = self._run(order, traded, rests=asked.rests)
        self._venue.expire_at(order)
        return self._receipt(order, filled)

    def amend(self, order_id: str, asked: AmendOrder) -> Receipt:
        """Change price, size or expiry of a resting order.

        Parameters
        ----------
        order_id
            The order.
        asked
            The request.

        Raises
        ------
        WireError
            404: it does not rest; or the change is refused.
        """
        asked.check_route()
        order = self._resting(order_id)
        traded = self._venue.open_market(order.ticker)
        _check_same(order, asked)
        price, left = price_of(asked.price), size_of(asked.count) - order.filled
        if left <= 0:
            raise coded(400, "invalid_order_size", "invalid order size")
        expires_us = self._expiry(asked.expiration_time, order.expires_us)
        renamed = asked.updated_client_order_id
        if renamed is not None and renamed in self._used_ids - {order.client_order_id}:
            raise _already_exists()
        stays = price == order.price_cc and left <= order.remaining
        changed = replace(order, price_cc=price, remaining=left)
        if not stays:
            self._check_money(changed, traded)
            self._check_at_once(changed, traded)
        if renamed is not None:
            self._used_ids.add(renamed)
            order.client_order_id = renamed
        self._matching.lift(traded, order, order.remaining - left if stays else None)
        order.initial = order.filled + left
        order.price_cc, order.remaining, order.expires_us = price, left, expires_us
        order.updated_us, order.reason = self._venue.now_us, "Amend"
        self._venue.publish(OrderChanged(order))
        filled = [] if stays else self._run(order, traded, rests=True)
        self._matching.flush(traded)
        self._venue.expire_at(order)
        return self._receipt(order, filled)

    def decrease(self, order_id: str, asked: DecreaseOrder) -> Order:
        """Reduce a resting order; it keeps its place.

        Parameters
        ----------
        order_id
            The order.
        asked
            The request.

        Raises
        ------
        WireError
            404: it does not rest; 400: not exactly one of the two sizes, or not a size.
        """
        asked.check_route()
        if (asked.reduce_by is None) == (asked.reduce_to is None):
            raise invalid_order("exactly one of reduce_by and reduce_to is needed")
        order = self._resting(order_id)
        traded = self._venue.open_market(order.ticker)
        if asked.reduce_to is not None:
            wanted = scaled(asked.reduce_to, 2)
            if wanted is None or wanted > order.remaining:
                raise coded(400, "invalid_order_size", "invalid order size")
            by = order.remaining - wanted
        else:
            by = min(size_of(asked.reduce_by or ""), order.remaining)
        if by == order.remaining:
            self._matching.cancel(traded, order, "Decrease")
        else:
            self._matching.lift(traded, order, by)
            order.remaining -= by
            order.updated_us, order.reason = self._venue.now_us, "Decrease"
            self._venue.publish(OrderChanged(order))
            self._matching.flush(traded)
        self._venue.commit()
        return order

    def cancel(self, order_id: str) -> tuple[Order, int]:
        """Cancel a resting order: it, and the hundredths of contracts that it still had.

        Raises
        ------
        WireError
            404: it does not rest; 400 MARKET_INACTIVE: its market has closed.
        """
        order = self._resting(order_id)
        traded = self._venue.markets[order.ticker]
        if traded.status == "closed":
            raise market_inactive()
        left = self._matching.cancel(traded, order, None)
        self._venue.commit()
        return order, left

    def cancel_all(self) -> None:
        """Cancel every resting order, and those placed within the next minute."""
        self._venue.kill_until_us = self._venue.now_us + KILL_US
        self._cancel(o for o in self._matching.resting())
        self._venue.commit()

    def queue_position(self, order_id: str) -> int:
        """Hundredths of contracts that trade before a resting order.

        Raises
        ------
        WireError
            404: it does not rest.
        """
        order = self._resting(order_id)
        book = self._venue.markets[order.ticker].book
        return book.ahead(order.side, order.price_cc, order.order_id)

    def create_group(self, asked: GroupLimit) -> Group:
        """A new order group."""
        asked.check_route()
        number = len(self._venue.groups) + 1
        group = Group(group_id=_identity("group", number), number=number, limit=asked.hundredths)
        self._venue.groups[group.group_id] = group
        self._keep(group, "created")
        return group

    def group(self, group_id: str) -> Group:
        """An order group.

        Raises
        ------
        WireError
            404: there is none.
        """
        group = self._venue.groups.get(group_id)
        if group is None or group.deleted:
            raise not_found()
        return group

    def group_orders(self, group_id: str) -> list[Order]:
        """The resting orders of a group."""
        return [o for o in self._matching.resting() if o.group_id == group_id]

    def trigger_group(self, group_id: str) -> None:
        """Cancel a group's orders; it accepts none until it is reset."""
        group = self.group(group_id)
        group.triggered = True
        self._cancel(self.group_orders(group_id))
        self._keep(group, "triggered")

    def reset_group(self, group_id: str) -> None:
        """Let a group accept orders again, with nothing matched."""
        group = self.group(group_id)
        group.reset()
        self._keep(group, "reset")

    def delete_group(self, group_id: str) -> None:
        """Cancel a group's orders and forget it."""
        group = self.group(group_id)
        group.deleted = True
        self._cancel(self.group_orders(group_id))
        self._keep(group, "deleted")

    def limit_group(self, group_id: str, asked: GroupLimit) -> None:
        """Change a group's limit; it is triggered if that is reached already."""
        group = self.group(group_id)
        group.limit = asked.hundredths
        self._keep(group, "limit_updated")
        if group.count(0, self._venue.now_us):
            self.trigger_group(group_id)

    def _keep(self, group: Group, event_type: str) -> None:
        self._venue.books.keep_group(group)
        self._venue.publish(
            GroupChanged(group.group_id, event_type, group.limit, self._venue.now_us)
        )
        self._venue.commit()

    def _count_match(self, order: Order, fill: Fill) -> None:
        group = self._venue.groups.get(order.group_id or "")
        if group is None or group.deleted:
            return
        self._venue.books.keep_group(group)
        if group.count(fill.size, fill.at_us):
            group.triggered = True
            self._cancel(self.group_orders(group.group_id))
            self._venue.publish(
                GroupChanged(group.group_id, "triggered", group.limit, self._venue.now_us)
            )

    def _cancel(self, orders: Iterable[Order]) -> None:
        for order in orders:
            traded = self._venue.markets[order.ticker]
            if traded.status != "closed":
                self._matching.cancel(traded, order, None)

    def _resting(self, order_id: str) -> Order:
        order = self._venue.orders.get(order_id)
        if order is None or order.status != "resting":
            raise not_found()
        return order

    def _order(self, asked: CreateOrder) -> Order:
        number, now_us = len(self._venue.orders) + 1, self._venue.now_us
        size = size_of(asked.count)
        order = Order(
            order_id=_identity("order", number),
            number=number,
            client_order_id=asked.client_order_id,
            ticker=asked.ticker,
            side=asked.side,
            price_cc=price_of(asked.price),
            initial=size,
            remaining=size,
            time_in_force=asked.time_in_force,
            self_trade_prevention=asked.self_trade_prevention_type,
            post_only=asked.post_only,
            cancel_on_pause=asked.cancel_order_on_pause,
            group_id=asked.order_group_id,
            expires_us=self._expiry(asked.expiration_time, None),
            created_us=now_us,
            updated_us=now_us,
        )
        if asked.reduce_only:
            order.remaining = min(size, self._venue.account.reducible(order.ticker, order.side))
            if order.remaining == 0:
                raise invalid_order("reduce only would not reduce a position")
        return order

    def _expiry(self, asked: int | None, before: int | None) -> int | None:
        """The instant of an expiration_time; nothing keeps the one before, 0 clears it."""
        if asked is None:
            return before
        if asked == 0 and before is not None:
            return None
        if asked * SECOND_US <= self._venue.now_us:
            raise invalid_order("expiration_time must be in the future")
        return asked * SECOND_US

    def _check_group(self, order: Order) -> None:
        if order.group_id is not None and self.group(order.group_id).triggered:
            raise invalid_order("order group is triggered")

    def _check_money(self, order: Order, traded: TradedMarket) -> None:
        others = [o for o in self._matching.resting() if o.order_id != order.order_id]
        needed = self._venue.account.locked([*others, order])
        if _crosses(order, traded):
            opening = order.remaining - self._venue.account.reducible(order.ticker, order.side)
            needed += _taker_fee(order, max(opening, 0))
        if needed > max(self._venue.account.cash, 0):
            raise coded(400, "insufficient_balance", "insufficient balance")

    def _check_at_once(self, order: Order, traded: TradedMarket) -> None:
        if order.post_only and _crosses(order, traded):
            raise invalid_order("post only cross")
        if order.time_in_force == FILL_OR_KILL:
            found, own = self._matching.available(traded, order)
            if found < order.remaining and not own:
                code = "fill_or_kill_insufficient_resting_volume"
                raise coded(409, code, code.replace("_", " "))

    def _accept(self, order: Order, *, rests: bool) -> None:
        self._venue.orders[order.order_id] = order
        if order.client_order_id:
            self._used_ids.add(order.client_order_id)
        if rests:
            self._venue.publish(OrderChanged(order))

    def _run(self, order: Order, traded: TradedMarket, *, rests: bool) -> list[Fill]:
        """Match an order, then let the remainder rest or end; the fills that this made."""
        first = len(self._venue.fills)
        self._matching.take(traded, order)
        if order.status == "resting" and rests:
            self._matching.rest(traded, order)
        elif order.status == "resting":
            self._matching.end(order, "Trade" if order.filled else None)
        return self._venue.fills[first:]

    def _receipt(self, order: Order, fills: list[Fill]) -> Receipt:
        self._venue.commit()
        return Receipt(
            order=order,
            filled=sum(f.size for f in fills),
            value=sum(f.size * f.price_cc for f in fills),
            fee=sum(f.fee for f in fills),
        )


def _crosses(order: Order, traded: TradedMarket) -> bool:
    return next(traded.book.makers(order.side, order.price_cc), None) is not None


def _taker_fee(order: Order, size: int) -> int:
    """The most that an order of this size can cost in fees if it trades at once, micro."""
    contracts = Decimal(size) / A_CONTRACT
    fee = model_fee(order.price_cc, contracts, FEE_TYPE, FEE_MULTIPLIER, "taker")
    return int(fee * MICRO_A_DOLLAR) + MICRO_A_CC


def _check_same(order: Order, asked: AmendOrder) -> None:
    for name, held, given in (
        ("ticker", order.ticker, asked.ticker),
        ("side", order.side, asked.side),
        ("client_order_id", order.client_order_id, asked.client_order_id),
    ):
        if given is not None and given != held:
            raise coded(400, f"order_{name}_mismatch", f"order {name} mismatch".replace("_", " "))


def _already_exists() -> WireError:
    return coded(409, "order_already_exists", "order already exists")


def _identity(kind: str, number: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"kalshi-assets sandbox {kind} {number}"))
