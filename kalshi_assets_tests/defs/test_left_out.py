"""A day with absurd values is made whole without them, and the graph shows what was left out."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from kalshi_assets.commands.backfill import RANGE_END, RANGE_START
from kalshi_assets.definitions import build
from kalshi_assets.defs.lake_io import ASSET_KEYS, the_lake, the_request_counts
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.sandbox.server import running
from kalshi_assets.tables import DROPPED_FORECASTS, DROPPED_OBSERVATIONS, FORECASTS, OBSERVATIONS
from kalshi_assets_tests.chain.backfills import service_settings
from kalshi_assets_tests.sandbox.tiny import NY_DAY, write_archive

SPOILT, GOOD = city_day("new_york", NY_DAY), city_day("new_york", NY_DAY.replace(day=21))

MADE = (OBSERVATIONS, DROPPED_OBSERVATIONS, FORECASTS, DROPPED_FORECASTS)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.ExecuteInProcessResult]:
    """Observations and forecasts of two days, of which the first has a report of 178 °F."""
    root = write_archive(tmp_path / "archive")
    path = root / "observations" / "station=KNYC" / "part.parquet"
    reports = pl.read_parquet(path)
    row = pl.int_range(pl.len()) == 100
    absurd = pl.when(row).then(81.1).otherwise("temp_c").cast(reports.schema["temp_c"])
    whole = pl.when(row).then(None).otherwise("temp_c_whole").cast(reports.schema["temp_c_whole"])
    reports.with_columns(temp_c=absurd, temp_c_whole=whole).write_parquet(path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    with running(root) as sandbox:
        for name, value in service_settings(sandbox, tmp_path).items():
            monkeypatch.setenv(name, value)
        job = build().resolve_implicit_global_asset_job_def()
        with dg.DagsterInstance.ephemeral() as instance:
            yield job.execute_in_process(
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                asset_selection=[ASSET_KEYS[table] for table in MADE],
                instance=instance,
                raise_on_error=False,
                tags={
                    RANGE_START: str(dagster_key(SPOILT)),
                    RANGE_END: str(dagster_key(GOOD)),
                },
            )


def test_a_day_spoilt_by_178_f_is_made_and_what_was_left_out_is_counted_and_warned_of(
    run: dg.ExecuteInProcessResult,
) -> None:
    assert run.success
    lake = the_lake()
    left_out = lake.read(DROPPED_OBSERVATIONS, SPOILT)
    assert left_out.select("value_f", "reason").rows() == [(178.0, "beyond_range")]
    observed = lake.read(OBSERVATIONS, SPOILT)
    assert observed.height > 200
    assert left_out["event_time"][0] not in observed["event_time"].to_list()
    assert lake.read(DROPPED_OBSERVATIONS, GOOD).is_empty()
    assert lake.read(DROPPED_FORECASTS, SPOILT).is_empty()

    found = {e.check_name: e for e in run.get_asset_check_evaluations()}
    names = [
        (e.asset_key, e.check_name, e.passed, e.severity) for e in run.get_asset_check_evaluations()
    ]
    warning = dg.AssetCheckSeverity.WARN
    assert (ASSET_KEYS[OBSERVATIONS], "nothing_left_out", False, warning) in names
    assert (ASSET_KEYS[FORECASTS], "nothing_left_out", True, warning) in names
    assert all(passed for _, name, passed, _ in names if name != "nothing_left_out")
    assert found.keys() >= {"not_empty", "key_unique"}
    said = next(
        e.metadata["found"].value
        for e in run.get_asset_check_evaluations()
        if e.check_name == "nothing_left_out" and not e.passed
    )
    assert said.startswith(f"- {SPOILT}: left out: 1 beyond_range, such as 178.0 f at 2025-04-20")

    described = {
        event.step_materialization_data.materialization.partition: (
            event.step_materialization_data.materialization.metadata
        )
        for event in run.asset_materializations_for_node("weather__observations")
        and run.filter_events(lambda event: event.is_step_materialization)
        if event.asset_key == ASSET_KEYS[OBSERVATIONS]
    }
    assert described[str(dagster_key(SPOILT))]["left_out"].value == {"beyond_range": 1}
    assert described[str(dagster_key(GOOD))]["left_out"].value == {}
    assert described[str(dagster_key(SPOILT))]["requests"].value == {"visual_crossing": 1}
    today = datetime.now(UTC).date()
    assert the_request_counts().of(today) == {"visual_crossing": 2 + 2 * 2}
