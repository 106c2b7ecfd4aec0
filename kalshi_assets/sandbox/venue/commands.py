"""Commands of the WebSocket and their replies.

Here: subscribe, unsubscribe, update_subscription, list_subscriptions, with the exchange's error
codes. Not here: messages about markets and orders (`streams`).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from kalshi_assets.sandbox.venue import frames
from kalshi_assets.sandbox.venue.connection import BOOKS, Connection, Subscription
from kalshi_assets.sandbox.venue.frames import json_text
from kalshi_assets.sandbox.venue.venue import Venue

CHANNELS = (
    BOOKS,
    "ticker",
    "trade",
    "market_lifecycle_v2",
    "fill",
    "user_orders",
    "market_positions",
    "order_group_updates",
)
UNFILTERED = ("market_lifecycle_v2", "order_group_updates")
ADD, DELETE, SNAPSHOT = "add_markets", "delete_markets", "get_snapshot"
ACTIONS = (ADD, DELETE, SNAPSHOT)

_MESSAGES = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market ticker required",
    15: "Action required",
}


class CommandError(Exception):
    """A refusal with its code; `subscription` is the one that it concerns, if any."""

    def __init__(
        self,
        code: int,
        *,
        subscription: Subscription | None = None,
        tickers: list[str] | None = None,
    ) -> None:
        super().__init__(f"{code} {_MESSAGES[code]}")
        self.code = code
        self.subscription = subscription
        self.tickers = tickers

    @property
    def body(self) -> dict[str, Any]:
        """The message's body."""
        told = {"market_tickers": self.tickers} if self.tickers else {}
        return {"code": self.code, "msg": _MESSAGES[self.code], **told}


class Commands:
    """Executes the commands of connections."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._handlers: Mapping[str, Callable[[Connection, int | None, Any], None]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "update_subscription": self._update,
            "list_subscriptions": self._list,
        }

    def handle(self, connection: Connection, text: str) -> None:
        """Execute one command; its replies are put into the connection."""
        command_id: int | None = None
        try:
            command = _decoded(text)
            # 0 means no ID.
            command_id = command.get("id") or None
            handler = self._handlers.get(command.get("cmd", ""))
            if handler is None:
                raise CommandError(5)
            handler(connection, command_id, command.get("params"))
        except CommandError as error:
            _reply(connection, command_id, "error", error.body, error.subscription)

    def _subscribe(self, connection: Connection, command_id: int | None, params: Any) -> None:
        asked = _params(params)
        channels = asked.get("channels")
        if not isinstance(channels, list) or not channels:
            raise CommandError(3)
        if any(name not in CHANNELS for name in channels):
            raise CommandError(8)
        tickers = self._tickers(asked)
        if BOOKS in channels and not tickers:
            raise CommandError(14)
        fresh = [
            self._subscribed(connection, command_id, channel, tickers, asked)
            for channel in dict.fromkeys(channels)
        ]
        for subscription, added in fresh:
            self._send_first(connection, subscription, added, asked)

    def _subscribed(
        self,
        connection: Connection,
        command_id: int | None,
        channel: str,
        tickers: list[str] | None,
        asked: dict[str, Any],
    ) -> tuple[Subscription, list[str]]:
        """The new or extended subscription of a channel, and the markets that it did not have."""
        wanted = None if channel in UNFILTERED or tickers is None else dict.fromkeys(tickers)
        held = next((s for s in connection.subscriptions.values() if s.channel == channel), None)
        if held is None:
            yes_scale = bool(asked.get("use_yes_price", False))
            held = connection.subscribe(channel, wanted, yes_scale=yes_scale)
            body = {"channel": channel, "sid": held.sid}
            _reply(connection, command_id, "subscribed", body)
            return held, tickers or []
        added = [t for t in tickers or () if not held.wants(t)]
        if held.tickers is not None:
            held.tickers = None if wanted is None else held.tickers | wanted
        _reply_ok(connection, command_id, held)
        return held, added

    def _send_first(
        self,
        connection: Connection,
        subscription: Subscription,
        tickers: list[str],
        asked: dict[str, Any],
    ) -> None:
        if subscription.channel == BOOKS:
            self._snapshots(connection, subscription, tickers)
        elif subscription.channel == "ticker" and asked.get("send_initial_snapshot"):
            for ticker in tickers:
                traded = self._venue.markets.get(ticker)
                if traded is not None:
                    body = frames.ticker(self._venue.matching.top(traded))
                    connection.put_message(subscription, "ticker", body)

    def _snapshots(
        self,
        connection: Connection,
        subscription: Subscription,
        tickers: list[str],
        command_id: int | None = None,
    ) -> None:
        for ticker in tickers:
            book = self._venue.book(ticker)
            body = frames.snapshot(ticker, book, yes_scale=subscription.yes_scale)
            connection.put_message(subscription, "orderbook_snapshot", body, command_id=command_id)

    def _unsubscribe(self, connection: Connection, command_id: int | None, params: Any) -> None:
        sids = _params(params).get("sids")
        if not isinstance(sids, list) or not sids:
            raise CommandError(4)
        if any(sid not in connection.subscriptions for sid in sids):
            raise CommandError(7)
        for sid in dict.fromkeys(sids):
            subscription = connection.subscriptions.pop(sid)
            asked = f'"id":{command_id},' if command_id else ""
            connection.put(f'{{{asked}{subscription.head()},"type":"unsubscribed"')

    def _update(self, connection: Connection, command_id: int | None, params: Any) -> None:
        asked = _params(params)
        subscription = _one_subscription(connection, asked)
        action = asked.get("action")
        if not action:
            raise CommandError(15, subscription=subscription)
        if action not in ACTIONS or (action == SNAPSHOT and subscription.channel != BOOKS):
            raise CommandError(13, subscription=subscription)
        if subscription.channel in UNFILTERED:
            raise CommandError(13, subscription=subscription)
        tickers = self._tickers(asked, subscription)
        if not tickers:
            raise CommandError(14, subscription=subscription)
        held = subscription.tickers
        if held is None:  # It has all markets already, and none can be taken out.
            if action == DELETE:
                raise CommandError(13, subscription=subscription)
            _reply_ok(connection, command_id, subscription)
        elif action == ADD:
            added = [t for t in tickers if t not in held]
            subscription.tickers = held | dict.fromkeys(tickers)
            _reply_ok(connection, command_id, subscription)
            self._send_first(connection, subscription, added, asked)
        elif action == DELETE:
            subscription.tickers = {t: None for t in held if t not in tickers}
            _reply_ok(connection, command_id, subscription)
        else:
            strangers = [t for t in tickers if t not in held]
            if strangers:
                raise CommandError(11, subscription=subscription, tickers=strangers)
            self._snapshots(connection, subscription, tickers, command_id)

    def _list(self, connection: Connection, command_id: int | None, params: Any) -> None:
        held = [{"channel": s.channel, "sid": s.sid} for s in connection.subscriptions.values()]
        _reply(connection, command_id, "ok", held)

    def _tickers(
        self, asked: dict[str, Any], subscription: Subscription | None = None
    ) -> list[str] | None:
        """The markets asked for; None: none are named."""
        one, many = asked.get("market_ticker"), asked.get("market_tickers")
        if one is not None and many is not None:
            raise CommandError(11, subscription=subscription)
        tickers = [one] if one is not None else many
        if tickers is None:
            return None
        if not isinstance(tickers, list) or not all(isinstance(t, str) for t in tickers):
            raise CommandError(11, subscription=subscription)
        unknown = [t for t in tickers if not self._venue.is_open_or_over(t)]
        if unknown:
            raise CommandError(11, subscription=subscription, tickers=unknown)
        return list(dict.fromkeys(tickers))


def _decoded(text: str) -> dict[str, Any]:
    try:
        command = json.loads(text)
    except ValueError:
        raise CommandError(1) from None
    if not isinstance(command, dict) or not isinstance(command.get("id", 0), int):
        raise CommandError(1)
    return command


def _params(params: Any) -> dict[str, Any]:
    if not isinstance(params, dict):
        raise CommandError(2)
    return params


def _one_subscription(connection: Connection, asked: dict[str, Any]) -> Subscription:
    sids = [asked["sid"]] if "sid" in asked else asked.get("sids")
    if not isinstance(sids, list) or len(sids) != 1:
        raise CommandError(12)
    subscription = connection.subscriptions.get(sids[0])
    if subscription is None:
        raise CommandError(7)
    return subscription


def _reply_ok(connection: Connection, command_id: int | None, subscription: Subscription) -> None:
    body = {"market_tickers": list(subscription.tickers or ())}
    _reply(connection, command_id, "ok", body, subscription)


def _reply(
    connection: Connection,
    command_id: int | None,
    kind: str,
    body: Any,
    subscription: Subscription | None = None,
) -> None:
    """Put a reply; one that concerns a subscription consumes one of its numbers."""
    asked = f',"id":{command_id}' if command_id else ""
    head = f",{subscription.head()}" if subscription is not None else ""
    connection.put(f'{{"type":"{kind}"{asked}{head},"msg":{json_text(body)}')
