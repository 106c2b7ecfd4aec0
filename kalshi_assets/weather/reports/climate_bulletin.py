"""The Daily Climate Report as the National Weather Service sends it: a page of text.

A station's report (CLI) comes several times: in the afternoon with the maximum so far, after the
climate day with the final one. Here: reading the text, and what a reading means: the final issue
is truth, every earlier one evidence of the maximum so far. Not here: fetching (`bulletin_client`),
or Iowa's parsed archive of the same reports (`climate_report`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal

from kalshi_assets.cities import MONTHS

# Zones of the issue line: hours from UTC, and whether it is daylight time.
ZONES = {
    "EST": (-5, False),
    "EDT": (-4, True),
    "CST": (-6, False),
    "CDT": (-5, True),
    "MST": (-7, False),
    "MDT": (-6, True),
    "PST": (-8, False),
    "PDT": (-7, True),
}
# The transmission header is stamped within minutes of the issue line.
_HEADER_AGREES = timedelta(hours=1)

_CLOCK = r"(\d{1,2}):?(\d{2}) (AM|PM)"
_STATION = re.compile(r"^CLI([A-Z0-9]{3})\s*$", re.MULTILINE)
_HEADER = re.compile(
    r"^[A-Z]{4}\d{2} [A-Z]{4} (\d{2})(\d{2})(\d{2})(?: [A-Z]{3})?\s*$", re.MULTILINE
)
_ISSUED = re.compile(
    rf"^{_CLOCK} ([A-Z]{{3,4}}) [A-Z]{{3}} ([A-Z]{{3}}) (\d{{1,2}}) (\d{{4}})\s*$", re.MULTILINE
)
_SUMMARY = re.compile(r"CLIMATE SUMMARY FOR\s+([A-Z]{3,9})\s+(\d{1,2})\s+(\d{4})")
_VALID = re.compile(rf"VALID\s+(?:TODAY\s+)?AS\s+OF\s+{_CLOCK}\s+LOCAL\s+TIME")
_TEMPERATURE = re.compile(r"^TEMPERATURE \(F\)\s*\n(?P<rows>(?:[ \t]*\S.*\n)+)", re.MULTILINE)
_DAY_WORD = re.compile(r"^\s*(TODAY|YESTERDAY)\s*$", re.MULTILINE)
_MISSING = "MM"


class BulletinError(ValueError):
    """A bulletin lacks a part that cannot be missing, or contradicts itself."""


@dataclass(frozen=True, kw_only=True)
class Extreme:
    """An observed extreme of the day.

    Attributes
    ----------
    value_f
        Whole °F; None: the report says that it is missing.
    time
        When it was observed, UTC, taking the column for the local standard time that it names;
        None: not said.
    record
        Whether a record was set or tied.
    """

    value_f: int | None
    time: datetime | None
    record: bool


@dataclass(frozen=True, kw_only=True)
class Bulletin:
    """One issue of a station's Daily Climate Report.

    Attributes
    ----------
    cli
        The station's code, without the leading CLI.
    date
        The climate day.
    issued_at
        UTC.
    valid_at
        Until when the values hold: the end of the climate day of a final issue, else the time that
        it names.
    final
        Whether the whole climate day is in it.
    maximum, minimum
        Observed extremes up to `valid_at`.
    """

    cli: str
    date: date
    issued_at: datetime
    valid_at: datetime
    final: bool
    maximum: Extreme
    minimum: Extreme


def parse_bulletin(text: str) -> Bulletin:
    """Read one issue.

    An issue that speaks of YESTERDAY but was sent before the climate day ended, as can happen in
    the first hour of a summer night, holds until it was sent and is not final.

    Raises
    ------
    BulletinError
        A part is missing or malformed, the transmission header and the issue line differ by more
        than an hour, or the values are of another day than the summary says.
    """
    cli = _only(_STATION, text, "station line CLIxxx")[1]
    issued_at, zone, std_offset_h = _issued(text)
    of_day = _only(_SUMMARY, text, "line CLIMATE SUMMARY FOR")
    day = _date(of_day[1], of_day[2], of_day[3])
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=std_offset_h)
    end = midnight + timedelta(days=1)
    rows = _only(_TEMPERATURE, text, "section TEMPERATURE (F)")["rows"]
    word = _only(_DAY_WORD, rows, "word TODAY or YESTERDAY above the maximum")[1]
    valid = _VALID.search(text)
    if (word == "TODAY") != (valid is not None):
        raise BulletinError(f"values of {word}, but {'a' if valid else 'no'} line VALID AS OF")
    if valid is not None:
        valid_at = datetime.combine(day, _clock(*valid.groups()), zone).astimezone(UTC)
        if valid_at > issued_at:
            raise BulletinError(f"valid as of {valid_at:%dT%H:%MZ}, after it was issued")
    else:
        valid_at = min(end, issued_at)
    if valid_at <= midnight:
        raise BulletinError(
            f"issued {issued_at:%Y-%m-%dT%H:%MZ}, before {day} began at the station"
        )
    return Bulletin(
        cli=cli,
        date=day,
        issued_at=issued_at,
        valid_at=valid_at,
        final=valid_at == end,
        maximum=_extreme(rows, "MAXIMUM", midnight),
        minimum=_extreme(rows, "MINIMUM", midnight),
    )


Status = Literal["official", "preliminary", "revised"]


def statuses(bulletins: Iterable[Bulletin]) -> dict[Status, Bulletin]:
    """What each of a climate day's issues counts as; of a status, the issue that stands for it.

    The first final issue with a maximum is official and later ones cannot change it: the last of
    those that differ is the revised one. Of the earlier issues the latest is the preliminary one.
    """
    found: dict[Status, Bulletin] = {}
    for bulletin in sorted(bulletins, key=lambda one: one.issued_at):
        if bulletin.maximum.value_f is None:
            continue
        official = found.get("official")
        if not bulletin.final:
            if official is None:
                found["preliminary"] = bulletin
        elif official is None:
            found["official"] = bulletin
        elif bulletin.maximum.value_f != official.maximum.value_f:
            found["revised"] = bulletin
    return found


def _issued(text: str) -> tuple[datetime, timezone, int]:
    """When it was issued (UTC), the zone of its clock times, and the station's standard offset."""
    line = _only(_ISSUED, text, "issue line with clock time, zone and date")
    if line[4] not in ZONES:
        raise BulletinError(f"zone {line[4]!r} is none of {', '.join(ZONES)}")
    offset_h, daylight = ZONES[line[4]]
    zone = timezone(timedelta(hours=offset_h))
    day = _date(line[5], line[6], line[7])
    issued_at = datetime.combine(day, _clock(line[1], line[2], line[3]), zone).astimezone(UTC)
    header = _only(_HEADER, text, "transmission header with ddhhmm")
    day_of_month, hour, minute = map(int, header.groups())
    stamps = [
        near.replace(hour=hour, minute=minute)
        for near in (issued_at + timedelta(days=k) for k in (-1, 0, 1))
        if near.day == day_of_month and hour < 24 and minute < 60
    ]
    if not any(abs(stamp - issued_at) <= _HEADER_AGREES for stamp in stamps):
        raise BulletinError(
            f"header {''.join(header.groups())} and issue line {line[0].strip()!r} differ"
        )
    return issued_at, zone, offset_h - daylight


def _extreme(rows: str, name: str, midnight: datetime) -> Extreme:
    row = re.search(
        rf"^\s*{name}\s+(-?\d{{1,3}}|{_MISSING})(R?)(?:\s+{_CLOCK})?(?!\S)", rows, re.MULTILINE
    )
    if row is None:
        raise BulletinError(f"no {name} with a value in whole degrees or {_MISSING}")
    observed = None
    if row[3] is not None:
        clock = _clock(row[3], row[4], row[5])
        observed = midnight + timedelta(hours=clock.hour, minutes=clock.minute)
    return Extreme(
        value_f=None if row[1] == _MISSING else int(row[1]), time=observed, record=row[2] == "R"
    )


def _only(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    found = list(pattern.finditer(text))
    if not found:
        raise BulletinError(f"no {what}: {' '.join(text.split())!r:.160}")
    if len(found) > 1:
        raise BulletinError(f"{len(found)} times a {what}; one bulletin at a time")
    return found[0]


def _date(month: str, day: str, year: str) -> date:
    try:
        return date(int(year), MONTHS.index(month[:3]) + 1, int(day))
    except ValueError:
        raise BulletinError(f"date {month} {day} {year} does not exist") from None


def _clock(hour: str, minute: str, half: str) -> time:
    if not (1 <= int(hour) <= 12 and int(minute) < 60):
        raise BulletinError(f"clock time {hour}:{minute} {half} does not exist")
    return time(int(hour) % 12 + 12 * (half == "PM"), int(minute))
