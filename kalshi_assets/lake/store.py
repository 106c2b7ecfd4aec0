"""The partition store: frames in, frames out, one file per table, ladder and day."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import polars as pl

from kalshi_assets.keys import Family, LadderDay
from kalshi_assets.lake.files import Stamp, create_once, write_atomically
from kalshi_assets.lake.recent import RecentFrames
from kalshi_assets.tables import Table
from kalshi_assets.tables.contract import PartsDisagreeError

ORIGIN_NAME = "origin.txt"
PARTS = "kalshi_assets.parts"
"""Name in a file's metadata of what the files held that its shared columns lie in."""
# An empty partition that keeps the catalogue's globs from matching nothing.
PLACEHOLDER = "_"
PLACEHOLDER_DATE = date(1, 1, 1)

_RECENT = RecentFrames()


class MissingPartitionError(FileNotFoundError):
    """A partition has not been materialised; the message says which and how to get it."""

    def __init__(self, table: Table, key: LadderDay) -> None:
        super().__init__(
            f"{table.full_name} has no partition {key}; materialise it first: {_backfill(key)}"
        )


class SpoiltPartitionError(RuntimeError):
    """What a partition rests on failed in this run; the message names the table and the cause.

    Attributes
    ----------
    table, cause
        The table that failed first, and why.
    """

    def __init__(self, key: LadderDay, table: Table, cause: str) -> None:
        super().__init__(f"{key}: not made, since {table.full_name} failed: {cause}")
        self.table = table
        self.cause = cause


class OutdatedPartitionError(RuntimeError):
    """Another version of the platform wrote a partition; the message names it and the remedy."""

    def __init__(self, table: Table, key: LadderDay, found: Mapping[str, pl.DataType]) -> None:
        super().__init__(
            f"{table.full_name}, partition {key}: written by another version of the platform, "
            f"whose columns differ: {'; '.join(_differences(table, found))}. Materialise again: "
            f"{_backfill(key)}"
        )


def _differences(table: Table, found: Mapping[str, pl.DataType]) -> Iterator[str]:
    missing = [name for name in table.stored if name not in found]
    extra = [name for name in found if name not in table.stored]
    if missing:
        yield f"{', '.join(missing)} missing"
    if extra:
        yield f"{', '.join(extra)} unknown"
    for name, dtype in table.stored.items():
        if name in found and found[name] != dtype:
            yield f"{name} {found[name]} instead of {dtype}"


def _backfill(key: LadderDay) -> str:
    which = f"--{key.family.dimension} {key.ladder}"
    return f"kalshi-assets backfill {which} --start {key.date} --end {key.date}"


def _with_files(table: Table) -> list[Table]:
    """The tables in whose files the table's shared columns lie."""
    found: dict[Table, None] = {}
    for each in table.shares:
        own = [each.table] if each.table.stored else []
        found |= dict.fromkeys([*_with_files(each.table), *own])
    return list(found)


def _content_of(path: Path) -> str:
    try:
        return _content(path, Stamp.of(path))
    except FileNotFoundError:
        return "missing"


@lru_cache(maxsize=4096)
def _content(path: Path, stamp: Stamp) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@lru_cache(maxsize=4096)
def _recorded(path: Path, stamp: Stamp) -> str | None:
    return pl.read_parquet_metadata(path).get(PARTS)


class OriginMismatchError(RuntimeError):
    """The lake holds another origin's partitions; the message says which and what to do."""


@dataclass(frozen=True)
class Lake:
    """All partitions of all tables of a family, below one folder.

    Writing a partition replaces it whole; any number of processes may read and write at once.
    """

    root: Path
    family: Family

    def folder(self, table: Table) -> Path:
        """Where a table lies."""
        return self.root / table.schema / table.name

    def path(self, table: Table, key: LadderDay) -> Path:
        """Where a partition lies, whether or not it is there."""
        return self._path(table, key.ladder, str(key.date))

    def every(self, table: Table) -> Path:
        """A glob of all partitions of a table."""
        return self._path(table, "*", "*")

    def _path(self, table: Table, ladder: str, day: str) -> Path:
        dimension = self.family.dimension
        return self.folder(table) / f"{dimension}={ladder}" / f"date={day}" / "part.parquet"

    @property
    def origin(self) -> str | None:
        """What the lake was filled from; None: nothing wrote to it yet."""
        try:
            return (self.root / ORIGIN_NAME).read_text("utf-8").strip()
        except FileNotFoundError:
            return None

    def claim(self, origin: str) -> None:
        """Mark the lake as filled from `origin`, so that no other origin is ever mixed in.

        Of processes that claim it at once for different origins one wins, the others get the error.

        Parameters
        ----------
        origin
            ``exchange`` for the real services, or the name of a sandbox's archive.

        Raises
        ------
        OriginMismatchError
            It was filled from another origin before.
        """
        # Looked at first: whoever claims it again, as every run does, writes nothing.
        if self.origin is None:
            path = self.root / ORIGIN_NAME
            create_once(path, lambda p: p.write_text(origin + "\n", "utf-8"))
        if (present := self.origin) != origin:
            raise OriginMismatchError(
                f"{self.root} was filled from {present!r} and must not be mixed with {origin!r}; "
                f"set KALSHI_ASSETS_DATA to another folder, or remove {self.root}"
            )

    def write(self, table: Table, key: LadderDay, frame: pl.DataFrame) -> pl.DataFrame:
        """Replace a partition and return what was written.

        Raises
        ------
        ContractViolationError
            The frame does not keep the table's contract; the old partition stays.
        """
        frame = table.conform(frame)
        self.put(table, key, frame)
        return frame

    def put(self, table: Table, key: LadderDay, frame: pl.DataFrame) -> None:
        """Replace a partition by a frame that was checked before."""
        path = self.path(table, key)
        own = frame.select(list(table.stored)) if table.shares else frame
        parts = {PARTS: self._parts(table, key)} if table.shares else None
        stamp = write_atomically(
            path,
            # A partition is read whole: statistics would cost a fifth of the write. zstd takes no
            # longer than lz4 and makes files a quarter smaller.
            lambda path: own.write_parquet(
                path, compression="zstd", compression_level=3, statistics=False, metadata=parts
            ),
        )
        _RECENT.keep(path, stamp, own)

    def has(self, table: Table, key: LadderDay) -> bool:
        """Whether a partition is there, with all that it shares."""
        if table.stored and not self.path(table, key).is_file():
            return False
        return all(self.has(each.table, key) for each in table.shares)

    def is_current(self, table: Table, key: LadderDay) -> bool:
        """Whether a partition is there and has the table's columns."""
        path = self.path(table, key)
        if table.stored and not (path.is_file() and pl.read_parquet_schema(path) == table.stored):
            return False
        return all(self.is_current(each.table, key) for each in table.shares)

    def read_current(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        """One partition; None: it is not there, or another version of the platform wrote it."""
        return self.read(table, key) if self.is_current(table, key) else None

    def read(self, table: Table, key: LadderDay) -> pl.DataFrame:
        """One partition.

        Raises
        ------
        MissingPartitionError
            It has not been materialised, or a table that it shares columns with has not.
        OutdatedPartitionError
            Its columns are not the contract's: it was written by another version.
        PartsDisagreeError
            A table that it shares columns with has changed since it was written.
        """
        own = self._own(table, key) if table.stored else None
        if not table.shares:
            return own if own is not None else table.empty()
        parts = {each.table: self.read(each.table, key) for each in table.shares}
        if own is not None and self._recorded_parts(table, key) != self._parts(table, key):
            names = " or ".join(part.full_name for part in _with_files(table))
            raise PartsDisagreeError(
                f"{table.full_name} {key} shares columns with {names}, which changed since it was "
                f"written: materialise it again: {_backfill(key)}"
            )
        return table.assembled(parts, own)

    def _parts(self, table: Table, key: LadderDay) -> str:
        """What the files hold now that its shared columns lie in."""
        return " ".join(_content_of(self.path(part, key)) for part in _with_files(table))

    def _recorded_parts(self, table: Table, key: LadderDay) -> str | None:
        """What they held when the partition was written."""
        path = self.path(table, key)
        return _recorded(path, Stamp.of(path))

    def _own(self, table: Table, key: LadderDay) -> pl.DataFrame:
        """What is in the table's own file."""
        path = self.path(table, key)
        try:
            stamp = Stamp.of(path)
            if (recent := _RECENT.get(path, stamp)) is not None:
                return recent
            frame = pl.read_parquet(path, hive_partitioning=False)
        except FileNotFoundError:
            raise MissingPartitionError(table, key) from None
        if frame.schema != table.stored:
            raise OutdatedPartitionError(table, key, frame.schema)
        _RECENT.keep(path, stamp, frame)
        return frame

    def keys(self, table: Table) -> Iterator[LadderDay]:
        """The partitions that are there, by ladder and date."""
        folder = self.folder(table)
        for path in sorted(folder.glob(str(self.every(table).relative_to(folder)))):
            ladder, day = (part.name.partition("=")[2] for part in (path.parents[1], path.parent))
            if ladder != PLACEHOLDER:
                yield LadderDay(self.family, ladder, date.fromisoformat(day))

    def write_placeholder(self, table: Table) -> None:
        """Make sure that the table has at least one (empty) file for globs to find.

        It is the first that they find, so its columns are those that the table's files have.
        """
        path = self._path(table, PLACEHOLDER, str(PLACEHOLDER_DATE))
        if not path.is_file() or pl.read_parquet_schema(path) != table.stored:
            write_atomically(path, table.empty().select(list(table.stored)).write_parquet)


class Partitions(Mapping[LadderDay, pl.DataFrame]):
    """Some partitions of one table, read when asked for.

    What an asset gets as input: one partition, a range, or a look-back window. For a partition that
    does not exist `if_there` returns None and `[]` raises.

    Parameters
    ----------
    spoilt
        Partitions that could not be made in this run, with the error that says so. What an earlier
        run left in their place is not what the run was to rest on: an error under `[]`.
    """

    def __init__(
        self,
        lake: Lake,
        table: Table,
        keys: Iterable[LadderDay],
        spoilt: Mapping[LadderDay, SpoiltPartitionError] = MappingProxyType({}),
    ) -> None:
        self.lake = lake
        self.table = table
        self._keys = frozenset(keys)
        self._spoilt = spoilt

    def __getitem__(self, key: LadderDay) -> pl.DataFrame:
        if key not in self._keys:
            raise KeyError(f"{self.table.full_name}: {key} is not among the partitions asked for")
        if (error := self._spoilt.get(key)) is not None:
            raise SpoiltPartitionError(key, error.table, error.cause)
        return self.lake.read(self.table, key)

    def __iter__(self) -> Iterator[LadderDay]:
        return iter(sorted(self._keys))

    def __len__(self) -> int:
        return len(self._keys)

    def if_there(self, key: LadderDay) -> pl.DataFrame | None:
        """The partition of `key`; None: it is not there, failed in this run, or was not asked for.

        In a range run the input covers the union of all windows: naming the keys of one
        partition's window (`lake.history`) is what keeps its future out.
        """
        return None if key in self._spoilt else self.stored(key)

    def stored(self, key: LadderDay) -> pl.DataFrame | None:
        """As `if_there`, and what an earlier run left where this one failed."""
        there = key in self._keys and self.lake.has(self.table, key)
        return self.lake.read(self.table, key) if there else None
