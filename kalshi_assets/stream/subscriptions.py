"""Subscriptions of one connection: which channel an ID belongs to, and its sequence of messages.

Here: commands by their ID, and whether a message follows the one before (kalshi.md 4). Not here:
what a lost message means for a book (`stream`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

BOOKS, TRADES = "orderbook_delta", "trade"
LIFECYCLES, FILLS, ORDERS = "market_lifecycle_v2", "fill", "user_orders"
OF_MARKETS = (BOOKS, TRADES)
"""Channels that are subscribed to by market."""
PUBLIC = (*OF_MARKETS, LIFECYCLES)
PRIVATE = (FILLS, ORDERS)

SUBSCRIBE, UPDATE, LIST = "subscribe", "update_subscription", "list_subscriptions"
_REMEMBERED = 1_000


@dataclass
class Subscription:
    """A channel's subscription.

    Attributes
    ----------
    yes_price
        Whether prices of the NO side are those of YES.
    tickers
        Markets asked for.
    seq
        Number of the last message; 0: none yet.
    last
        Text of that message.
    """

    channel: str
    sid: int
    yes_price: bool = True
    tickers: set[str] = field(default_factory=set)
    seq: int = 0
    last: bytes = b""

    def repeats(self, seq: int, text: bytes) -> bool:
        """Whether a message is the last one once more.

        Parameters
        ----------
        seq, text
            Number and text of the message.
        """
        return seq == self.seq and text == self.last

    def accept(self, seq: int, text: bytes) -> str:
        """Go on from a message; what is wrong if it does not follow the last one, else empty.

        Parameters
        ----------
        seq, text
            Number and text of the message.
        """
        expected, self.seq, self.last = self.seq + 1, seq, text
        return (
            "" if seq == expected else f"message {seq} of {self.channel} where {expected} was due"
        )


class Subscriptions:
    """The subscriptions of one connection and the commands that made them."""

    def __init__(self) -> None:
        self._by_sid: dict[int, Subscription] = {}
        self._commands: dict[int, Mapping[str, Any]] = {}
        self._last_id = 0

    def clear(self) -> None:
        """The connection ended: none of its IDs means anything any more."""
        self._by_sid.clear()
        self._commands.clear()

    def with_sid(self, sid: int | None) -> Subscription | None:
        """The subscription with that ID."""
        return None if sid is None else self._by_sid.get(sid)

    def of(self, channel: str) -> Subscription | None:
        """The channel's subscription; None: there is none, or it is not confirmed yet."""
        return next((s for s in self._by_sid.values() if s.channel == channel), None)

    def command(self, cmd: str, **params: Any) -> Mapping[str, Any]:
        """A command with the next ID, remembered until it is answered.

        Parameters
        ----------
        cmd
            Its name.
        params
            Its parameters, left out if there are none.
        """
        command = {"id": self._last_id + 1, "cmd": cmd, **({"params": params} if params else {})}
        self.remember(command)
        return command

    def remember(self, command: Mapping[str, Any]) -> None:
        """Note a command that is sent, or was sent when a recording was made."""
        self._last_id = max(self._last_id, int(command["id"]))
        self._commands[int(command["id"])] = command
        if len(self._commands) > _REMEMBERED:
            del self._commands[next(iter(self._commands))]

    def asked(self, ident: int | None) -> Mapping[str, Any]:
        """The command with that ID; empty if it is not known."""
        return {} if ident is None else self._commands.get(ident, {})

    def is_asked(self, channel: str) -> bool:
        """Whether a subscription to the channel is asked for and not confirmed."""
        return any(
            command["cmd"] == SUBSCRIBE and channel in command["params"]["channels"]
            for command in self._commands.values()
        ) and not self.of(channel)

    def confirm(self, ident: int | None, channel: str, sid: int) -> Subscription:
        """The exchange confirmed a channel; a known ID goes on where it was.

        Parameters
        ----------
        ident
            ID of the command that is answered.
        channel, sid
            As the exchange states them.
        """
        params = self.asked(ident).get("params", {})
        present = self._by_sid.setdefault(sid, Subscription(channel, sid))
        present.yes_price = bool(params.get("use_yes_price", True))
        if channel in OF_MARKETS:
            present.tickers |= set(params.get("market_tickers", ()))
        return present

    def end(self, sid: int | None) -> None:
        """The exchange ended a subscription."""
        ended = None if sid is None else self._by_sid.pop(sid, None)
        if ended is not None:
            # What asked for it is answered; else it would count as asked for.
            self._commands = {
                ident: command
                for ident, command in self._commands.items()
                if command["cmd"] != SUBSCRIBE or ended.channel not in command["params"]["channels"]
            }

    def forget(self, ident: int | None) -> None:
        """A command was answered for good."""
        if ident is not None:
            self._commands.pop(ident, None)

    def state(self) -> list[dict[str, Any]]:
        """All subscriptions as plain values, for `restore`."""
        return [
            {
                "channel": s.channel,
                "sid": s.sid,
                "seq": s.seq,
                "yes_price": s.yes_price,
                "tickers": sorted(s.tickers),
            }
            for s in self._by_sid.values()
        ]

    def restore(self, state: Iterable[Mapping[str, Any]]) -> list[Subscription]:
        """Take over `state`; the subscriptions that were not known, or at another message.

        Parameters
        ----------
        state
            As of the same connection, later or at the same message.
        """
        differing = []
        for each in state:
            known = self._by_sid.get(each["sid"])
            if known is None or known.seq != each["seq"]:
                differing.append(
                    made := Subscription(
                        each["channel"],
                        each["sid"],
                        each["yes_price"],
                        set(each["tickers"]),
                        each["seq"],
                    )
                )
                self._by_sid[made.sid] = made
        return differing


def text_of(command: Mapping[str, Any]) -> bytes:
    """A command as it is sent."""
    return json.dumps(command, separators=(",", ":")).encode()
