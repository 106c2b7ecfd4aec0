"""The registry of cities: settlement station, climate day, series, event tickers.

Here: facts about a city. Not here: the terms of an event (`exchange.contract`), parameters of
trading (config/trading.toml).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kalshi_assets.config import load_toml
from kalshi_assets.keys import Family, LadderDay, days_between

TEMPERATURE = Family(
    "temperature",
    dimension="city",
    words=(
        ("p_model", "p_wx"),
        ("model_weight", "weather_weight"),
        ("model_status", "weather_status"),
        ("impossible", "dead"),
    ),
)

EVERY_CITY = "every_city"
"""The ladder of tables that are made from all cities at once."""

T = TypeVar("T")

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_EVENT = re.compile(r"([A-Z0-9]+)-([0-9]{2})([A-Z]{3})([0-9]{2})", re.ASCII)


class City(BaseModel):
    """One city of the registry.

    The climate day runs from midnight to midnight local *standard* time, all year.

    Attributes
    ----------
    history
        Former names of the series, the latest first; old events still have them.
    renamed
        First climate day whose event has the present name; None: all have it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    series: str = Field(pattern=r"^[A-Z0-9]+$")
    station: str = Field(pattern=r"^K[A-Z]{3}$")
    cli: str = Field(pattern=r"^[A-Z]{3}$")
    std_offset_h: int = Field(ge=-10, le=-4)
    timezone: str
    latitude: float = Field(ge=24, le=50)
    longitude: float = Field(ge=-125, le=-66)
    winter_records_f: tuple[int, int]
    summer_records_f: tuple[int, int]
    rules_names: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    renamed: date | None = None

    def event_ticker(self, day: date) -> str:
        """Ticker of the event that settles on climate day `day`, such as KXHIGHCHI-25MAY05.

        Before the series was renamed, the former name is used: HIGHCHI-24MAY05.
        """
        return self.event_tickers(day)[0]

    def event_tickers(self, day: date) -> tuple[str, ...]:
        """All possible tickers of the event of climate day `day`, the most likely first."""
        before = self.renamed is not None and day < self.renamed
        series = (*self.history, self.series) if before else (self.series, *self.history)
        return tuple(f"{name}-{day:%y}{MONTHS[day.month - 1]}{day:%d}" for name in series)

    def climate_day(self, day: date) -> tuple[datetime, datetime]:
        """Start (inclusive) and end (exclusive) of climate day `day`, UTC."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(
            hours=self.std_offset_h
        )
        return start, start + timedelta(days=1)

    def climate_date(self, instant: datetime) -> date:
        """The climate day that contains `instant`."""
        return (instant.astimezone(UTC) + timedelta(hours=self.std_offset_h)).date()


class UnknownCityError(KeyError):
    """A city that the registry does not have; the message lists the known ones."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"unknown city {self.name!r}; known: {', '.join(CITIES)}"


def _load() -> Mapping[str, City]:
    cities = {}
    for name, fields in load_toml("cities.toml").items():
        try:
            cities[name] = City(name=name, **fields)
        except ValidationError as error:
            raise ValueError(f"cities.toml [{name}]: {error}") from error
    return MappingProxyType(cities)


CITIES: Mapping[str, City] = _load()


def city(name: str) -> City:
    """The registry's entry for `name`.

    Raises
    ------
    UnknownCityError
        The name is not in the registry.
    """
    try:
        return CITIES[name]
    except KeyError:
        raise UnknownCityError(name) from None


def city_day(name: str, day: date) -> LadderDay:
    """The partition of a city and a climate day.

    Raises
    ------
    UnknownCityError
        The name is not in the registry.
    """
    return LadderDay(TEMPERATURE, city(name).name, day)


def city_days(names: Iterable[str], start: date, end: date) -> list[LadderDay]:
    """Every partition of these cities from `start` to `end`, both included."""
    return [city_day(name, day) for name in names for day in days_between(start, end)]


def event_ticker(key: LadderDay) -> str:
    """Ticker of the event of a partition."""
    return city(key.ladder).event_ticker(key.date)


def with_starts(days: Iterable[tuple[LadderDay, T]]) -> list[tuple[datetime, T]]:
    """Pairs of key and value with each key replaced by the start of its climate day."""
    return [(city(day.ladder).climate_day(day.date)[0], found) for day, found in days]


def city_of_series(series: str) -> City | None:
    """The city whose present or former high-temperature series is `series`, if any."""
    return next((c for c in CITIES.values() if series == c.series or series in c.history), None)


class EventTickerError(ValueError):
    """A ticker that is not that of a city-day of the registry; the message says why."""


def city_day_of_event(ticker: str) -> tuple[City, date]:
    """City and climate day of an event, by its present or former ticker, such as HIGHNY-24AUG16.

    Raises
    ------
    EventTickerError
        It is not SERIES-YYMONDD with a valid date (such as HIGHCHI-2-24FEB28, an event that was
        listed a second time), or no city of the registry has the series.
    """
    match = _EVENT.fullmatch(ticker)
    if match is None:
        raise EventTickerError(f"event {ticker!r} is not SERIES-YYMONDD, such as KXHIGHNY-25APR20")
    series, year, month, day = match.groups()
    try:
        climate_day = date(2000 + int(year), MONTHS.index(month) + 1, int(day))
    except ValueError:
        raise EventTickerError(
            f"event {ticker!r}: {year}{month}{day} is not a valid date"
        ) from None
    place = city_of_series(series)
    if place is None:
        raise EventTickerError(
            f"event {ticker!r}: no city of cities.toml has the series {series}, now or formerly"
        )
    return place, climate_day
