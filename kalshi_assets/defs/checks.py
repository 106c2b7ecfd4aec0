"""Asset checks, made from the table contracts: what could place an order must pass them first.

A verdict in a range run covers the whole range and names the partitions that failed. A blocking
check refuses its partition to the steps behind it in the same run, and to no other run; per-day
verdicts that gate trading are columns of the tables.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import polars as pl

from kalshi_assets.defs.failures import failures_of
from kalshi_assets.defs.lake_io import ASSET_KEYS, the_lake
from kalshi_assets.defs.partitions import CITY_DAYS, key_of
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
    TABLES,
    Table,
)

Rule = Callable[[pl.DataFrame, Lake, LadderDay], Verdict]


@dataclass(frozen=True)
class Check:
    """A named rule over one partition of a table; it may read other tables of the same key."""

    name: str
    rule: Rule
    description: str
    blocking: bool = True


def checks_of(table: Table) -> list[Check]:
    """The checks that a table's declaration asks for."""
    rules = [checks.not_empty, checks.key_unique]
    if table.point_in_time:
        rules.append(checks.nothing_from_the_future)
    if table.pmfs:
        rules.append(checks.pmfs_sum_to_one)
        if table.impossible:
            rules.append(checks.impossible_at_zero)
    return [*(_own(table, rule) for rule in rules), *_PARTICULAR.get(table, [])]


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

    def judged(frame: pl.DataFrame, lake: Lake, key: LadderDay) -> Verdict:
        if not lake.has(EVENTS, key):
            return Verdict(passed=True, found="no event is stored for the day")
        return rule(frame, lake.read(EVENTS, key))

    return Check(rule.__name__, judged, rule.__doc__ or "", blocking)


def _left_out(aside: Table) -> Check:
    """A warning about what was written beside the table as left out of it."""

    def judged(_: pl.DataFrame, lake: Lake, key: LadderDay) -> Verdict:
        if not lake.has(aside, key):
            return Verdict(passed=True, found="not recorded; the partition is from before it was")
        return checks.nothing_left_out(lake.read(aside, key))

    rule = checks.nothing_left_out
    return Check(rule.__name__, judged, rule.__doc__ or "", blocking=False)


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


def verdicts(
    lake: Lake, table: Table, checks_: Sequence[Check], keys: Sequence[LadderDay]
) -> dict[str, dict[LadderDay, Verdict]]:
    """Every check's verdict on every partition; each partition is read once."""
    found: dict[str, dict[LadderDay, Verdict]] = {check.name: {} for check in checks_}
    for key in keys:
        for check in checks_:
            found[check.name][key] = _verdict(check, lake, table, key)
    return found


def _verdict(check: Check, lake: Lake, table: Table, key: LadderDay) -> Verdict:
    try:
        return check.rule(lake.read(table, key), lake, key)
    except Exception as error:  # noqa: BLE001 - what cannot be judged has not passed
        return Verdict(passed=False, found=f"cannot be judged: {type(error).__name__}: {error}")


def asset_checks_of(table: Table) -> dg.AssetChecksDefinition:
    wanted = checks_of(table)
    key = ASSET_KEYS[table]

    @dg.multi_asset_check(
        name=f"{table.schema}__{table.name}__checks",
        specs=[
            dg.AssetCheckSpec(
                check.name,
                asset=key,
                blocking=check.blocking,
                description=check.description,
                partitions_def=CITY_DAYS,
            )
            for check in wanted
        ],
    )
    def run_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        lake, failures = the_lake(), failures_of(context.op_execution_context.run_id)
        asked = [key_of(name) for name in context.op_execution_context.partition_keys]
        spoilt = failures.spoilt(table)
        found = verdicts(lake, table, wanted, [k for k in asked if k not in spoilt])
        for check in wanted:
            if check.blocking:
                for day, verdict in found[check.name].items():
                    if not verdict.passed:
                        failures.add(table, day, CheckFailedError(check.name, verdict))
            yield _result(key, check, found[check.name])

    return run_checks


class CheckFailedError(RuntimeError):
    """A blocking check refuses a partition."""

    def __init__(self, name: str, verdict: Verdict) -> None:
        super().__init__(f"the check {name} failed: {verdict.found}")


def _result(
    key: dg.AssetKey, check: Check, found: Mapping[LadderDay, Verdict]
) -> dg.AssetCheckResult:
    if not found:
        return dg.AssetCheckResult(
            check_name=check.name,
            asset_key=key,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description="No partition was made, so none was looked at.",
        )
    failed = {k: v for k, v in found.items() if not v.passed}
    shown = failed or dict(list(found.items())[-1:])
    return dg.AssetCheckResult(
        check_name=check.name,
        asset_key=key,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN,
        metadata={
            "partitions": len(found),
            "failed": len(failed),
            "found": dg.MetadataValue.md("\n".join(f"- {k}: {v.found}" for k, v in shown.items())),
        },
    )


@dg.definitions
def asset_checks() -> dg.Definitions:
    """One check step per table, with a verdict per rule."""
    return dg.Definitions(asset_checks=[asset_checks_of(table) for table in TABLES])
