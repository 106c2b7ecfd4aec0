"""Checks of a range run leave a verdict per partition, whichever run judges it."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from kalshi_assets.commands.backfill import RANGE_END, RANGE_START
from kalshi_assets.defs.assets import asset_of
from kalshi_assets.defs.checks import asset_checks_of
from kalshi_assets.defs.in_process import EXECUTOR, run_in_process
from kalshi_assets.defs.lake_io import ASSET_KEYS, LakeIOManager, the_lake
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.families.temperature.cities import city_days
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.verdicts import refused, verdicts_of
from kalshi_assets.pipeline.step import step
from kalshi_assets.tables import MARKET_PMF
from kalshi_assets_tests.lake.handmade import market

DAYS = city_days(["new_york"], date(2025, 4, 21), date(2025, 4, 25))
RULES = sorted(check.name for check in CHECKS.of(MARKET_PMF))


@pytest.fixture(autouse=True)
def _data(settings_at: Path) -> None:
    """Every test has a data folder of its own."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as passing:
        yield passing


def _run(
    instance: dg.DagsterInstance,
    days: Sequence[LadderDay],
    *,
    torn: Collection[LadderDay] = (),
    failed: Collection[LadderDay] = (),
) -> dg.ExecuteInProcessResult:
    """The market's PMF and its checks; torn days sum to 2, failed ones are not made."""

    def made(key: LadderDay) -> pl.DataFrame:
        if key in failed:
            raise ValueError("the exchange was on fire")
        return market().with_columns(p_mkt=0.5) if key in torn else market()

    definitions = dg.Definitions(
        assets=[asset_of(step(MARKET_PMF, lambda key: made(key), kinds={"test"}))],
        asset_checks=[asset_checks_of(MARKET_PMF)],
        resources={"lake": LakeIOManager()},
        executor=EXECUTOR,
    )
    return run_in_process(
        definitions.resolve_implicit_global_asset_job_def(),
        [ASSET_KEYS[MARKET_PMF]],
        instance=instance,
        tags={RANGE_START: str(dagster_key(days[0])), RANGE_END: str(dagster_key(days[-1]))},
    )


def _passed(key: LadderDay) -> dict[str, bool]:
    return dict(verdicts_of(the_lake(), key).select("rule", "passed").iter_rows())


def _refused(days: Sequence[LadderDay]) -> list[tuple[LadderDay, str]]:
    return [
        (key, each.rule) for key in days for each in refused(the_lake(), CHECKS, key, [MARKET_PMF])
    ]


def test_a_range_run_leaves_a_verdict_per_partition_and_rule(instance: dg.DagsterInstance) -> None:
    result = _run(instance, DAYS, torn=[DAYS[2]])
    for key in DAYS:
        verdicts = verdicts_of(the_lake(), key)
        assert sorted(verdicts["rule"]) == RULES
        assert set(verdicts["run_id"]) == {result.run_id}
        assert all(_passed(key).values()) == (key != DAYS[2])
    assert not _passed(DAYS[2])["pmfs_sum_to_one"]
    assert _refused(DAYS) == [(DAYS[2], "pmfs_sum_to_one")]


def test_a_backfill_that_the_ui_divides_keeps_the_verdicts_of_both_runs(
    instance: dg.DagsterInstance,
) -> None:
    first = _run(instance, DAYS[:2], torn=[DAYS[0]])
    second = _run(instance, DAYS[2:])
    runs = [set(verdicts_of(the_lake(), key)["run_id"]) for key in DAYS]
    assert runs == [{first.run_id}] * 2 + [{second.run_id}] * 3
    assert _refused(DAYS) == [(DAYS[0], "pmfs_sum_to_one")]


def test_a_partition_that_was_not_made_is_not_judged(instance: dg.DagsterInstance) -> None:
    _run(instance, DAYS, failed=[DAYS[1]])
    assert _passed(DAYS[1]) == {}
    assert {key for key, _ in _refused(DAYS)} == {DAYS[1]}


def test_a_run_that_ends_between_partition_and_verdict_leaves_it_not_judged(
    instance: dg.DagsterInstance,
) -> None:
    _run(instance, DAYS)
    the_lake().write(MARKET_PMF, DAYS[3], market().with_columns(p_mkt=pl.lit(0.25)))
    assert {each.why for each in refused(the_lake(), CHECKS, DAYS[3], [MARKET_PMF])} == {
        "not judged since it changed"
    }
    assert {key for key, _ in _refused(DAYS)} == {DAYS[3]}


def test_a_later_run_replaces_the_verdicts_of_the_days_that_it_judges(
    instance: dg.DagsterInstance,
) -> None:
    _run(instance, DAYS, torn=DAYS[:2])
    again = _run(instance, DAYS[:1])
    assert _refused(DAYS) == [(DAYS[1], "pmfs_sum_to_one")]
    assert set(verdicts_of(the_lake(), DAYS[0])["run_id"]) == {again.run_id}
