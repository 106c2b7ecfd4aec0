"""Which checks a table has, and judging a partition by them.

Here: checks that follow from a contract. Not here: those of single tables (`families`), what a rule
looks at (`checks`), keeping verdicts (`verdicts`), or when they are given (`defs.checks`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl

from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.terms import atoms_of
from kalshi_assets.lake import checks
from kalshi_assets.lake.checks import Verdict
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import EVENTS, Table

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


@dataclass(frozen=True, eq=False)
class Rules:
    """The checks of every table of a family.

    Attributes
    ----------
    particular
        Those of single tables, besides what their declarations ask for.
    """

    particular: Mapping[Table, Sequence[Check]]

    def of(self, table: Table) -> tuple[Check, ...]:
        """The checks of a table."""
        return (*_declared(table), *self.particular.get(table, ()))


@cache
def _declared(table: Table) -> tuple[Check, ...]:
    """The checks that a table's declaration asks for."""
    rules = [checks.not_empty, checks.key_unique]
    if table.point_in_time:
        rules.append(checks.nothing_from_the_future)
    found = [_own(table, rule) for rule in rules]
    if table.pmfs:
        found.append(_of_pmfs(table))
    if table.impossible:
        found.append(_own(table, checks.impossible_at_zero))
    return tuple(found)


def _of_pmfs(table: Table) -> Check:
    def compared(frame: pl.DataFrame, lake: Lake, key: LadderDay) -> Verdict:
        ladder = atoms_of(lake.read(EVENTS, key)) if lake.has(EVENTS, key) else None
        return checks.pmfs_sum_to_one(table, frame, ladder)

    rule = checks.pmfs_sum_to_one
    return Check(rule.__name__, compared, _summary(rule), reads=(EVENTS,))


def _summary(rule: Callable) -> str:
    return (rule.__doc__ or "").partition("\n\n")[0]


def _own(table: Table, rule: Callable) -> Check:
    return Check(
        name=rule.__name__,
        rule=lambda frame, lake, key: rule(table, frame),
        description=rule.__doc__ or "",
    )


def alone(rule: Callable, *, blocking: bool = True) -> Check:
    """A check that needs nothing but the partition."""
    return Check(rule.__name__, lambda frame, lake, key: rule(frame), rule.__doc__ or "", blocking)


def with_event(rule: Callable, *, blocking: bool = True) -> Check:
    """A rule that needs the event; an earlier day may be kept without one."""

    def compared(frame: pl.DataFrame, lake: Lake, key: LadderDay) -> Verdict:
        if not lake.has(EVENTS, key):
            return Verdict(passed=True, found="no event is stored for the day")
        return rule(frame, lake.read(EVENTS, key))

    return Check(rule.__name__, compared, rule.__doc__ or "", blocking, (EVENTS,))


def beside(rule: Callable, *others: Table) -> Check:
    """A rule that also needs the partitions of other tables.

    Parameters
    ----------
    rule
        Takes the partition, then those of the others.
    others
        The other tables.
    """

    def compared(frame: pl.DataFrame, lake: Lake, key: LadderDay) -> Verdict:
        return rule(frame, *(lake.read(table, key) for table in others))

    return Check(rule.__name__, compared, rule.__doc__ or "", reads=others)


def judged(
    lake: Lake, wanted: Iterable[Check], table: Table, key: LadderDay
) -> dict[Check, Verdict]:
    """The verdict of each of the checks of a table on a partition, which is read once."""
    partition = cache(lambda: lake.read(table, key))
    return {check: _verdict(check, partition, lake, key) for check in wanted}


def _verdict(
    check: Check, partition: Callable[[], pl.DataFrame], lake: Lake, key: LadderDay
) -> Verdict:
    try:
        return check.rule(partition(), lake, key)
    except Exception as error:  # noqa: BLE001 - what cannot be judged has not passed
        return Verdict(passed=False, found=f"cannot be judged: {type(error).__name__}: {error}")
