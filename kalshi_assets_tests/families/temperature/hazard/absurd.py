"""Days that cannot be: what a broken feed might send and forecast, drawn from one seed.

Nothing here keeps to what a table's contract allows: the hazard must hold without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.tables import FORECASTS, OBSERVATIONS, SETTLEMENTS
from kalshi_assets.units import Array
from kalshi_assets_tests.families.temperature.hazard.days import (
    DAY,
    PLACE,
    Days,
    at,
    earlier,
    ladder,
    start_of,
    truth,
)

Rng = np.random.Generator

COLDEST, WARMEST = -200, 200
NEAR = 0.15
KINDS = ("whole_c", "tgroup", "interp", "filled", "max_6h", "max_so_far")
KIND_SHARES = (0.3, 0.4, 0.15, 0.05, 0.05, 0.05)


def _anything(rng: Rng, n: int) -> Array:
    return rng.uniform(COLDEST, WARMEST, n)


def _walk(rng: Rng, true: Array) -> Array:
    steps = rng.normal(0, rng.choice([0.3, 3.0, 30.0]), len(true))
    return rng.uniform(COLDEST, WARMEST) + np.cumsum(steps)


def _broken_off(rng: Rng, true: Array) -> Array:
    sane = np.arange(len(true)) < rng.integers(0, len(true) + 1)
    return np.where(sane, true, _anything(rng, len(true)))


def _spikes(rng: Rng, true: Array) -> Array:
    return np.where(rng.random(len(true)) < 0.1, _anything(rng, len(true)), true)


# From the true temperatures to what is said instead.
FEEDS: Mapping[str, Callable[[Rng, Array], Array]] = {
    "anything": lambda rng, true: _anything(rng, len(true)),
    "constant": lambda rng, true: np.full(len(true), rng.uniform(COLDEST, WARMEST)),
    "extremes": lambda _, true: np.where(np.arange(len(true)) % 2, COLDEST, WARMEST),
    "walk": _walk,
    "true": lambda _, true: true,
    "spikes": _spikes,
    "broken_off": _broken_off,
    "elsewhere": lambda rng, true: true + rng.uniform(2 * COLDEST, 2 * WARMEST),
}


@dataclass(frozen=True, kw_only=True)
class AbsurdDay:
    """A day and the days before it; shown as its seed, so that a failure shows its cause."""

    seed: int
    events: pl.DataFrame = field(repr=False)
    observations: pl.DataFrame = field(repr=False)
    forecasts: pl.DataFrame = field(repr=False)
    earlier: Days = field(repr=False)
    settled: Days = field(repr=False)
    expected: Days = field(repr=False)


def absurd_day(seed: int) -> AbsurdDay:
    """The day of a seed; every second one after sane days."""
    rng = np.random.default_rng(seed)
    until = int(rng.choice([20, 60, 150, SLOTS + 1]))
    before = earlier(), (), ()
    if rng.random() < 0.5:
        before = _earlier(rng, int(rng.choice([0, 3, 14, 40])))
    return AbsurdDay(
        seed=seed,
        events=ladder(truth(DAY), until=until),
        observations=reports(rng, DAY),
        forecasts=forecasts(rng, DAY),
        earlier=before[0],
        settled=before[1],
        expected=before[2],
    )


def _earlier(rng: Rng, n: int) -> tuple[Days, Days, Days]:
    """Absurd days before the day: all of them, or among sane ones."""
    sane_share = rng.choice([0.0, 0.7])
    found: tuple[list, list, list] = [], [], []
    for age in range(n, 0, -1):
        day = DAY - timedelta(days=age)
        start, sane = start_of(day), earlier()[-1 - (age - 1) % len(earlier())]
        moved = sane[1].with_columns(pl.col("event_time", "known_at") + (start - sane[0]))
        found[0].append((start, moved if rng.random() < sane_share else reports(rng, day)))
        found[1].append((start, settlement(rng, day)))
        found[2].append((start, forecasts(rng, day)))
    return found


def _said(rng: Rng, slots: Array, day: date) -> Array:
    true = truth(day)[np.clip(slots.astype(int), 0, SLOTS - 1)].astype(np.float64)
    said = FEEDS[str(rng.choice(list(FEEDS)))](rng, true)
    if rng.random() < 0.4:
        # Near enough to be believed now and then.
        said = true + NEAR * (said - true)
    return np.round(np.clip(said, COLDEST, WARMEST), 1)


def _slots(rng: Rng) -> Array:
    """When reports are of: every five minutes, at random, again and again, or all at once."""
    n = int(rng.choice([0, 1, 2, 12, 70, SLOTS]))
    slots = np.arange(SLOTS, dtype=np.float64)
    if n < SLOTS or rng.random() < 0.5:
        slots = np.sort(rng.uniform(-20, SLOTS + 20, n))
    if n and rng.random() < 0.3:
        slots = rng.choice(slots, n)
    if n and rng.random() < 0.15:
        slots = np.full(n, rng.uniform(0, SLOTS))
    return slots


def reports(rng: Rng, day: date) -> pl.DataFrame:
    """`weather.observations`: any kinds, widths and delays, maxima of windows among them."""
    slots = _slots(rng)
    n = len(slots)
    kinds = rng.choice(KINDS, n, p=KIND_SHARES)
    if rng.random() < 0.4:
        kinds = np.full(n, rng.choice(KINDS[:3]))
    delays = np.full(n, 10.0)
    if rng.random() < 0.4:
        delays = rng.choice([0.0, 5.0, 10.0, 200.0, 900.0], n)
    temp = _said(rng, slots, day)
    wider = rng.integers(0, 3, n) if rng.random() < 0.5 else np.zeros(n, np.int64)
    lowest = np.floor(temp + 0.5).astype(np.int64) - wider // 2
    windows = slots - rng.uniform(0, 80, n)
    rows = {
        "event_time": [at(slot, day) for slot in slots],
        "known_at": [
            at(slot, day) + timedelta(minutes=float(delay))
            for slot, delay in zip(slots, delays, strict=True)
        ],
        "max_since": [
            at(since, day) if kind.startswith("max") else None
            for since, kind in zip(windows, kinds, strict=True)
        ],
        "station": [PLACE.station] * n,
        "temp_f": temp,
        "kind": kinds.tolist(),
        "lo_f": lowest,
        "hi_f": lowest + wider,
        "source": ["obs"] * n,
        "raw_sha256": ["0" * 64] * n,
    }
    return pl.DataFrame(rows, schema=OBSERVATIONS.dtypes).sort("event_time", "kind")


def forecasts(rng: Rng, day: date) -> pl.DataFrame:
    """`weather.forecasts`: none, one or more, of hours or the maximum, some of them twice."""
    made = [_forecast(rng, day) for _ in range(int(rng.choice([0, 0, 1, 2, 6])))]
    again = made[-1:] if rng.random() < 0.2 else []
    return pl.concat([FORECASTS.empty(), *made, *again])


def _forecast(rng: Rng, day: date) -> pl.DataFrame:
    basis = at(rng.uniform(-300, 280), day)
    hours = np.arange(0, SLOTS, 12, dtype=np.float64)[: int(rng.choice([0, 3, 24]))]
    maxima = np.round(_anything(rng, int(rng.integers(0, 2))), 1)
    n = len(hours) + len(maxima)
    rows = {
        "event_time": [basis] * n,
        "known_at": [basis + timedelta(minutes=float(rng.choice([0.0, 5.0, 600.0])))] * n,
        "station": [PLACE.station] * n,
        "variable": ["temp"] * len(hours) + ["tmax"] * len(maxima),
        "valid_time": [at(hour, day) for hour in hours] + [at(0, day)] * len(maxima),
        "value_f": np.concatenate([_said(rng, hours, day), maxima]),
        "source": ["fcst"] * n,
        "raw_sha256": ["0" * 64] * n,
    }
    return pl.DataFrame(rows, schema=FORECASTS.dtypes)


def settlement(rng: Rng, day: date) -> pl.DataFrame:
    """`weather.settlements`: the true maximum, or any."""
    end: datetime = start_of(day) + timedelta(days=1)
    tmax = int(truth(day).max() if rng.random() < 0.5 else rng.integers(COLDEST, WARMEST))
    row = {
        "source": "climate_report",
        "status": "official",
        "value": tmax,
        "winning_market": None,
        "event_time": end,
        "issued_at": None,
        "known_at": end,
        "known_at_from": "assumed",
        "raw_sha256": "0" * 64,
    }
    return pl.DataFrame([row], schema=SETTLEMENTS.dtypes)
