"""The form of `learning.calibrators`: rows from fits and choices, and the maps in force from rows.

Here: the table, written and read. Not here: what is in it (`rolling`, `selection`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter, itemgetter
from typing import NamedTuple

import numpy as np
import polars as pl

from kalshi_assets.learning.calibration.days import LEAD_BLOCKS
from kalshi_assets.learning.calibration.maps import (
    FAMILIES,
    KNOTS,
    NOTHING,
    VENN_ABERS,
    CalibrationMap,
    Family,
)
from kalshi_assets.learning.calibration.rolling import PACKAGED, SCOPES, Fits, Stack, keys_of
from kalshi_assets.learning.calibration.selection import Choice, InForce, Trial
from kalshi_assets.tables.calibration import CALIBRATORS
from kalshi_assets.units import Array

Row = dict[str, object]

_PARENTS = dict(zip((PACKAGED, *SCOPES), ("none", PACKAGED, *SCOPES[:-1]), strict=True))
_ENDS = ("lower", "upper")
_OF_TRIAL = tuple(field.name for field in fields(Trial))


@dataclass(frozen=True, kw_only=True)
class FittedTo:
    """Days that a key was fitted to: how many, the first and the last."""

    n_days: int = 0
    window_start: date | None = None
    window_end: date | None = None


@dataclass(frozen=True, kw_only=True)
class BlockMap:
    """The map in force in one lead block.

    Attributes
    ----------
    map, scope
        The map, and where it was fitted.
    band
        Venn-Abers p0 and p1 at `KNOTS`, shape (2, knots); None: too few days.
    """

    map: CalibrationMap
    scope: str
    band: Array | None


def days_of_keys(stack: Stack) -> list[FittedTo]:
    """The days that every key was fitted to."""
    dates = [day.day_start.date() for day in stack.days]
    found = []
    for days in (np.flatnonzero(has) for has in stack.has.T):
        some = len(days) > 0
        found.append(
            FittedTo(
                n_days=len(days),
                window_start=dates[days[0]] if some else None,
                window_end=dates[days[-1]] if some else None,
            )
        )
    return found


def rows_of_maps(
    fits: Fits,
    fitted_to: Sequence[FittedTo],
    choices: Mapping[int, Choice],
    in_force: Sequence[InForce],
    season: str,
) -> Iterator[Row]:
    """A row per lead block, scope, map and parameter; knots only of a map that is in force.

    Parameters
    ----------
    fits
        Fits of all keys.
    fitted_to
        The days of each key.
    choices
        The choice at each key.
    in_force
        The map in force in each lead block.
    season
        Season of the climate day.
    """
    for block, now in enumerate(in_force):
        for scope, key in enumerate(keys_of(block)):
            days = fitted_to[key]
            for name, trial in choices[key].trials.items():
                used = now == InForce(scope, name)
                common = {
                    **_common(block, SCOPES[scope], season, days),
                    "map": name,
                    **{of: getattr(trial, of) for of in _OF_TRIAL},
                    "in_force": used,
                }
                family, theta = FAMILIES[name], fits.theta[name][-1, key]
                own = fits.own[name][-1, key] if days.n_days else None
                if family.parameters == ("value",) and not used:
                    yield {**common, "parameter": "none", "knot_p": 0.0}
                else:
                    yield from _parameters(common, family, theta, own)


def rows_of_packaged(packaged: CalibrationMap, in_force: Sequence[InForce]) -> Iterator[Row]:
    """The packaged map for every lead block.

    Parameters
    ----------
    packaged
        The map.
    in_force
        The map in force in each lead block.
    """
    for block, now in enumerate(in_force):
        common = {
            **_common(block, PACKAGED, "all", FittedTo()),
            "map": packaged.family.name,
            "scored_days": 0,
            "verdict": PACKAGED,
            "in_force": now.scope is None,
        }
        if packaged.family is NOTHING:
            yield {**common, "parameter": "none", "knot_p": 0.0}
        else:
            yield from _parameters(common, packaged.family, packaged.theta, None)


def rows_of_band(
    block: int, scope: int, fitted_to: FittedTo, season: str, band: Array
) -> Iterator[Row]:
    """The Venn-Abers band of a lead block.

    Parameters
    ----------
    block, scope
        Indices into `LEAD_BLOCKS` and `SCOPES`.
    fitted_to
        The days of the key.
    season
        Season of the climate day.
    band
        p0 and p1, shape (2, knots).
    """
    common = {
        **_common(block, SCOPES[scope], season, fitted_to),
        "map": VENN_ABERS.name,
        "scored_days": 0,
        "verdict": "band",
        "in_force": True,
    }
    for parameter, ends in zip(_ENDS, band.tolist(), strict=True):
        for knot, value in zip(KNOTS.tolist(), ends, strict=True):
            yield {**common, "parameter": parameter, "knot_p": knot, "value": value, "own": value}


def _common(block: int, scope: str, season: str, days: FittedTo) -> Row:
    return {
        "lead_block": LEAD_BLOCKS[block],
        "scope": scope,
        "season": season if scope == SCOPES[-1] else "all",
        "parent": _PARENTS[scope],
        "n_days": days.n_days,
        "window_start": days.window_start,
        "window_end": days.window_end,
    }


def _parameters(common: Row, family: Family, theta: Array, own: Array | None) -> Iterator[Row]:
    names = family.parameters * (len(theta) // len(family.parameters))
    own_values = [None] * len(theta) if own is None else own.tolist()
    for name, knot, value, unshrunk in zip(
        names, family.knots.tolist(), theta.tolist(), own_values, strict=True
    ):
        yield {**common, "parameter": name, "knot_p": knot, "value": value, "own": unshrunk}


def as_frame(rows: Sequence[Row], event_time: datetime, known_at: datetime) -> pl.DataFrame:
    """`learning.calibrators` from rows without times.

    Parameters
    ----------
    rows
        In any order.
    event_time, known_at
        Times of all rows.
    """
    times = {"event_time": event_time, "known_at": known_at}
    in_order = sorted(rows, key=itemgetter(*CALIBRATORS.key))
    return CALIBRATORS.arranged(
        pl.DataFrame(
            {
                name: _at(times[name], dtype, len(rows))
                if name in times
                else _column([row.get(name) for row in in_order], dtype)
                for name, dtype in CALIBRATORS.dtypes.items()
            }
        )
    )


def _at(time: datetime, dtype: pl.DataType, rows: int) -> pl.Series:
    return pl.Series(np.full(rows, round(time.timestamp() * 1e6))).cast(dtype)


def _column(values: Sequence[object], dtype: pl.DataType) -> pl.Series:
    if dtype == pl.Float64:
        return pl.Series(np.array(values, dtype=np.float64), nan_to_null=True)
    return pl.Series(values, dtype=dtype)


def in_force(frame: pl.DataFrame) -> list[BlockMap]:
    """The maps in force per lead block, from `learning.calibrators`.

    Raises
    ------
    ValueError
        A lead block does not have exactly one map in force.
    """
    used: dict[str, list[_Used]] = {name: [] for name in LEAD_BLOCKS}
    for values in frame.filter("in_force").select(_Used._fields).iter_rows():
        row = _Used(*values)
        used[row.lead_block].append(row)
    return [_block_map(name, sorted(rows, key=attrgetter("knot_p"))) for name, rows in used.items()]


class _Used(NamedTuple):
    """The columns read from a row in force."""

    lead_block: str
    scope: str
    map: str
    parameter: str
    knot_p: float
    value: float
    verdict: str


def _block_map(lead_block: str, used: Sequence[_Used]) -> BlockMap:
    """The map of rows in order of knots."""
    rows = [row for row in used if row.verdict != "band"]
    kinds = {(row.map, row.scope) for row in rows}
    if len(kinds) != 1:
        raise ValueError(
            f"lead block {lead_block} has {len(kinds)} maps in force, not one: materialise "
            "learning/calibrators of the day again"
        )
    ((name, scope),) = kinds
    ends = [
        [row.value for row in used if row.verdict == "band" and row.parameter == end]
        for end in _ENDS
    ]
    return BlockMap(map=_map_of(name, rows), scope=scope, band=np.array(ends) if ends[0] else None)


def _map_of(name: str, rows: Sequence[_Used]) -> CalibrationMap:
    if name == NOTHING.name:
        return CalibrationMap(family=NOTHING, theta=NOTHING.identity)
    family = FAMILIES[name]
    if family.parameters == ("value",):
        return CalibrationMap(family=family, theta=np.array([row.value for row in rows]))
    of = {row.parameter: row.value for row in rows}
    return CalibrationMap(family=family, theta=np.array([of[p] for p in family.parameters]))
