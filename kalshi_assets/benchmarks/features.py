"""Speed of features, market PMF, pool and classifiers, on one core.

Some days of a generated city are computed once. The last of them is timed part by part; copies of
all of them with noise serve as the 750 city-days of training data for weights and classifiers. The
panel must equal the plain reference before any figure is printed.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal
from rich.console import Console

from kalshi_assets.benchmarks import print_figures
from kalshi_assets.commands.services import ONE_THREAD, environment, unlimited_sandbox
from kalshi_assets.families.temperature.cities import city, city_days
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.features.activity import DAYS as ACTIVITY_DAYS
from kalshi_assets.lake.files import Files
from kalshi_assets.pipeline.graph import BEFORE_TRADING, city_runner
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.world import generate
from kalshi_assets.tables import (
    ACTIVITY,
    CANDLES,
    EVENTS,
    EXAMPLES,
    FORECASTS,
    HAZARD_PMF,
    OBSERVATIONS,
    TRADES,
    Table,
)

CITY = "new_york"
CORES = 2
SEED = 23
WALKED = 12
LAST = date(2026, 4, 30)
REPEATS = 9
TOLERANCE = 1e-9

Frames = Mapping[Table, pl.DataFrame]


@dataclass(frozen=True, kw_only=True)
class Walked:
    """Tables of the last day, `panel.activity` of 30 earlier days, `panel.examples` of all days."""

    day: Frames
    usual: Sequence[pl.DataFrame]
    examples: Sequence[pl.DataFrame]


def run_feature_bench(console: Console, *, cities: int, days: int, as_json: bool) -> None:
    """Measure and print a table, or one JSON object.

    `cities` and `days` are the size of the training data.

    Raises
    ------
    AssertionError
        The panel differs from the reference.
    """
    progress = Console(stderr=True, quiet=as_json)
    with tempfile.TemporaryDirectory(prefix="kalshi-features-") as folder:
        figures = _measured(progress, Path(folder), cities, days)
    print_figures(console, "features and learning, one core", figures, as_json=as_json)


def _measured(progress: Console, folder: Path, cities: int, days: int) -> dict[str, float]:
    # In new processes, because Polars and BLAS create their thread pools on import.
    context = multiprocessing.get_context("spawn")
    with environment(ONE_THREAD):
        progress.print(f"computing {WALKED} generated days ...")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            walked = pool.submit(_walk, folder).result()
            progress.print("features, market PMF, pool ...")
            parts = pool.submit(_time_parts, walked).result()
            progress.print(f"weights of {cities} cities from {days} days ...")
            parts["fusion_fit_s"] = pool.submit(_time_fits, walked, cities, days).result()
        progress.print(f"classifiers of {cities * days} city-days, two processes ...")
        parts["classifiers_s"] = _time_classifiers(folder, walked, cities, days)
    return {name: round(value, 5) for name, value in parts.items()}


def _walk(folder: Path) -> Walked:
    world = folder / "world"
    keys = city_days([CITY], LAST - timedelta(days=WALKED - 1), LAST)
    generate(world, cities=[CITY], start=keys[0].date, end=LAST, seed=SEED)
    with unlimited_sandbox(world), environment({"KALSHI_ASSETS_DATA": str(folder)}):
        services = KalshiService(unthrottled=True), WeatherService()
        chain = city_runner(Files(folder), *services, time.perf_counter)
        for key in keys:
            chain.make(key, BEFORE_TRADING)
    read = chain.lake.read
    wanted = (EVENTS, CANDLES, TRADES, OBSERVATIONS, FORECASTS, HAZARD_PMF)
    usual = [read(ACTIVITY, key) for key in keys[:-2]]
    return Walked(
        day={table: read(table, keys[-1]) for table in wanted},
        usual=[
            _shifted(usual[n % len(usual)], -(n // len(usual)) * len(usual))
            for n in range(ACTIVITY_DAYS)
        ],
        examples=[read(EXAMPLES, key) for key in keys],
    )


def _shifted(frame: pl.DataFrame, days: int) -> pl.DataFrame:
    """The frame with all times moved by some days."""
    return frame.with_columns(pl.col(pl.Datetime("us", "UTC")) + timedelta(days=days))


def _time_parts(walked: Walked) -> dict[str, float]:
    from kalshi_assets.benchmarks.panel_reference import reference_panel
    from kalshi_assets.families.temperature.panel import with_weather
    from kalshi_assets.families.temperature.pool import WEATHER
    from kalshi_assets.features.activity import activity
    from kalshi_assets.features.panel import minute_panel
    from kalshi_assets.ladder.market_pmf import market_pmf
    from kalshi_assets.pooling.fused import fused_pmf
    from kalshi_assets.pooling.weights import PoolWeights

    day = walked.day
    events, tape = day[EVENTS], (day[EVENTS], day[CANDLES], day[TRADES])
    start = events["day_start"][0]

    def features() -> pl.DataFrame:
        panel = minute_panel(*tape)
        activity(panel, start)
        return with_weather(panel, events, day[OBSERVATIONS], day[FORECASTS], walked.usual)

    panel, seen = minute_panel(*tape), features()
    assert_frame_equal(panel, reference_panel(*tape), abs_tol=TOLERANCE, rel_tol=0)
    market = market_pmf(panel)
    weights = PoolWeights(model=WEATHER, coefficients=(0.5, 0.2, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1))
    plain = _least(lambda: minute_panel(*tape))
    reference = _least(lambda: reference_panel(*tape), 3)
    return {
        "rows": float(panel.height),
        "panel_city_day_s": _least(features),
        "market_pmf_city_day_s": _least(lambda: market_pmf(panel)),
        "fusion_city_day_s": _least(lambda: fused_pmf(market, day[HAZARD_PMF], seen, weights)),
        "minute_panel_s": plain,
        "reference_panel_s": reference,
        "panel_speedup": reference / plain,
    }


def _least(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of the fastest run, which is least affected by other load on the machine."""
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def _days_of(walked: Walked, number: int, days: int) -> list[tuple[date, pl.DataFrame]]:
    """Examples of `days` days of a city: random repetitions of the computed ones, with noise."""
    rng = np.random.default_rng((SEED, number))
    made = []
    for n in range(days):
        pick = int(rng.integers(len(walked.examples)))
        ahead = n - pick + WALKED
        frame = _shifted(walked.examples[pick], ahead)
        noise = pl.Series(rng.normal(0, 1e-3, frame.height))
        noisy = ("velocity_5m", "logit_velocity_5m", "realised_volatility_30m", "flow_15m")
        frame = frame.with_columns((pl.col(name) + noise.abs()).alias(name) for name in noisy)
        made.append((LAST - timedelta(days=WALKED - 1 - pick) + timedelta(days=ahead), frame))
    return made


def _start_of(day: date) -> datetime:
    return city(CITY).climate_day(day)[0]


def _time_fits(walked: Walked, cities: int, days: int) -> float:
    from kalshi_assets.families.temperature.pool import WEATHER
    from kalshi_assets.pooling.weights import fusion_weights

    learnt = [
        [(_start_of(day), frame) for day, frame in _days_of(walked, number, days)]
        for number in range(cities)
    ]
    began = time.perf_counter()
    for earlier in learnt:
        fusion_weights(WEATHER, earlier[-1][0] + timedelta(days=2), earlier)
    return time.perf_counter() - began


def _time_classifiers(folder: Path, walked: Walked, cities: int, days: int) -> float:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(CORES, mp_context=context) as pool:
        began = time.perf_counter()
        walking = [
            pool.submit(_walk_forward, folder / f"models-{number}", walked, number, days)
            for number in range(cities)
        ]
        for future in walking:
            future.result()
        return time.perf_counter() - began


def _walk_forward(folder: Path, walked: Walked, number: int, days: int) -> None:
    """Fit the classifiers of every day of a city on the days before it."""
    from kalshi_assets.families.temperature.features import FEATURES, TARGETS
    from kalshi_assets.learning.classifiers.store import ModelStore
    from kalshi_assets.learning.classifiers.walk_forward import classifiers

    store, examples = ModelStore(Files(folder)), dict(_days_of(walked, number, days))
    for day in examples:
        earlier = {other: frame for other, frame in examples.items() if other < day}
        classifiers(day, _start_of(day), earlier, FEATURES, store, TARGETS)
