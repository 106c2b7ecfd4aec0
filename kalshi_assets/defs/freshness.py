"""How old an asset may be before Dagster warns or fails it, with the reason for each limit.

Freshness uses the latest materialisation of any partition: it detects a schedule that stopped, but
not a missing city.
"""

from datetime import timedelta

import dagster as dg

from kalshi_assets.pipeline.graph import BEFORE_TRADING, OF_DAYS_PAST
from kalshi_assets.tables import Table

# `hourly_intraday` starts seven minutes after every hour and takes minutes for all cities.
HOURLY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=2), fail_window=timedelta(hours=4)
)
# `daily_refresh` makes the previous day from 10:30 New York time on, and retries until 22:30.
DAILY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=37)
)


def freshness_of(table: Table) -> dg.FreshnessPolicy:
    """The policy of a table's asset."""
    return HOURLY if table in BEFORE_TRADING - OF_DAYS_PAST else DAILY
