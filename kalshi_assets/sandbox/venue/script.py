"""Faults of the exchange by script: what goes wrong, and at which simulated instant.

Here: the kinds of entries and the routes. Not here: faults of single requests (`faults`), which a
script switches with the kind `requests`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kalshi_assets.sandbox.clock import SkewedClock
from kalshi_assets.sandbox.faults import OWN, Fault, Faults
from kalshi_assets.sandbox.venue.connection import BOOKS, Connection, End, Tamper
from kalshi_assets.sandbox.venue.driver import instant_of
from kalshi_assets.sandbox.venue.streams import Streams
from kalshi_assets.sandbox.venue.venue import Venue
from kalshi_assets.units import SECOND_US

Entry = Mapping[str, Any]
Act = Callable[[Entry], None]


class Script:
    """Executes entries such as ``{"at": RFC3339, "kind": "silence", "seconds": 90}``.

    An entry without `at` is executed at once. Kinds of a connection affect all connections, or the
    one named by `connection`:

    - `disconnect` with a close frame, `cut` without;
    - `sequence_gap`, `duplicate_frame`, `reorder_frames`: of the next delta of a book;
    - `slow_consumer`: code 25 ends all subscriptions;
    - `silence`: messages of books, or of `channel`, are withheld for `seconds`, then sent; they are
      lost if `lost` is true.

    Kinds of the exchange: `trading_pause`, `trading_resume`; `market_pause`, `market_resume`,
    `early_close` (with `ticker`, or `event_ticker` for all its markets); `clock_skew`: the
    exchange's wall clock and its times of sending are wrong by `seconds`; `requests`: the list
    `faults`, as of POST /sandbox/faults.
    """

    def __init__(
        self, venue: Venue, streams: Streams, *, faults: Faults, wall_clock: SkewedClock
    ) -> None:
        self._venue = venue
        self._streams = streams
        self._faults = faults
        self._wall_clock = wall_clock
        self._entries: list[dict[str, Any]] = []
        tampers: dict[str, Act] = {kind: partial(self._tamper, kind) for kind in get_args(Tamper)}
        self._kinds: dict[str, Act] = tampers | {
            "disconnect": self._each(lambda c: c.disconnect(End.CLOSE)),
            "cut": self._each(lambda c: c.disconnect(End.CUT)),
            "slow_consumer": self._each(Connection.overflow),
            "silence": self._silence,
            "trading_pause": lambda entry: venue.pause(),
            "trading_resume": lambda entry: venue.resume(),
            "market_pause": self._per_market(venue.pause_market),
            "market_resume": self._per_market(venue.resume_market),
            "early_close": self._per_market(venue.close_early),
            "clock_skew": self._skew,
            "requests": self._requests,
        }

    def add(self, entry: Entry) -> None:
        """Schedule an entry, or execute it.

        Raises
        ------
        ValueError
            Unknown kind, or a field is missing or wrong.
        """
        self._check(entry)
        kept = {**entry, "done": False}
        self._entries.append(kept)
        at = entry.get("at")
        if at is None:
            self._execute(kept)
        else:
            self._venue.schedule.add(instant_of(at), partial(self._execute, kept))

    def routes(self) -> list[Route]:
        """GET and POST /sandbox/script."""
        return [
            Route(OWN + "script", self._get, methods=["GET"]),
            Route(OWN + "script", self._post, methods=["POST"]),
        ]

    async def _get(self, request: Request) -> JSONResponse:
        return JSONResponse({"entries": self._entries})

    async def _post(self, request: Request) -> JSONResponse:
        try:
            entries = (await request.json())["entries"]
            for entry in entries:
                self._check(entry)
            for entry in entries:
                self.add(entry)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return JSONResponse({"error": f"script: {error}"}, status_code=400)
        return await self._get(request)

    def _check(self, entry: Entry) -> None:
        kind = entry.get("kind")
        if kind not in self._kinds:
            raise ValueError(f"unknown kind {kind!r}; known: {', '.join(self._kinds)}")
        if entry.get("at") is not None:
            instant_of(entry["at"])
        if kind in ("silence", "clock_skew") and not isinstance(entry.get("seconds"), int | float):
            raise ValueError(f"{kind} needs seconds")
        if kind in ("market_pause", "market_resume", "early_close") and not self._tickers(entry):
            raise ValueError(f"{kind} needs the ticker or event_ticker of a market that is known")
        if kind == "requests":
            [Fault(**fault) for fault in entry["faults"]]

    def _execute(self, entry: dict[str, Any]) -> None:
        self._kinds[entry["kind"]](entry)
        entry["done"] = True
        self._venue.commit()

    def _connections(self, entry: Entry) -> list[Connection]:
        wanted = entry.get("connection")
        return [
            c
            for c in self._streams.connections.values()
            if wanted is None or c.connection_id == str(wanted)
        ]

    def _each(self, act: Callable[[Connection], None]) -> Act:
        def on_each(entry: Entry) -> None:
            for connection in self._connections(entry):
                act(connection)

        return on_each

    def _tamper(self, kind: Tamper, entry: Entry) -> None:
        for connection in self._connections(entry):
            connection.tamper(kind)

    def _silence(self, entry: Entry) -> None:
        until_us = self._venue.now_us + int(entry["seconds"] * SECOND_US)
        channel, lost = entry.get("channel", BOOKS), bool(entry.get("lost", False))
        for connection in self._connections(entry):
            connection.go_silent(channel, lost=lost)
            self._venue.schedule.add(until_us, partial(connection.speak, channel))

    def _tickers(self, entry: Entry) -> list[str]:
        archive = self._venue.archive
        if "ticker" in entry:
            return [entry["ticker"]] if entry["ticker"] in archive.markets else []
        return [m.ticker for m in archive.event_markets.get(entry.get("event_ticker", ""), ())]

    def _per_market(self, act: Callable[[str], None]) -> Act:
        def on_each(entry: Entry) -> None:
            for ticker in self._tickers(entry):
                if ticker in self._venue.markets:
                    act(ticker)

        return on_each

    def _skew(self, entry: Entry) -> None:
        self._wall_clock.skew_s = float(entry["seconds"])

    def _requests(self, entry: Entry) -> None:
        self._faults.set(Fault(**fault) for fault in entry["faults"])
