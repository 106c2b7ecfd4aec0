"""State and decisions of the settlement sensor, without Dagster.

The sensor asks the exchange city by city which events have settled, and tries each of them at
increasing intervals until its settlement is stored. A city whose response cannot be read is also
asked again at increasing intervals, without delaying the others. Not here: the sensor and its runs
(`automation`).
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

# A tick is killed after 60 s; the remaining cities are asked at the next tick.
SENSOR_BUDGET_S = 30.0
FIRST_LOOK_BACK = timedelta(days=2)
# The exchange publishes settlements later than the settlement time they state.
OVERLAP = timedelta(hours=1)

FIRST_DISTANCE = timedelta(minutes=5)
LONGEST_DISTANCE = timedelta(hours=6)


class SettledEvents(Protocol):
    """The part of the exchange's client that the watch uses."""

    def settled_events(self, series: str, since: datetime) -> list[str]:
        """Tickers of the series' events that settled at `since` or later."""


class Tries(BaseModel):
    """The number of attempts, and the time of the next one."""

    model_config = ConfigDict(frozen=True)

    count: int
    again_at: datetime

    @classmethod
    def after(cls, before: "Tries | None", now: datetime) -> "Tries":
        """One more attempt; the interval doubles, up to six hours."""
        count = (before.count if before else 0) + 1
        doubled = FIRST_DISTANCE * 2 ** min(count - 1, 10)
        return cls(count=count, again_at=now + min(doubled, LONGEST_DISTANCE))


class Watch(BaseModel):
    """The state between two ticks, stored as the sensor's cursor.

    Attributes
    ----------
    since
        For each city the time from which settled events are not known yet: that of its last
        response, or two days before it was first asked.
    refused
        Cities whose last response could not be read.
    pending
        Settled events whose settlement is not stored, by ticker; None before the first attempt.
    """

    model_config = ConfigDict(extra="forbid")

    since: dict[str, datetime] = {}
    refused: dict[str, Tries] = {}
    pending: dict[str, Tries | None] = {}

    @classmethod
    def of(cls, cursor: str | None) -> "Watch":
        """From a cursor; one that cannot be read is replaced by an empty state."""
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
        """Ask for settled events within the time budget, least recently asked cities first.

        Parameters
        ----------
        cities
            Names; names that the registry does not have are reported and skipped.
        clock
            Time in seconds.

        Returns
        -------
        list of str
            Problems, a sentence each.

        Raises
        ------
        ExchangeError
            The exchange cannot be reached.
        """
        began, problems = clock(), []
        for name in self._in_turn(cities, now):
            if clock() - began > SENSOR_BUDGET_S:
                break
            if name not in CITIES:
                problems.append(f"unknown city {name}: see KALSHI_ASSETS_CITIES")
                continue
            since = self.since.setdefault(name, now - FIRST_LOOK_BACK)
            try:
                tickers = exchange.settled_events(city(name).series, since - OVERLAP)
            except ExchangeError as error:
                if never_connected(error):
                    raise
                self.refused[name] = tries = Tries.after(self.refused.get(name), now)
                problems.append(f"{name} is asked again at {tries.again_at:%H:%M}Z: {error}")
                continue
            self.refused.pop(name, None)
            self.since[name] = now
            problems += self._take(tickers, now)
        return problems

    def _in_turn(self, cities: Sequence[str], now: datetime) -> list[str]:
        never = datetime.min.replace(tzinfo=UTC)
        asked = {name: self.since.get(name, never) for name in cities}
        waiting = {name for name, tries in self.refused.items() if tries.again_at > now}
        return sorted((name for name in cities if name not in waiting), key=asked.__getitem__)

    def _take(self, tickers: Sequence[str], now: datetime) -> list[str]:
        problems = []
        for ticker in tickers:
            try:
                city_day_of(ticker, now)
            except ValueError as error:
                problems.append(str(error))
            else:
                self.pending.setdefault(ticker, None)
        return problems

    def due(
        self,
        now: datetime,
        *,
        stored: Callable[[LadderDay], bool],
        running: Collection[LadderDay] = (),
        refreshed: Callable[[LadderDay], bool] = lambda key: True,
    ) -> dict[LadderDay, int]:
        """The settled city-days to try now, with the number of the attempt, which is recorded.

        Parameters
        ----------
        stored
            Whether the exchange's settlement of a city-day is in the lake, so that it is done.
        running
            City-days of queued and running runs.
        refreshed
            Whether `daily_refresh` is finished with the day; it also fetches the settlement.
        """
        found: dict[LadderDay, int] = {}
        for ticker, tries in list(self.pending.items()):
            try:
                key = city_day_of(ticker, now)
            except ValueError:  # its city was removed from the registry
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
    """The city-day of an event, by its present or former ticker.

    Raises
    ------
    ValueError
        Not the ticker of a city's event, or its day has no partition; the message says which.
    """
    place, day = city_day_of_event(event_ticker)
    if not FIRST_DAY <= day <= now.date() + timedelta(days=1):
        raise ValueError(f"event {event_ticker!r}: its day has no partition")
    return city_day(place.name, day)


def overdue(
    cities: Sequence[str],
    now: datetime,
    days: int,
    *,
    made: Callable[[LadderDay], bool],
    running: Collection[LadderDay] = (),
) -> list[LadderDay]:
    """The recent climate days that are over and not complete, oldest first.

    Parameters
    ----------
    days
        Number of days before the current one.
    made
        Whether a city-day is complete, including its report.
    running
        City-days of queued and running runs.
    """
    keys = [
        city_day(name, city(name).climate_date(now) - timedelta(days=back))
        for back in range(days, 0, -1)
        for name in cities
    ]
    return [key for key in keys if key not in running and not made(key)]
