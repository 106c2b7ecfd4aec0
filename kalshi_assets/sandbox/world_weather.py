"""The generated world's weather: temperature as a function of (seed, city, absolute minute).

Here: climatology, the synoptic drift, fronts, cloud, the diurnal wave, minute noise, and stress
days. Not here: the station's measurements (`world_station`), the traders' beliefs (`world_market`).

All random numbers of a day are drawn from generators keyed by (seed, city, date), for the day
itself and adjacent days, and joined smoothly. A day is therefore the same whichever days are
generated, in any order.
"""

import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

import numpy as np

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.units import Array

DAY = 1440
JOIN = 120
FRONT_DAYS = 4
MEMORY = 0.75
MEMORY_DAYS = 8


class Stress(StrEnum):
    """What makes a day difficult; from the list of stress days that backtests report separately."""

    NONE = "none"
    COLD_FRONT = "cold front: falls by 10 F or more within an hour of the afternoon"
    MIDNIGHT_MAXIMUM = "maximum in the first hours of the climate day"
    EVENING_MAXIMUM = "maximum after 18 standard time"
    FORECAST_BUST = "forecast wrong by 5 F or more"
    FEED_GAP = "no reports for more than an hour around the maximum"
    THIN_MARKET = "very low volume"


_STRESS_SHARES = {
    Stress.COLD_FRONT: 0.05,
    Stress.MIDNIGHT_MAXIMUM: 0.035,
    Stress.EVENING_MAXIMUM: 0.03,
    Stress.FORECAST_BUST: 0.035,
    Stress.FEED_GAP: 0.025,
    Stress.THIN_MARKET: 0.025,
}


@dataclass(frozen=True)
class Climate:
    """Rough constants of a station's climate, °F.

    Annual mean, amplitudes of the annual cycle and of the diurnal cycle under a clear sky, and
    standard deviation of the day-to-day anomaly.
    """

    mean_f: float
    season_f: float
    diurnal_f: float
    synoptic_f: float


CLIMATES = {
    "KNYC": Climate(55.0, 22.0, 7.5, 6.0),
    "KMDW": Climate(51.0, 25.0, 8.5, 8.0),
    "KMIA": Climate(77.5, 7.5, 5.5, 2.5),
    "KLAX": Climate(63.5, 5.5, 6.0, 3.5),
    "KDEN": Climate(51.0, 21.5, 14.0, 8.0),
    "KAUS": Climate(69.0, 17.5, 11.0, 6.0),
    "KPHL": Climate(56.5, 22.0, 8.5, 6.0),
    "KATL": Climate(63.0, 18.0, 9.5, 5.5),
    "KBOS": Climate(52.0, 22.0, 7.5, 6.5),
    "KDFW": Climate(67.0, 20.0, 10.0, 6.5),
    "KDCA": Climate(58.5, 21.5, 8.5, 6.0),
    "KHOU": Climate(70.0, 15.5, 8.5, 5.5),
    "KLAS": Climate(70.5, 22.0, 11.0, 4.5),
    "KMSP": Climate(47.0, 29.0, 9.0, 8.5),
    "KMSY": Climate(70.5, 14.5, 7.5, 5.0),
    "KOKC": Climate(61.5, 21.5, 10.5, 7.5),
    "KPHX": Climate(76.0, 19.5, 11.5, 4.0),
    "KSAT": Climate(70.0, 16.5, 10.5, 6.0),
    "KSEA": Climate(53.0, 12.5, 7.5, 3.5),
    "KSFO": Climate(58.5, 5.0, 6.5, 3.5),
    "KSAN": Climate(64.5, 6.0, 5.5, 3.0),
    "KEWR": Climate(56.0, 22.0, 8.5, 6.0),
    "KTTN": Climate(54.0, 22.0, 9.5, 6.0),
    "KSDF": Climate(58.5, 21.5, 9.0, 7.0),
}


def climate(city: City) -> Climate:
    """The climate of the city's settlement station.

    Raises
    ------
    ValueError
        The station has no entry in `CLIMATES`.
    """
    try:
        return CLIMATES[city.station]
    except KeyError:
        raise ValueError(
            f"no climate for station {city.station} of {city.name}; add it to CLIMATES in "
            f"{__name__}, which has {', '.join(CLIMATES)}"
        ) from None


def generator(seed: int, city: City, day: date, purpose: str) -> np.random.Generator:
    """The random generator for one purpose on one city-day.

    Raises
    ------
    ValueError
        The seed is negative.
    """
    if seed < 0:
        raise ValueError(f"seed {seed} is negative; give zero or more")
    key = [seed, zlib.crc32(city.name.encode()), day.toordinal(), zlib.crc32(purpose.encode())]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


@dataclass(frozen=True, kw_only=True)
class DayWeather:
    """The random draws for a climate day, before joining it with adjacent days.

    The shock of the synoptic drift, standard normal; cloud from 0 clear to 1 overcast, which damps
    the diurnal wave; the delay of that wave; and a front: temperature change (0: no front), time of
    its middle after the start of the day, and duration.
    """

    anomaly: float
    cloud: float
    peak_shift_min: float
    front_f: float
    front_at_min: float
    front_width_min: float
    stress: Stress


@lru_cache(maxsize=4096)
def day_weather(seed: int, city: City, day: date) -> DayWeather:
    """The random draws for a climate day."""
    rng = generator(seed, city, day, "weather")
    stress = _stress(float(rng.random()))
    anomaly, peak_shift = rng.standard_normal(2)
    cloud = float(rng.beta(1.2, 1.8))
    front, at, width = _front(rng, stress, climate(city))
    if stress in (Stress.MIDNIGHT_MAXIMUM, Stress.EVENING_MAXIMUM):
        cloud = 0.95
    elif stress is Stress.COLD_FRONT:
        cloud = min(cloud, 0.4)
    return DayWeather(
        anomaly=float(anomaly),
        cloud=cloud,
        peak_shift_min=float(np.clip(25 * peak_shift, -60, 60)),
        front_f=front,
        front_at_min=at,
        front_width_min=width,
        stress=stress,
    )


def _stress(draw: float) -> Stress:
    threshold = 0.0
    for stress, share in _STRESS_SHARES.items():
        threshold += share
        if draw < threshold:
            return stress
    return Stress.NONE


def _front(
    rng: np.random.Generator, stress: Stress, constants: Climate
) -> tuple[float, float, float]:
    """Change in °F, middle in minutes after the start of the day, width in minutes."""
    a, b, c = rng.random(3)
    if stress is Stress.COLD_FRONT:
        return -(15 + 9 * a), 60 * (12.5 + 4 * b), 60 * (1.0 + 0.5 * c)
    if stress is Stress.MIDNIGHT_MAXIMUM:
        return -(1.4 * constants.diurnal_f + 6 + 6 * a), 60 * (0.7 + 1.0 * b), 60 * (1.0 + 0.6 * c)
    if stress is Stress.EVENING_MAXIMUM:
        return 1.3 * constants.diurnal_f + 4 + 5 * a, 60 * (18.5 + 2.0 * b), 60 * (1.5 + 1.0 * c)
    if a < 0.15:
        change = float(np.clip(rng.normal(0, constants.synoptic_f), -12, 12))
        return change, DAY * b, 60 * (2 + 4 * c)
    return 0.0, 0.0, 60.0


def signal(seed: int, city: City, day: date) -> Array:
    """Temperature without noise at every minute of the climate day, shape (1440,), °F."""
    minute = np.arange(DAY, dtype=np.float64)
    constants = climate(city)
    season = np.cos(2 * np.pi * (day.toordinal() + minute / DAY - _WARMEST) / 365.25)
    synoptic = constants.synoptic_f * (1 - 0.3 * season) * _drift(seed, city, day, minute)
    amplitude, shift = _diurnal_parameters(seed, city, day, minute, constants)
    wave = amplitude * _diurnal_wave((minute - shift) / 60)
    base = constants.mean_f + constants.season_f * season
    return base + synoptic + wave + _fronts(seed, city, day, minute)


_WARMEST = date(2000, 7, 22).toordinal()


def _drift(seed: int, city: City, day: date, minute: Array) -> Array:
    """Day-to-day anomaly, autocorrelated over days, with unit variance at each midnight."""
    weights = MEMORY ** np.arange(MEMORY_DAYS)
    weights /= np.sqrt((weights**2).sum())

    def node(of: date) -> float:
        shocks = [
            day_weather(seed, city, of - timedelta(days=k)).anomaly for k in range(MEMORY_DAYS)
        ]
        return float(weights @ np.array(shocks))

    here, there = node(day), node(day + timedelta(days=1))
    return here + (there - here) * _smoothstep(minute / DAY)


def _diurnal_parameters(
    seed: int, city: City, day: date, minute: Array, constants: Climate
) -> tuple[Array, Array]:
    """Amplitude in °F and delay in minutes, blended during the night from 20 to 05."""
    days = [day_weather(seed, city, day + timedelta(days=k)) for k in (-1, 0, 1)]
    amplitudes = [constants.diurnal_f * (1 - 0.65 * d.cloud) for d in days]
    shifts = [d.peak_shift_min for d in days]
    night = 9 * 60.0
    from_yesterday = _smoothstep((minute + 4 * 60) / night)
    to_tomorrow = _smoothstep((minute - 20 * 60) / night)

    def blend(values: list[float]) -> Array:
        yesterday, today, tomorrow = values
        return today + (yesterday - today) * (1 - from_yesterday) + (tomorrow - today) * to_tomorrow

    return blend(amplitudes), blend(shifts)


def _diurnal_wave(hour: Array) -> Array:
    """Wave from -1 at 05:24 to +1 at 15:24 standard time; then falls fast first, slowly later."""
    h = np.mod(hour - 5.4, 24.0)
    rising = -np.cos(np.pi * h / 10)
    fallen = np.clip((h - 10) / 14, 0, 1) ** 0.8
    falling = np.cos(np.pi * fallen)
    return np.where(h < 10, rising, falling)


def _fronts(seed: int, city: City, day: date, minute: Array) -> Array:
    """Sum of the fronts of today, tomorrow and earlier days; each fades within four days."""
    total = np.zeros_like(minute)
    for back in range(-1, FRONT_DAYS + 2):
        drawn = day_weather(seed, city, day - timedelta(days=back))
        if drawn.front_f == 0.0:
            continue
        since = minute + back * DAY - drawn.front_at_min
        ramp = _smoothstep(since / drawn.front_width_min + 0.5)
        age = np.clip(since / (FRONT_DAYS * DAY), 0, 1)
        total += drawn.front_f * ramp * 0.5 * (1 + np.cos(np.pi * age))
    return total


def noise(seed: int, city: City, day: date) -> Array:
    """Minute noise of the climate day, shape (1440,), °F: slow Ornstein-Uhlenbeck and turbulence.

    The paths of adjacent days are cross-faded within two hours of midnight, with weights whose
    squares sum to 1, so that the variance does not drop.
    """
    path = _noise_path(seed, city, day)
    before = _noise_path(seed, city, day - timedelta(days=1))
    after = _noise_path(seed, city, day + timedelta(days=1))
    out = path[JOIN : JOIN + DAY].copy()
    turn = 0.5 * np.pi * _smoothstep(np.arange(2 * JOIN) / (2 * JOIN))
    morning, evening = turn[JOIN:], turn[:JOIN]
    out[:JOIN] = np.cos(morning) * before[JOIN + DAY :] + np.sin(morning) * out[:JOIN]
    out[-JOIN:] = np.cos(evening) * out[-JOIN:] + np.sin(evening) * after[:JOIN]
    return out


@lru_cache(maxsize=16)
def _noise_path(seed: int, city: City, day: date) -> Array:
    """The noise drawn for a day, from two hours before it to two hours after it."""
    rng = generator(seed, city, day, "noise")
    n = DAY + 2 * JOIN
    slow = 1.1 * ornstein_uhlenbeck(rng.standard_normal(n), time_constant=330.0)
    kernel = np.exp(-np.arange(24) / 6.0)
    kernel /= np.sqrt((kernel**2).sum())
    rough = np.convolve(rng.standard_normal(n + kernel.size - 1), kernel, mode="valid")
    hour = (np.arange(n) - JOIN) / 60
    sun = np.clip(np.sin(np.pi * (hour - 7) / 12), 0, 1) * (
        1 - 0.7 * day_weather(seed, city, day).cloud
    )
    path = slow + (0.12 + 0.4 * sun) * rough
    path.setflags(write=False)
    return path


def ornstein_uhlenbeck(shocks: Array, *, time_constant: float) -> Array:
    """Stationary Ornstein-Uhlenbeck path of unit variance, one step per shock.

    x[k] = rho x[k-1] + sqrt(1 - rho^2) z[k] with rho = exp(-1 / time_constant), x[0] = z[0].

    `shocks` are standard normal, shape (n,); n / time_constant must be below 500 to avoid overflow.
    """
    growth = np.exp(np.arange(shocks.size) / time_constant)
    scaled = shocks * growth
    scaled[1:] *= np.sqrt(1 - np.exp(-2 / time_constant))
    path: Array = np.cumsum(scaled) / growth
    return path


@lru_cache(maxsize=16)
def temperature(seed: int, city: City, day: date) -> Array:
    """One-minute mean temperatures of the climate day, shape (1440,), °F."""
    minutes = signal(seed, city, day) + noise(seed, city, day)
    minutes.setflags(write=False)
    return minutes


def _smoothstep(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
