"""p_wx and the hazard of a new high, every five minutes, from what was known at each of them."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.tables import FORECASTS, HAZARD_PMF
from kalshi_assets.weather.asof import weather_as_of
from kalshi_assets.weather.climate_day import ONE_HOUR, SLOTS, slot_of
from kalshi_assets.weather.evidence import temperatures
from kalshi_assets.weather.hazard.analogue import (
    DEFAULTS,
    AnalogueParams,
    Library,
    State,
    outlook,
)
from kalshi_assets.weather.station_days import stacked

Array = NDArray[np.float64]


def hazard_pmf(
    events: pl.DataFrame,
    observations: pl.DataFrame,
    earlier_days: Sequence[tuple[datetime, pl.DataFrame]],
    params: AnalogueParams = DEFAULTS,
) -> pl.DataFrame:
    """The analogue hazard of one city-day.

    Parameters
    ----------
    events
        `market.events`: brackets, climate day, close.
    observations
        `weather.observations` of the climate day.
    earlier_days
        Start of the climate day and `weather.observations` of earlier days of the station; what
        was not known when today's climate day began is left out.

    Returns
    -------
    DataFrame
        `probability.hazard_pmf`: a row per bracket every five minutes from the start of the
        climate day to the close. Where the weather is not known, `p_wx` is null and `status`
        says why.
    """
    ladder = events.sort("bracket")
    start: datetime = ladder["climate_start"][0]
    times = _evaluation_times(start, ladder["close_time"][0])
    asof = weather_as_of(times, observations, FORECASTS.empty(), start)
    library = Library.of(_grids(earlier_days, known_by=start), params)
    asof = asof.with_columns(slot=_latest_slot(start))
    days_at_slot = library.days_at(asof["slot"].fill_null(0).to_numpy().astype(np.int64))
    too_few = pl.Series(days_at_slot < params.min_days)
    status = (
        pl.when((pl.col("weather_status") == "ok") & too_few)
        .then(pl.lit("short_history"))
        .otherwise(pl.col("weather_status"))
    )
    asof = asof.with_columns(status=status)
    known = asof.filter(pl.col("status") == "ok")
    upper = ladder["hi_f"].drop_nulls().to_numpy().astype(np.float64)
    per_time = _evaluate(known, observations, library, upper, start, params)
    return _long(asof, per_time, ladder, len(library))


def _evaluation_times(start: datetime, close: datetime) -> pl.DataFrame:
    return pl.select(minute=pl.datetime_range(start, close, "5m", time_unit="us", time_zone="UTC"))


def _latest_slot(start: datetime) -> pl.Expr:
    measured = pl.col("minute") - pl.duration(seconds=pl.col("observation_age_s"))
    return slot_of(measured, start).clip(0, SLOTS - 1)


def _grids(days: Sequence[tuple[datetime, pl.DataFrame]], known_by: datetime) -> Array:
    """Temperature per day and slot, shape (days, 288); NaN: no report; the slot's last counts."""
    grids = np.full((len(days), SLOTS), np.nan)
    if not days:
        return grids
    rows = temperatures(stacked(days)).filter(
        (pl.col("known_at") <= known_by) & pl.col("slot").is_between(0, SLOTS - 1)
    )
    grids[rows["day"].to_numpy(), rows["slot"].to_numpy()] = rows["temp_f"].to_numpy()
    return grids


def _evaluate(
    known: pl.DataFrame,
    observations: pl.DataFrame,
    library: Library,
    upper: Array,
    start: datetime,
    params: AnalogueParams,
) -> pl.DataFrame:
    n = len(upper) + 1
    if known.is_empty():
        numbers = ("effective_days", "hazard_next_5m", "hazard_next_60m")
        return known.select(
            "minute",
            *(pl.lit(None, pl.Float64).alias(name) for name in numbers),
            p_wx=pl.lit(None, pl.List(pl.Float64)),
        )
    temp = known["temp_f"].to_numpy()
    result = outlook(
        State(
            slot=known["slot"].to_numpy().astype(np.int64),
            temp_f=temp,
            slope_f=temp - _hour_ago(known, observations, start),
            max_lo_f=known["running_max_lo_f"].to_numpy().astype(np.float64),
            max_hi_f=known["running_max_hi_f"].to_numpy().astype(np.float64),
        ),
        library,
        upper,
        params,
    )
    return known.select(
        "minute",
        effective_days=result.effective_days,
        hazard_next_5m=result.hazard_5m,
        hazard_next_60m=result.hazard_60m,
        p_wx=pl.Series(result.pmf.reshape(-1, n)).cast(pl.List(pl.Float64)),
    )


def _hour_ago(known: pl.DataFrame, observations: pl.DataFrame, start: datetime) -> Array:
    """Temperature an hour before the latest report, as known then; NaN: no report, shape (times,).

    A report of that hour which came in later is not used.
    """
    measured = pl.col("event_time")
    reports = (
        temperatures(observations)
        .select("known_at", "event_time", "temp_f", slot=slot_of(measured, start))
        .sort("known_at", "event_time")
        .filter(measured == measured.cum_max().over("slot"))
    )
    return (
        known.select("minute", slot=pl.col("slot") - ONE_HOUR)
        .join_asof(
            reports,
            left_on="minute",
            right_on="known_at",
            by="slot",
            check_sortedness=False,
        )["temp_f"]
        .to_numpy()
        .astype(np.float64)
    )


def _long(
    asof: pl.DataFrame, per_time: pl.DataFrame, ladder: pl.DataFrame, days: int
) -> pl.DataFrame:
    rows = asof.join(per_time, on="minute", how="left", maintain_order="left").join(
        ladder.select("market_ticker", "bracket", "hi_f"), how="cross", maintain_order="left_right"
    )
    dead = (pl.col("evidence_max_f") > pl.col("hi_f")).fill_null(value=False)
    return HAZARD_PMF.arranged(
        rows.select(
            "market_ticker",
            "bracket",
            "minute",
            "status",
            "running_max_lo_f",
            "evidence_max_f",
            "hazard_next_5m",
            "hazard_next_60m",
            "effective_days",
            known_at=pl.max_horizontal("known_at", pl.lit(ladder["known_at"].max())),
            method=pl.lit("analogue"),
            p_wx=pl.col("p_wx").list.get(pl.col("bracket")),
            dead=dead,
            days=pl.lit(days, dtype=pl.Int16),
        )
    )
