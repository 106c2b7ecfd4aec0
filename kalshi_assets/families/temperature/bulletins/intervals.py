"""The interval of whole °F behind a reported temperature.

The station measures whole °F, sends whole °C or tenths of °C, and the provider converts to °F
again. Here: the exact sets of whole °F for each format. Not here: where a value came from, its
meaning for a bracket.

Source of the formulas: the station rounds its five-minute mean to whole °F, half up, and converts
that to 0.1 °C (ASOS User's Guide, 3.1.2); whole °C are the body of a METAR, tenths its T-group.
Rounding twice (°F to 0.1 °C to °C) never differs from rounding once, so the sets are exact; the
tests enumerate them over -60..140 °F.
"""

from math import floor
from typing import Literal, NamedTuple

Kind = Literal["whole_c", "tgroup", "interp"]

# Tenths of °C, modulo 5 °C, that result from whole °F; 5 °C are exactly 9 °F.
TGROUP_RESIDUES = (0, 6, 11, 17, 22, 28, 33, 39, 44)
# Half of the last digit shown, plus floating-point tolerance; the next possible distance is 0.06.
_SHOWN_EXACTLY_F = 0.051
_INTERPOLATED_WITHIN_F = 1


class Reading(NamedTuple):
    """The whole degrees that a displayed value may stand for.

    Attributes
    ----------
    kind
        Previous rounding: ``whole_c`` to whole °C, ``tgroup`` to tenths of °C from whole °F,
        ``interp`` unknown (blended stations, interpolation), hence a wider interval.
    lo_f, hi_f
        Least and greatest whole °F, both inclusive.
    """

    kind: Kind
    lo_f: int
    hi_f: int


def whole_f(tenths: int) -> int:
    """The whole °F behind tenths of °C: ``half_up((9 c + 1600) / 50)``."""
    return (9 * tenths + 1625) // 50


def whole_f_of_whole_c(whole_c: int) -> tuple[int, int]:
    """Least and greatest whole °F that the station reports as `whole_c` °C.

    ``ceil(1.8 c + 32 - 0.9) .. floor(1.8 c + 32 + 0.9)``: one degree if c is a multiple of 5, else
    two. The value displayed, 1.8 c + 32 rounded, can be off by a degree.
    """
    return -((-18 * whole_c - 311) // 10), (18 * whole_c + 329) // 10


def decode(shown_f: float) -> Reading:
    """What the provider's value in °F, displayed with one decimal, can stand for.

    Whole °C decode as ``whole_c``. This is correct for T-groups too, because a whole °F converts to
    x.0 °C only if x is a multiple of 5, where both sets have the same single member.
    """
    tenths = floor((shown_f - 32) / 0.18 + 0.5)
    if abs(32 + 0.18 * tenths - shown_f) <= _SHOWN_EXACTLY_F:
        if tenths % 10 == 0:
            return Reading("whole_c", *whole_f_of_whole_c(tenths // 10))
        if tenths % 50 in TGROUP_RESIDUES:
            return Reading("tgroup", whole_f(tenths), whole_f(tenths))
    return Reading("interp", *around_f(shown_f))


def around_f(shown_f: float) -> tuple[int, int]:
    """Least and greatest whole °F assumed for a value of unknown origin."""
    return (
        floor(shown_f - _INTERPOLATED_WITHIN_F + 0.5),
        floor(shown_f + _INTERPOLATED_WITHIN_F + 0.5),
    )
