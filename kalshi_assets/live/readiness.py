"""Whether a ladder-day may be traded by a session: its fits are there and passed their checks.

Here: the reasons against it. Not here: running checks (`defs.checks`), the session (`opening`).
"""

from datetime import datetime, timedelta

from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.rules import Rules
from kalshi_assets.lake.store import Lake
from kalshi_assets.lake.verdicts import refused, verdicts_of
from kalshi_assets.live.day_so_far import session_steps
from kalshi_assets.pipeline.graph import FAMILIES
from kalshi_assets.tables import CLASSIFIERS, EVENTS, Table

OLDEST_FIT = timedelta(hours=24)
"""Fits are made and judged every hour of a day; older ones say that the automation stands still."""


def reasons_against(
    lake: Lake, rules: Rules, key: LadderDay, now: datetime, wall: datetime
) -> list[str]:
    """Why a session must not trade a ladder-day now; empty: it may.

    Parameters
    ----------
    lake, rules
        The lake, and the checks of the family.
    key
        The ladder-day.
    now
        The session's time.
    wall
        This machine's time, which verdicts have; a sandbox may have another.
    """
    family, steps = FAMILIES[key.family]
    # Classifiers are fitted on request; without them one strategy sends no order.
    needed = {EVENTS, *session_steps(family, steps).fits} - {CLASSIFIERS}
    tables = sorted(needed, key=lambda table: table.full_name)
    if missing := [table.full_name for table in tables if not lake.has(table, key)]:
        return [f"not made: {', '.join(missing)}"]
    reasons = [f"not passed: {refusal}" for refusal in refused(lake, rules, key, tables)]
    reasons += _too_old(lake, key, tables, wall)
    events = lake.read(EVENTS, key)
    opens, closes = events["open_time"].to_list(), events["close_time"].to_list()
    if now < min(opens):
        reasons.append(f"opens at {min(opens):%Y-%m-%d %H:%MZ}")
    if now >= max(closes):
        reasons.append(f"closed at {max(closes):%Y-%m-%d %H:%MZ}")
    return reasons


def _too_old(lake: Lake, key: LadderDay, tables: list[Table], wall: datetime) -> list[str]:
    oldest = verdicts_of(lake, key, tables)["checked_at"].min()
    if not isinstance(oldest, datetime) or wall - oldest <= OLDEST_FIT:
        return []  # what was never judged is refused already
    hours = OLDEST_FIT.total_seconds() / 3600
    return [f"made and judged at {oldest:%Y-%m-%d %H:%MZ}, more than {hours:.0f} hours ago"]
