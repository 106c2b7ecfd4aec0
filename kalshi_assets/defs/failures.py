"""What failed in a run: downstream steps skip those partitions and report the original failure.

Runs execute their steps in one process, so a run's failures are kept in memory by its ID. Here:
which partitions failed and why. Not here: how inputs and checks react (`lake_io`, `checks`).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import SpoiltPartitionError
from kalshi_assets.pipeline.graph import MADE_BY, tables_behind
from kalshi_assets.pipeline.services import never_connected
from kalshi_assets.tables import Table

KEPT_RUNS = 64


class UntriedPartitionError(RuntimeError):
    """A partition that was not tried because a service cannot be reached."""


@dataclass(frozen=True, kw_only=True)
class FirstFailure:
    """The first failure of a city-day.

    Attributes
    ----------
    key, table, cause
        The partition, and the error's text.
    behind
        Number of downstream tables of the same city-day that the run therefore skipped.
    """

    key: LadderDay
    table: Table
    cause: str
    behind: int

    def __str__(self) -> str:
        behind = f" ({self.behind} downstream tables skipped)" if self.behind else ""
        return f"{self.key} {self.table.full_name}: {self.cause}{behind}"


class RunFailures:
    """The partitions that a run could not make, or that a blocking check rejected."""

    def __init__(self) -> None:
        self._errors: dict[tuple[Table, LadderDay], Exception] = {}

    def add(self, table: Table, key: LadderDay, error: Exception) -> None:
        """Record a failure; the first one of a partition is kept."""
        self._errors.setdefault((table, key), error)

    def spoilt(self, table: Table) -> dict[LadderDay, SpoiltPartitionError]:
        """The table's failed partitions, with the error to raise when one is read."""
        return {
            key: error
            if isinstance(error, SpoiltPartitionError)
            else SpoiltPartitionError(key, table, cause_of(key, error))
            for (failed, key), error in self._errors.items()
            if failed is table
        }

    def first(self, asked: Collection[Table]) -> Iterator[FirstFailure]:
        """The failures not caused by another one, in the order in which they happened.

        Partitions that were not tried are omitted, see `untried`. `asked` are the run's tables.
        """
        for (table, key), error in self._errors.items():
            follows = isinstance(error, SpoiltPartitionError | UntriedPartitionError)
            # The tables of a step fail together and are named once.
            first = self._errors.get((MADE_BY[table].makes[0], key))
            if not follows and (table is MADE_BY[table].makes[0] or error is not first):
                yield FirstFailure(
                    key=key,
                    table=table,
                    cause=cause_of(key, error),
                    behind=len(tables_behind(table).intersection(asked)),
                )

    @property
    def untried(self) -> int:
        """Number of city-days of which a table was not tried, since a service is out of reach."""
        errors = self._errors.items()
        return len({key for (_, key), error in errors if isinstance(error, UntriedPartitionError)})

    @property
    def unreachable(self) -> bool:
        """Whether any failure was caused by an unreachable service."""
        return any(map(never_connected, self._errors.values()))


@lru_cache(maxsize=KEPT_RUNS)
def failures_of(run_id: str) -> RunFailures:
    """The failures of a run of this process."""
    return RunFailures()


def cause_of(key: LadderDay, error: Exception) -> str:
    """The error's text without the partition, which the caller adds."""
    text = str(error)
    prefix = f"{key}: "
    return (
        text.removeprefix(prefix) if text.startswith(prefix) else f"{type(error).__name__}: {text}"
    )


def without_frames(error: Exception) -> Exception:
    """The error and its causes without tracebacks, which would keep whole days in memory."""
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
    return error
