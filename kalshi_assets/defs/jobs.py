"""Jobs over city-days, for schedules, the sensor and users."""

from collections.abc import Iterable

import dagster as dg

from kalshi_assets.defs.lake_io import ASSET_KEYS
from kalshi_assets.pipeline.graph import BEFORE_TRADING, OF_DAYS_PAST
from kalshi_assets.tables import (
    DAILY_PNL,
    DAY_PAGE,
    DECISIONS,
    EXAMPLES,
    FILLS,
    LABELS,
    LEDGER,
    METRICS,
    ORDERS,
    REPORT,
    SETTLEMENTS,
    TABLES,
    Table,
)

AFTER_SETTLEMENT = (
    SETTLEMENTS,
    LABELS,
    EXAMPLES,
    DECISIONS,
    ORDERS,
    FILLS,
    LEDGER,
    DAILY_PNL,
    METRICS,
    REPORT,
    DAY_PAGE,
)
DURING_THE_DAY = tuple(
    table for table in TABLES if table in BEFORE_TRADING and table not in OF_DAYS_PAST
)


def _of(tables: Iterable[Table]) -> dg.AssetSelection:
    """The assets of these tables."""
    return dg.AssetSelection.assets(*(ASSET_KEYS[table] for table in tables))


refresh = dg.define_asset_job(
    "refresh",
    selection=_of(TABLES),
    description="All tables of a city-day, from the exchange and the station to the report.",
)

intraday = dg.define_asset_job(
    "intraday",
    selection=_of(DURING_THE_DAY),
    description="The tables of a city-day so far, up to the calibrated PMF; no backtest.",
)

settle = dg.define_asset_job(
    "settle",
    selection=_of(AFTER_SETTLEMENT),
    description="The settlement of a city-day whose panel exists, and the result of the backtest.",
)


@dg.definitions
def jobs() -> dg.Definitions:
    """The jobs."""
    return dg.Definitions(jobs=[refresh, intraday, settle])
