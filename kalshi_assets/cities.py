"""The registry of cities: settlement station, climate day, series.

Here: facts about a city that never depend on a day. Not here: anything the exchange says per
event (see `exchange.contract`) or a trader may tune (config/trading.toml).
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kalshi_assets.config import load_toml

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


class City(BaseModel):
    """One city of the registry.

    The climate day runs from midnight to midnight local *standard* time, all year.
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

    def event_ticker(self, day: date) -> str:
        """Ticker of the event that settles on climate day `day`, such as KXHIGHCHI-25MAY05."""
        return f"{self.series}-{day:%y}{MONTHS[day.month - 1]}{day:%d}"

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
    """A city that the registry does not have; the message lists those it has."""

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


def city_of_series(series: str) -> City | None:
    """The city whose present or former high-temperature series is `series`, if any."""
    return next((c for c in CITIES.values() if series == c.series or series in c.history), None)
