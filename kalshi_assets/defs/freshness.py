"""How old an asset may be before Dagster warns and fails it, with the reason for each limit.

Freshness looks at the latest materialisation of any partition: it notices schedules that stopped,
not a city that is missing.
"""

from datetime import timedelta

import dagster as dg

from kalshi_assets.pipeline.graph import BEFORE_TRADING, OF_DAYS_PAST
from kalshi_assets.tables import Table

# `hourly_intraday` makes these seven minutes after every hour and takes minutes for all cities.
HOURLY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=2), fail_window=timedelta(hours=4)
)
# `daily_refresh` makes the day before from 10:30 New York time on, and tries until 22:30.
DAILY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=37)
)


def freshness_of(table: Table) -> dg.FreshnessPolicy:
    """The policy of a table's asset."""
    return HOURLY if table in BEFORE_TRADING - OF_DAYS_PAST else DAILY
