"""Which checks a table has, and judging a partition by them.

Here: checks that follow from a contract, and those of one table. Not here: what a rule looks at
(`checks`), keeping verdicts (`verdicts`), or when they are given (`defs.checks`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl

from kalshi_assets.keys import LadderDay
from kalshi_assets.lake import checks
from kalshi_assets.lake.checks import Verdict
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import (
    DROPPED_FORECASTS,
    DROPPED_OBSERVATIONS,
    EVENTS,
    FORECASTS,
    HAZARD_PMF,
    OBSERVATIONS,
    SETTLEMENTS,
    Table,
)

Rule = Callable[[pl.DataFrame, Lake, LadderDay], Verdict]


@dataclass(frozen=True)
class Check:
    """A named rule over one partition of a table.

    Attributes
    ----------
    blocking
        Whether a failure refuses the partition to whatever rests on it.
    reads
        Other tables that it reads of the same key.
    """

    name: str
    rule: Rule
    description: str
    blocking: bool = True
    reads: tuple[Table, ...] = ()


@cache
def checks_of(table: Table) -> tuple[Check, ...]:
    """The checks that a table's declaration asks for."""
    rules = [checks.not_empty, checks.key_unique]
    if table.point_in_time:
        rules.append(checks.nothing_from_the_future)
    if table.pmfs:
        rules.append(checks.pmfs_sum_to_one)
        if table.impossible:
            rules.append(checks.impossible_at_zero)
    return (*(_own(table, rule) for rule in rules), *_PARTICULAR.get(table, []))


def _own(table: Table, rule: Callable) -> Check:
    return Check(
        name=rule.__name__,
        rule=lambda frame, lake, key: rule(table, frame),
        description=rule.__doc__ or "",
    )


def _alone(rule: Callable, *, blocking: bool = True) -> Check:
    return Check(rule.__name__, lambda frame, lake, key: rule(frame), rule.__doc__ or "", blocking)


def _with_event(rule: Callable, *, blocking: bool = True) -> Check:
    """A rule that needs the event; an earlier day may be kept without one."""

    def compared(frame: pl.DataFrame, lake: Lake, key: LadderDay) -> Verdict:
        if not lake.has(EVENTS, key):
            return Verdict(passed=True, found="no event is stored for the day")
        return rule(frame, lake.read(EVENTS, key))

    return Check(rule.__name__, compared, rule.__doc__ or "", blocking, (EVENTS,))


def _left_out(aside: Table) -> Check:
    """A warning about what was written beside the table as left out of it."""

    def compared(_: pl.DataFrame, lake: Lake, key: LadderDay) -> Verdict:
        if not lake.has(aside, key):
            return Verdict(passed=True, found="not recorded; the partition is from before it was")
        return checks.nothing_left_out(lake.read(aside, key))

    rule = checks.nothing_left_out
    return Check(rule.__name__, compared, rule.__doc__ or "", blocking=False, reads=(aside,))


_PARTICULAR: Mapping[Table, list[Check]] = {
    OBSERVATIONS: [_left_out(DROPPED_OBSERVATIONS)],
    FORECASTS: [_left_out(DROPPED_FORECASTS)],
    SETTLEMENTS: [
        _with_event(checks.one_winner),
        # Three recorded days differ between the exchange and the official maximum: no errors.
        _with_event(checks.sources_agree, blocking=False),
        # The exchange's word stands without that of any other.
        _alone(checks.sources_read, blocking=False),
        _alone(checks.one_bracket_pays, blocking=False),
    ],
    HAZARD_PMF: [
        _with_event(checks.dead_only_by_evidence),
        # An alarm withholds the weather already, and a flicker is a question to the method.
        _alone(checks.feed_alarm, blocking=False),
        _alone(checks.variation_is_news, blocking=False),
    ],
}


def judged(lake: Lake, table: Table, key: LadderDay) -> dict[Check, Verdict]:
    """The verdict of every check of a table on a partition."""
    return {check: _verdict(check, lake, table, key) for check in checks_of(table)}


def _verdict(check: Check, lake: Lake, table: Table, key: LadderDay) -> Verdict:
    try:
        return check.rule(lake.read(table, key), lake, key)
    except Exception as error:  # noqa: BLE001 - what cannot be judged has not passed
        return Verdict(passed=False, found=f"cannot be judged: {type(error).__name__}: {error}")
