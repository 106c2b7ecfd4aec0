"""Studies of many days: assets shown in the graph that commands materialise, not runs."""

import dagster as dg

from kalshi_assets.defs.lake_io import ASSET_KEYS, column_schema
from kalshi_assets.tables import (
    CALIBRATED,
    HAZARD_PMF,
    LABELS,
    MARKET_PMF,
    MC_PARAMS,
    PREDICTIONS,
    SCOREBOARD,
    SETTLEMENTS,
    VERIFICATION,
    Table,
)


def _study(table: Table, judged: tuple[Table, ...], command: str) -> dg.AssetSpec:
    # External: a backfill of city-days must not trigger a study of a hundred days.
    return dg.AssetSpec(
        ASSET_KEYS[table],
        deps=[ASSET_KEYS[each] for each in judged],
        group_name=table.schema,
        description=table.description,
        owners=["team:trading-desk"],
        kinds={"polars"},
        code_version="1",
        metadata={"dagster/column_schema": column_schema(table), "made by": command},
    )


verification = _study(
    VERIFICATION,
    (HAZARD_PMF, MC_PARAMS, MARKET_PMF, SETTLEMENTS),
    "kalshi-assets study weather",
)
scoreboard = _study(
    SCOREBOARD,
    (CALIBRATED, PREDICTIONS, LABELS, SETTLEMENTS),
    "kalshi-assets study market",
)
