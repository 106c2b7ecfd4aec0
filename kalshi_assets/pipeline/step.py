"""A step: the tables that it makes, its inputs, the services it uses, and its function.

Here: declarations, and making one partition from them. Not here: which steps there are (`graph`),
the order in which partitions are made, or where they are stored (`runner`, `defs`).
"""

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import polars as pl

from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.history import History
from kalshi_assets.lake.store import OutdatedPartitionError
from kalshi_assets.tables import Table
from kalshi_assets.tables.contract import PartsDisagreeError

Frames = pl.DataFrame | Mapping[Table, pl.DataFrame]
"""The frame of a step's only table, or frames by table."""

Window = tuple[datetime, datetime]
"""First and last minute of the rows wanted."""


class Source(Protocol):
    """Where a step reads its inputs."""

    def read(self, table: Table, key: LadderDay) -> pl.DataFrame:
        """A partition; raises if it is missing or could not be made in this run."""

    def if_there(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        """A partition; None if it is missing or could not be made in this run."""

    def stored(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        """Like `if_there`, but the partition of an earlier run if this run failed to make it."""

    def present(self, table: Table, key: LadderDay) -> pl.DataFrame | None:
        """The partition before the step replaces it; None unless it has the table's columns."""


@dataclass(frozen=True)
class Input:
    """The partition of another table, of the same ladder and day.

    Attributes
    ----------
    optional
        The step gets None if it is missing or could not be made in this run, instead of an error.
    or_earlier_run
        If it could not be made in this run, the step gets the partition of an earlier run, or None.
    """

    table: Table
    optional: bool = False
    or_earlier_run: bool = False


@dataclass(frozen=True)
class LookBack:
    """Earlier days of the same ladder, each read once per run.

    The step gets a list of (key, value of the day), oldest first; days on which a table is missing
    are omitted.

    Attributes
    ----------
    days
        Number of days before.
    tables
        Tables read for each day.
    keep
        Computes the value of a day from its key and the frames in the order of `tables`; None omits
        the day. By default the frame of the only table.
    left_out
        Returns why models do not learn from a day, given its frames; None if they do. Shown to
        users only.
    may_be_outdated
        A day that another version wrote is treated as missing, instead of an error.
    """

    days: int
    tables: tuple[Table, ...]
    keep: Callable[..., Any] = field(default=lambda _, frame: frame)
    left_out: Callable[..., str | None] | None = None
    may_be_outdated: bool = False


@dataclass(frozen=True)
class Stored:
    """The stored partition of the step's first table, before it is replaced.

    None if there is none or another version of the platform wrote it.
    """


@dataclass(frozen=True)
class Parameters:
    """Parameters from the configuration, loaded once per run."""

    load: Callable[[], Any]


@dataclass(frozen=True)
class Service:
    """The service with the argument's name, such as ``kalshi``."""


@dataclass(frozen=True)
class Warnings:
    """A function that writes a warning to the run's log."""


Argument = Input | LookBack | Stored | Parameters | Service | Warnings


class Markdown(str):
    """A description in Markdown."""

    __slots__ = ()


class FilePath(str):
    """The path of a file for users to open."""

    __slots__ = ()


@dataclass(frozen=True)
class Made:
    """A partition of one of a step's tables.

    Attributes
    ----------
    frame
        Conforms to the table's contract.
    frames
        The frames of all tables of the step.
    given
        The arguments of the step's function, by name.
    """

    key: LadderDay
    frame: pl.DataFrame
    frames: Mapping[Table, pl.DataFrame]
    given: Mapping[str, Any]


Describe = Callable[[Made], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """A step; the tables that it makes are written together.

    Attributes
    ----------
    compute
        Called with the partition's key, if it has a parameter `key`, and the arguments by name. If
        it has a parameter `window`, it can make only the rows from a first to a last minute: it
        gets both, or None for all rows.
    describe
        Returns metadata of a table's partition for users, by name: numbers, text, `Markdown`.
    kinds
        Services and libraries shown on the asset.
    ingest
        Whether it reads from a service; backfills are then split into shorter runs.
    finish
        Called with the services, by name, after the last partition of a run.
    """

    makes: tuple[Table, ...]
    compute: Callable[..., Frames]
    arguments: Mapping[str, Argument]
    describe: Mapping[Table, Describe]
    kinds: frozenset[str]
    ingest: bool
    finish: Callable[..., object] | None

    @cached_property
    def inputs(self) -> Mapping[Table, int]:
        """Every table read, with the number of earlier days that may be read."""
        found: dict[Table, int] = {}
        for argument in self.arguments.values():
            if isinstance(argument, Input):
                for table in parts_of(argument.table):
                    found.setdefault(table, 0)
            elif isinstance(argument, LookBack):
                for table in argument.tables:
                    found[table] = max(found.get(table, 0), argument.days)
        return found

    @cached_property
    def services(self) -> tuple[str, ...]:
        """Names of the services used."""
        return tuple(name for name, a in self.arguments.items() if isinstance(a, Service))

    @cached_property
    def takes_key(self) -> bool:
        """Whether the function takes the partition's key."""
        return "key" in self._parameters

    @cached_property
    def takes_window(self) -> bool:
        """Whether the function can make only the rows of some minutes."""
        return "window" in self._parameters

    @cached_property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.compute).parameters


def parts_of(table: Table) -> tuple[Table, ...]:
    """The tables to read for a table: itself, or, for a view, those that hold its columns."""
    return (table,) if table.stored else tuple(each.table for each in table.shares)


def step(
    makes: Table | tuple[Table, ...],
    compute: Callable[..., Frames],
    *,
    kinds: Iterable[str],
    describe: Describe | Mapping[Table, Describe] = MappingProxyType({}),
    ingest: bool = False,
    finish: Callable[..., object] | None = None,
    **arguments: Argument,
) -> Step:
    """Declare a step; see `Step`. A single `describe` applies to the first table.

    Raises
    ------
    TypeError
        The function does not take the arguments.
    """
    tables = (makes,) if isinstance(makes, Table) else makes
    made = Step(
        makes=tables,
        compute=compute,
        arguments=arguments,
        describe=describe if isinstance(describe, Mapping) else {tables[0]: describe},
        kinds=frozenset(kinds),
        ingest=ingest,
        finish=finish,
    )
    own = [
        name for name, takes in (("key", made.takes_key), ("window", made.takes_window)) if takes
    ]
    names = [*own, *arguments]
    inspect.signature(compute).bind(**dict.fromkeys(names))
    return made


class Work:
    """A step in one run: parameters are loaded once and each earlier day is read once.

    `services` are given by name and may include more than the step uses.
    """

    def __init__(
        self,
        of: Step,
        source: Source,
        services: Mapping[str, Any],
        warn: Callable[[str], object],
    ) -> None:
        self.step = of
        self._source = source
        self._fixed: dict[str, Any] = {name: services[name] for name in of.services}
        self._earlier: dict[str, History[Any]] = {}
        self._reasons: dict[LadderDay, str] = {}
        for name, argument in of.arguments.items():
            if isinstance(argument, Parameters):
                self._fixed[name] = argument.load()
            elif isinstance(argument, Warnings):
                self._fixed[name] = warn
            elif isinstance(argument, LookBack):
                self._earlier[name] = self._history(argument)

    def make(self, key: LadderDay, window: Window | None = None) -> dict[Table, Made]:
        """Make a partition of each table of the step.

        Parameters
        ----------
        key
            The partition.
        window
            Only rows of these minutes are made, if the step `takes_window`; None: all.

        Raises
        ------
        ContractViolationError
            A frame violates its table's contract.
        """
        given = {name: self._given(name, a, key) for name, a in self.step.arguments.items()}
        own: dict[str, Any] = {"key": key} if self.step.takes_key else {}
        if self.step.takes_window:
            own["window"] = window
        made = self.step.compute(**own, **given)
        by_table = made if isinstance(made, Mapping) else {self.step.makes[0]: made}
        frames = {table: table.conform(by_table[table]) for table in self.step.makes}
        return {table: Made(key, frame, frames, given) for table, frame in frames.items()}

    def finish(self) -> None:
        """Call the step's `finish`, once after the run's last partition."""
        if self.step.finish is not None:
            self.step.finish(**{name: self._fixed[name] for name in self.step.services})

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The SHA-256 of the parameters, as ``params_sha256``; empty if there are none."""
        loaded = {
            name: self._fixed[name]
            for name, argument in self.step.arguments.items()
            if isinstance(argument, Parameters)
        }
        if not loaded:
            return {}
        with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
            text = repr(loaded)
        return {"params_sha256": hashlib.sha256(text.encode()).hexdigest()}

    def describe(self, table: Table, made: Made) -> dict[str, Any]:
        """Metadata for users, including the days from which models do not learn."""
        describe = self.step.describe.get(table)
        facts = {} if describe is None else dict(describe(made))
        days = max(
            (a.days for a in self.step.arguments.values() if isinstance(a, LookBack)), default=0
        )
        found = [(day, self._reasons.get(day)) for day in made.key.earlier(days)]
        if lines := [f"- {day}: {reason}" for day, reason in found if reason]:
            facts["left out"] = Markdown("\n".join(lines))
        return facts

    def _given(self, name: str, argument: Argument, key: LadderDay) -> Any:
        match argument:
            case Input(table, or_earlier_run=True):
                return self._source.stored(table, key)
            case Input(table, optional=True):
                return self._source.if_there(table, key)
            case Input(table) if not table.stored:
                parts = {part: self._source.read(part, key) for part in parts_of(table)}
                return table.assembled(parts, None)
            case Input(table):
                return self._source.read(table, key)
            case LookBack():
                return self._earlier[name].before(key)
            case Stored():
                return self._source.present(self.step.makes[0], key)
            case _:
                return self._fixed[name]

    def _history(self, argument: LookBack) -> History[Any]:
        def read(day: LadderDay) -> Any:
            try:
                frames = [self._source.if_there(table, day) for table in argument.tables]
            except PartsDisagreeError as error:  # treated as missing, and reported
                self._reasons[day] = str(error)
                return None
            except OutdatedPartitionError as error:
                if not argument.may_be_outdated:
                    raise
                self._reasons[day] = str(error)
                return None
            if any(frame is None for frame in frames):
                return None
            if argument.left_out is not None and (reason := argument.left_out(*frames)):
                self._reasons[day] = reason
            return argument.keep(day, *frames)

        return History(argument.days, read)
