"""The graph: every step of a family, each after the steps whose tables it reads.

Here: ordering steps and looking them up. Not here: the steps (`market`, `beliefs`, `backtest`,
`families`).
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

import duckdb

from kalshi_assets.families.temperature import steps as temperature
from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.keys import Family
from kalshi_assets.lake.catalogue import connect, ensure_catalogue
from kalshi_assets.lake.configurations import Configurations
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.pages.library import PageStore
from kalshi_assets.pipeline.backtest import backtest_steps
from kalshi_assets.pipeline.beliefs import belief_steps
from kalshi_assets.pipeline.family import LadderFamily
from kalshi_assets.pipeline.live import LIVE_STEPS
from kalshi_assets.pipeline.market import MARKET_STEPS
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.pipeline.sensitivity import sensitivity_step
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.pipeline.step import Input, Step, parts_of
from kalshi_assets.stream.recording import Recordings
from kalshi_assets.tables import (
    ACTIVITY,
    CLASSIFIERS,
    EXAMPLES,
    LABELS,
    ORDER_BOOK,
    PREDICTIONS,
    SETTLEMENTS,
    TABLES,
    Table,
)


class GraphError(ValueError):
    """Steps do not make a graph; the message names the table."""


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps, each after those whose tables of the same day it reads; otherwise as given.

    Raises
    ------
    GraphError
        Two steps make the same table, no step makes a table that is read, or there is a cycle.
    """
    waiting = list(steps)
    makers: dict[Table, Step] = {}
    for each in waiting:
        for table in each.makes:
            if table in makers:
                raise GraphError(f"two steps make {table.full_name}")
            makers[table] = each
    if unmade := {t.full_name for each in waiting for t in each.inputs if t not in makers}:
        raise GraphError(f"no step makes {', '.join(sorted(unmade))}")
    ordered: list[Step] = []
    made: set[Table] = set()
    while waiting:
        ready = [each for each in waiting if made.issuperset(_of_the_day(each))]
        if not ready:
            names = ", ".join(each.makes[0].full_name for each in waiting)
            raise GraphError(f"these tables wait for each other: {names}")
        ordered.append(ready[0])
        made |= {*ready[0].makes}
        waiting.remove(ready[0])
    return tuple(ordered)


def _of_the_day(of: Step) -> set[Table]:
    inputs = (a for a in of.arguments.values() if isinstance(a, Input))
    return {part for each in inputs for part in parts_of(each.table)}


def graph_of(family: LadderFamily, own: Iterable[Step]) -> tuple[Step, ...]:
    """Every step of a family's days: its own, and those that every family has."""
    return in_order(
        (
            *own,
            *MARKET_STEPS,
            *belief_steps(family),
            *backtest_steps(family),
            sensitivity_step(family),
        )
    )


OF_DAYS = graph_of(temperature.FAMILY, temperature.STEPS)
"""Every step of a city-day that needs no session."""

TEMPERATURE_GRAPH = in_order((*OF_DAYS, *LIVE_STEPS))
"""Every step of a city-day."""

FAMILIES: Mapping[Family, tuple[LadderFamily, tuple[Step, ...]]] = {
    TEMPERATURE: (temperature.FAMILY, TEMPERATURE_GRAPH)
}
"""Every family with its steps."""

MADE_BY: dict[Table, Step] = {table: each for each in TEMPERATURE_GRAPH for table in each.makes}
"""The step that makes each table."""


def tables_behind(table: Table) -> frozenset[Table]:
    """The tables of the same day that cannot be made without this one."""
    found = {table}
    for each in TEMPERATURE_GRAPH:
        inputs = (a for a in each.arguments.values() if isinstance(a, Input))
        needed = {
            part
            for a in inputs
            if not (a.or_earlier_run or a.optional)
            for part in parts_of(a.table)
        }
        if not needed.isdisjoint(found):
            found |= {*each.makes}
    return frozenset(found - {table})


TO_THE_PAGE = frozenset(TABLES) - {CLASSIFIERS, PREDICTIONS}
"""The tables needed for the page of a city-day."""

INGESTED = frozenset(
    table for table in TABLES if {"kalshi", "weather"}.intersection(MADE_BY[table].services)
)
"""The tables read from services."""

OF_DAYS_PAST = frozenset({ACTIVITY, SETTLEMENTS, LABELS, EXAMPLES, ORDER_BOOK})
"""The tables made only when a day is over: for fits of later days, and order books."""

BEFORE_TRADING = frozenset(table for table in TABLES if table.schema not in ("backtest", "pages"))
"""The tables of data, probabilities and predictions of a city-day."""


def city_runner(
    files: Files, kalshi: KalshiService, weather: WeatherService, clock: Callable[[], float]
) -> Runner:
    """A runner over a data folder, without the tables of sessions; `clock` is in seconds."""
    lake = Lake(files, TEMPERATURE)

    def connected() -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        ensure_catalogue(lake)
        return connect(files)

    stores = {
        "models": ModelStore(files),
        "pages": PageStore(files, connected),
        "configurations": Configurations(files),
        "recordings": Recordings(files),
    }
    return Runner(lake, OF_DAYS, {"kalshi": kalshi, "weather": weather, **stores}, clock)
