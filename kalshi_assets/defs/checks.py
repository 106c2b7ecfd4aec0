"""Asset checks, made from the table contracts: what could place an order must pass them first.

Of a range run Dagster shows one verdict, which names the partitions that failed; `quality.verdicts`
keeps those on every partition. A blocking check refuses its partition to the steps behind
it in the same run, and to no other run.
"""

from collections.abc import Iterator, Mapping

import dagster as dg

from kalshi_assets.defs.failures import failures_of
from kalshi_assets.defs.lake_io import ASSET_KEYS, the_lake
from kalshi_assets.defs.partitions import CITY_DAYS, key_of
from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.checks import Verdict
from kalshi_assets.lake.rules import Check
from kalshi_assets.lake.verdicts import judge
from kalshi_assets.tables import OF_SESSIONS, SWEEPS, TABLES, Table


def asset_checks_of(table: Table) -> dg.AssetChecksDefinition:
    wanted = CHECKS.of(table)
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
        lake, run_id = the_lake(), context.op_execution_context.run_id
        failures = failures_of(run_id)
        asked = [key_of(name) for name in context.op_execution_context.partition_keys]
        spoilt = failures.spoilt(table)
        found = judge(lake, wanted, table, [day for day in asked if day not in spoilt], run_id)
        for check in wanted:
            verdicts = {day: of_day[check] for day, of_day in found.items()}
            if check.blocking:
                for day, verdict in verdicts.items():
                    if not verdict.passed:
                        failures.add(table, day, CheckFailedError(check.name, verdict))
            yield _result(key, check, verdicts)

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
    tables = (*TABLES, *SWEEPS, *OF_SESSIONS)
    return dg.Definitions(asset_checks=[asset_checks_of(table) for table in tables])
