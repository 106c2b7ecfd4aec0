"""The steps of the family: event, weather, settlement, labels, hazard, features, page.

Not here: the computations, and the steps that every family has (`pipeline`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import fetch_event, fetch_settlement
from kalshi_assets.exchange.versions import with_reading
from kalshi_assets.families.temperature.cities import TEMPERATURE, city, with_starts
from kalshi_assets.families.temperature.features import FEATURES, TARGETS, model_features
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.parameters import HazardParameters
from kalshi_assets.families.temperature.fit.priors import Priors, load_priors
from kalshi_assets.families.temperature.hazard import analogue
from kalshi_assets.families.temperature.hazard.method import HazardMethod, load_method
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf
from kalshi_assets.families.temperature.labels import labels
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.families.temperature.official import problems_of, with_publishers
from kalshi_assets.families.temperature.panel import with_weather
from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.families.temperature.sources.errors import WeatherError
from kalshi_assets.families.temperature.sources.visual_crossing import (
    left_out_counts,
    sifted_forecasts,
    sifted_observations,
)
from kalshi_assets.families.temperature.stress import stress
from kalshi_assets.families.temperature.trading import pressure, trading_params, veto
from kalshi_assets.features.activity import DAYS as ACTIVITY_DAYS
from kalshi_assets.keys import LadderDay
from kalshi_assets.pages.inputs import PAGE_TABLES, DayInputs, no_rows
from kalshi_assets.pages.library import PageStore
from kalshi_assets.pages.markdown import table as markdown_table
from kalshi_assets.pages.pictures import belief_picture, hazard_picture
from kalshi_assets.pipeline.family import Classified, LadderFamily, Stress
from kalshi_assets.pipeline.market import counts, shares
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.pipeline.step import (
    FilePath,
    Input,
    LookBack,
    Made,
    Markdown,
    Parameters,
    Service,
    Step,
    Stored,
    Warnings,
    step,
)
from kalshi_assets.settlement.rule import fair_price
from kalshi_assets.tables import (
    ACTIVITY,
    DAY_PAGE,
    DROPPED_FORECASTS,
    DROPPED_OBSERVATIONS,
    EVENTS,
    EXAMPLES,
    FORECASTS,
    HAZARD_PMF,
    LABELS,
    MARKET_PMF,
    MC_PARAMS,
    MINUTE_PANEL,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    MODEL_FEATURES,
    OBSERVATIONS,
    SETTLEMENTS,
    Table,
)

LOOK_BACK_DAYS = analogue.DEFAULTS.look_back_days
MIN_DAYS = analogue.DEFAULTS.min_days

Warn = Callable[[str], object]
Earlier = Sequence[tuple[LadderDay, pl.DataFrame]]


def day_start(key: LadderDay) -> datetime:
    """When the climate day begins, UTC."""
    return city(key.ladder).climate_day(key.date)[0]


def _event(key: LadderDay, kalshi: KalshiService, stored: pl.DataFrame | None) -> pl.DataFrame:
    with kalshi.client(key, "events") as client:
        listing = listing_of(city(key.ladder), key.date)
        contract = fetch_event(client, listing)
        return with_reading(stored, contract, client.now(), listing.regular_closes)


def _observations(key: LadderDay, weather: WeatherService) -> dict[Table, pl.DataFrame]:
    with weather.visual_crossing(key, "observations") as client:
        sifted = sifted_observations(client, city(key.ladder), key.date)
    return {OBSERVATIONS: sifted.rows, DROPPED_OBSERVATIONS: sifted.dropped}


def _forecasts(key: LadderDay, weather: WeatherService) -> dict[Table, pl.DataFrame]:
    with weather.visual_crossing(key, "forecasts") as client:
        sifted = sifted_forecasts(client, city(key.ladder), key.date)
    return {FORECASTS: sifted.rows, DROPPED_FORECASTS: sifted.dropped}


def _settlements(
    key: LadderDay,
    kalshi: KalshiService,
    weather: WeatherService,
    events: pl.DataFrame | None,
    stored: pl.DataFrame | None,
    warn: Warn,
) -> pl.DataFrame:
    if events is None:
        warn(f"{key}: market/events is missing, so the exchange's settlement is omitted")
    paid = None if events is None else _paid(key, kalshi, events)
    made = with_publishers(paid, weather.publishers(key), city(key.ladder), key.date, stored)
    for source, problem in problems_of(made).items():
        warn(f"{key}: {source} could not be read: {problem}")
    return made


def _paid(key: LadderDay, kalshi: KalshiService, events: pl.DataFrame) -> pl.DataFrame:
    contract = EventContract.from_frame(key, events)
    with kalshi.client(key, "settlement") as exchange:
        return fetch_settlement(exchange, contract, SETTLEMENTS)


def _with_weather(
    panel: pl.DataFrame,
    events: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    usual: Earlier,
) -> pl.DataFrame:
    return with_weather(panel, events, observations, forecasts, [rows for _, rows in usual])


def _parameters(
    key: LadderDay, observed: Earlier, settled: Earlier, expected: Earlier, priors: Priors
) -> pl.DataFrame:
    return mc_params(
        day_start(key), with_starts(observed), with_starts(settled), with_starts(expected), priors
    )


def _hazard(
    key: LadderDay,
    events: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    earlier: Earlier,
    parameters: pl.DataFrame,
    method: HazardMethod,
    warn: Warn,
    window: tuple[datetime, datetime] | None = None,
) -> pl.DataFrame:
    if len(earlier) < MIN_DAYS:
        warn(
            f"{key}: observations of {len(earlier)} earlier days, fewer than {MIN_DAYS}: "
            f"materialise weather/observations of the {LOOK_BACK_DAYS} days before"
        )
    library = with_starts(earlier)
    return hazard_pmf(events, observations, forecasts, library, parameters, method, window)


def _describe_settlements(made: Made) -> Mapping[str, Any]:
    facts: dict[str, Any] = {}
    if problems := problems_of(made.frame):
        lines = [f"- {source}: {problem}" for source, problem in problems.items()]
        facts["not read"] = Markdown("\n".join(lines))
    if paid := fair_price(made.frame):
        facts["fair price"] = f"{paid}; models do not learn from the day"
    return facts


def _describe_parameters(made: Made) -> Mapping[str, Any]:
    few = made.frame.filter(~pl.col("parameter").is_in(["profile", "shape"]))
    shown = few.select(
        "parameter",
        "block",
        "value",
        pl.col("standard_error").alias("standard error"),
        pl.col("n_days").alias("days"),
        pl.col("parent").alias("shrunk towards"),
    )
    return {
        "days": HazardParameters.from_frame(made.frame).n_days,
        "parameters": Markdown(markdown_table(shown)),
    }


def _describe_hazard(made: Made) -> Mapping[str, Any]:
    seen = {EVENTS: "events", OBSERVATIONS: "observations", FORECASTS: "forecasts"}
    frames = {table: made.given[name] for table, name in seen.items()}
    day = DayInputs.of(
        city(made.key.ladder), made.key.date, {**no_rows(), **frames, HAZARD_PMF: made.frame}
    )
    return {
        "library_days": made.frame.select(pl.max("days")).item(),
        "status": counts(made, "status"),
        "method": counts(made, "method"),
        "baseline": counts(made, "baseline"),
        "weather": Markdown(hazard_picture(day)),
    }


def _page(key: LadderDay, pages: PageStore, **frames: pl.DataFrame) -> pl.DataFrame:
    return DAY_PAGE.arranged(pages.write_day(_shown_day(key, frames)))


def _shown_day(key: LadderDay, frames: Mapping[str, Any]) -> DayInputs:
    of_page = {table: frames[table.name] for table in PAGE_TABLES}
    return DayInputs.of(city(key.ladder), key.date, of_page)


def _describe_page(made: Made) -> Mapping[str, Any]:
    store: PageStore = made.given["pages"]
    return {
        "page": FilePath(store.files.address(made.frame["file"].item())),
        "belief": Markdown(belief_picture(_shown_day(made.key, made.given))),
    }


_SHOWN: dict[str, Any] = {table.name: Input(table) for table in PAGE_TABLES}

_SETTLED_AS = {
    "bracket": "one bracket pays",
    "fair_price": "at a fair price: models do not learn which bracket pays",
}


def _describe_labels(made: Made) -> Mapping[str, Any]:
    return {
        "direction in 5 minutes": shares(made.frame["y_dir_5m"]),
        "settled": _SETTLED_AS.get(str(made.frame["settled_as"].first()), "not yet"),
    }


FAMILY = LadderFamily(
    family=TEMPERATURE,
    day_start=day_start,
    settlements=SETTLEMENTS,
    model=WEATHER,
    model_pmf=HAZARD_PMF,
    panel=MINUTE_PANEL_WITH_WEATHER,
    features=MODEL_FEATURES,
    examples=EXAMPLES,
    full=MINUTE_PANEL_FULL,
    trading_params=trading_params,
    veto=veto,
    pressure=pressure,
    classified=Classified(features=FEATURES, targets=TARGETS),
    stress=Stress(tables={"observations": OBSERVATIONS, "forecasts": FORECASTS}, judge=stress),
    errors=(WeatherError,),
)

STEPS: tuple[Step, ...] = (
    step(
        EVENTS,
        _event,
        kalshi=Service(),
        stored=Stored(),
        kinds={"kalshi"},
        ingest=True,
    ),
    # In one run per city, unlike the other fetched tables: the hazard of a day reads earlier days,
    # which must not still be in progress in a parallel run.
    step(
        (OBSERVATIONS, DROPPED_OBSERVATIONS),
        _observations,
        weather=Service(),
        kinds={"visualcrossing"},
        describe=lambda made: {
            "kinds": shares(made.frame["kind"]),
            "left_out": left_out_counts(made.frames[DROPPED_OBSERVATIONS]),
        },
    ),
    step(
        (FORECASTS, DROPPED_FORECASTS),
        _forecasts,
        weather=Service(),
        kinds={"visualcrossing"},
        ingest=True,
        describe=lambda made: {"left_out": left_out_counts(made.frames[DROPPED_FORECASTS])},
    ),
    step(
        SETTLEMENTS,
        _settlements,
        kalshi=Service(),
        weather=Service(),
        events=Input(EVENTS, or_earlier_run=True),
        stored=Stored(),
        warn=Warnings(),
        kinds={"kalshi", "nws"},
        ingest=True,
        describe=_describe_settlements,
    ),
    step(
        MINUTE_PANEL_WITH_WEATHER,
        _with_weather,
        panel=Input(MINUTE_PANEL),
        events=Input(EVENTS),
        observations=Input(OBSERVATIONS),
        forecasts=Input(FORECASTS),
        usual=LookBack(ACTIVITY_DAYS, (ACTIVITY,)),
        kinds={"polars"},
        describe=lambda made: {
            "weather": counts(made, "weather_status"),
            "earlier days": made.frame["activity_days"].max(),
        },
    ),
    step(
        LABELS,
        labels,
        panel=Input(MINUTE_PANEL),
        events=Input(EVENTS),
        observations=Input(OBSERVATIONS),
        settlements=Input(SETTLEMENTS),
        kinds={"polars"},
        describe=_describe_labels,
    ),
    step(
        MC_PARAMS,
        _parameters,
        observed=LookBack(LOOK_BACK_DAYS, (OBSERVATIONS,)),
        settled=LookBack(LOOK_BACK_DAYS, (SETTLEMENTS,)),
        expected=LookBack(LOOK_BACK_DAYS, (FORECASTS,)),
        priors=Parameters(load_priors),
        kinds={"polars", "numpy"},
        describe=_describe_parameters,
    ),
    step(
        HAZARD_PMF,
        _hazard,
        events=Input(EVENTS),
        observations=Input(OBSERVATIONS),
        forecasts=Input(FORECASTS),
        earlier=LookBack(LOOK_BACK_DAYS, (OBSERVATIONS,)),
        parameters=Input(MC_PARAMS),
        method=Parameters(load_method),
        warn=Warnings(),
        kinds={"polars", "numba"},
        describe=_describe_hazard,
    ),
    step(
        MODEL_FEATURES,
        model_features,
        panel=Input(MINUTE_PANEL_WITH_WEATHER),
        market=Input(MARKET_PMF),
        hazard=Input(HAZARD_PMF),
        kinds={"polars"},
        describe=lambda made: {"hazard": counts(made, "hazard_status")},
    ),
    step(
        DAY_PAGE,
        _page,
        pages=Service(),
        **_SHOWN,
        kinds={"html"},
        describe=_describe_page,
        finish=lambda pages: pages.write_index(),
    ),
)
