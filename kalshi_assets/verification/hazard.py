"""The weather hazard as a forecast to be judged: one function, every method.

Here: from a day's frames to `probability.hazard_pmf` by a method's name. Not here: the methods.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from kalshi_assets.tables import HAZARD_PMF
from kalshi_assets.weather.asof import weather_as_of
from kalshi_assets.weather.fit.baseline import of_forecasts
from kalshi_assets.weather.fit.parameters import HazardParameters
from kalshi_assets.weather.hazard.exact_day import exact_outlook
from kalshi_assets.weather.hazard.pmf import hazard_pmf

METHODS = ("exact", "analogue")


def hazard_by(
    method: str,
    events: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    earlier_days: Sequence[tuple[datetime, pl.DataFrame]],
    mc_params: pl.DataFrame,
) -> pl.DataFrame:
    """`probability.hazard_pmf` of one city-day by a method.

    Parameters
    ----------
    method
        One of `METHODS`.
    events, observations, forecasts, mc_params
        The tables of these names, of the climate day.
    earlier_days
        Start of the climate day and observations of earlier days.

    Raises
    ------
    ValueError
        There is no such method.
    """
    if method == "analogue":
        return hazard_pmf(events, observations, earlier_days)
    if method == "exact":
        return _exact(events, observations, forecasts, mc_params)
    raise ValueError(f"no hazard method {method!r}; known: {', '.join(METHODS)}")


def _exact(
    events: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    mc_params: pl.DataFrame,
) -> pl.DataFrame:
    ladder = events.sort("bracket")
    start: datetime = ladder["climate_start"][0]
    parameters = HazardParameters.from_frame(mc_params)
    times = pl.select(
        minute=pl.datetime_range(
            start, ladder["close_time"][0], "5m", time_unit="us", time_zone="UTC"
        )
    )
    known = weather_as_of(times, observations, forecasts, start).filter(
        pl.col("weather_status") == "ok"
    )
    climatology = parameters.climatology
    if climatology is None or known.is_empty() or parameters.n_days == 0:
        return HAZARD_PMF.empty()
    issued = forecasts.filter(pl.col("known_at") <= start)
    upper = ladder["hi_f"].drop_nulls().to_numpy().astype(np.float64)
    outlook = exact_outlook(
        known,
        observations,
        start,
        upper,
        of_forecasts(issued, start, climatology),
        parameters,
    )
    per_time = known.with_columns(
        hazard_next_5m=outlook.hazard_5m,
        hazard_next_60m=outlook.hazard_60m,
        p_wx=pl.Series(outlook.pmf).arr.to_list(),
    )
    return _long(per_time, ladder, parameters.n_days)


def _long(per_time: pl.DataFrame, ladder: pl.DataFrame, days: int) -> pl.DataFrame:
    rows = per_time.join(ladder.select("market_ticker", "bracket", "hi_f"), how="cross")
    return HAZARD_PMF.arranged(
        rows.with_columns(
            status=pl.lit("ok"),
            method=pl.lit("exact"),
            p_wx=pl.col("p_wx").list.get(pl.col("bracket")),
            dead=(pl.col("evidence_max_f") > pl.col("hi_f")).fill_null(value=False),
            days=pl.lit(days, pl.Int16),
            effective_days=pl.lit(None, pl.Float64),
        )
    )
