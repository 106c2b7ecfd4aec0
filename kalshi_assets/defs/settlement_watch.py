"""What the settlement sensor remembers and decides, without Dagster.

It asks the exchange city by city which events have settled, and keeps every one of them until its
settlement is stored, with a growing distance between tries. A city whose answer cannot be read is
asked again later, likewise; the others are seen at the same tick.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from kalshi_assets.defs.partitions import FIRST_DAY
from kalshi_assets.exchange.errors import ExchangeError
from kalshi_assets.families.temperature.cities import CITIES, city, city_day, city_day_of_event
from kalshi_assets.keys import LadderDay
from kalshi_assets.pipeline.services import never_connected

# A tick is killed after 60 s; the rest of the cities wait for the next one.
SENSOR_BUDGET_S = 30.0
FIRST_LOOK_BACK = timedelta(days=2)
# Settlement times are written before they can be read.
OVERLAP = timedelta(hours=1)

FIRST_DISTANCE = timedelta(minutes=5)
LONGEST_DISTANCE = timedelta(hours=6)


class SettledEvents(Protocol):
    """Whoever knows which events have settled."""

    def settled_events(self, series: str, since: datetime) -> list[str]:
        """Tickers of the series' events that settled at `since` or later."""


class Tries(BaseModel):
    """How often something was tried, and when it is tried next."""

    model_config = ConfigDict(frozen=True)

    count: int
    again_at: datetime

    @classmethod
    def after(cls, before: "Tries | None", now: datetime) -> "Tries":
        """One more, the next at twice the distance, six hours at most."""
        count = (before.count if before else 0) + 1
        doubled = FIRST_DISTANCE * 2 ** min(count - 1, 10)
        return cls(count=count, again_at=now + min(doubled, LONGEST_DISTANCE))


class Watch(BaseModel):
    """What is known between two ticks; the sensor's cursor.

    Attributes
    ----------
    since
        From when on each city's settled events are not known yet: its last answer, or two days
        before it was first asked.
    refused
        Cities whose last answer could not be read.
    pending
        Settled events whose settlement is not stored, by ticker: None before the first try.
    """

    model_config = ConfigDict(extra="forbid")

    since: dict[str, datetime] = {}
    refused: dict[str, Tries] = {}
    pending: dict[str, Tries | None] = {}

    @classmethod
    def of(cls, cursor: str | None) -> "Watch":
        """From a cursor; from one that cannot be read, begin anew: two days back."""
        try:
            return cls.model_validate_json(cursor or "{}")
        except ValidationError:
            return cls()

    def look(
        self,
        exchange: SettledEvents,
        cities: Sequence[str],
        now: datetime,
        clock: Callable[[], float],
    ) -> list[str]:
        """Ask for settled events, the city unasked longest first, while the budget lasts.

        Parameters
        ----------
        cities
            Names; those that the registry does not have are named and left out.
        clock
            Seconds.

        Returns
        -------
        list of str
            What went wrong, a sentence each.

        Raises
        ------
        ExchangeError
            The exchange cannot be reached: no city is at fault.
        """
        began, said = clock(), []
        for name in self._in_turn(cities, now):
            if clock() - began > SENSOR_BUDGET_S:
                break
            if name not in CITIES:
                said.append(f"unknown city {name}: see KALSHI_ASSETS_CITIES")
                continue
            since = self.since.setdefault(name, now - FIRST_LOOK_BACK)
            try:
                tickers = exchange.settled_events(city(name).series, since - OVERLAP)
            except ExchangeError as error:
                if never_connected(error):
                    raise
                self.refused[name] = tries = Tries.after(self.refused.get(name), now)
                said.append(f"{name} is asked again at {tries.again_at:%H:%M}Z: {error}")
                continue
            self.refused.pop(name, None)
            self.since[name] = now
            said += self._take(tickers, now)
        return said

    def _in_turn(self, cities: Sequence[str], now: datetime) -> list[str]:
        never = datetime.min.replace(tzinfo=UTC)
        asked = {name: self.since.get(name, never) for name in cities}
        waiting = {name for name, tries in self.refused.items() if tries.again_at > now}
        return sorted((name for name in cities if name not in waiting), key=asked.__getitem__)

    def _take(self, tickers: Sequence[str], now: datetime) -> list[str]:
        said = []
        for ticker in tickers:
            try:
                city_day_of(ticker, now)
            except ValueError as error:
                said.append(str(error))
            else:
                self.pending.setdefault(ticker, None)
        return said

    def due(
        self,
        now: datetime,
        *,
        stored: Callable[[LadderDay], bool],
        running: Collection[LadderDay] = (),
        refreshed: Callable[[LadderDay], bool] = lambda key: True,
    ) -> dict[LadderDay, int]:
        """The settled city-days to try now, and which try it is; each is counted as tried.

        Parameters
        ----------
        stored
            Whether the exchange's settlement of a city-day is in the lake: it is done with.
        running
            City-days that a run is at work on.
        refreshed
            Whether it is time to add the settlement: `daily_refresh` makes the rest of the day
            first, settlement included.
        """
        found: dict[LadderDay, int] = {}
        for ticker, tries in list(self.pending.items()):
            try:
                key = city_day_of(ticker, now)
            except ValueError:  # its city has left the registry since
                del self.pending[ticker]
                continue
            if stored(key):
                del self.pending[ticker]
            elif key in running or not refreshed(key) or (tries and tries.again_at > now):
                continue
            else:
                self.pending[ticker] = more = Tries.after(tries, now)
                found[key] = more.count
        return found


def city_day_of(event_ticker: str, now: datetime) -> LadderDay:
    """The city-day of an event, by its ticker of any time.

    Raises
    ------
    ValueError
        No ticker of a city's event, or of a day that has no partition; the message says which.
    """
    place, day = city_day_of_event(event_ticker)
    if not FIRST_DAY <= day <= now.date() + timedelta(days=1):
        raise ValueError(f"event {event_ticker!r} is of a day that has no partition")
    return city_day(place.name, day)


def overdue(
    cities: Sequence[str],
    now: datetime,
    days: int,
    *,
    made: Callable[[LadderDay], bool],
    running: Collection[LadderDay] = (),
) -> list[LadderDay]:
    """The climate days of late that are over and not made whole yet, oldest first.

    Parameters
    ----------
    days
        How many days back.
    made
        Whether a city-day is there, to the report.
    running
        City-days that a run is at work on.
    """
    keys = [
        city_day(name, city(name).climate_date(now) - timedelta(days=back))
        for back in range(days, 0, -1)
        for name in cities
    ]
    return [key for key in keys if key not in running and not made(key)]
