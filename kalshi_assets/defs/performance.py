"""The performance of all backtested days, made again from the catalogue by SQL."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from kalshi_assets.defs.assets import OWNERS
from kalshi_assets.defs.automation import DESK_TIMEZONE
from kalshi_assets.defs.freshness import freshness_of
from kalshi_assets.defs.lake_io import ASSET_KEYS, column_schema, the_lake
from kalshi_assets.pages.library import PERFORMANCE_PAGE, SENSITIVITY_PAGE
from kalshi_assets.pages.performance_page import lead_sentence
from kalshi_assets.pipeline.performance import judge_backtests
from kalshi_assets.tables import (
    ACCOUNT,
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    FILLS,
    METRICS,
    ORDERS,
    PERFORMANCE,
    SENSITIVITY,
    Table,
)

_READ = (EVENTS, DECISIONS, ORDERS, FILLS, DAILY_PNL, METRICS, SENSITIVITY)


def _spec(table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        ASSET_KEYS[table],
        deps=[ASSET_KEYS[each] for each in _READ],
        group_name=table.schema,
        description=table.description,
        owners=OWNERS,
        kinds={"duckdb", "altair"},
        code_version="1",
        freshness_policy=freshness_of(table),
        metadata={"dagster/column_schema": column_schema(table)},
    )


@dg.multi_asset(
    name="backtest__performance",
    specs=[_spec(PERFORMANCE), _spec(ACCOUNT)],
    required_resource_keys={"pages", "configurations"},
)
def performance(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    lake = the_lake()
    results = judge_backtests(lake, context.resources.pages, context.resources.configurations)
    found: dict[Table, dict[str, dg.MetadataValue[Any]]] = {
        PERFORMANCE: {
            "result": dg.MetadataValue.md(lead_sentence(results)),
            "page": dg.MetadataValue.path(lake.files.address(PERFORMANCE_PAGE)),
            "sensitivity": dg.MetadataValue.path(lake.files.address(SENSITIVITY_PAGE)),
        },
        ACCOUNT: {"page": dg.MetadataValue.path(lake.files.address(PERFORMANCE_PAGE))},
    }
    for table, metadata in found.items():
        yield dg.MaterializeResult(asset_key=ASSET_KEYS[table], metadata=metadata)


sweep = dg.define_asset_job(
    "sweep",
    selection=dg.AssetSelection.assets(ASSET_KEYS[SENSITIVITY]),
    description="The sensitivity of the backtest on a city-day; takes about a second.",
)

judge = dg.define_asset_job(
    "judge",
    selection=dg.AssetSelection.assets(ASSET_KEYS[PERFORMANCE], ASSET_KEYS[ACCOUNT]),
    description="The performance of all backtested days, and its page.",
)

nightly_performance = dg.ScheduleDefinition(
    name="nightly_performance",
    job=judge,
    cron_schedule="30 23 * * *",
    execution_timezone=DESK_TIMEZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The performance of all backtested days, behind the last refresh of the day.",
)
