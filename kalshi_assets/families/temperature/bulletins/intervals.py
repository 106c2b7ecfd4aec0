"""The interval of whole °F behind a reported temperature.

The station measures whole °F, sends whole °C or tenths of °C, and the provider converts to °F
again. Here: the exact sets of whole °F for each format, for single values and columns. Not here:
where a value came from, its meaning for a bracket.

Source of the formulas: the station rounds its five-minute mean to whole °F, half up, and converts
that to 0.1 °C (ASOS User's Guide, 3.1.2); whole °C are the body of a METAR, tenths its T-group.
Rounding twice (°F to 0.1 °C to °C) never differs from rounding once, so the sets are exact; the
tests enumerate them over -60..140 °F.
"""

from math import floor
from typing import Literal, NamedTuple

import polars as pl

Kind = Literal["whole_c", "tgroup", "interp"]

# Tenths of °C, modulo 5 °C, that result from whole °F; 5 °C are exactly 9 °F.
TGROUP_RESIDUES = (0, 6, 11, 17, 22, 28, 33, 39, 44)
# Half of the last digit shown, plus floating-point tolerance; the next possible distance is 0.06.
_SHOWN_EXACTLY_F = 0.051
_INTERPOLATED_WITHIN_F = 1


class Reading(NamedTuple):
    """The whole degrees that a displayed value may stand for.

    `kind` is the previous rounding: ``whole_c`` to whole °C, ``tgroup`` to tenths of °C from whole
    °F, ``interp`` unknown (blended stations, interpolation), hence a wider interval. Both bounds
    are inclusive.
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

    ``ceil(1.8 c + 32 - 0.9) .. floor(1.8 c + 32 + 0.9)``: one degree if c is a multiple of 5, else
    two. The value displayed, 1.8 c + 32 rounded, can be off by a degree.
    """
    return -((-18 * whole_c - 311) // 10), (18 * whole_c + 329) // 10


def around_f(shown_f: float) -> tuple[int, int]:
    """Least and greatest whole °F assumed for a value of unknown origin."""
    return (
        floor(shown_f - _INTERPOLATED_WITHIN_F + 0.5),
        floor(shown_f + _INTERPOLATED_WITHIN_F + 0.5),
    )


def decode_temp_f(temp_f: pl.Expr) -> pl.Expr:
    """The whole °F behind the provider's values in °F, displayed with one decimal.

    Whole °C decode as ``whole_c``. This is correct for T-groups too, because a whole °F converts to
    x.0 °C only if x is a multiple of 5, where both sets have the same single member.

    Returns
    -------
    pl.Expr
        Struct of ``kind`` (String), ``lo_f`` and ``hi_f`` (Int16); all null for null.
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
