"""The day's weather as it was known at each minute.

Here: joining reports and forecasts to minutes by `known_at`, and saying why there is nothing. Not
here: probabilities of what comes (hazard), brackets, or the market.
"""

from datetime import datetime, timedelta

import polars as pl

from kalshi_assets.weather.evidence import EXACT, counted, evidence_floor, of_climate_day

STALE_AFTER = timedelta(minutes=180)
FIRST_REPORT_DUE = timedelta(hours=3)
COLUMNS = (
    "minute",
    "weather_status",
    "temp_f",
    "observation_age_s",
    "exact_age_s",
    "running_max_lo_f",
    "running_max_hi_f",
    "evidence_max_f",
    "forecast_max_f",
    "known_at",
)


def weather_as_of(
    minutes: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    climate_start: datetime,
) -> pl.DataFrame:
    """Reports and forecast of one climate day, as known at each minute.

    Nothing known after a minute touches its row: later rows may be cut off or replaced without
    changing a bit of it. So `no_observations` means none by now, not none ever.

    Parameters
    ----------
    minutes
        Column ``minute``; any order, one row out per row in.
    observations, forecasts
        `tables.OBSERVATIONS` and `tables.FORECASTS` of the day.
    climate_start
        Start of the climate day, UTC; reports outside the day are ignored.

    Returns
    -------
    pl.DataFrame
        Sorted by minute, columns `COLUMNS`. ``weather_status`` is one of

        - ``before_climate_day``: the climate day has not begun;
        - ``not_yet``: no report known, within the day's first three hours;
        - ``no_observations``: no report known after that;
        - ``stale``: the latest report known is more than 180 minutes old (its values stand, and the
          running maximum still binds);
        - ``ok``.

        ``evidence_max_f`` is the floor of the maximum that may kill brackets, at most
        ``running_max_lo_f``; see `evidence.evidence_floor`. A report far from the others does not
        count before a second one supports it; see `evidence.counted`.

        ``exact_age_s`` counts from the end of a maximum's window.

        ``known_at`` is the latest among the rows used, null where none was. The forecast is that of
        the latest basis known: its ``tmax``, else the greatest of its ``temp``.
    """
    minute = pl.col("minute")
    age = minute - pl.col("measured_at")
    status = (
        pl.when(minute < climate_start)
        .then(pl.lit("before_climate_day"))
        .when(pl.col("measured_at").is_null())
        .then(
            pl.when(minute < climate_start + FIRST_REPORT_DUE)
            .then(pl.lit("not_yet"))
            .otherwise(pl.lit("no_observations"))
        )
        .when(age > STALE_AFTER)
        .then(pl.lit("stale"))
        .otherwise(pl.lit("ok"))
    )
    return (
        minutes.select("minute")
        .sort("minute")
        .join_asof(
            _known_observations(observations, climate_start),
            left_on="minute",
            right_on="observation_known_at",
            coalesce=False,
        )
        .join_asof(
            _known_forecasts(forecasts),
            left_on="minute",
            right_on="forecast_known_at",
            coalesce=False,
        )
        .with_columns(
            weather_status=status,
            observation_age_s=age.dt.total_microseconds() / 1e6,
            exact_age_s=(minute - pl.col("exact_at")).dt.total_microseconds() / 1e6,
            known_at=pl.max_horizontal("observation_known_at", "forecast_known_at"),
        )
        .select(COLUMNS)
    )


def _known_observations(observations: pl.DataFrame, climate_start: datetime) -> pl.DataFrame:
    # A report that arrives late counts for the maximum but does not replace a younger one.
    measured = pl.when(pl.col("max_since").is_null()).then("event_time")
    exact = pl.when(pl.col("kind").is_in(EXACT)).then("event_time")
    is_latest = measured == measured.cum_max()
    return (
        counted(of_climate_day(observations, climate_start))
        .select(
            observation_known_at="known_at",
            measured_at=measured.cum_max().forward_fill(),
            exact_at=exact.cum_max().forward_fill(),
            temp_f=pl.when(is_latest).then("temp_f").forward_fill(),
            running_max_lo_f=pl.col("lo_f").cum_max(),
            running_max_hi_f=pl.col("hi_f").cum_max(),
            evidence_max_f=evidence_floor(),
        )
        .unique("observation_known_at", keep="last", maintain_order=True)
    )


def _known_forecasts(forecasts: pl.DataFrame) -> pl.DataFrame:
    tmax, temp = (pl.when(pl.col("variable") == name).then("value_f") for name in ("tmax", "temp"))
    return (
        forecasts.sort("known_at", "event_time", "variable", "valid_time")
        .with_columns(
            forecast_max_f=pl.coalesce(
                tmax.forward_fill().over("event_time"), temp.cum_max().over("event_time")
            )
        )
        .filter(pl.col("event_time") == pl.col("event_time").cum_max())
        .unique("known_at", keep="last", maintain_order=True)
        .select("forecast_max_f", forecast_known_at="known_at")
    )
