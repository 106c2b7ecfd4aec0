"""City-days of the market study: computed once, stored, and read for the evaluation.

Here: filling the study's own lake with several processes, and reading a city-day from it. Not here:
the evaluation (`studies`), documents (`pages`), printing (`study_market`).
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from queue import Empty, Queue
from time import perf_counter

import polars as pl
import stamina

from kalshi_assets.exchange.ingest import EventNotFoundError
from kalshi_assets.families.temperature.cities import TEMPERATURE, city, city_day, with_starts
from kalshi_assets.families.temperature.features import FEATURES, TARGETS
from kalshi_assets.families.temperature.hazard.method import load_method
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf
from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.families.temperature.steps import LOOK_BACK_DAYS
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.history import History
from kalshi_assets.lake.store import Lake, Partitions
from kalshi_assets.learning.classifiers.controls import shuffled_labels
from kalshi_assets.learning.classifiers.predict import predictions
from kalshi_assets.learning.classifiers.schedule import fold_of
from kalshi_assets.learning.classifiers.scores import daily_scores
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.learning.classifiers.walk_forward import classifiers
from kalshi_assets.pipeline.graph import BEFORE_TRADING, city_runner
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.pooling.fused import fused_pmf
from kalshi_assets.pooling.weights import PoolWeights
from kalshi_assets.settlement.rule import settled_by
from kalshi_assets.studies.classifier_skill import CLASSIFIER_DAYS
from kalshi_assets.studies.evaluations import MarketDay, known_hours
from kalshi_assets.tables import (
    CALIBRATED,
    CLASSIFIERS,
    EVENTS,
    EXAMPLES,
    FORECASTS,
    FUSION_WEIGHTS,
    HAZARD_PMF,
    MARKET_PMF,
    MC_PARAMS,
    MINUTE_PANEL_FULL,
    MINUTE_PANEL_WITH_WEATHER,
    OBSERVATIONS,
    PREDICTIONS,
    SETTLEMENTS,
    Table,
)

DAY = timedelta(days=1)
SHUFFLE_SEED = 20250401
EVERY_FOLD = 3
READ = (EVENTS, SETTLEMENTS, EXAMPLES, CLASSIFIERS, PREDICTIONS, CALIBRATED, MINUTE_PANEL_FULL)


@dataclass(frozen=True)
class Made:
    """A city-day, and why it could not be computed (`missing`); None: it was."""

    key: LadderDay
    missing: str | None


def make_days(files: Files, keys: Sequence[LadderDay], processes: int) -> Iterator[Made]:
    """Compute the missing city-days, cities in parallel, each in order of days.

    Yields all city-days as they are completed, including those that already existed. `files` are
    the study's lake, raw responses and models.
    """
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(processes, mp_context=context) as pool:
        told = manager.Queue()
        running = [pool.submit(_make_city, files, of_city, told) for of_city in _by_city(keys)]
        for _ in keys:
            yield _next(told, running)
        for future in running:
            future.result()


def _by_city(keys: Sequence[LadderDay]) -> list[list[LadderDay]]:
    cities = dict.fromkeys(key.ladder for key in keys)
    return [[key for key in keys if key.ladder == name] for name in cities]


def _next(told: "Queue[Made]", running: Sequence["Future[None]"]) -> Made:
    """The next city-day from the queue, or the error of a failed process."""
    while True:
        try:
            found: Made = told.get(timeout=1.0)
        except Empty:
            for future in running:
                if future.done():
                    future.result()
        else:
            return found


def _make_city(files: Files, keys: Sequence[LadderDay], told: "Queue[Made]") -> None:
    stamina.instrumentation.set_on_retry_hooks([])
    os.environ["KALSHI_ASSETS_DATA"] = str(files.root)
    chain = city_runner(files, KalshiService(unthrottled=True), WeatherService(), perf_counter)
    for key in keys:
        told.put(Made(key, _make_day(chain, key)))


def _make_day(chain: Runner, key: LadderDay) -> str | None:
    if all(chain.lake.is_current(table, key) for table in READ):
        return None
    try:
        chain.make(key, BEFORE_TRADING)
    except EventNotFoundError:
        return "the recordings have no event"
    return None


def control_scores(
    files: Files, keys: Sequence[LadderDay], processes: int
) -> Iterator[pl.DataFrame]:
    """Daily scores of classifiers fitted to, and scored on, the labels of other days, by city.

    Every third fold suffices to detect spurious skill. Fits are stored like all others, so that an
    interrupted study can resume.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(partial(_control_of_city, files), _by_city(keys))


def _control_of_city(files: Files, keys: Sequence[LadderDay]) -> pl.DataFrame:
    lake, store = Lake(files, TEMPERATURE), ModelStore(files)
    examples = {key.date: lake.read(EXAMPLES, key) for key in keys}
    shuffled = shuffled_labels(examples, SHUFFLE_SEED)
    found = [pl.DataFrame(schema=CLASSIFIER_DAYS)]
    for start in [day for day in examples if fold_of(day).start == day][::EVERY_FOLD]:
        as_of, _ = city(keys[0].ladder).climate_day(start)
        models = classifiers(start, as_of, shuffled, FEATURES, store, TARGETS)
        for day in fold_of(start).prediction:
            if day in shuffled:
                said = predictions(day, examples[day], models, store, WEATHER.impossible)
                scores = daily_scores(said, shuffled[day], models)
                named = scores.with_columns(city=pl.lit(keys[0].ladder), date=pl.lit(day))
                found.append(named.select(CLASSIFIER_DAYS.names()))
    return pl.concat(found)


def study_day(lake: Lake, key: LadderDay) -> tuple[MarketDay, pl.DataFrame] | None:
    """A city-day for the evaluation: its PMFs, and the classifiers' scores; None: not settled."""
    read = {table: lake.read(table, key) for table in READ}
    events = read[EVENTS]
    settled = settled_by(read[SETTLEMENTS], events)
    if settled is None or settled.winner is None:
        return None
    full = read[MINUTE_PANEL_FULL]
    day = MarketDay(
        city=key.ladder,
        date=key.date,
        day_start=events["day_start"][0],
        winner=settled.winner,
        sources={**_sources(full, read[CALIBRATED]), **_controls(lake, key)},
        hours=known_hours(full),
    )
    scores = daily_scores(read[PREDICTIONS], read[EXAMPLES], read[CLASSIFIERS])
    return day, scores.with_columns(city=pl.lit(key.ladder), date=pl.lit(key.date))


def _sources(full: pl.DataFrame, calibrated: pl.DataFrame) -> dict[str, pl.DataFrame]:
    at = ["minute", "bracket"]
    enters = (pl.col("hazard_status") == "ok").all().over("minute")
    named = {"market": "p_mkt", "fused": "p_fused"}
    known = full.filter(enters)
    alive = pl.when(pl.col("dead")).then(0.0).otherwise("p_mkt")
    return {
        **{source: full.select(*at, p=column) for source, column in named.items()},
        "weather": known.select(*at, p="p_wx"),
        # Undefined where the market gives all probability to dead brackets.
        "market_alive": known.filter(alive.sum().over("minute") > 0).select(
            *at, p=alive / alive.sum().over("minute")
        ),
        "calibrated": calibrated.select(*at, p="p_calibrated"),
    }


def _controls(lake: Lake, key: LadderDay) -> dict[str, pl.DataFrame]:
    """Controls: the pool at prior weights, and weather and pool with the previous day's weather."""
    market, panel = (lake.read(t, key) for t in (MARKET_PMF, MINUTE_PANEL_WITH_WEATHER))
    hazard = lake.read(HAZARD_PMF, key)
    if not (hazard["status"] == "ok").any():
        return {}
    at = ["minute", "bracket"]
    prior = fused_pmf(market, hazard, panel, PoolWeights.prior(WEATHER))
    found = {"prior_pool": prior.select(*at, p="p_fused")}
    lagged = _lagged_hazard(lake, key)
    if lagged is not None:
        weights = PoolWeights.from_frame(lake.read(FUSION_WEIGHTS, key), WEATHER)
        pooled = fused_pmf(market, lagged, panel, weights)
        known = lagged.filter((pl.col("status") == "ok").all().over("minute"))
        found["weather_lagged"] = known.select(*at, p="p_wx")
        found["fused_lagged"] = pooled.select(*at, p="p_fused")
    return found


def _lagged_hazard(lake: Lake, key: LadderDay) -> pl.DataFrame | None:
    """The hazard computed from the reports and forecasts of the previous day.

    It rules out no bracket, because its evidence is for another day.
    """
    before = city_day(key.ladder, key.date - DAY)
    if not lake.has(OBSERVATIONS, before):
        return None
    earlier = Partitions(lake, OBSERVATIONS, key.earlier(LOOK_BACK_DAYS))
    hazard = hazard_pmf(
        lake.read(EVENTS, key),
        _a_day_later(OBSERVATIONS, lake.read(OBSERVATIONS, before)),
        _a_day_later(FORECASTS, lake.read(FORECASTS, before)),
        with_starts(History(LOOK_BACK_DAYS, earlier.if_there).before(key)),
        lake.read(MC_PARAMS, key),
        load_method(),
    )
    return hazard.with_columns(dead=pl.lit(value=False))


def _a_day_later(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    times = [name for name, dtype in table.dtypes.items() if dtype == pl.Datetime("us", "UTC")]
    return frame.with_columns(pl.col(times) + DAY)
