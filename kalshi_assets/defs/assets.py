"""Dagster's assets, derived from the steps of the graph.

A run covers one partition or a range. Partitions are computed and written one by one, and a failure
affects only its partition: the others are written and materialised, downstream assets continue
without it (`failures`), and the step fails at its end, so that Dagster shows the partition as
failed with the reason. Not here: the loop over partitions (`partition_run`), reading inputs
(`lake_io`).
"""

from collections.abc import Iterator, Mapping

import dagster as dg
import polars as pl

from kalshi_assets.defs.freshness import freshness_of
from kalshi_assets.defs.lake_io import (
    ASSET_KEYS,
    WRITTEN,
    LakeIOManager,
    Written,
    asset_in,
    column_schema,
    the_lake,
)
from kalshi_assets.defs.partition_run import PartitionRun
from kalshi_assets.defs.partitions import CITY_DAYS
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake, Partitions
from kalshi_assets.pipeline.code_version import code_version
from kalshi_assets.pipeline.graph import TEMPERATURE_GRAPH
from kalshi_assets.pipeline.step import Step, Work
from kalshi_assets.tables import Table

OWNERS = ["team:trading-desk"]

# Ingest assets backfill in runs of thirty partitions; derived ones in a single run per city, since
# starting a run takes seconds.
_INGEST, _DERIVED = dg.BackfillPolicy.multi_run(30), dg.BackfillPolicy.single_run()


def asset_of(step: Step) -> dg.AssetsDefinition:
    """The assets of a step, one per table."""
    version = code_version(step)
    first = step.makes[0]

    @dg.multi_asset(
        name=f"{first.schema}__{first.name}",
        ins={input_name(table): asset_in(table, days) for table, days in step.inputs.items()},
        outs={
            table.name: dg.AssetOut(
                key=ASSET_KEYS[table],
                group_name=table.schema,
                description=table.description,
                owners=OWNERS,
                kinds=set(step.kinds),
                code_version=version,
                io_manager_key="lake",
                freshness_policy=freshness_of(table),
                dagster_type=WRITTEN,
                is_required=False,
                metadata={"dagster/column_schema": column_schema(table)},
            )
            for table in step.makes
        },
        partitions_def=CITY_DAYS,
        backfill_policy=_INGEST if step.ingest else _DERIVED,
        can_subset=len(step.makes) > 1,
        required_resource_keys={"lake", *step.services},
    )
    def make(context: dg.AssetExecutionContext, **inputs: Partitions) -> Iterator[dg.Output]:
        partitions = {table: inputs[input_name(table)] for table in step.inputs}
        services = {name: getattr(context.resources, name) for name in step.services}
        lake = the_lake()
        work = Work(step, _Inputs(partitions, lake), services, context.log.warning)
        io: LakeIOManager = context.resources.lake
        run = PartitionRun(context, step.makes, lake, io.written)
        written = run.of(work)
        for table in step.makes:
            if table in run.selected:
                yield Written(written[table], len(run.keys)).output(table)
        run.end()

    return make


def input_name(table: Table) -> str:
    """The name of a table as an asset's input."""
    return f"{table.schema}_{table.name}"


class _Inputs:
    """The inputs of a run, and the stored partitions of the step's own tables."""

    def __init__(self, partitions: Mapping[Table, Partitions], lake: Lake) -> None:
        self._partitions = partitions
        self._lake = lake

    def read(self, table: Table, key: LadderDay) -> pl.DataFrame:
        return self._partitions[table][key]

    def if_there(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        return self._partitions[table].if_there(key)

    def stored(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        return self._partitions[table].stored(key)

    def present(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        return self._lake.read_current(table, key)


@dg.definitions
def assets() -> dg.Definitions:
    """The assets of every step."""
    return dg.Definitions(assets=[asset_of(step) for step in TEMPERATURE_GRAPH])
