"""The asset graph as people meet it: names, groups, partitions, what a backfill reaches."""

import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from kalshi_assets.definitions import build
from kalshi_assets.defs.freshness import DAILY, HOURLY
from kalshi_assets.defs.jobs import DURING_THE_DAY
from kalshi_assets.defs.partitions import CITY_DAYS
from kalshi_assets.tables import OF_SESSIONS, STUDIES, SUMMARIES, SWEEPS, TABLES

PROJECT = Path(__file__).parents[2]
GROUPS = {"market", "weather", "panel", "probability", "learning", "live", "backtest", "pages"}


@pytest.fixture(scope="module")
def platform() -> dg.Definitions:
    return build()


def test_every_table_is_an_asset_that_says_what_it_is(platform: dg.Definitions) -> None:
    specs = {tuple(spec.key.path): spec for spec in platform.resolve_all_asset_specs()}
    made = {(table.schema, table.name) for table in (*TABLES, *SWEEPS, *OF_SESSIONS)}
    studied = {(table.schema, table.name) for table in (*STUDIES, *SUMMARIES)}
    assert specs.keys() == made | studied
    for (group, _), spec in specs.items():
        assert spec.group_name == group
        assert group in GROUPS
        assert spec.description
        assert list(spec.owners) == ["team:trading-desk"]
        assert spec.code_version
        assert spec.kinds
        assert spec.partitions_def == (None if tuple(spec.key.path) in studied else CITY_DAYS)
        assert spec.metadata["dagster/column_schema"].columns


def test_a_variant_may_have_other_checks_jobs_schedules_and_sensors() -> None:
    one = dg.define_asset_job("one", selection=dg.AssetSelection.all())
    variant = build(checks=[], jobs=[one], schedules=[], sensors=[]).get_repository_def()
    assert variant.has_job("one")
    assert not variant.has_job("refresh")
    assert variant.sensor_defs == []
    assert variant.schedule_defs == []
    assert not variant.asset_graph.asset_check_keys


def test_what_a_schedule_makes_is_overdue_when_the_schedule_stops(platform: dg.Definitions) -> None:
    specs = {tuple(spec.key.path): spec for spec in platform.resolve_all_asset_specs()}
    for table in TABLES:
        hourly = table in DURING_THE_DAY
        assert specs[table.schema, table.name].freshness_policy == (HOURLY if hourly else DAILY)


def test_a_backfill_reaches_no_day_but_those_asked_for(platform: dg.Definitions) -> None:
    graph = platform.resolve_asset_graph()
    of_days = (key for key in graph.materializable_asset_keys if graph.get(key).is_partitioned)
    for child in of_days:
        for parent in graph.get(child).parent_keys:
            mapping = graph.get_partition_mapping(child, parent)
            assert isinstance(mapping, dg.IdentityPartitionMapping), f"{parent} to {child}"


def test_a_study_stands_in_the_graph_and_nothing_launches_it(platform: dg.Definitions) -> None:
    graph = platform.resolve_asset_graph()
    for table in STUDIES:
        key = dg.AssetKey([table.schema, table.name])
        assert key not in graph.materializable_asset_keys
        assert graph.get(key).parent_keys
        assert graph.get(key).metadata["made by"].startswith("kalshi-assets study ")


def test_observations_are_fetched_in_one_run_since_later_days_read_earlier_ones(
    platform: dg.Definitions,
) -> None:
    graph = platform.resolve_asset_graph()
    policy = graph.get(dg.AssetKey(["weather", "observations"])).backfill_policy
    assert policy is not None
    assert policy.max_partitions_per_run is None


def test_every_asset_has_blocking_checks_over_the_same_partitions(
    platform: dg.Definitions,
) -> None:
    graph = platform.resolve_asset_graph()
    checks = {key: graph.get(key) for key in graph.asset_check_keys}
    summaries = {dg.AssetKey([table.schema, table.name]) for table in SUMMARIES}
    assert {key.asset_key for key in checks} == graph.materializable_asset_keys - summaries
    assert {key.name for key, check in checks.items() if not check.blocking} == {
        "nothing_left_out",
        "sources_agree",
        "sources_read",
        "one_bracket_pays",
        "feed_alarm",
        "variation_is_news",
    }
    assert all(check.partitions_def == CITY_DAYS for check in checks.values())
    assert all(check.description for check in checks.values())


def test_the_workspace_and_the_project_name_the_same_module_and_location() -> None:
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text("utf-8"))
    module = workspace["load_from"][0]["python_module"]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["tool"]["dg"][
        "project"
    ]
    assert module["module_name"] == f"{project['root_module']}.definitions"
    assert module["location_name"] == project["code_location_name"]


def test_the_instance_configuration_needs_nothing_set() -> None:
    text = (PROJECT / "dagster.yaml").read_text("utf-8")
    assert "env:" not in text
    config = yaml.safe_load(text)
    assert config["telemetry"] == {"enabled": False}
    assert config["nux"] == {"enabled": False}
