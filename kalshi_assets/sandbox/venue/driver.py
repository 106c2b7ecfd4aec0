"""Moving a venue through time, and its clock's routes.

Here: real time at a multiple, steps on request, both with all frames written. Not here: what is due
(`venue`).
"""

import asyncio
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kalshi_assets.instants import microseconds_of
from kalshi_assets.sandbox.clock import SandboxClock
from kalshi_assets.sandbox.exchange_state import instant
from kalshi_assets.sandbox.exchange_wire import rfc3339
from kalshi_assets.sandbox.faults import OWN
from kalshi_assets.sandbox.venue.streams import Streams
from kalshi_assets.sandbox.venue.venue import Venue

CHUNK = 200
"""Actions between two writes of frames."""
TICK_S = 0.005


class Driver:
    """Drives `venue` by `clock`."""

    def __init__(self, venue: Venue, streams: Streams, clock: SandboxClock) -> None:
        self._venue = venue
        self._streams = streams
        self._clock = clock
        self._stepping = asyncio.Lock()
        self._failure: Exception | None = None

    def catch_up(self) -> None:
        """Do what has come due with running time, before a request."""
        if self._clock.speed:
            self._run_until(self._clock.now_us())

    async def advance_to(self, at_us: int) -> None:
        """Do everything due up to an instant, and write all frames to the sockets."""
        async with self._stepping:
            while not self._run_until(at_us, most=CHUNK):
                self._clock.move_to(self._venue.now_us)
                await self._streams.drained()
            self._clock.move_to(at_us)
            await self._streams.drained()

    async def run(self) -> None:
        """Follow running time until cancelled."""
        while True:
            self.catch_up()
            await asyncio.sleep(TICK_S)

    def routes(self) -> list[Route]:
        """GET and POST /sandbox/clock."""
        return [
            Route(OWN + "clock", self._get, methods=["GET"]),
            Route(OWN + "clock", self._post, methods=["POST"]),
        ]

    async def _get(self, request: Request) -> JSONResponse:
        self.catch_up()
        await self._streams.drained()
        return JSONResponse(self._state())

    async def _post(self, request: Request) -> JSONResponse:
        """`{"advance_to": RFC3339}` steps, `{"speed": number}` changes the speed."""
        try:
            asked = await request.json()
            target = asked.get("advance_to")
            at_us = None if target is None else instant_of(target)
            if at_us is None and "speed" not in asked:
                raise ValueError("advance_to or speed is needed")
            if at_us is not None and at_us < self._venue.now_us:
                raise ValueError(f"{target} is before {rfc3339(instant(self._venue.now_us))}")
            if "speed" in asked:
                self.catch_up()
                self._clock.speed = asked["speed"]
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": f"clock: {error}"}, status_code=400)
        if at_us is not None:
            await self.advance_to(at_us)
        return JSONResponse(self._state())

    def _run_until(self, at_us: int, *, most: int | None = None) -> bool:
        """As the venue's, but what failed once fails for ever: its state is not to be trusted."""
        if self._failure is not None:
            raise RuntimeError("the venue failed earlier; restart the sandbox") from self._failure
        try:
            return self._venue.run_until(at_us, most=most)
        except Exception as error:
            self._failure = error
            raise

    def _state(self) -> dict[str, Any]:
        return {
            "now": rfc3339(instant(self._venue.now_us)),
            "speed": self._clock.speed,
            "frames": self._streams.frames_sent(),
        }


def instant_of(text: str) -> int:
    """An RFC 3339 time in microseconds.

    Raises
    ------
    ValueError
        It is none, or has no time zone.
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return microseconds_of(time)
