"""Steps: what is declared is what the function gets, in every run the same way."""

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.steps import FAMILY
from kalshi_assets.keys import LadderDay
from kalshi_assets.pipeline.backtest import backtest_steps
from kalshi_assets.pipeline.code_version import code_version
from kalshi_assets.pipeline.graph import MADE_BY, TEMPERATURE_GRAPH, GraphError, in_order
from kalshi_assets.pipeline.step import (
    Input,
    LookBack,
    Parameters,
    Service,
    Step,
    Stored,
    Warnings,
    Work,
    parts_of,
    step,
)
from kalshi_assets.tables import (
    DAY_PAGE,
    DECISIONS,
    EVENTS,
    FUSED_PMF,
    MARKET_PMF,
    OBSERVATIONS,
    OF_SESSIONS,
    REPORT,
    SWEEPS,
    TABLES,
    TRADES,
    Table,
)

KEY = city_day("new_york", date(2025, 4, 25))


class Shelf:
    """A source with a page for every day but some."""

    def __init__(self, missing: tuple[LadderDay, ...] = ()) -> None:
        self.missing = missing
        self.asked: list[tuple[str, LadderDay]] = []

    def if_there(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        self.asked.append((table.name, key))
        return None if key in self.missing else page(key.date.day)

    def read(self, table: Table, key: LadderDay) -> pl.DataFrame:
        found = self.if_there(table, key)
        assert found is not None
        return found

    stored = if_there

    def present(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        return None


def page(size: int) -> pl.DataFrame:
    row = {"file": "a page", "sha256": "0", "size": size, "summary": "{}"}
    return pl.DataFrame([row], schema=DAY_PAGE.dtypes)


def test_a_function_gets_the_arguments_that_its_step_declares() -> None:
    seen = {}

    def make(key: LadderDay, **given: object) -> pl.DataFrame:
        seen.update(given, key=key)
        return page(1)

    declared = step(
        DAY_PAGE,
        make,
        day=Input(EVENTS),
        earlier=LookBack(2, (OBSERVATIONS,), keep=lambda day, frame: frame["size"].item()),
        before=Stored(),
        limits=Parameters(lambda: 3),
        kalshi=Service(),
        warn=Warnings(),
        kinds={"python"},
    )
    said: list[str] = []
    Work(declared, Shelf(), {"kalshi": "the exchange"}, said.append).make(KEY)
    seen["warn"]("beware")
    assert seen.pop("day").equals(page(25))
    assert seen.pop("warn") == said.append
    assert said == ["beware"]
    assert seen == {
        "key": KEY,
        "earlier": [(day, day.date.day) for day in KEY.earlier(2)],
        "before": None,
        "limits": 3,
        "kalshi": "the exchange",
    }


def test_a_step_whose_function_does_not_take_its_arguments_is_refused() -> None:
    with pytest.raises(TypeError, match="events"):
        step(DAY_PAGE, lambda events: page(1), panel=Input(EVENTS), kinds={"python"})


def test_earlier_days_are_read_once_in_a_run_and_missing_ones_left_out() -> None:
    declared = step(
        DAY_PAGE,
        lambda earlier: page(len(earlier) + 1),
        earlier=LookBack(3, (OBSERVATIONS, TRADES), keep=lambda day, *frames: day),
        kinds={"python"},
    )
    shelf = Shelf(missing=KEY.earlier(2)[:1])
    work = Work(declared, shelf, {}, print)
    sizes = [work.make(key)[DAY_PAGE].frame["size"].item() for key in (*KEY.earlier(1), KEY)]
    assert sizes == [3, 3]
    assert len(shelf.asked) == len(set(shelf.asked))


def test_days_that_teach_nothing_are_named_with_their_reasons() -> None:
    _, last = KEY.earlier(2)
    declared = step(
        DAY_PAGE,
        lambda earlier: page(1),
        earlier=LookBack(
            2,
            (OBSERVATIONS,),
            left_out=lambda frame: "nobody won" if frame["size"].item() == last.date.day else None,
        ),
        kinds={"python"},
    )
    work = Work(declared, Shelf(), {}, print)
    assert work.describe(DAY_PAGE, work.make(KEY)[DAY_PAGE]) == {
        "left out": f"- {last}: nobody won"
    }
    assert work.describe(DAY_PAGE, work.make(last)[DAY_PAGE]) == {}


def test_the_graph_makes_every_table_once_and_after_what_it_reads() -> None:
    assert set(MADE_BY) == {*TABLES, *SWEEPS, *OF_SESSIONS}
    made: set[Table] = set()
    for each in TEMPERATURE_GRAPH:
        inputs = (a for a in each.arguments.values() if isinstance(a, Input))
        of_the_day = {part for a in inputs for part in parts_of(a.table)}
        assert of_the_day <= made
        made |= {*each.makes}


def test_steps_that_make_no_graph_are_refused_by_name() -> None:
    one = step(MARKET_PMF, lambda fused: page(1), fused=Input(FUSED_PMF), kinds={"python"})
    other = step(FUSED_PMF, lambda market: page(1), market=Input(MARKET_PMF), kinds={"python"})
    with pytest.raises(GraphError, match=r"no step makes probability\.fused_pmf"):
        in_order([one])
    with pytest.raises(GraphError, match=r"wait for each other: probability\.market_pmf"):
        in_order([one, other])
    with pytest.raises(GraphError, match=r"two steps make probability\.market_pmf"):
        in_order([one, one])


def test_the_version_of_a_step_follows_the_code_that_it_calls() -> None:
    versions = {each.makes[0]: code_version(each) for each in TEMPERATURE_GRAPH}
    assert len(set(versions.values())) == len(TEMPERATURE_GRAPH)
    again = {each.makes[0]: code_version(each) for each in TEMPERATURE_GRAPH}
    assert again == versions


@pytest.mark.parametrize("days", [2, 3])
def test_the_version_of_a_step_follows_its_look_back(days: int) -> None:
    def learns(length: int) -> Step:
        earlier = LookBack(length, (OBSERVATIONS,), keep=lambda day, frame: frame)
        return step(DAY_PAGE, lambda earlier: page(1), earlier=earlier, kinds={"python"})

    assert (code_version(learns(2)) == code_version(learns(days))) == (days == 2)


def _never(panel: pl.DataFrame, params: object) -> pl.Series:
    return pl.Series([""] * panel.height)


def test_the_version_of_a_step_follows_what_its_family_declares() -> None:
    versions = {each.makes[0]: code_version(each) for each in TEMPERATURE_GRAPH}

    def of(**changed: Any) -> dict[Table, str]:
        return {s.makes[0]: code_version(s) for s in backtest_steps(replace(FAMILY, **changed))}

    declared = of()
    assert declared[DECISIONS] == versions[DECISIONS]
    other_veto = of(veto=_never)
    assert other_veto[DECISIONS] != versions[DECISIONS]
    other_model = of(model=replace(FAMILY.model, prior_weight=0.36))
    assert other_model[REPORT] != declared[REPORT]
