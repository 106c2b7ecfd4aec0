"""Verdicts on partitions, kept for those who rely on them: gates, people, SQL.

A small file per table and city-day says what every check found, and in which content. Here: judging
and keeping, and which checks a city-day has not passed. Not here: which checks there are (`rules`),
or when they run (`defs.checks`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import polars as pl

from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.checks import Verdict
from kalshi_assets.lake.rules import Check, Rules, judged
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import TABLES, VERDICTS, Table

_CHANGED = "changed while judged"


@dataclass(frozen=True)
class Refusal:
    """A blocking check that a partition has not passed, as far as is known.

    Attributes
    ----------
    table, rule
        Which check of which table.
    why
        What it found, or why its verdict does not count.
    """

    table: Table
    rule: str
    why: str

    def __str__(self) -> str:
        return f"{self.table.full_name} {self.rule}: {self.why}"


def judge(
    lake: Lake, checks: Sequence[Check], table: Table, keys: Iterable[LadderDay], run_id: str
) -> dict[LadderDay, dict[Check, Verdict]]:
    """Judge partitions of a table by its checks, and keep the verdicts.

    The disk is not waited for: a verdict that a power cut takes counts as none.

    Parameters
    ----------
    lake, checks, table, keys
        The partitions, and all checks of the table.
    run_id
        Who judges.
    """
    found: dict[LadderDay, dict[Check, Verdict]] = {}
    kept: dict[LadderDay, list[dict[str, Any]]] = {}
    compared = {check.reads for check in checks}
    for key in keys:
        # Before it is read and after: what was replaced meanwhile was not judged.
        contents = {reads: lake.content(key, table, *reads) for reads in compared}
        found[key], now = judged(lake, checks, table, key), datetime.now(UTC)
        contents = {
            reads: content if lake.content(key, table, *reads) == content else _CHANGED
            for reads, content in contents.items()
        }
        kept[key] = [
            {
                "table_name": table.full_name,
                "rule": check.name,
                "passed": verdict.passed,
                "blocking": check.blocking,
                "found": verdict.found,
                "content": contents[check.reads],
                "run_id": run_id,
                "checked_at": now,
            }
            for check, verdict in sorted(found[key].items(), key=lambda item: item[0].name)
        ]
    # One after the other they take half as long as between the checks.
    for key, rows in kept.items():
        name = lake.name(VERDICTS, key, table.full_name)
        lake.files.write(name, _packed(rows), flush=False)
    return found


def _packed(rows: list[dict[str, Any]]) -> bytes:
    # Arrow writes a few rows in half the time that Polars takes.
    import pyarrow as pa
    from pyarrow.parquet import write_table

    content, table = pa.BufferOutputStream(), pa.Table.from_pylist(rows, schema=_schema())
    # What describes the columns is most of such a file: none of it twice, and no statistics.
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    write_table(table, content, store_schema=False, **plain)
    return content.getvalue().to_pybytes()


@cache
def _schema() -> Any:
    return VERDICTS.empty().to_arrow().schema


def verdicts_of(lake: Lake, key: LadderDay, tables: Collection[Table] = TABLES) -> pl.DataFrame:
    """The last verdicts on a city-day, whatever they were on; without those that cannot be read.

    Parameters
    ----------
    lake, key
        The city-day.
    tables
        The tables judged.
    """
    return pl.concat([VERDICTS.empty(), *(_stored(lake, table, key) for table in tables)])


def _stored(lake: Lake, table: Table, key: LadderDay) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(lake.files.read(lake.name(VERDICTS, key, table.full_name)))
    except (FileNotFoundError, pl.exceptions.PolarsError):  # never judged, or cut off
        return VERDICTS.empty()
    return frame if frame.schema == VERDICTS.dtypes else VERDICTS.empty()


def refused(lake: Lake, rules: Rules, key: LadderDay, tables: Collection[Table]) -> list[Refusal]:
    """The blocking checks that a city-day is not known to have passed.

    A verdict counts only for the content that was judged: a partition that was made again, or one
    whose verdict is missing, has not passed.

    Parameters
    ----------
    lake, rules, key
        The city-day, and the checks of its family.
    tables
        Those that are to be relied on.
    """
    rows = verdicts_of(lake, key, tables).to_dicts()
    verdicts = {(row["table_name"], row["rule"]): row for row in rows}
    found = []
    for table in tables:
        for check in rules.of(table):
            if check.blocking:
                verdict = verdicts.get((table.full_name, check.name))
                if verdict is None:
                    found.append(Refusal(table, check.name, "not judged"))
                elif verdict["content"] != lake.content(key, table, *check.reads):
                    found.append(Refusal(table, check.name, "not judged since it changed"))
                elif not verdict["passed"]:
                    found.append(Refusal(table, check.name, verdict["found"]))
    return found
