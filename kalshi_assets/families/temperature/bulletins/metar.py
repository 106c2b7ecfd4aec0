"""Parsing METARs: the temperatures in body and remarks, and the whole °F behind them.

Here: METAR, SPECI and the five-minute reports of ASOS, which have the same text format. Not here:
where a report came from or when it was known (`asos`), wind, clouds, pressure.

Source of the groups: Federal Meteorological Handbook 1, chapter 12. The body holds whole °C, the
remarks tenths: ``TsnTTTsnDDD`` current, ``1snTTT`` and ``2snTTT`` highest and lowest of six hours,
``4snTTTsnTTT`` of 24; sn is 0 for plus, 1 for minus. ASOS stations convert the tenths from whole
°F, which can be recovered; at other stations tenths are measured.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from kalshi_assets.families.temperature.bulletins.intervals import (
    TGROUP_RESIDUES,
    Reading,
    around_f,
    whole_f,
    whole_f_of_whole_c,
)

Product = Literal["METAR", "SPECI", "5-MIN"]

SYNOPTIC_PERIOD = timedelta(hours=6)
# Six-hour groups are sent with the last report before the synoptic hour, from minute 45 on.
_BEFORE_THE_HOUR = timedelta(minutes=15)

_TIME = re.compile(r"(\d{2})(\d{2})(\d{2})Z")
_STATION = re.compile(r"[A-Z][A-Z0-9]{3}")
_BODY = re.compile(r"(M?\d{2}|M)/(M?\d{2}|M|//)?")
_LIKE_A_BODY = re.compile(r"M?\d{0,3}/(M?\d{0,3}|//)")
_MAGNETIC_WIND = re.compile(r"\d{3}/\d{2,3}")
_ALTIMETER = re.compile(r"[AQ]\d{4}")
# A word that begins like a group must be a valid group.
_T_GROUP = re.compile(r"T\d+")
_PERIOD_GROUP = re.compile(r"[12]\d{4}")
_DAY_GROUP = re.compile(r"4\d{8}")


class GroupError(ValueError):
    """A group of a report is malformed, repeated or missing; the message quotes it."""


@dataclass(frozen=True, kw_only=True)
class Metar:
    """The temperatures of one report; None: not in the report.

    Attributes
    ----------
    product
        Routine, special, or five-minute report of ASOS; ``METAR`` if the text names none.
    day, hour, minute
        Day of the month and UTC; reports contain no month or year.
    body_c, dew_body_c
        Temperature and dew point of the body, whole °C.
    tenths, dew_tenths
        Temperature and dew point of the T-group, tenths of °C.
    max_6h_tenths, min_6h_tenths, max_24h_tenths, min_24h_tenths
        Extremes of the six hours before the report, and of the day (sent at local standard
        midnight), tenths of °C.
    maintenance
        Whether the station requests maintenance (``$``).
    """

    product: Product
    station: str
    day: int
    hour: int
    minute: int
    body_c: int | None = None
    dew_body_c: int | None = None
    tenths: int | None = None
    dew_tenths: int | None = None
    max_6h_tenths: int | None = None
    min_6h_tenths: int | None = None
    max_24h_tenths: int | None = None
    min_24h_tenths: int | None = None
    maintenance: bool = False

    def time(self, near: datetime) -> datetime:
        """The report's time, UTC, in the month that brings it closest to `near`."""
        middle = near.astimezone(UTC).replace(day=15)
        months = {middle + timedelta(days=30 * k) for k in (-1, 0, 1)}
        times = [
            datetime(m.year, m.month, self.day, self.hour, self.minute, tzinfo=UTC)
            for m in months
            if self.day <= calendar.monthrange(m.year, m.month)[1]
        ]
        return min(times, key=lambda time: abs(time - near))

    @property
    def reading(self) -> Reading | None:
        """The whole °F that the temperature can stand for, from the T-group if present."""
        if self.tenths is not None:
            return reading_of_tenths(self.tenths)
        if self.body_c is not None:
            return Reading("whole_c", *whole_f_of_whole_c(self.body_c))
        return None

    @property
    def max_6h_f(self) -> int | None:
        """Highest whole °F of the six hours before the report; None: missing, or not exact."""
        return None if self.max_6h_tenths is None else _exact_f(self.max_6h_tenths)

    @property
    def max_24h_f(self) -> int | None:
        """Highest whole °F of the climate day that ends at the report; None: missing or inexact."""
        return None if self.max_24h_tenths is None else _exact_f(self.max_24h_tenths)


def parse_metar(text: str) -> Metar:
    """Parse one report, from the product name or the station on; line breaks count as spaces.

    Raises
    ------
    GroupError
        Station or time are missing, a temperature group is malformed or repeated, or the T-group
        does not round to the body.
    """
    words = text.replace("=", " ").split()
    product: Product = "METAR"
    if words and words[0] in ("METAR", "SPECI", "5-MIN"):
        product, words = words[0], words[1:]  # type: ignore[assignment]
    if words[:1] == ["COR"]:
        words = words[1:]
    if not words or not _STATION.fullmatch(words[0]):
        raise GroupError(f"no station after the product: {text!r:.120}")
    if len(words) < 2 or not (time := _TIME.fullmatch(words[1])):
        raise GroupError(f"no time ddhhmmZ after the station: {text!r:.120}")
    day, hour, minute = map(int, time.groups())
    if not (1 <= day <= 31 and hour < 24 and minute < 60):
        raise GroupError(f"time {words[1]} does not exist")
    cut = words.index("RMK") if "RMK" in words else len(words)
    body = _body(words[2:cut], product)
    remarks = _remarks(words[cut + 1 :])
    metar = Metar(
        product=product,
        station=words[0],
        day=day,
        hour=hour,
        minute=minute,
        maintenance="$" in words,
        **body,
        **remarks,
    )
    _agree(metar.tenths, metar.body_c, "temperature")
    _agree(metar.dew_tenths, metar.dew_body_c, "dew point")
    return metar


def six_hour_window(time: datetime) -> tuple[datetime, datetime] | None:
    """The window of a six-hour group sent at `time`; None if none is due at that time."""
    due = time.astimezone(UTC) + _BEFORE_THE_HOUR
    return (time - SYNOPTIC_PERIOD, time) if due.hour % 6 == 0 else None


def reading_of_tenths(tenths: int) -> Reading:
    """The whole °F behind tenths of °C: a single one if it converts to them, else an interval."""
    exact = _exact_f(tenths)
    if exact is not None:
        return Reading("tgroup", exact, exact)
    return Reading("interp", *around_f(32 + 0.18 * tenths))


def _exact_f(tenths: int) -> int | None:
    return whole_f(tenths) if tenths % 50 in TGROUP_RESIDUES else None


def _body(words: list[str], product: Product) -> dict[str, int | None]:
    found = None
    for word in words:
        if _ALTIMETER.fullmatch(word):
            break
        if not _LIKE_A_BODY.fullmatch(word) or word == "/":
            continue
        # In a five-minute report without pressure, the magnetic wind follows.
        if product == "5-MIN" and (_MAGNETIC_WIND.fullmatch(word) or word in ("/M", "M/")):
            continue
        if not (groups := _BODY.fullmatch(word)):
            raise GroupError(f"temperature group {word!r} is not TT/DD, whole degrees C")
        if found is not None:
            raise GroupError(f"two temperature groups, the second {word!r}")
        found = groups
    if found is None:
        return {}
    return {"body_c": _whole_c(found[1]), "dew_body_c": _whole_c(found[2])}


def _remarks(words: list[str]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for word in words:
        if _T_GROUP.fullmatch(word):
            if len(word) not in (5, 9):
                raise GroupError(f"group {word!r} is neither TsnTTT nor TsnTTTsnDDD")
            values = {"tenths": _signed(word[1:5], word)}
            if len(word) == 9:
                values["dew_tenths"] = _signed(word[5:], word)
        elif _PERIOD_GROUP.fullmatch(word):
            name = "max_6h_tenths" if word[0] == "1" else "min_6h_tenths"
            values = {name: _signed(word[1:], word)}
        elif _DAY_GROUP.fullmatch(word):
            values = {
                "max_24h_tenths": _signed(word[1:5], word),
                "min_24h_tenths": _signed(word[5:], word),
            }
        else:
            continue
        if found.keys() & values.keys():
            raise GroupError(f"group {word!r} repeats one before it")
        found.update(values)
    return found


def _signed(digits: str, group: str) -> int:
    if digits[0] not in "01":
        raise GroupError(f"sign digit {digits[0]} of group {group!r} is neither 0 nor 1")
    return int(digits[1:]) * (-1 if digits[0] == "1" else 1)


def _whole_c(text: str | None) -> int | None:
    if text is None or text in ("M", "//"):
        return None
    return -int(text[1:]) if text.startswith("M") else int(text)


def _agree(tenths: int | None, body_c: int | None, what: str) -> None:
    # ASOS rounds halves up; rounding down is accepted too, since not every station is an ASOS.
    if tenths is None or body_c is None or abs(10 * body_c - tenths) <= 5:
        return
    raise GroupError(
        f"{what} of the T-group, {tenths / 10} C, does not round to the body's {body_c}"
    )
