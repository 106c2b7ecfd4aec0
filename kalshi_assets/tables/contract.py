"""Table contracts: a Pandera model with a name, a key and a description of every column.

Here: the declaration and its enforcement. Not here: any particular table.

A partition of a table belongs to one city and one climate day; `city` and `date` are folder names,
not columns of the file.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import pandera.polars as pa
import polars as pl

from kalshi_assets.tables.limits import Limits, strictly_ascending

UtcTime = Annotated[pl.Datetime, "us", "UTC"]


class ContractViolationError(ValueError):
    """A frame violates its table's contract; the message names table, column and rows."""


class Contract(pa.DataFrameModel):
    """Base of all contracts: exactly the declared columns, of exactly the declared types."""

    class Config:
        """Pandera's options."""

        strict = True
        coerce = False


def column(meaning: str, *, unit: str | None = None, **checks: Any) -> Any:
    """A column of a contract.

    Parameters
    ----------
    meaning
        Description of the values, one sentence.
    unit
        Unit of the values: ``cc`` is 1/10,000 dollar, ``f`` degrees Fahrenheit, ``s`` seconds.
    checks
        Checks of Pandera: ``ge``, ``le``, ``isin``, ``nullable`` ...
    """
    return pa.Field(description=meaning, metadata={"unit": unit}, **checks)


class PartsDisagreeError(RuntimeError):
    """Tables that share columns have different rows; the message names them and the remedy."""


@dataclass(frozen=True, eq=False)
class Shared:
    """Columns that a table shares with another one of the same rows, which stores them.

    Attributes
    ----------
    table
        The other table.
    columns
        Names in the other table, by the names in this one.
    """

    table: "Table"
    columns: Mapping[str, str]

    @classmethod
    def all_of(cls, table: "Table", *, but: Collection[str] = (), **renamed: str) -> "Shared":
        """All columns except `but` under their own names, and the renamed ones.

        Parameters
        ----------
        table
            The other table.
        but
            Columns that are not shared.
        renamed
            Names in the other table, by the names in this one.
        """
        return cls(table, {name: name for name in table.dtypes if name not in but} | renamed)


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    Attributes
    ----------
    schema, name
        Name: ``<schema>.<name>`` in the catalogue, ``<schema>/<name>`` on disk and as Dagster's
        asset key.
    model
        The Pandera model of its columns.
    key
        Columns that together identify a row within a partition.
    point_in_time
        Column with the instant of a row, if the row must not use anything known later: its
        ``known_at`` must not exceed it.
    pmfs
        Columns that hold a probability per bracket and sum to one at every instant.
    impossible
        Column that marks brackets that can no longer pay; their `pmfs`, except the market's, are 0.
    may_be_empty
        Whether a partition without rows is valid.
    shares
        Columns that are stored with other tables; if several have a column, the first is used.
    """

    schema: str
    name: str
    model: type[Contract]
    key: tuple[str, ...]
    point_in_time: str | None = None
    pmfs: tuple[str, ...] = ()
    impossible: str | None = None
    may_be_empty: bool = False
    shares: tuple[Shared, ...] = field(default=(), compare=False, repr=False)

    @property
    def full_name(self) -> str:
        """``schema.table``, as SQL and people write it."""
        return f"{self.schema}.{self.name}"

    @property
    def description(self) -> str:
        """Description of the table: the model's docstring."""
        return " ".join((self.model.__doc__ or "").split())

    @cached_property
    def dtypes(self) -> dict[str, pl.DataType]:
        """Polars type per column, in order."""
        return {name: spec.dtype.type for name, spec in self._schema.columns.items()}

    @cached_property
    def _names(self) -> list[str]:
        return list(self.dtypes)

    @cached_property
    def _types(self) -> list[pl.DataType]:
        return list(self.dtypes.values())

    @cached_property
    def shared(self) -> Mapping[str, tuple["Table", str]]:
        """Where the shared columns are stored: table and column name there, by the name here."""
        found: dict[str, tuple[Table, str]] = {}
        for each in self.shares:
            for here, there in each.columns.items():
                if here in self.dtypes and here not in self.key:
                    found.setdefault(here, (each.table, there))
        return found

    @cached_property
    def stored(self) -> dict[str, pl.DataType]:
        """Types of the columns in the table's own files: the key and the columns not shared.

        Empty if all columns are shared: the table then has no files.
        """
        own = {name: dtype for name, dtype in self.dtypes.items() if name not in self.shared}
        return own if own.keys() - set(self.key) else {}

    def assembled(
        self, parts: Mapping["Table", pl.DataFrame], own: pl.DataFrame | None
    ) -> pl.DataFrame:
        """The whole partition from its parts.

        Parameters
        ----------
        parts
            The partition of each table in `shares`.
        own
            The columns of `stored`; None if there are none.

        Raises
        ------
        PartsDisagreeError
            The rows of the parts differ: one was rebuilt and this table was not.
        """
        rows = next(iter(parts.values())) if own is None else own
        # A query would take a hundred times as long as naming columns.
        keys = {name: rows[name] for name in self.key}
        for table, frame in parts.items():
            if not all(frame[name].equals(keys[name]) for name in reversed(self.key)):
                raise PartsDisagreeError(
                    f"{self.full_name} has other rows than {table.full_name}, which was rebuilt "
                    f"since: materialise {self.full_name} again"
                )
        return pl.DataFrame([self._column(name, parts, keys, own) for name in self.dtypes])

    def _column(
        self,
        name: str,
        parts: Mapping["Table", pl.DataFrame],
        keys: Mapping[str, pl.Series],
        own: pl.DataFrame | None,
    ) -> pl.Series:
        if name in self.key:
            return keys[name]
        if name in self.shared:
            table, there = self.shared[name]
            values = parts[table][there]
            return values if there == name else values.alias(name)
        assert own is not None
        return own[name]

    @cached_property
    def columns(self) -> dict[str, Any]:
        """Pandera's column per name: description, metadata['unit'], nullable, checks."""
        return dict(self._schema.columns)

    @cached_property
    def _schema(self) -> pa.DataFrameSchema:
        return self.model.to_schema()

    def empty(self) -> pl.DataFrame:
        """A frame with the right columns and no rows."""
        return pl.DataFrame(schema=self.dtypes)

    def arranged(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` with the contract's column order, sorted by key; values are not checked.

        Pure functions return such frames: the lake validates on writing.
        """
        frame = self._in_order_of_columns(frame)
        # Most frames are sorted already, and checking costs a tenth of sorting them.
        return frame if strictly_ascending(frame, self.key) else frame.sort(self.key)

    def _in_order_of_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame if frame.columns == self._names else frame[self._names]

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame`, validated, with the contract's order of columns and sorted by key.

        Parameters
        ----------
        frame
            The contract's columns, in any order.

        Raises
        ------
        ContractViolationError
            Missing or extra columns, wrong types, values out of range, or a key that repeats.
        """
        self._check_columns(frame)
        frame = self._in_order_of_columns(frame)
        ascending = strictly_ascending(frame, self.key)
        if not ascending:
            frame = frame.sort(self.key)
            ascending = strictly_ascending(frame, self.key)
        columns = zip(self._limits, frame.get_columns(), strict=True)
        if not all(limits.hold(values) for limits, values in columns):
            self._explain(frame)
        if not ascending:
            self._refuse_repeated(frame)
        return frame

    def _check_columns(self, frame: pl.DataFrame) -> None:
        # Lists of types are compared several times faster than schemas.
        if frame.dtypes == self._types and frame.columns == self._names:
            return
        found = frame.schema
        missing = [name for name in self.dtypes if name not in found]
        extra = [name for name in found if name not in self.dtypes]
        wrong = {
            name: f"{found[name]} instead of {dtype}"
            for name, dtype in self.dtypes.items()
            if name in found and found[name] != dtype
        }
        if missing or extra or wrong:
            raise ContractViolationError(
                f"{self.full_name}: missing columns {missing}, unexpected columns {extra}, "
                f"wrong types {wrong}"
            )

    @cached_property
    def _limits(self) -> list[Limits]:
        return [Limits.of(spec) for spec in self._schema.columns.values()]

    def _refuse_repeated(self, frame: pl.DataFrame) -> None:
        repeated = frame.select(self.key).filter(pl.struct(self.key).is_duplicated())
        if repeated.height:
            raise ContractViolationError(
                f"{self.full_name}: {repeated.height} rows share a key with another, for example "
                f"{repeated.row(0, named=True)}"
            )

    def _explain(self, frame: pl.DataFrame) -> None:
        try:
            self._schema.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            cases = error.failure_cases
            failures = [
                f"{row['column'] or row.get('schema_context')}: {row['check']} "
                f"(row {row['index']}: {row['failure_case']})"
                for row in cases.unique(["column", "check"], keep="first").iter_rows(named=True)
            ]
            raise ContractViolationError(f"{self.full_name}: " + "; ".join(failures)) from error
