"""Speed of the chain: city-days per second from stored raw responses to the report.

A generated world is served once and its responses are stored; then the same city-days are computed
from them twice, by the pure functions alone and through Dagster, each with one process per core.
The two lakes are compared before any figure is printed.
"""

import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING

from rich.console import Console

from kalshi_assets.benchmarks import print_figures
from kalshi_assets.commands.services import ONE_THREAD, environment, unlimited_sandbox
from kalshi_assets.families.temperature.cities import CITIES, TEMPERATURE, city_days
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.graph import INGESTED, TO_THE_PAGE, city_runner
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.world import generate
from kalshi_assets.tables import OBSERVATIONS, TABLES

if TYPE_CHECKING:  # Dagster is imported outside the timed section.
    from kalshi_assets.commands.backfill import Outcome

CORES = 2
FIRST_DAY = date(2026, 3, 1)
HISTORY_DAYS = 15
# Enough that the first of them is settled before the last, so that calibrators are fitted too.
WARM_UP_DAYS = 4
SEED = 11
COMPARED = [table for table in TABLES if table in TO_THE_PAGE]


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one worker computes: whole cities, in order of days.

    Some days are computed before timing starts, to warm up imports, compiled kernels and fonts.
    """

    data: Path
    cities: Sequence[str]
    days: int

    @property
    def history(self) -> list[LadderDay]:
        """Days before the first one, whose observations the hazard needs."""
        start = FIRST_DAY - timedelta(days=HISTORY_DAYS)
        return city_days(self.cities, start, FIRST_DAY - timedelta(days=1))

    @property
    def warm_up(self) -> list[LadderDay]:
        """Days computed before timing starts."""
        start = FIRST_DAY - timedelta(days=WARM_UP_DAYS)
        return city_days(self.cities[:1], start, FIRST_DAY - timedelta(days=1))

    @property
    def timed(self) -> list[LadderDay]:
        """Days computed while timing."""
        return city_days(self.cities, FIRST_DAY, FIRST_DAY + timedelta(days=self.days - 1))


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Start and end of a worker's timed section, and its seconds per stage."""

    began: float
    ended: float
    stages: Mapping[str, float] = field(default_factory=dict)


def run_bench(console: Console, *, cities: int, days: int, as_json: bool) -> None:
    """Measure and print a table, or one JSON object.

    Raises
    ------
    RuntimeError
        The lakes computed with and without Dagster differ.
    """
    progress = Console(stderr=True, quiet=as_json)
    with tempfile.TemporaryDirectory(prefix="kalshi-bench-") as folder:
        figures = _measured(progress, Path(folder), list(CITIES)[:cities], days)
    title = "chain: stored raw responses to report, two cores"
    print_figures(console, title, figures, as_json=as_json)


def _measured(
    progress: Console, folder: Path, cities: Sequence[str], days: int
) -> dict[str, float]:
    raw, direct, through = (folder / name for name in ("raw", "direct", "dagster"))
    shares = [list(cities[n::CORES]) for n in range(CORES) if cities[n::CORES]]
    progress.print(f"generating and recording {len(cities)} cities x {days} days ...")
    with environment(ONE_THREAD):
        world = folder / "world"
        start = FIRST_DAY - timedelta(days=HISTORY_DAYS)
        last = FIRST_DAY + timedelta(days=days - 1)
        generate(world, cities=cities, start=start, end=last, seed=SEED, workers=CORES)
        _in_workers(_record, [(world, Work(data=raw, cities=s, days=days)) for s in shares])
        for data in (direct, through):
            data.mkdir()
            (data / "raw").symlink_to(raw / "raw")
        progress.print("without Dagster ...")
        alone = _in_workers(_direct, [(Work(data=direct, cities=s, days=days),) for s in shares])
        progress.print("with Dagster ...")
        shutil.copy("dagster.yaml", through)
        work = [(Work(data=through, cities=s, days=days),) for s in shares]
        runs = _in_workers(_with_dagster, work)
    progress.print("comparing the lakes ...")
    one, other = (Lake(Files(data), TEMPERATURE) for data in (direct, through))
    whole = Work(data=direct, cities=cities, days=days)
    for table in COMPARED:
        for key in whole.timed + (whole.history if table is OBSERVATIONS else []):
            if not one.read(table, key).equals(other.read(table, key)):
                raise RuntimeError(f"{table.full_name} {key} differs with and without Dagster")
    return _figures(len(cities) * days, alone, runs)


def _figures(
    city_days_made: int, alone: Sequence[Timing], runs: Sequence[Timing]
) -> dict[str, float]:
    compute_s, dagster_s = _span(alone), _span(runs)
    stages: dict[str, float] = {}
    for timing in alone:
        for name, seconds in timing.stages.items():
            stages[name] = stages.get(name, 0.0) + seconds
    return {
        "city_days": city_days_made,
        "cores": CORES,
        "compute_city_days_per_s": round(city_days_made / compute_s, 2),
        "city_days_per_s": round(city_days_made / dagster_s, 2),
        "dagster_share": round(1 - compute_s / dagster_s, 3),
        "compute_s": round(compute_s, 2),
        "with_dagster_s": round(dagster_s, 2),
        **{
            f"{name}_ms": round(1000 * seconds / city_days_made, 2)
            for name, seconds in stages.items()
        },
    }


def _span(timings: Sequence[Timing]) -> float:
    return max(t.ended for t in timings) - min(t.began for t in timings)


def _in_workers(work: Callable[..., Timing], arguments: Sequence[tuple]) -> list[Timing]:
    context = multiprocessing.get_context("spawn")
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(len(arguments), mp_context=context) as pool,
    ):
        barrier = manager.Barrier(len(arguments))
        return [f.result() for f in [pool.submit(work, barrier, *each) for each in arguments]]


def _record(barrier: Barrier, world: Path, work: Work) -> Timing:
    """Store the raw responses to all requests of the timed runs."""
    with unlimited_sandbox(world), environment({"KALSHI_ASSETS_DATA": str(work.data)}):
        services = KalshiService(unthrottled=True), WeatherService()
        chain = city_runner(Files(work.data), *services, time.perf_counter)
        chain.make_days(work.history, {OBSERVATIONS})
        chain.make_days([*work.warm_up, *work.timed], INGESTED)
    return Timing(began=0.0, ended=0.0)


def _direct(barrier: Barrier, work: Work) -> Timing:
    with environment({"KALSHI_ASSETS_DATA": str(work.data)}):
        services = KalshiService(replay=True), WeatherService(replay=True)
        chain = city_runner(Files(work.data), *services, time.perf_counter)
        chain.make_days(work.history, {OBSERVATIONS})
        chain.make_days(work.warm_up, TO_THE_PAGE)
        chain.seconds.clear()
        barrier.wait()
        began = time.time()
        chain.make_days(work.timed, TO_THE_PAGE)
        return Timing(began=began, ended=time.time(), stages=dict(chain.seconds))


def _with_dagster(barrier: Barrier, work: Work) -> Timing:
    from kalshi_assets.commands.backfill import Plan, run

    variables = {"KALSHI_ASSETS_DATA": str(work.data), "DAGSTER_HOME": str(work.data)}
    with environment(variables):
        os.chdir(work.data)
        history, timed = (
            {name: [key for key in keys if key.ladder == name] for name in work.cities}
            for keys in (work.history, work.timed)
        )
        plans = [
            Plan(city=name, days=[], look_back=days, look_back_tables=[OBSERVATIONS])
            for name, days in history.items()
        ]
        plans.append(Plan(city=work.cities[0], days=work.warm_up, look_back=[], tables=COMPARED))
        _must_succeed(run(plans, lambda table, key: None, replay=True))
        plans = [
            Plan(city=name, days=days, look_back=[], tables=COMPARED)
            for name, days in timed.items()
        ]
        barrier.wait()
        began = time.time()
        _must_succeed(run(plans, lambda table, key: None, replay=True))
        return Timing(began=began, ended=time.time())


def _must_succeed(outcome: "Outcome") -> None:
    if not outcome.complete or outcome.incomplete:
        runs = (*outcome.failed.values(), *outcome.incomplete.values())
        failed = [*map(str, runs), *outcome.untried]
        raise RuntimeError("the backfill failed: " + "; ".join(failed))
