"""Whether a frame satisfies its contract's limits and key order, checked by whole columns.

A contract is checked at every write. Minimum, maximum, sum and null count of a column cost two
microseconds each, a row-by-row comparison ten times as much. Here: yes or no. Not here: which rows
violate the contract (Pandera, in `contract`).
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
    """The limits of one column's values.

    Attributes
    ----------
    nullable
        Whether null, and NaN, are allowed.
    is_float
        Whether there can be NaN.
    bounds
        Bounds of the minimum and maximum; NaN counts as greater than any number.
    allowed
        The permitted values; None: any.
    """

    nullable: bool
    is_float: bool
    bounds: Sequence[Bound]
    allowed: Sequence[Any] | None

    @classmethod
    def of(cls, spec: Any) -> "Limits":
        """Those of a Pandera column."""
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
    """Whether all values but nulls are among the allowed ones."""
    # Counting is five times cheaper than `is_in`, as most rows have the first or the second.
    left = len(values) - values.null_count()
    for value in allowed:
        if not left:
            break
        left -= (values == value).sum()
    return not left


def _has_nan(values: pl.Series) -> bool:
    # The sum is NaN if a value is; but so is that of two infinities.
    return math.isnan(values.sum()) and bool(values.is_nan().any())


def strictly_ascending(frame: pl.DataFrame, key: Iterable[str]) -> bool:
    """Whether every row's key is greater than that of the row before: in order, and unique.

    A key with nulls is not.
    """
    if frame.height < 2:
        return True
    columns = [frame.get_column(name) for name in key]
    if any(values.null_count() for values in columns):
        return False
    equal = None  # rows equal to the one before in all columns so far; None: all of them
    for values in columns:
        before, after = values.slice(0, frame.height - 1), values.slice(1)
        same = before == after
        if equal is not None:
            same, falls = same & equal, (before > after) & equal
        elif values.dtype == pl.String:  # expensive to compare, and seldom different
            falls = before.filter(~same) > after.filter(~same)
        else:
            falls = before > after
        if falls.any():
            return False
        if not same.any():
            return True
        equal = same
    return False
