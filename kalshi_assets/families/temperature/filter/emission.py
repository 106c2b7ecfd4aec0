"""Likelihoods of reports given the temperature, and known maxima of windows.

Every likelihood allows for an error, so that a single wrong value cannot make all paths impossible.
Source: methods, sections 3.3 (robust emission) and 3.4. Not here: decoding reports (`bulletins`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from kalshi_assets.families.temperature.bulletins.intervals import Kind
from kalshi_assets.units import Array

WHOLE_C_ERROR = 1e-3
EXACT_ERROR = 1e-5
INTERP_SD_F = 1.44


@dataclass(frozen=True)
class Within:
    """The station rounded to `lo_f` to `hi_f`, whole degrees; wrong with probability `eps`."""

    lo_f: int
    hi_f: int
    eps: float

    def __call__(self, temp: Array) -> Array:
        inside = (temp >= self.lo_f - 0.5) & (temp < self.hi_f + 0.5)
        return np.where(inside, 1 - self.eps, self.eps)


@dataclass(frozen=True)
class Near:
    """A value of unknown origin: normal around `temp_f`; unrelated with probability `eps`."""

    temp_f: float
    sd_f: float = INTERP_SD_F
    eps: float = WHOLE_C_ERROR

    def __call__(self, temp: Array) -> Array:
        z = (temp - self.temp_f) / self.sd_f
        return (1 - self.eps) * np.exp(-0.5 * z**2) + self.eps


def emission(kind: Kind, lo_f: int, hi_f: int, temp_f: float) -> Callable[[Array], Array]:
    """The likelihood of a report, as decoded by `bulletins.intervals`, given the temperature."""
    if kind == "interp":
        return Near(temp_f)
    return Within(lo_f, hi_f, WHOLE_C_ERROR if kind == "whole_c" else EXACT_ERROR)


@dataclass(frozen=True, kw_only=True)
class KnownMaximum:
    """The maximum over slots `first` to `last`, both inclusive.

    Attributes
    ----------
    max_f
        Whole degrees F, of a six-hour group or a daily summary.
    reached
        False: it is known only that it was not exceeded.
    eps
        Probability that the report is wrong.
    """

    first: int
    last: int
    max_f: int
    reached: bool = True
    eps: float = EXACT_ERROR

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise ValueError(f"window {self.first}..{self.last} must lie in the day, in order")


def disjoint(known: Iterable[KnownMaximum]) -> list[KnownMaximum]:
    """Equivalent windows that do not overlap, sorted by first slot.

    The bound of a slot is the lowest maximum of the windows that contain it; a window reached its
    maximum in the slots with that bound. This is exact if windows are consecutive or have the same
    start, such as six-hour groups and maxima so far. If two windows with the same maximum overlap
    otherwise, or a lower one is inside a higher one, the higher maximum is only an upper bound.
    """
    known = list(known)
    bounds = sorted({w.first for w in known} | {w.last + 1 for w in known})
    least: dict[int, KnownMaximum] = {}
    for n, first in enumerate(bounds[:-1]):
        around = [w for w in known if w.first <= first <= w.last]
        if around:
            least[n] = min(around, key=lambda w: w.max_f)
    pieces: list[KnownMaximum] = []
    candidates = [
        (w, [n for n in least if w.first <= bounds[n] <= w.last and least[n].max_f == w.max_f])
        for w in known
        if w.reached
    ]
    taken: set[int] = set()
    for window, parts in sorted(candidates, key=lambda c: len(c[1])):
        contiguous = parts == list(range(parts[0], parts[0] + len(parts))) if parts else False
        if contiguous and not taken & {*parts}:
            last = bounds[parts[-1] + 1] - 1
            pieces.append(replace(window, first=bounds[parts[0]], last=last))
            taken |= {*parts}
    pieces += [
        replace(least[n], first=bounds[n], last=bounds[n + 1] - 1, reached=False)
        for n in least
        if n not in taken
    ]
    return sorted(pieces, key=lambda w: w.first)
