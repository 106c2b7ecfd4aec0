"""The partition store: frames in, frames out, one file per table, ladder and day."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from io import BytesIO
from types import MappingProxyType

import polars as pl

from kalshi_assets.keys import Family, LadderDay
from kalshi_assets.lake.files import Files, Stamp
from kalshi_assets.lake.recent import Recent, RecentFrames
from kalshi_assets.tables import VERDICTS, Table
from kalshi_assets.tables.contract import PartsDisagreeError

FOLDER = "lake"
ORIGIN = f"{FOLDER}/origin.txt"
PART = "part"
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


@lru_cache(maxsize=4096)
def _content(files: Files, name: str, stamp: Stamp) -> str:
    return hashlib.sha256(files.read(name)).hexdigest()[:16]


class OriginMismatchError(RuntimeError):
    """The lake holds another origin's partitions; the message says which and what to do."""


@dataclass(frozen=True)
class Lake:
    """All partitions of all tables of a family, below the folder ``lake``.

    Writing a partition replaces it whole; any number of processes may read and write at once.
    """

    files: Files
    family: Family

    def address(self, table: Table, key: LadderDay) -> str:
        """Where people find a partition, whether or not it is there."""
        return self.files.address(self.name(table, key))

    def pattern(self, table: Table, ladder: str = "*", day: str = "*") -> str:
        """Where DuckDB finds the partitions of a table."""
        several = table is VERDICTS
        return self.files.address(self._file(table, ladder, day, "*" if several else PART))

    def name(self, table: Table, key: LadderDay, part: str = PART) -> str:
        """The name of a partition's file, or of one of several."""
        return self._file(table, key.ladder, f"{key.date}", part)

    def _file(self, table: Table, ladder: str, day: str, part: str = PART) -> str:
        ladder = f"{self.family.dimension}={ladder}"
        return f"{_folder(table)}/{ladder}/date={day}/{part}.parquet"

    @property
    def root(self) -> str:
        """Where people find the lake."""
        return self.files.address(FOLDER)

    @property
    def origin(self) -> str | None:
        """What the lake was filled from; None: nothing wrote to it yet."""
        try:
            return self.files.read(ORIGIN).decode().strip()
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
            self.files.create(ORIGIN, f"{origin}\n".encode())
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
        name, content = self.name(table, key), BytesIO()
        own = frame.select(list(table.stored)) if table.shares else frame
        parts = self._parts(table, key) if table.shares else None
        # A partition is read whole: statistics would cost a fifth of the write. zstd takes no
        # longer than lz4 and makes files a quarter smaller.
        own.write_parquet(
            content,
            compression="zstd",
            compression_level=3,
            statistics=False,
            metadata=None if parts is None else {PARTS: parts},
        )
        stamp = self.files.write(name, content.getvalue())
        _RECENT.keep((self.files, name), Recent(stamp, own, parts))

    def has(self, table: Table, key: LadderDay) -> bool:
        """Whether a partition is there, with all that it shares."""
        if table.stored and not self.files.exists(self.name(table, key)):
            return False
        return all(self.has(each.table, key) for each in table.shares)

    def is_current(self, table: Table, key: LadderDay) -> bool:
        """Whether a partition is there and has the table's columns."""
        if table.stored and self._columns(self.name(table, key)) != table.stored:
            return False
        return all(self.is_current(each.table, key) for each in table.shares)

    def _columns(self, name: str) -> Mapping[str, pl.DataType] | None:
        """The columns of a file; None: there is no file."""
        try:
            return pl.read_parquet_schema(BytesIO(self.files.read(name)))
        except FileNotFoundError:
            return None

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
            return table.empty() if own is None else own.frame
        parts = {each.table: self.read(each.table, key) for each in table.shares}
        if own is not None and own.parts != self._parts(table, key):
            names = " or ".join(part.full_name for part in _with_files(table))
            raise PartsDisagreeError(
                f"{table.full_name} {key} shares columns with {names}, which changed since it was "
                f"written: materialise it again: {_backfill(key)}"
            )
        return table.assembled(parts, None if own is None else own.frame)

    def _parts(self, table: Table, key: LadderDay) -> str:
        """What the files hold now that its shared columns lie in."""
        return " ".join(self._held(part, key) for part in _with_files(table))

    def content(self, key: LadderDay, *tables: Table) -> str:
        """What the files of some tables' partitions hold now, those they share columns with too."""
        parts = [part for table in tables for part in (table, *_with_files(table)) if part.stored]
        return " ".join(self._held(part, key) for part in dict.fromkeys(parts))

    def _held(self, table: Table, key: LadderDay) -> str:
        name = self.name(table, key)
        try:
            return _content(self.files, name, self.files.stamp(name))
        except FileNotFoundError:
            return "missing"

    def _own(self, table: Table, key: LadderDay) -> Recent:
        """What is in the table's own file."""
        name = self.name(table, key)
        recent = _RECENT.get((self.files, name))
        try:
            changed = self.files.read_unless(name, None if recent is None else recent.stamp)
        except FileNotFoundError:
            raise MissingPartitionError(table, key) from None
        if recent is not None and changed is None:
            return recent
        assert changed is not None
        stamp, content = changed
        frame = pl.read_parquet(content, hive_partitioning=False)
        if frame.schema != table.stored:
            raise OutdatedPartitionError(table, key, frame.schema)
        parts = pl.read_parquet_metadata(BytesIO(content)).get(PARTS) if table.shares else None
        _RECENT.keep((self.files, name), read := Recent(stamp, frame, parts))
        return read

    def keys(self, *tables: Table) -> list[LadderDay]:
        """The city-days of which a table has a partition, in order.

        Folders are listed, and of each day one file is looked for, not every table's: a large lake
        has hundreds of thousands.
        """
        found: set[tuple[str, str]] = set()
        for table in tables:
            for ladder in self.files.names(_folder(table)):
                days = self.files.names(f"{_folder(table)}/{ladder}")
                for day in days:
                    at = (ladder.partition("=")[2], day.partition("=")[2])
                    if at not in found and self.files.exists(self._file(table, *at)):
                        found.add(at)
        return [
            LadderDay(self.family, ladder, date.fromisoformat(day))
            for ladder, day in sorted(found)
            if ladder != PLACEHOLDER
        ]

    def write_placeholder(self, table: Table) -> None:
        """Make sure that the table has at least one (empty) file for globs to find.

        It is the first that they find, so its columns are those that the table's files have.
        """
        name = self._file(table, PLACEHOLDER, f"{PLACEHOLDER_DATE}")
        if self._columns(name) != table.stored:
            content = BytesIO()
            table.empty().select(list(table.stored)).write_parquet(content)
            self.files.write(name, content.getvalue())


def _folder(table: Table) -> str:
    return f"{FOLDER}/{table.schema}/{table.name}"


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
