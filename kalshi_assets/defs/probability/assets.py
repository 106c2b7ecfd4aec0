"""Parameters of the hazard; market, hazard and fused PMFs of a city-day."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.defs.lake_io import Computations, asset_in, by_partition, lake_asset
from kalshi_assets.defs.left_out import left_out, reason_of
from kalshi_assets.ladder.market_pmf import load_market_pmf_params
from kalshi_assets.ladder.market_pmf import market_pmf as implied_pmf
from kalshi_assets.ladder.pooling import fused_pmf as pooled_pmf
from kalshi_assets.ladder.pools.inputs import half_hours
from kalshi_assets.ladder.pools.weights import PoolWeights
from kalshi_assets.ladder.pools.weights import fusion_weights as fitted_weights
from kalshi_assets.lake.history import History
from kalshi_assets.lake.store import Partitions
from kalshi_assets.partitions import CityDay
from kalshi_assets.reports.inputs import DayInputs, no_rows
from kalshi_assets.tables import (
    EVENTS,
    EXAMPLES,
    FORECASTS,
    FUSED_PMF,
    FUSION_WEIGHTS,
    HAZARD_PMF,
    MARKET_PMF,
    MC_PARAMS,
    MINUTE_PANEL,
    MINUTE_PANEL_WITH_WEATHER,
    OBSERVATIONS,
    SETTLEMENTS,
    Table,
)
from kalshi_assets.weather.fit.fitting import mc_params as fitted_params
from kalshi_assets.weather.fit.parameters import HazardParameters
from kalshi_assets.weather.fit.priors import load_priors
from kalshi_assets.weather.hazard import analogue
from kalshi_assets.weather.hazard.method import load_method
from kalshi_assets.weather.hazard.pmf import hazard_pmf as weather_hazard

LOOK_BACK_DAYS = analogue.DEFAULTS.look_back_days
MIN_DAYS = analogue.DEFAULTS.min_days
FUSION_DAYS = 150


@dg.asset(
    **lake_asset(MARKET_PMF, code_version="3", kinds={"polars", "numba"}),
    ins={"panel": asset_in(MINUTE_PANEL)},
)
def market_pmf(context: dg.AssetExecutionContext, panel: Partitions) -> Computations:
    params = load_market_pmf_params()
    return by_partition(
        context,
        lambda key: implied_pmf(panel[key], params),
        lambda _, pmf: {"valid_share": pmf.select(pl.mean("valid")).item()},
    )


@dg.asset(
    **lake_asset(MC_PARAMS, code_version="3", kinds={"polars", "numpy"}),
    ins={
        "observations": asset_in(OBSERVATIONS, look_back_days=LOOK_BACK_DAYS),
        "settlements": asset_in(SETTLEMENTS, look_back_days=LOOK_BACK_DAYS),
        "forecasts": asset_in(FORECASTS, look_back_days=LOOK_BACK_DAYS),
    },
)
def mc_params(
    context: dg.AssetExecutionContext,
    observations: Partitions,
    settlements: Partitions,
    forecasts: Partitions,
) -> Computations:
    priors = load_priors()
    observed, settled, expected = (
        History(LOOK_BACK_DAYS, each.if_there) for each in (observations, settlements, forecasts)
    )

    def estimate(key: CityDay) -> pl.DataFrame:
        start, _ = city(key.city).climate_day(key.date)
        return fitted_params(
            start,
            observed.with_starts(key),
            settled.with_starts(key),
            expected.with_starts(key),
            priors,
        )

    return by_partition(context, estimate, _describe_params)


@dg.asset(
    **lake_asset(HAZARD_PMF, code_version="3", kinds={"polars", "numba"}),
    ins={
        "events": asset_in(EVENTS),
        "observations": asset_in(OBSERVATIONS, look_back_days=LOOK_BACK_DAYS),
        "forecasts": asset_in(FORECASTS),
        "parameters": asset_in(MC_PARAMS),
    },
)
def hazard_pmf(
    context: dg.AssetExecutionContext,
    events: Partitions,
    observations: Partitions,
    forecasts: Partitions,
    parameters: Partitions,
) -> Computations:
    observed, method = History(LOOK_BACK_DAYS, observations.if_there), load_method()

    def evaluate(key: CityDay) -> pl.DataFrame:
        library = observed.with_starts(key)
        if len(library) < MIN_DAYS:
            context.log.warning(
                f"{key}: observations of {len(library)} earlier days, less than {MIN_DAYS}: "
                f"materialise weather/observations of the {LOOK_BACK_DAYS} days before"
            )
        return weather_hazard(
            events[key], observations[key], forecasts[key], library, parameters[key], method
        )

    def describe(key: CityDay, hazard: pl.DataFrame) -> Mapping[str, Any]:
        seen = {EVENTS: events, OBSERVATIONS: observations, FORECASTS: forecasts}
        frames = {table: partitions[key] for table, partitions in seen.items()}
        return _describe_hazard(key, {**frames, HAZARD_PMF: hazard})

    return by_partition(context, evaluate, describe)


@dg.asset(
    **lake_asset(FUSION_WEIGHTS, code_version="2", kinds={"numpy"}),
    ins={"examples": asset_in(EXAMPLES, look_back_days=FUSION_DAYS)},
)
def fusion_weights(context: dg.AssetExecutionContext, examples: Partitions) -> Computations:
    reasons: dict[CityDay, str] = {}

    def read(day: CityDay) -> pl.DataFrame | None:
        found = examples.if_there(day)
        if (reason := reason_of(found)) is not None:
            reasons[day] = reason
        return learnt_from(found)

    earlier = History(FUSION_DAYS, read)

    def fit(key: CityDay) -> pl.DataFrame:
        start, _ = city(key.city).climate_day(key.date)
        return fitted_weights(start, earlier.with_starts(key))

    def describe(key: CityDay, frame: pl.DataFrame) -> Mapping[str, Any]:
        return {**_describe_weights(key, frame), **left_out(key, FUSION_DAYS, reasons)}

    return by_partition(context, fit, describe)


@dg.asset(
    **lake_asset(FUSED_PMF, code_version="2", kinds={"polars"}),
    ins={
        "market": asset_in(MARKET_PMF),
        "hazard": asset_in(HAZARD_PMF),
        "panel": asset_in(MINUTE_PANEL_WITH_WEATHER),
        "weights": asset_in(FUSION_WEIGHTS),
    },
)
def fused_pmf(
    context: dg.AssetExecutionContext,
    market: Partitions,
    hazard: Partitions,
    panel: Partitions,
    weights: Partitions,
) -> Computations:
    def pool(key: CityDay) -> pl.DataFrame:
        in_force = PoolWeights.from_frame(weights[key])
        return pooled_pmf(market[key], hazard[key], panel[key], in_force)

    return by_partition(context, pool)


def learnt_from(examples: pl.DataFrame | None) -> pl.DataFrame | None:
    """What the pool's weights are fitted to of a day; None: it has no examples."""
    return None if examples is None else half_hours(examples)


def _describe_weights(key: CityDay, frame: pl.DataFrame) -> Mapping[str, Any]:
    lines = [
        f"| {name} | {hours} | {value:.3f} | {_number(error)} | {status} | {_number(bound)} |"
        for name, hours, value, error, status, bound in frame.select(
            "parameter",
            pl.format("{}-{}", "hour_from", "hour_to"),
            "value",
            "standard_error",
            "status",
            "difference_bound",
        ).iter_rows()
    ]
    head = (
        "| parameter | hours | value | standard error | status | bound |\n|---|---|---|---|---|---|"
    )
    return {
        "days": frame.select(pl.max("n_days")).item(),
        "weights": dg.MetadataValue.md("\n".join([head, *lines])),
    }


def _describe_params(key: CityDay, frame: pl.DataFrame) -> Mapping[str, Any]:
    few = frame.filter(~pl.col("parameter").is_in(["profile", "shape"]))
    lines = [
        f"| {name} | {block} | {_number(value)} | {_number(error)} | {n} | {parent} |"
        for name, block, value, error, n, parent in few.select(
            "parameter", "block", "value", "standard_error", "n_days", "parent"
        ).iter_rows()
    ]
    head = (
        "| parameter | block | value | standard error | days | towards |\n|---|---|---|---|---|---|"
    )
    return {
        "days": HazardParameters.from_frame(frame).n_days,
        "parameters": dg.MetadataValue.md("\n".join([head, *lines])),
    }


def _describe_hazard(key: CityDay, frames: Mapping[Table, pl.DataFrame]) -> Mapping[str, Any]:
    from kalshi_assets.reports.plots import INLINE_SIZE, hazard_figure
    from kalshi_assets.reports.svg import svg_data_uri

    hazard = frames[HAZARD_PMF]

    def counted(column: str) -> dict[str, int]:
        return dict(hazard[column].drop_nulls().value_counts(sort=True).iter_rows())

    day = DayInputs.of(city(key.city), key.date, {**no_rows(), **frames})
    picture = svg_data_uri(
        hazard_figure(day, size=INLINE_SIZE, legend=True), "the weather's PMF over the day"
    )
    return {
        "library_days": hazard.select(pl.max("days")).item(),
        "status": counted("status"),
        "method": counted("method"),
        "baseline": counted("baseline"),
        "weather": dg.MetadataValue.md(f"![temperature and weather PMF over the day]({picture})"),
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
