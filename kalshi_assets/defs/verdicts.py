"""Verdicts of a run's checks by day, written as a table once all checks of the run are through.

A check step says what it found here, in memory: a file per check and day would cost more than the
checks. Not here: the checks (`checks`).
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import dagster as dg
import polars as pl

from kalshi_assets.defs.failures import KEPT_RUNS
from kalshi_assets.defs.freshness import DAILY
from kalshi_assets.defs.lake_io import (
    ASSET_KEYS,
    WRITTEN,
    LakeIOManager,
    Written,
    column_schema,
    the_lake,
)
from kalshi_assets.defs.partitions import CITY_DAYS, dagster_key, key_of
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import TABLES, VERDICTS


class RunVerdicts:
    """What the checks of a run found, by day."""

    def __init__(self) -> None:
        self._rows: dict[LadderDay, list[Mapping[str, object]]] = {}

    def add(self, key: LadderDay, row: Mapping[str, object]) -> None:
        """Keep a row of `quality.verdicts`, without its run."""
        self._rows.setdefault(key, []).append(row)

    def of(self, key: LadderDay) -> list[Mapping[str, object]]:
        """The rows of a day."""
        return self._rows.get(key, [])


@lru_cache(maxsize=KEPT_RUNS)
def verdicts_of(run_id: str) -> RunVerdicts:
    """The verdicts of a run of this process."""
    return RunVerdicts()


def updated(lake: Lake, key: LadderDay, found: pl.DataFrame) -> pl.DataFrame:
    """The stored verdicts of a day, with those found now in place of older ones."""
    present = lake.read_current(VERDICTS, key)
    if present is None:
        return VERDICTS.arranged(found)
    kept = present.join(found, on=VERDICTS.key, how="anti")
    return VERDICTS.arranged(pl.concat([kept, found]))


@dg.asset(
    key=ASSET_KEYS[VERDICTS],
    # Whatever rests on a table waits for its blocking checks.
    deps=[ASSET_KEYS[table] for table in TABLES],
    group_name=VERDICTS.schema,
    description=VERDICTS.description,
    partitions_def=CITY_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    freshness_policy=DAILY,
    io_manager_key="lake",
    dagster_type=WRITTEN,
    kinds={"polars"},
    owners=["team:trading-desk"],
    code_version="1",
    metadata={"dagster/column_schema": column_schema(VERDICTS)},
    required_resource_keys={"lake"},
)
def verdicts(context: dg.AssetExecutionContext) -> Iterator[dg.Output]:
    """Write what the checks of this run found of each of its days."""
    lake, run_id = the_lake(), context.run.run_id
    io: LakeIOManager = context.resources.lake
    keys = [key_of(name) for name in context.partition_keys]
    written = {}
    for key in keys:
        rows = [row | {"run_id": run_id} for row in map(dict, verdicts_of(run_id).of(key))]
        frame = updated(lake, key, pl.DataFrame(rows, schema=VERDICTS.dtypes))
        lake.write(VERDICTS, key, frame)
        io.written(VERDICTS, key)
        failed = frame.filter(~pl.col("passed")).select("checked", "rule", "found")
        lines = [f"- {checked} {rule}: {found}" for checked, rule, found in failed.iter_rows()]
        written[key] = {
            "dagster/partition_row_count": frame.height,
            "failed": dg.MetadataValue.md("\n".join(lines) or "none"),
        }
        if len(keys) > 1:
            context.add_asset_metadata(written[key], ASSET_KEYS[VERDICTS], str(dagster_key(key)))
    yield dg.Output(Written(written, len(keys)))
