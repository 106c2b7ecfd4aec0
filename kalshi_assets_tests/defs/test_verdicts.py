"""What checks find is kept by day: a range's verdict in Dagster is one for all of its days."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from kalshi_assets.commands.backfill import RANGE_END, RANGE_START
from kalshi_assets.defs.assets import asset_of
from kalshi_assets.defs.checks import asset_checks_of
from kalshi_assets.defs.in_process import EXECUTOR, run_in_process
from kalshi_assets.defs.lake_io import ASSET_KEYS, LakeIOManager, the_lake
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.defs.verdicts import verdicts
from kalshi_assets.keys import LadderDay
from kalshi_assets.pipeline.step import step
from kalshi_assets.tables import FUSED_PMF, MARKET_PMF, VERDICTS
from kalshi_assets_tests.lake.handmade import KEY, fused, market

DAYS = [*KEY.earlier(1), KEY]


@pytest.fixture(autouse=True)
def _data(settings_at: Path) -> None:
    """Every test has a data folder of its own."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as passing:
        yield passing


def _run(instance: dg.DagsterInstance, torn: LadderDay | None) -> dg.ExecuteInProcessResult:
    """Both days' pools; of `torn` the probabilities do not sum to one."""

    def pooled(key: LadderDay):
        return fused().with_columns(p_fused=0.25 if key != torn else 0.2)

    definitions = dg.Definitions(
        assets=[asset_of(step(FUSED_PMF, pooled, kinds={"test"})), verdicts],
        asset_checks=[asset_checks_of(FUSED_PMF)],
        resources={"lake": LakeIOManager()},
        executor=EXECUTOR,
    )
    ends = [str(dagster_key(key)) for key in (DAYS[0], DAYS[-1])]
    return run_in_process(
        definitions.resolve_implicit_global_asset_job_def(),
        [ASSET_KEYS[FUSED_PMF], ASSET_KEYS[VERDICTS]],
        instance=instance,
        tags=dict(zip((RANGE_START, RANGE_END), ends, strict=True)),
    )


def _sums(key: LadderDay) -> tuple[bool, str]:
    rows = the_lake().read(VERDICTS, key)
    (found,) = rows.filter(rule="pmfs_sum_to_one").select("passed", "run_id").rows()
    return found


def test_each_day_has_its_own_verdict_and_the_run_that_looked(
    instance: dg.DagsterInstance,
) -> None:
    for key in DAYS:
        the_lake().write(MARKET_PMF, key, market())
    first = _run(instance, torn=DAYS[0])
    assert [_sums(key) for key in DAYS] == [(False, first.run_id), (True, first.run_id)]
    materialised = instance.fetch_materializations(ASSET_KEYS[VERDICTS], limit=10).records
    assert len(materialised) == 2


def test_a_later_look_replaces_what_was_found_before(instance: dg.DagsterInstance) -> None:
    for key in DAYS:
        the_lake().write(MARKET_PMF, key, market())
    _run(instance, torn=DAYS[0])
    again = _run(instance, torn=None)
    assert _sums(DAYS[0]) == (True, again.run_id)
