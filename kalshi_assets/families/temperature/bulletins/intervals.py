"""What a report can stand for: a shown temperature is an interval of whole degrees.

The station holds whole °F, sends whole °C or tenths of °C, and the provider shows °F again. Here:
the exact sets behind each of those forms, for one value and over a column. Not here: where a value
came from, or what it means for a bracket.

Source of the formulas: the station rounds its five-minute mean to whole °F, half up, and converts
that to 0.1 °C (ASOS User's Guide, 3.1.2); whole °C are the body of a METAR, tenths its T-group.
Rounding twice (°F to 0.1 °C to °C) never differs from rounding once, so the sets are exact; the
tests enumerate them over -60..140 °F.
"""

from math import floor
from typing import Literal, NamedTuple

import polars as pl

Kind = Literal["whole_c", "tgroup", "interp"]

# Tenths of °C, modulo 5 °C, that some whole °F converts to; 5 °C are exactly 9 °F.
TGROUP_RESIDUES = (0, 6, 11, 17, 22, 28, 33, 39, 44)
# Half of the last digit shown, with room for binary fractions; the next possible distance is 0.06.
_SHOWN_EXACTLY_F = 0.051
_INTERPOLATED_WITHIN_F = 1


class Reading(NamedTuple):
    """The whole degrees a shown value may stand for.

    Attributes
    ----------
    kind
        How it was rounded before it was shown: ``whole_c`` to whole °C, ``tgroup`` to tenths of °C
        from whole °F, ``interp`` unknown (blended stations, interpolation), hence widened.
    lo_f, hi_f
        Least and greatest whole °F, both inclusive.
    """

    kind: Kind
    lo_f: int
    hi_f: int


def tenths_c(whole_f: int) -> int:
    """Tenths of °C that the station sends for a whole °F: ``half_up(50 (F - 32) / 9)``."""
    return (100 * (whole_f - 32) + 9) // 18


def whole_f(tenths: int) -> int:
    """The whole °F behind tenths of °C: ``half_up((9 c + 1600) / 50)``; inverts `tenths_c`."""
    return (9 * tenths + 1625) // 50


def whole_f_of_whole_c(whole_c: int) -> tuple[int, int]:
    """Least and greatest whole °F that the station reports as `whole_c` °C.

    ``ceil(1.8 c + 32 - 0.9) .. floor(1.8 c + 32 + 0.9)``: one degree where c is a multiple of 5,
    else two. The value shown, 1.8 c + 32 rounded, can miss the true one by a degree.
    """
    return -((-18 * whole_c - 311) // 10), (18 * whole_c + 329) // 10


def mean_interval_f(lo_f: int, hi_f: int) -> tuple[float, float]:
    """Five-minute means, °F, that round half up to `lo_f`..`hi_f`: closed below, open above."""
    return lo_f - 0.5, hi_f + 0.5


def decode(shown_f: float) -> Reading:
    """What a °F value of the provider, shown to one decimal, can stand for.

    Tenths of °C that are whole °C decode as ``whole_c``; this is right for T-groups too, because a
    whole °F converts to x.0 °C only where x is a multiple of 5, and there the set has one member.

    Parameters
    ----------
    shown_f
        As shown, °F.
    """
    tenths = floor((shown_f - 32) / 0.18 + 0.5)
    if abs(32 + 0.18 * tenths - shown_f) <= _SHOWN_EXACTLY_F:
        if tenths % 10 == 0:
            return Reading("whole_c", *whole_f_of_whole_c(tenths // 10))
        if tenths % 50 in TGROUP_RESIDUES:
            return Reading("tgroup", whole_f(tenths), whole_f(tenths))
    return Reading("interp", *around_f(shown_f))


def around_f(shown_f: float) -> tuple[int, int]:
    """Least and greatest whole °F that a value of unknown origin is taken to stand for."""
    return (
        floor(shown_f - _INTERPOLATED_WITHIN_F + 0.5),
        floor(shown_f + _INTERPOLATED_WITHIN_F + 0.5),
    )


def decode_temp_f(temp_f: pl.Expr) -> pl.Expr:
    """`decode` over a column.

    Parameters
    ----------
    temp_f
        Float64, °F as shown, to one decimal; null gives null fields.

    Returns
    -------
    pl.Expr
        Struct with fields ``kind`` (String), ``lo_f`` and ``hi_f`` (Int16).
    """
    tenths = ((temp_f - 32) / 0.18 + 0.5).floor().cast(pl.Int32)
    shown_exactly = (32 + 0.18 * tenths - temp_f).abs() <= _SHOWN_EXACTLY_F
    is_whole_c = shown_exactly & (tenths - tenths // 10 * 10 == 0)
    is_tgroup = shown_exactly & (tenths - tenths // 50 * 50).is_in(TGROUP_RESIDUES)
    whole_c = tenths // 10

    def by_kind(of_whole_c: pl.Expr, of_tgroup: pl.Expr, of_interp: pl.Expr) -> pl.Expr:
        return (
            pl.when(temp_f.is_null())
            .then(None)
            .when(is_whole_c)
            .then(of_whole_c)
            .when(is_tgroup)
            .then(of_tgroup)
            .otherwise(of_interp)
        )

    exact = (9 * tenths + 1625) // 50
    lo = by_kind((18 * whole_c + 320) // 10, exact, (temp_f - 0.5).floor().cast(pl.Int32))
    hi = by_kind((18 * whole_c + 329) // 10, exact, (temp_f + 1.5).floor().cast(pl.Int32))
    kind = by_kind(pl.lit("whole_c"), pl.lit("tgroup"), pl.lit("interp"))
    return pl.struct(kind=kind.cast(pl.String), lo_f=lo.cast(pl.Int16), hi_f=hi.cast(pl.Int16))
