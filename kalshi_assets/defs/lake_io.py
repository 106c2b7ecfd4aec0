"""The lake as Dagster sees it: asset keys, column schemas, and the IO manager.

Assets write their partitions themselves, one by one (`assets`). Here: reading inputs, and telling
Dagster which partitions of a range were written.
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
from kalshi_assets.tables import STUDIES, TABLES, Table

ASSET_KEYS: Mapping[Table, dg.AssetKey] = {
    table: dg.AssetKey([table.schema, table.name]) for table in (*TABLES, *STUDIES)
}
_TABLES: Mapping[dg.AssetKey, Table] = {key: table for table, key in ASSET_KEYS.items()}

LOOK_BACK = "look_back_days"


@dataclass(frozen=True)
class Written:
    """What an asset returns.

    Attributes
    ----------
    metadata
        The partitions of the run that it wrote, with what to show of each.
    asked
        How many the run was to write.
    """

    metadata: Mapping[LadderDay, Mapping[str, Any]]
    asked: int

    def output(self, table: Table) -> dg.Output:
        """The output of the table's asset.

        One that wrote nothing is an output all the same, so that the steps behind it run, which may
        do without; but it materialises nothing. Dagster has no public way to say so; a test watches
        it.
        """
        nothing = {} if self.metadata else {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
        return dg.Output(self, output_name=table.name, metadata=nothing)


WRITTEN = dg.PythonObjectDagsterType(Written)


def asset_in(table: Table, look_back_days: int) -> dg.AssetIn:
    """The table as an input: the run's partitions, and `look_back_days` before each of them.

    To Dagster the input is the same city and day. A partition mapping over the window would make
    every backfill launched in the UI spread to all days whose window meets the days asked for:
    3 days asked, 48 run, and those that have not happened yet fail. The earlier days are read as
    they are, so a backfill that wants them makes them first; a day's metadata says how many it had.
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
    """The lake below the settings' data folder."""
    return Lake(Settings().files, TEMPERATURE)


def the_request_counts() -> RequestCounts:
    """The counts of requests below the settings' data folder."""
    return RequestCounts(Settings().files)


class LakeIOManager(dg.IOManager):
    """Reads inputs from the lake, and says which partitions an asset wrote.

    Parameters
    ----------
    on_written
        Called after every partition of a table; the command line shows its progress with it.
    """

    def __init__(self, on_written: Callable[[Table, LadderDay], None] | None = None) -> None:
        self._on_written = on_written

    def written(self, table: Table, key: LadderDay) -> None:
        """Tell whoever watches that a partition is on disk."""
        if self._on_written is not None:
            self._on_written(table, key)

    def load_input(self, context: dg.InputContext) -> Partitions:
        """The input's partitions, read when the asset asks for them."""
        table = _TABLES[context.asset_key]
        asked = [key_of(key) for key in context.asset_partition_keys]
        look_back = context.definition_metadata.get(LOOK_BACK, 0)
        earlier = [day for key in asked for day in key.earlier(look_back)]
        spoilt = failures_of(context.step_context.run_id).spoilt(table)
        return Partitions(the_lake(), table, [*asked, *earlier], spoilt)

    def handle_output(self, context: dg.OutputContext, obj: Written) -> None:
        """Materialise the partitions that were written, and no others."""
        if 0 < len(obj.metadata) < obj.asked:
            # Dagster has no public way to say that a range was made in part; a test watches it.
            context._asset_partitions_subset = CITY_DAYS.subset_with_partition_keys(
                [dagster_key(key) for key in obj.metadata]
            )
        if obj.asked == 1 and obj.metadata:
            context.add_output_metadata(next(iter(obj.metadata.values())))
