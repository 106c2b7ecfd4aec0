"""A station whose law is known: an autoregression around a profile, seen as ASOS shows it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from scipy.signal import lfilter

from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.station_days import StationDays
from kalshi_assets.sandbox.world_station import tenths_of_celsius, whole_celsius
from kalshi_assets.units import Array

MINUTES = 5 * SLOTS
AS_OF = datetime(2026, 7, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Law:
    """What there is to recover.

    Attributes
    ----------
    sd
        Innovation sd of five minutes, degrees F, per three-hour block.
    """

    rho: float = 0.985
    sd: tuple[float, ...] = (0.345,) * 8
    bias: tuple[float, ...] = (0.0,) * 8

    def profile(self) -> Array:
        """What the day does on average, shape (288,), degrees F."""
        hour = np.arange(SLOTS) / 12
        return 68.0 - 9.0 * np.cos(2 * np.pi * (hour - 3.5) / 24)


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """Days of a simulated station.

    Attributes
    ----------
    temp_f
        Shape (days, 288): the temperature that nobody sees.
    displayed_f
        Shape (days, 288): as a provider would show it.
    official_f
        Shape (days,): greatest whole degree of any minute.
    """

    days: StationDays
    temp_f: Array
    displayed_f: Array
    official_f: Array


def simulated(law: Law, days: int, rng: np.random.Generator, *, whole_c: bool = True) -> Simulated:
    """So many days, reports every five minutes of the minute's value, in whole C or whole F."""
    minute = _minutes(law, days, rng)
    whole = np.floor(minute + 0.5).astype(np.int64)
    reported = whole[:, ::5]
    if whole_c:
        c = whole_celsius(tenths_of_celsius(reported))
        lo, hi = -((-18 * c - 311) // 10), (18 * c + 329) // 10
        displayed = 1.8 * c + 32
    else:
        lo = hi = displayed = reported
    return Simulated(
        days=StationDays(
            starts=tuple(AS_OF - timedelta(days=n) for n in range(days, 0, -1)),
            mid_f=(lo + hi) / 2,
            width_f=(hi - lo + 1).astype(np.float64),
            known_at=AS_OF,
        ),
        temp_f=minute[:, ::5],
        displayed_f=displayed.astype(np.float64),
        official_f=whole.max(axis=1).astype(np.float64),
    )


def _minutes(law: Law, days: int, rng: np.random.Generator) -> Array:
    """Temperature every minute; five of its steps are one of the law."""
    rho = law.rho ** (1 / 5)
    sd = np.repeat(law.sd, MINUTES // 8) * np.sqrt((1 - rho**2) / (1 - law.rho**2))
    shock = rng.standard_normal((days, MINUTES)) * sd
    shock[:, 0] = rng.standard_normal(days) * law.sd[0] / np.sqrt(1 - law.rho**2)
    residual = lfilter([1.0], [1.0, -rho], shock, axis=1)
    slots = np.arange(MINUTES) / 5
    bias = np.repeat(law.bias, MINUTES // 8)
    return np.interp(slots, np.arange(SLOTS), law.profile()) + bias + residual
