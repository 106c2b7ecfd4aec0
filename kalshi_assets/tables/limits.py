"""Fast checks of a frame's values and key against its contract, column by column.

Contracts are checked at every write: minimum, maximum, sum and null count of a column cost two
microseconds each, a comparison row by row ten times as much. Here: pass or fail. Not here: which
rows fail (Pandera, in `contract`).
"""

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

_BOUNDS: dict[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "greater_than_or_equal_to": ("min", "min_value", operator.ge),
    "greater_than": ("min", "min_value", operator.gt),
    "less_than_or_equal_to": ("max", "max_value", operator.le),
    "less_than": ("max", "max_value", operator.lt),
}


@dataclass(frozen=True)
class Bound:
    """A limit of a column's smallest (``min``) or greatest (``max``) value."""

    extreme: str
    holds: Callable[[Any, Any], bool]
    limit: Any


@dataclass(frozen=True)
class Limits:
    """Constraints on one column's values.

    Attributes
    ----------
    nullable
        Whether null, and NaN, are allowed.
    is_float
        Whether the type has NaN.
    bounds
        Bounds of the smallest and greatest value; NaN counts as greater than any number.
    allowed
        The allowed values; None: any.
    """

    nullable: bool
    is_float: bool
    bounds: Sequence[Bound]
    allowed: Sequence[Any] | None

    @classmethod
    def of(cls, spec: Any) -> "Limits":
        """The limits of a Pandera column."""
        bounds, allowed = [], None
        for check in spec.checks:
            if check.name == "isin":
                allowed = list(check.statistics["allowed_values"])
            else:
                extreme, name, holds = _BOUNDS[check.name]
                bounds.append(Bound(extreme, holds, check.statistics[name]))
        return cls(spec.nullable, spec.dtype.type.is_float(), bounds, allowed)

    def hold(self, values: pl.Series) -> bool:
        """Whether all values are within the limits."""
        if not self.nullable and values.null_count():
            return False
        if (
            self.is_float
            and (not self.nullable or any(bound.extreme == "max" for bound in self.bounds))
            and _has_nan(values)
        ):
            return False
        for bound in self.bounds:
            extreme = values.min() if bound.extreme == "min" else values.max()
            if extreme is not None and not (
                bound.holds(extreme, bound.limit) or extreme != extreme  # NaN: the only value
            ):
                return False
        return self.allowed is None or _only(values, self.allowed)


def _only(values: pl.Series, allowed: Iterable[Any]) -> bool:
    """Whether all values are allowed; nulls are ignored."""
    # Counting is five times cheaper than `is_in`: most rows have the first or second value.
    left = len(values) - values.null_count()
    for value in allowed:
        if not left:
            break
        left -= (values == value).sum()
    return not left


def _has_nan(values: pl.Series) -> bool:
    # The sum is NaN if a value is, but also if there are infinities of both signs.
    return math.isnan(values.sum()) and bool(values.is_nan().any())


def strictly_ascending(frame: pl.DataFrame, key: Iterable[str]) -> bool:
    """Whether every row's key is greater than that of the row before: sorted and unique.

    Parameters
    ----------
    frame
        Rows to check.
    key
        Names of the key's columns, the most significant first; nulls in them give False.
    """
    if frame.height < 2:
        return True
    columns = [frame.get_column(name) for name in key]
    if any(values.null_count() for values in columns):
        return False
    equal = None  # rows like the one before in all columns so far; None: all rows
    for values in columns:
        before, after = values.slice(0, frame.height - 1), values.slice(1)
        same = before == after
        if equal is not None:
            same, falls = same & equal, (before > after) & equal
        elif values.dtype == pl.String:  # expensive to compare, and few rows differ
            falls = before.filter(~same) > after.filter(~same)
        else:
            falls = before > after
        if falls.any():
            return False
        if not same.any():
            return True
        equal = same
    return False
