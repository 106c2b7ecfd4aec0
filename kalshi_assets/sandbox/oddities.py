"""Oddities that can be switched on: irregular responses observed for old events.

The recordings were repaired; these switches undo the repairs. Here: responses about old events as
the exchange serves them. Not here: failures between a client and a service (`faults`).
"""

import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from kalshi_assets.families.temperature.cities import CITIES, EventTickerError, city_day_of_event
from kalshi_assets.sandbox.faults import captured, send_whole, switch_routes
from kalshi_assets.sandbox.gate import API

VALUE_IN_WORDS = "value_in_words"
WINNER_WITHOUT_STRIKES = "winner_without_strikes"
FORMER_TICKER = "former_ticker"
KINDS = (VALUE_IN_WORDS, WINNER_WITHOUT_STRIKES, FORMER_TICKER)

WORDS = "{value}. As reported in the climate report of the day."
STRIKES = ("strike_type", "floor_strike", "cap_strike")

# A series that does not exist.
NOWHERE = "GONE"


@dataclass(frozen=True, kw_only=True)
class Oddity:
    """An oddity (one of `KINDS`) of the events in a range of climate days, both inclusive.

    `words` is the text that `value_in_words` sends; ``{value}`` is replaced by the number.
    """

    kind: str
    first: date = date.min
    last: date = date.max
    words: str = WORDS

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown oddity {self.kind!r}; known: {', '.join(KINDS)}")
        if self.last < self.first:
            raise ValueError(f"{self.kind}: the last day {self.last} is before {self.first}")

    @classmethod
    def of_json(cls, body: dict[str, Any]) -> "Oddity":
        """Decode an entry of POST /sandbox/oddities."""
        days = {name: date.fromisoformat(body[name]) for name in body.keys() & {"first", "last"}}
        return cls(**{**body, **days})

    def as_json(self) -> dict[str, str]:
        """Encode an entry of GET /sandbox/oddities."""
        return {name: str(value) for name, value in asdict(self).items()}


class Oddities:
    """The active oddities; shared by all connections."""

    def __init__(self, oddities: Iterable[Oddity] = ()) -> None:
        self.active = tuple(oddities)

    def set(self, oddities: Iterable[Oddity]) -> None:
        """Replace the oddities."""
        self.active = tuple(oddities)

    def of(self, kind: str, event_ticker: str) -> Oddity | None:
        """The event's active oddity of this kind, if any."""
        wanted = [oddity for oddity in self.active if oddity.kind == kind]
        if not wanted:
            return None
        try:
            _, day = city_day_of_event(event_ticker)
        except EventTickerError:
            return None
        return next((o for o in wanted if o.first <= day <= o.last), None)

    def routes(self) -> list[Route]:
        """GET and POST /sandbox/oddities."""
        return switch_routes(
            "oddities",
            lambda: [oddity.as_json() for oddity in self.active],
            lambda given: self.set([Oddity.of_json(oddity) for oddity in given]),
        )


class OddityLayer:
    """ASGI middleware that applies the active oddities to the exchange's responses.

    Parameters
    ----------
    events
        Tickers of the recorded events.
    """

    def __init__(self, app: ASGIApp, *, oddities: Oddities, events: Collection[str]) -> None:
        self._app = app
        self._oddities = oddities
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Request the events by their recorded tickers, and modify the response."""
        at_the_exchange = scope["type"] == "http" and scope["path"].startswith(API + "/")
        if not self._oddities.active or not at_the_exchange:
            await self._app(scope, receive, send)
            return
        start, body = await captured(self._app, self._asked(scope), receive)
        await send_whole(start, self._answered(body), send)

    def _asked(self, scope: Scope) -> Scope:
        path = _renamed(scope["path"], self._recorded)
        query = _renamed(scope["query_string"].decode("ascii"), self._recorded)
        return {
            **scope,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode("ascii"),
        }

    def _answered(self, body: bytes) -> bytes:
        if any(oddity.kind != FORMER_TICKER for oddity in self._oddities.active):
            answer = json.loads(body)
            self._spoil(answer)
            body = json.dumps(answer, separators=(",", ":")).encode()
        return _renamed(body.decode(), self._former).encode()

    def _spoil(self, value: Any) -> None:
        """Modify the markets in `value`, in place."""
        if isinstance(value, list):
            for item in value:
                self._spoil(item)
        elif isinstance(value, dict) and "expiration_value" in value:
            self._spoil_market(value)
        elif isinstance(value, dict):
            for name in ("market", "markets", "event", "events"):
                self._spoil(value.get(name))

    def _spoil_market(self, market: dict[str, Any]) -> None:
        event, given = market["event_ticker"], market["expiration_value"]
        worded = self._oddities.of(VALUE_IN_WORDS, event)
        if given and worded is not None:
            market["expiration_value"] = worded.words.format(value=given.removesuffix(".00"))
        if market["result"] == "yes" and self._oddities.of(WINNER_WITHOUT_STRIKES, event):
            for name in STRIKES:
                market.pop(name, None)

    def _recorded(self, series: str, event_ticker: str) -> str:
        """The series under which a requested event is recorded."""
        if self._oddities.of(FORMER_TICKER, event_ticker) is None:
            return series
        present = _PRESENT[series]
        if series == present:
            return NOWHERE
        return present if event_ticker.replace(series, present, 1) in self._events else series

    def _former(self, series: str, event_ticker: str) -> str:
        """The series under which a recorded event is shown."""
        if self._oddities.of(FORMER_TICKER, event_ticker) is None:
            return series
        return _FORMER[_PRESENT[series]]


_FORMER = {place.series: place.history[0] for place in CITIES.values() if place.history}
_PRESENT = {name: series for series, former in _FORMER.items() for name in (series, former)}
# The longest first, because a former name is a suffix of a present one.
_NAMES = "|".join(sorted(_PRESENT, key=len, reverse=True))
_EVENT = re.compile(rf"({_NAMES})-([0-9]{{2}}[A-Z]{{3}}[0-9]{{2}})")


def _renamed(text: str, series_of: Callable[[str, str], str]) -> str:
    return _EVENT.sub(lambda event: f"{series_of(event[1], event[0])}-{event[2]}", text)
