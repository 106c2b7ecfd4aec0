"""Studies of many days: made by a command, shown in the graph beside what they judge."""

import dagster as dg

from kalshi_assets.defs.lake_io import ASSET_KEYS, column_schema
from kalshi_assets.tables import (
    HAZARD_PMF,
    MARKET_PMF,
    MC_PARAMS,
    SETTLEMENTS,
    VERIFICATION,
)

# Nothing runs it from the UI: a backfill of city-days must not set off a study of a hundred.
verification = dg.AssetSpec(
    ASSET_KEYS[VERIFICATION],
    deps=[ASSET_KEYS[table] for table in (HAZARD_PMF, MC_PARAMS, MARKET_PMF, SETTLEMENTS)],
    group_name=VERIFICATION.schema,
    description=VERIFICATION.description,
    owners=["team:trading-desk"],
    kinds={"polars"},
    code_version="1",
    metadata={
        "dagster/column_schema": column_schema(VERIFICATION),
        "made by": "kalshi-assets study weather",
    },
)
