"""Days for the tests of the hazard's table: one truth, told by stations of different habits."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Literal

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.bulletins.intervals import whole_f_of_whole_c
from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.climate_day import SLOT, SLOTS
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.parameters import HazardParameters
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.hazard.method import HazardMethod, load_method
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf
from kalshi_assets.sandbox.world_station import tenths_of_celsius, whole_fahrenheit
from kalshi_assets.studies.artificial_ladders import synthetic_events
from kalshi_assets.tables import FORECASTS, HAZARD_PMF, OBSERVATIONS
from kalshi_assets.units import Array, Ints
from kalshi_assets_tests.families.temperature.decoding import decode_temp_f
from kalshi_assets_tests.shared import ARCHIVE

Habit = Literal["tgroup", "whole_c", "hourly"]
Days = Sequence[tuple[datetime, pl.DataFrame]]

PLACE = city("new_york")
SEED = 5
DAY = date(2026, 5, 20)
HISTORY = 14
LAG = timedelta(minutes=10)
# Of the METAR, minute 51 of the hour.
HOURLY = range(10, SLOTS, 12)


def start_of(day: date) -> datetime:
    """First instant of the climate day."""
    return PLACE.climate_day(day)[0]


def at(slot: float, day: date = DAY) -> datetime:
    """The instant at which a slot begins."""
    return start_of(day) + slot * SLOT


@cache
def truth(day: date) -> Ints:
    """What the station of the generated world holds in every slot, whole °F, shape (288,)."""
    return whole_fahrenheit(SEED, PLACE, day)[::5]


def report(slot: float, kind: str, whole_f: int, day: date = DAY, **other: Any) -> dict[str, Any]:
    """One report of a whole °F, rounded as its kind is, known ten minutes later."""
    tenths = tenths_of_celsius(whole_f)
    whole_c = (tenths + 5) // 10
    lo, hi = whole_f_of_whole_c(whole_c) if kind == "whole_c" else (whole_f, whole_f)
    shown = 1.8 * whole_c + 32 if kind == "whole_c" else 32 + 0.18 * tenths
    return {
        "event_time": at(slot, day),
        "known_at": at(slot, day) + LAG,
        "max_since": None,
        "station": PLACE.station,
        "temp_f": round(shown, 1),
        "kind": kind,
        "lo_f": lo,
        "hi_f": hi,
        "source": "obs",
        "raw_sha256": "0" * 64,
    } | other


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """`weather.observations` of some reports."""
    made = pl.DataFrame(rows, schema=OBSERVATIONS.dtypes)
    return OBSERVATIONS.conform(made.sort("event_time", "kind"))


def told(
    temps: Ints, habit: Habit = "tgroup", day: date = DAY, without: Collection[int] = ()
) -> pl.DataFrame:
    """The day's reports by a station of that habit, all but those of some slots."""
    kind = "whole_c" if habit == "whole_c" else "tgroup"
    slots = [k for k in (HOURLY if habit == "hourly" else range(SLOTS)) if k not in without]
    return frame([report(k, kind, int(temps[k]), day) for k in slots])


def spoilt(observations: pl.DataFrame, slot: int, whole_f: int) -> pl.DataFrame:
    """The same day with one report replaced by another value of its kind."""
    is_it = pl.col("event_time") == at(slot)
    kind = observations.filter(is_it)["kind"].item()
    return pl.concat([observations.filter(~is_it), frame([report(slot, kind, whole_f)])]).sort(
        "event_time"
    )


@cache
def earlier(habit: Habit = "tgroup", day: date = DAY) -> tuple[tuple[datetime, pl.DataFrame], ...]:
    """The days before, told in the same way."""
    before = [day - timedelta(days=n) for n in range(HISTORY, 0, -1)]
    return tuple((start_of(each), told(truth(each), habit, each)) for each in before)


@cache
def parameters(habit: Habit = "tgroup", day: date = DAY) -> pl.DataFrame:
    """`probability.mc_params` from the days before."""
    return mc_params(start_of(day), earlier(habit, day), [], [], load_priors())


def fitted(habit: Habit = "tgroup") -> HazardParameters:
    """The same, as the filter takes them."""
    return HazardParameters.from_frame(parameters(habit))


def ladder(temps: Ints, day: date = DAY, until: int = SLOTS) -> pl.DataFrame:
    """`market.events` around the day's maximum; trading closes when slot `until` begins."""
    return synthetic_events(PLACE, day, float(temps.max())).with_columns(
        close_time=pl.lit(at(until, day))
    )


def choice(**changes: Any) -> HazardMethod:
    """The method in force, changed."""
    return replace(load_method(), **changes)


ALONE = choice(analogue_share=(0.0,) * 8)


def hazard(
    observations: pl.DataFrame,
    events: pl.DataFrame,
    *,
    habit: Habit = "tgroup",
    forecasts: pl.DataFrame | None = None,
    method: HazardMethod | None = None,
    day: date = DAY,
    before: Days | None = None,
    fit: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """`probability.hazard_pmf` of the day, as the table's contract wants it.

    By default after the generated days before it, told in the same way.
    """
    made = hazard_pmf(
        events,
        observations,
        FORECASTS.empty() if forecasts is None else forecasts,
        earlier(habit, day) if before is None else before,
        parameters(habit, day) if fit is None else fit,
        method or load_method(),
    )
    return HAZARD_PMF.conform(made)


@cache
def recorded(day: date, column: str = "temp_c") -> pl.DataFrame:
    """The reports of KNYC on a recorded climate day: tenths of °C, or the whole ones."""
    start, end = PLACE.climate_day(day)
    path = ARCHIVE / "observations" / f"station={PLACE.station}" / "part.parquet"
    time = pl.col("valid_utc").cast(pl.Datetime("us", "UTC"))
    rows = (
        pl.read_parquet(path)
        .filter(time.is_between(start, end, closed="left"), pl.col(column).is_not_null())
        .select(event_time=time, temp_f=(1.8 * pl.col(column) + 32).round(1))
        .unique("event_time", keep="first")
        .sort("event_time")
        .with_columns(decode_temp_f(pl.col("temp_f")).alias("reading"))
        .unnest("reading")
    )
    return OBSERVATIONS.arranged(
        rows.with_columns(
            known_at=pl.col("event_time") + LAG,
            station=pl.lit(PLACE.station),
            max_since=pl.lit(None, pl.Datetime("us", "UTC")),
            source=pl.lit("obs"),
            raw_sha256=pl.lit("0" * 64),
        )
    )


@cache
def official(day: date) -> int:
    """The recorded day's official maximum, °F."""
    maxima = pl.read_parquet(ARCHIVE / "settlements.parquet")
    return int(maxima.filter(station=PLACE.station, date=day)["tmax_f"].item())


def recorded_hazard(day: date, column: str = "temp_c") -> tuple[pl.DataFrame, pl.DataFrame]:
    """`market.events` around the official maximum, and the table, after recorded days."""
    before = [day - timedelta(days=n) for n in range(HISTORY, 0, -1)]
    days = [(start_of(each), recorded(each, column)) for each in before]
    events = ladder(np.array([official(day)]), day)
    fit = mc_params(start_of(day), days, [], [], load_priors())
    made = hazard(recorded(day, column), events, day=day, before=days, fit=fit)
    return events, made


def bracket_of(events: pl.DataFrame, degree: int) -> int:
    """The bracket that pays at a maximum of `degree`."""
    lo, hi = pl.col("lo").fill_null(-999), pl.col("hi").fill_null(999)
    return int(events.filter(pl.lit(degree).is_between(lo, hi))["bracket"].item())


def per_bracket(made: pl.DataFrame, column: str = "p_wx") -> Array:
    """A column by time and bracket, shape (times, brackets); NaN where it is null."""
    wide = made.sort("minute", "bracket")[column].cast(pl.Float64).to_numpy()
    return wide.reshape(made["minute"].n_unique(), -1)


def per_time(made: pl.DataFrame) -> pl.DataFrame:
    """What does not differ between the brackets, a row per time."""
    return made.filter(bracket=0).sort("minute")


def entropy(pmf: Array) -> Array:
    """Of every row, nats."""
    return -(pmf * np.log(np.where(pmf > 0, pmf, 1.0))).sum(axis=1)
