"""The generated world's station data: ASOS reports, the climate report and a forecast.

Here: averaging and rounding (methods.md 1.4 and 1.5), five-minute reports with gaps, the official
maximum, the day-ahead forecast. Not here: the temperature itself (`world_weather`).
"""

import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.sandbox import world_layout
from kalshi_assets.sandbox.world_weather import (
    DAY,
    Stress,
    day_weather,
    generator,
    temperature,
)
from kalshi_assets.units import Array, Ints

SOURCE = "generated world"
AVERAGED = 5
REPORT_EVERY = 5


def tenths_of_celsius(whole_f: Ints) -> Ints:
    """Tenths of °C that ASOS sends for whole °F: half_up(50 (F - 32) / 9)."""
    return (100 * (whole_f - 32) + 9) // 18


def whole_celsius(tenths: Ints) -> Ints:
    """Whole °C in the body of the report: tenths rounded half up."""
    return (tenths + 5) // 10


@lru_cache(maxsize=16)
def five_minute_mean(seed: int, city: City, day: date) -> Array:
    """Mean of each minute of the climate day and the four before it, °F."""
    before = temperature(seed, city, day - timedelta(days=1))[-(AVERAGED - 1) :]
    minutes = np.concatenate([before, temperature(seed, city, day)])
    mean = np.convolve(minutes, np.full(AVERAGED, 1 / AVERAGED), mode="valid")
    mean.setflags(write=False)
    return mean


def whole_fahrenheit(seed: int, city: City, day: date) -> Ints:
    """The station's value each minute: the five-minute mean in whole °F, half up; (1440,)."""
    return np.floor(five_minute_mean(seed, city, day) + 0.5).astype(np.int64)


def official_maximum(seed: int, city: City, day: date) -> int:
    """The climate day's maximum in whole °F: the greatest value of any minute."""
    return int(whole_fahrenheit(seed, city, day).max())


def reports_tenths(station: str) -> bool:
    """Whether all reports of the station have tenths of °C; otherwise one per hour has.

    True for about half of the stations, by a hash of the name.
    """
    return zlib.crc32(station.encode()) % 2 == 0


def observations(seed: int, city: City, day: date, *, tenths: bool) -> pl.DataFrame:
    """Reports of the climate day, every five minutes except for gaps.

    Without `tenths` only the report of minute 55 has tenths of °C, and the others have whole
    degrees in both columns.
    """
    minute = np.arange(0, DAY, REPORT_EVERY)
    c10 = tenths_of_celsius(whole_fahrenheit(seed, city, day)[minute])
    body = whole_celsius(c10)
    shown = c10 / 10 if tenths else np.where(minute % 60 == 55, c10 / 10, body)
    kept = ~_gaps(seed, city, day, minute)
    epoch_us = int(city.climate_day(day)[0].timestamp()) * 1_000_000
    times = pl.Series(epoch_us + minute[kept] * 60_000_000, dtype=pl.Int64)
    return (
        pl.DataFrame(
            {
                "valid_utc": times.cast(world_layout.UTC_US),
                "temp_c": shown[kept].astype(np.float64),
                "temp_c_whole": body[kept].astype(np.float64),
            }
        )
        .with_columns(station=pl.lit(city.station), source=pl.lit(SOURCE))
        .select(*world_layout.OBSERVATIONS)
        .cast(world_layout.OBSERVATIONS)
    )


def _gaps(seed: int, city: City, day: date, minute: Ints) -> NDArray[np.bool_]:
    """Which reports are missing: short gaps on some days, a long one at the peak under stress."""
    rng = generator(seed, city, day, "feed")
    lost = np.zeros(minute.size, dtype=bool)
    how_many = int(rng.choice([0, 1, 2, 3], p=[0.7, 0.16, 0.09, 0.05]))
    for _ in range(how_many):
        at = rng.integers(0, DAY)
        lost |= (minute >= at) & (minute < at + 5 * rng.integers(1, 10))
    if day_weather(seed, city, day).stress is Stress.FEED_GAP:
        at = rng.integers(13 * 60, 15 * 60)
        lost |= (minute >= at) & (minute < at + rng.integers(90, 240))
    return lost


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A published day-ahead forecast of the climate day's maximum, whole °F."""

    issued: datetime
    value_f: int


def forecast(seed: int, city: City, day: date) -> Forecast:
    """The forecast issued at 12:00Z the day before: error sd about 2.3 °F, 5 to 9 °F on a bust."""
    rng = generator(seed, city, day, "forecast")
    error = float(np.clip(rng.normal(0, 2.5), -4.4, 4.4))
    if day_weather(seed, city, day).stress is Stress.FORECAST_BUST:
        error = float(rng.choice([-1, 1])) * float(rng.uniform(5.5, 9))
    eve = day - timedelta(days=1)
    return Forecast(
        issued=datetime(eve.year, eve.month, eve.day, 12, tzinfo=UTC),
        value_f=round(official_maximum(seed, city, day) + error),
    )
