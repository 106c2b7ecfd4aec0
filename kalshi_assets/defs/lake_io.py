"""The lake in Dagster: asset keys, column schemas, and the IO manager.

Here: reading inputs, and reporting to Dagster which partitions of a range were written. Not here:
writing partitions, which assets do themselves (`partition_run`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from kalshi_assets.defs.failures import failures_of
from kalshi_assets.defs.partitions import CITY_DAYS, dagster_key, key_of
from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.requests import RequestCounts
from kalshi_assets.lake.store import Lake, Partitions
from kalshi_assets.settings import Settings
from kalshi_assets.tables import OF_SESSIONS, STUDIES, SUMMARIES, SWEEPS, TABLES, Table

ASSET_KEYS: Mapping[Table, dg.AssetKey] = {
    table: dg.AssetKey([table.schema, table.name])
    for table in (*TABLES, *SWEEPS, *OF_SESSIONS, *STUDIES, *SUMMARIES)
}
_TABLES: Mapping[dg.AssetKey, Table] = {key: table for table, key in ASSET_KEYS.items()}

LOOK_BACK = "look_back_days"


@dataclass(frozen=True)
class Written:
    """The value that an asset returns.

    Attributes
    ----------
    metadata
        The partitions that it wrote, with metadata for users.
    asked
        Number of partitions of the run.
    """

    metadata: Mapping[LadderDay, Mapping[str, Any]]
    asked: int

    def output(self, table: Table) -> dg.Output:
        """The output of the table's asset.

        There is an output even if nothing was written, so that downstream steps that do not need it
        run; but it materialises nothing. Dagster has no public API for this; there is a test.
        """
        nothing = {} if self.metadata else {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
        return dg.Output(self, output_name=table.name, metadata=nothing)


WRITTEN = dg.PythonObjectDagsterType(Written)


def asset_in(table: Table, look_back_days: int) -> dg.AssetIn:
    """The table as an input: the run's partitions, and `look_back_days` before each of them.

    To Dagster the input is the same city and day. With a partition mapping over the window, a
    backfill launched in the UI would include all days whose window overlaps the requested days: for
    3 days 48 would run, and future ones would fail. Earlier days are read as stored, so a backfill
    that needs them must make them first; a day's metadata contains their number.
    """
    return dg.AssetIn(key=ASSET_KEYS[table], metadata={LOOK_BACK: look_back_days})


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=str(spec.dtype.type),
                description=_meaning(spec),
                constraints=dg.TableColumnConstraints(
                    nullable=spec.nullable, unique=table.key == (name,)
                ),
            )
            for name, spec in table.columns.items()
        ]
    )


def _meaning(spec: Any) -> str:
    unit = (spec.metadata or {}).get("unit")
    return f"{spec.description}{f' [{unit}]' if unit else ''}"


def the_lake() -> Lake:
    """The lake in the data folder."""
    return Lake(Settings().files, TEMPERATURE)


def the_request_counts() -> RequestCounts:
    """The counts of requests in the data folder."""
    return RequestCounts(Settings().files)


class LakeIOManager(dg.IOManager):
    """Reads inputs from the lake, and reports which partitions an asset wrote.

    `on_written` is called after every partition of a table; the command line shows its progress.
    """

    def __init__(self, on_written: Callable[[Table, LadderDay], None] | None = None) -> None:
        self._on_written = on_written

    def written(self, table: Table, key: LadderDay) -> None:
        """Report that a partition is on disk."""
        if self._on_written is not None:
            self._on_written(table, key)

    def load_input(self, context: dg.InputContext) -> Partitions:
        """The input's partitions, read on access."""
        table = _TABLES[context.asset_key]
        asked = [key_of(key) for key in context.asset_partition_keys]
        look_back = context.definition_metadata.get(LOOK_BACK, 0)
        earlier = [day for key in asked for day in key.earlier(look_back)]
        spoilt = failures_of(context.step_context.run_id).spoilt(table)
        return Partitions(the_lake(), table, [*asked, *earlier], spoilt)

    def handle_output(self, context: dg.OutputContext, obj: Written) -> None:
        """Materialise the partitions that were written, and no others."""
        if 0 < len(obj.metadata) < obj.asked:
            # Dagster has no public API for a partly materialised range; there is a test.
            context._asset_partitions_subset = CITY_DAYS.subset_with_partition_keys(
                [dagster_key(key) for key in obj.metadata]
            )
        if obj.asked == 1 and obj.metadata:
            context.add_output_metadata(next(iter(obj.metadata.values())))
