"""p_wx and the hazard of a new high every five minutes, from what was known at the time.

Here: which method is used at which time, and the rows of the table. Not here: the filter
(`filtered_day`), the analogue (`analogue_day`), the day-ahead distribution (`day_ahead`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.asof import weather_as_of
from kalshi_assets.families.temperature.climate_day import SLOTS, slot_of
from kalshi_assets.families.temperature.fit.baseline import Baseline, of_forecasts
from kalshi_assets.families.temperature.fit.parameters import HazardParameters
from kalshi_assets.families.temperature.hazard.analogue import Library
from kalshi_assets.families.temperature.hazard.analogue_day import analogue_outlook, library_of
from kalshi_assets.families.temperature.hazard.day_ahead import day_ahead
from kalshi_assets.families.temperature.hazard.filtered_day import (
    FilteredDay,
    News,
    filtered_outlook,
    forecast_of,
    reports_of,
    shared_workspace,
)
from kalshi_assets.families.temperature.hazard.method import BLOCKS, HazardMethod
from kalshi_assets.instants import microseconds, microseconds_of
from kalshi_assets.ladder.terms import terms_at, trading_end
from kalshi_assets.tables import HAZARD_PMF
from kalshi_assets.units import DAY_US, Array

# The accuracy of the filter. If the brackets that are not dead have a smaller total probability,
# the model and the evidence contradict each other.
LEAST_ALIVE = 1e-6

_FILTERED: dict[str, pl.DataType] = {
    "minute": pl.Datetime("us", "UTC"),
    "baseline": pl.String(),
    "baseline_known_at": pl.Datetime("us", "UTC"),
    "p_filter": pl.List(pl.Float64),
    "p_pass": pl.List(pl.Float64),
    "hazard_next_5m": pl.Float64(),
    "hazard_next_60m": pl.Float64(),
    "log_likelihood": pl.Float64(),
}


def hazard_pmf(
    events: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    earlier_days: Sequence[tuple[datetime, pl.DataFrame]],
    parameters: pl.DataFrame,
    method: HazardMethod,
    window: tuple[datetime, datetime] | None = None,
) -> pl.DataFrame:
    """The weather's hazard of one city-day.

    Parameters
    ----------
    events
        `market.events`: brackets, climate day, close of trading.
    observations, forecasts
        `weather.observations` and `weather.forecasts` of the climate day.
    earlier_days
        Start of the climate day and `weather.observations` of earlier days of the station; rows
        that were not known at the start of this climate day are excluded.
    parameters
        `probability.mc_params` of the day.
    method
        The method and its settings.
    window
        First and last minute of the rows wanted, which do not depend on it; None: all rows.

    Returns
    -------
    DataFrame
        `probability.hazard_pmf`: a row per bracket every five minutes from the start of the
        climate day to the close. If the weather is not known, `p_wx` is null and `status` says why.
    """
    ladder = terms_at(events).sort("bracket")
    start: datetime = ladder["day_start"][0]
    times = _evaluation_times(start, trading_end(events))
    if window is not None:
        times = times.filter(times["minute"].is_between(*window))
    asof = weather_as_of(times, observations, forecasts, start).with_columns(
        slot=_latest_slot(start)
    )
    known = asof.filter(pl.col("weather_status") == "ok")
    upper = ladder["hi"].drop_nulls().to_numpy().astype(np.float64)
    fitted = HazardParameters.from_frame(parameters)
    library = library_of(earlier_days, known_by=start)
    filtered = _filtered(known, observations, forecasts, upper, start, fitted, method)
    share = _share_of_analogue(known, filtered, start, method)
    analogue = analogue_outlook(
        known.filter(pl.Series(share > 0)), observations, library, upper, start
    )
    said = pl.concat(
        [
            _mixed(known.select("minute", share=share), filtered, analogue, method),
            day_ahead(asof, fitted, upper, start),
        ],
        how="diagonal",
    )
    return _long(asof.join(said, on="minute", how="left", maintain_order="left"), ladder, library)


def _evaluation_times(start: datetime, close: datetime) -> pl.DataFrame:
    return pl.select(minute=pl.datetime_range(start, close, "5m", time_unit="us", time_zone="UTC"))


def _latest_slot(start: datetime) -> pl.Expr:
    measured = pl.col("minute") - pl.duration(seconds=pl.col("observation_age_s"))
    return slot_of(measured, start).clip(0, SLOTS - 1)


def _filtered(
    known: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    upper: Array,
    start: datetime,
    parameters: HazardParameters,
    method: HazardMethod,
) -> pl.DataFrame:
    """The filter's results at the times of `known` at which there is a baseline."""
    vintages = _vintages(forecasts, start, parameters)
    if not vintages or method.method == "analogue":
        return pl.DataFrame(schema=_FILTERED)
    (since, first), *later = vintages
    known = known.filter(known["minute"] >= since)
    day = FilteredDay(
        upper,
        first,
        parameters,
        shape_nodes=method.shape_nodes,
        workspace=shared_workspace(),
    )
    news = [*reports_of(observations, start), *_news_of(later, start)]
    outlook = filtered_outlook(known, day, sorted(news, key=lambda each: each.known_at), start)
    utc = pl.Datetime("us", "UTC")
    issued = pl.DataFrame(
        [(at, at if at > start else parameters.known_at, each.source) for at, each in vintages],
        schema={"minute": utc, "baseline_known_at": utc, "baseline": pl.String},
        orient="row",
    )
    return (
        known.select("minute")
        .join_asof(issued, on="minute")
        .select(
            "minute",
            "baseline",
            "baseline_known_at",
            p_filter=pl.Series(outlook.pmf, dtype=pl.List(pl.Float64)),
            p_pass=pl.Series(outlook.passing_60m, dtype=pl.List(pl.Float64)),
            hazard_next_5m=outlook.hazard_5m,
            hazard_next_60m=outlook.hazard_60m,
            log_likelihood=pl.Series(outlook.log_likelihood).fill_nan(None),
        )
    )


def _vintages(
    forecasts: pl.DataFrame, start: datetime, parameters: HazardParameters
) -> list[tuple[datetime, Baseline]]:
    """The day's baselines with the times from which they apply."""
    climatology = parameters.climatology
    known = [start, *forecasts["known_at"].unique().sort().to_list()]
    found: list[tuple[datetime, Baseline]] = []
    for at in known:
        if at >= start:
            seen = forecasts.filter(forecasts["known_at"] <= at)
            baseline = of_forecasts(seen, start, climatology)
            if baseline is not None:
                bias = float(parameters["forecast_bias"][0])
                moved = baseline.shifted(0.0 if baseline.source == "climatology" else bias)
                if not found or not np.array_equal(moved.profile, found[-1][1].profile):
                    found.append((at, moved))
    return found


def _news_of(vintages: Sequence[tuple[datetime, Baseline]], start: datetime) -> list[News]:
    slots = [min((at - start) // timedelta(minutes=5), SLOTS - 1) for at, _ in vintages]
    return [
        forecast_of(at, slot, baseline)
        for slot, (at, baseline) in zip(slots, vintages, strict=True)
    ]


def _share_of_analogue(
    known: pl.DataFrame, filtered: pl.DataFrame, start: datetime, method: HazardMethod
) -> Array:
    """The analogue's share in the mixture, shape (times,); 1 if the filter has no result."""
    minutes = microseconds(known["minute"])
    block = (minutes - microseconds_of(start)) // (DAY_US // BLOCKS)
    spoken = np.isin(minutes, microseconds(filtered["minute"]))
    return np.where(spoken, np.array(method.analogue_share)[block.clip(0, BLOCKS - 1)], 1.0)


def _mixed(
    times: pl.DataFrame, filtered: pl.DataFrame, analogue: pl.DataFrame, method: HazardMethod
) -> pl.DataFrame:
    """One PMF and hazard per time; null without a result, or on a feed alarm."""
    rows = times.join(filtered, on="minute", how="left", maintain_order="left").join(
        analogue, on="minute", how="left", maintain_order="left"
    )
    alone = pl.col("p_filter").is_null()
    share = pl.when(pl.col("p_analogue").is_null()).then(0.0).otherwise("share")
    rows = rows.with_columns(analogue_share=pl.when(alone).then(1.0).otherwise(share))
    weight = pl.col("analogue_share")
    mixed = (
        pl.when(weight == 0)
        .then("p_filter")
        .when(weight == 1)
        .then("p_analogue")
        .otherwise(pl.col("p_filter") * (1 - weight) + pl.col("p_analogue") * weight)
    )
    alarm = (pl.col("log_likelihood") < method.feed_alarm).fill_null(value=False)
    unknown = alone & pl.col("p_analogue").is_null()
    usable = ~(alarm | unknown)
    return rows.select(
        "minute",
        "baseline",
        "baseline_known_at",
        "log_likelihood",
        "effective_days",
        "analogue_share",
        status=pl.when(alarm)
        .then(pl.lit("feed_alarm"))
        .when(unknown)
        .then(pl.lit("short_history")),
        method=pl.when(weight < 1).then(pl.lit(method.method)).otherwise(pl.lit("analogue")),
        p_wx=pl.when(usable).then(mixed),
        p_pass=pl.when(usable).then("p_pass"),
        hazard_next_5m=pl.when(usable).then(pl.coalesce("hazard_next_5m", "analogue_5m")),
        hazard_next_60m=pl.when(usable).then(pl.coalesce("hazard_next_60m", "analogue_60m")),
    )


def _long(per_time: pl.DataFrame, ladder: pl.DataFrame, library: Library) -> pl.DataFrame:
    rows = per_time.join(
        ladder.select("market_ticker", "bracket", "hi"), how="cross", maintain_order="left_right"
    )
    bracket, dead = pl.col("bracket"), pl.col("dead")
    # A report may be wrong, so the filter gives dead brackets a small probability; set it to zero.
    rows = (
        rows.with_columns(
            dead=(pl.col("evidence_max_f") > pl.col("hi")).fill_null(value=False),
            p_wx=pl.col("p_wx").list.get(bracket),
            p_pass_60m=pl.col("p_pass").list.get(bracket, null_on_oob=True).fill_nan(None),
        )
        .with_columns(
            p_wx=pl.when(dead).then(pl.col("p_wx") * 0).otherwise("p_wx"),
            p_pass_60m=pl.when(dead & pl.col("p_pass_60m").is_not_null())
            .then(1.0)
            .otherwise("p_pass_60m"),
        )
        .with_columns(alive=pl.col("p_wx").sum().over("minute"))
        .with_columns(refuted=pl.col("p_wx").is_not_null() & (pl.col("alive") < LEAST_ALIVE))
    )
    kept = pl.when(~pl.col("refuted"))
    return HAZARD_PMF.arranged(
        rows.select(
            "market_ticker",
            "bracket",
            "minute",
            "method",
            "baseline",
            "analogue_share",
            "running_max_lo_f",
            "evidence_max_f",
            "log_likelihood",
            "effective_days",
            "dead",
            status=pl.when("refuted")
            .then(pl.lit("feed_alarm"))
            .otherwise(pl.coalesce("status", "weather_status")),
            hazard_next_5m=kept.then("hazard_next_5m"),
            hazard_next_60m=kept.then("hazard_next_60m"),
            p_pass_60m=kept.then("p_pass_60m"),
            known_at=pl.max_horizontal(
                "known_at", "baseline_known_at", pl.lit(ladder["known_at"].max())
            ),
            p_wx=kept.then(pl.col("p_wx") / pl.col("alive")),
            days=pl.lit(len(library), dtype=pl.Int16),
        )
    )
