"""Whether weeks of shadow allow trading live, judged every night from the catalogue."""

import dagster as dg

from kalshi_assets.defs.assets import OWNERS
from kalshi_assets.defs.automation import DESK_TIMEZONE
from kalshi_assets.defs.freshness import freshness_of
from kalshi_assets.defs.lake_io import ASSET_KEYS, column_schema, the_lake
from kalshi_assets.live.clock import WallClock
from kalshi_assets.live.opening import present
from kalshi_assets.pages.markdown import table as markdown_table
from kalshi_assets.performance.promotion import may_trade_live
from kalshi_assets.pipeline.promotion import judge_shadow
from kalshi_assets.tables import (
    DAILY_PNL,
    EVENTS,
    LIVE_DECISIONS,
    LIVE_FILLS,
    LIVE_ORDERS,
    LIVE_PARITY,
    LIVE_PROMOTION,
    LIVE_SESSIONS,
    REPORT,
)

_READ = (
    EVENTS,
    DAILY_PNL,
    REPORT,
    LIVE_SESSIONS,
    LIVE_DECISIONS,
    LIVE_ORDERS,
    LIVE_FILLS,
    LIVE_PARITY,
)


@dg.asset(
    key=ASSET_KEYS[LIVE_PROMOTION],
    deps=[ASSET_KEYS[table] for table in _READ],
    group_name=LIVE_PROMOTION.schema,
    description=LIVE_PROMOTION.description,
    owners=OWNERS,
    kinds={"duckdb"},
    code_version="1",
    freshness_policy=freshness_of(LIVE_PROMOTION),
    metadata={"dagster/column_schema": column_schema(LIVE_PROMOTION)},
)
def promotion() -> dg.MaterializeResult[None]:
    today = present(WallClock())().date()
    rows = judge_shadow(the_lake(), strategy="value", end=today)
    return dg.MaterializeResult(
        metadata={
            "verdict": "GO" if may_trade_live(rows) else "NO-GO",
            "passed": int(rows["passed"].sum()),
            "tests": dg.MetadataValue.md(markdown_table(rows)),
        }
    )


promote = dg.define_asset_job(
    "promote",
    selection=dg.AssetSelection.assets(ASSET_KEYS[LIVE_PROMOTION]),
    description="Whether weeks of shadow allow trading live.",
)

nightly_promotion = dg.ScheduleDefinition(
    name="nightly_promotion",
    job=promote,
    cron_schedule="45 23 * * *",
    execution_timezone=DESK_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Behind the performance of the day.",
)
