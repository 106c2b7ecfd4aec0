"""The text of the National Weather Service's Daily Climate Report (CLI).

A station's report is issued several times: in the afternoon with the maximum so far, and after the
climate day with the final maximum. Here: finding a station's part of a product, parsing the text,
and the status of an issue: the final one is the truth, earlier ones are evidence of the maximum so
far. Not here: fetching (`bulletin_client`), Iowa's parsed archive of the same reports
(`climate_report`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal

from kalshi_assets.families.temperature.cities import MONTHS

# Time zones of the issue line: hours from UTC, and whether it is daylight saving time.
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
# The times of transmission header and issue line normally differ by minutes.
_HEADER_AGREES = timedelta(hours=1)

_CLOCK = r"(\d{1,2}):?(\d{2}) (AM|PM)"
_STATION = re.compile(r"^CLI([A-Z0-9]{3})\s*$", re.MULTILINE)
_HEADER = re.compile(
    r"^[A-Z]{4}\d{2} [A-Z]{4} (\d{2})(\d{2})(\d{2})(?: ([A-Z]{3}))?\s*$", re.MULTILINE
)
_ISSUED = re.compile(
    rf"^{_CLOCK} ([A-Z]{{3,4}}) [A-Z]{{3}} ([A-Z]{{3}}) (\d{{1,2}}) (\d{{4}})\s*$", re.MULTILINE
)
_SUMMARY = re.compile(r"CLIMATE SUMMARY FOR\s+([A-Z]{3,9})\s+(\d{1,2})\s+(\d{4})")
_PLACE = re.compile(r"^\.\.\.\s*THE\s+(?P<name>[^.]*?)\s+CLIMATE SUMMARY FOR\s", re.MULTILINE)
_VALID = re.compile(rf"VALID\s+(?:TODAY\s+)?AS\s+OF\s+{_CLOCK}\s+LOCAL\s+TIME")
_TEMPERATURE = re.compile(r"^TEMPERATURE \(F\)\s*\n(?P<rows>(?:[ \t]*\S.*\n)+)", re.MULTILINE)
_DAY_WORD = re.compile(r"^\s*(TODAY|YESTERDAY)\s*$", re.MULTILINE)
_MISSING = "MM"
# Flags after the value, with or without parentheses: R: record set or tied; E: estimated.
_FLAGS = r"(?P<flags>(?:[ ]?(?:\((?:E|R)\)|[ER](?![A-Z])))*)"
# The value is in the first column after the name; the value two columns further is the record.
_COLUMN = 14
_SAID = re.compile(
    rf"[ \t]{{1,{_COLUMN}}}(?P<value>-?\d{{1,3}}|{_MISSING}){_FLAGS}"
    r"(?:[ \t]+(?P<hour>\d{1,2}):?(?P<minute>\d{2}) (?P<half>AM|PM))?(?!\S)"
)
# The header of a correction ends in CCA, that of a second correction in CCB.
_CORRECTION = re.compile(r"CC([A-Z])")


class BulletinError(ValueError):
    """A bulletin lacks a required part or is inconsistent."""


@dataclass(frozen=True, kw_only=True)
class Extreme:
    """An observed extreme of the day.

    Attributes
    ----------
    value_f
        Whole °F; None: reported as missing.
    time
        Time of observation, UTC, read as local standard time; None: not given.
    record, estimated
        Whether a record was set or tied, and whether the value is flagged as an estimate.
    """

    value_f: int | None
    time: datetime | None
    record: bool
    estimated: bool = False


_ABSENT = Extreme(value_f=None, time=None, record=False)


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
        End of the period covered: the end of the climate day for a final issue, else the time
        stated.
    final
        Whether it covers the whole climate day.
    maximum, minimum
        Observed extremes up to `valid_at`.
    correction
        0: not a correction; 1, 2, ...: first, second, ... correction of the same issue.
    """

    cli: str
    date: date
    issued_at: datetime
    valid_at: datetime
    final: bool
    maximum: Extreme
    minimum: Extreme
    correction: int = 0


def part_of(text: str, cli: str, names: Sequence[str] = ()) -> str:
    """The part of a product that is one station's bulletin.

    A product may contain the bulletins of several stations, each with its own station line, or
    several summaries below one station line, which differ in the place named in their headline.

    Parameters
    ----------
    cli
        The station's code, without the leading CLI.
    names
        Names of the place; they need not match exactly: "Central Park, New York" matches CENTRAL
        PARK NY.

    Raises
    ------
    BulletinError
        There is no bulletin of the station, or more than one.
    """
    parts = _by_station(text)
    stations = [_only(_STATION, part, "station line CLIxxx")[1] for part in parts]
    if stations.count(cli) != 1:
        raise BulletinError(
            f"expected one bulletin CLI{cli}, got {', '.join(f'CLI{name}' for name in stations)}"
        )
    return _by_place(parts[stations.index(cli)], names)


def _by_station(text: str) -> list[str]:
    """The bulletins of all stations, each with its header and issue line.

    Header and issue line of the first apply to later bulletins without their own.
    """
    lines = list(_STATION.finditer(text))
    if len(lines) < 2:
        return [text]
    headers = list(_HEADER.finditer(text))
    starts = []
    for before, line in zip([None, *lines], lines, strict=False):
        own = [h for h in headers if (before is None or h.start() > before.end())]
        near = [h.start() for h in own if h.end() <= line.start()]
        starts.append(near[-1] if near else line.start())
    parts = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    for pattern in (_ISSUED, _HEADER):
        shared = pattern.search(parts[0])
        if shared is not None:
            parts = [p if pattern.search(p) else f"{shared[0].strip()}\n{p}" for p in parts]
    return parts


def _by_place(part: str, names: Sequence[str]) -> str:
    """The text above all summaries, plus the summary of the place called `names`."""
    headlines = list(_PLACE.finditer(part))
    if len(headlines) < 2:
        return part
    starts = [headline.start() for headline in headlines]
    wanted = [set(_WORD.findall(name.upper())) for name in names]
    shared = [
        max((len(set(_WORD.findall(line["name"])) & name) for name in wanted), default=0)
        for line in headlines
    ]
    best = max(shared)
    if not best or shared.count(best) > 1:
        places = ", ".join(line["name"] for line in headlines)
        wanted_names = " or ".join(names) or "the station"
        raise BulletinError(f"cannot tell which of the summaries of {places} is for {wanted_names}")
    at = shared.index(best)
    return part[: starts[0]] + part[starts[at] : [*starts[1:], len(part)][at]]


_WORD = re.compile(r"[A-Z]{3,}")


def parse_bulletin(text: str) -> Bulletin:
    """Parse one issue.

    A preliminary issue may lack an extreme that is not known yet, such as the maximum in the
    morning; a final issue may not. An issue about YESTERDAY that was sent before the end of the
    climate day, possible in the first hour of a summer night, covers the time until it was sent and
    is not final.

    Raises
    ------
    BulletinError
        A part is missing or malformed, the transmission header and the issue line differ by more
        than an hour, or the values are for another day than the summary.
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
            raise BulletinError(
                f"valid as of {valid_at:%dT%H:%MZ}, which is after the time of issue"
            )
    else:
        valid_at = min(end, issued_at)
    if valid_at <= midnight:
        raise BulletinError(
            f"issued {issued_at:%Y-%m-%dT%H:%MZ}, before {day} began at the station"
        )
    header = _only(_HEADER, text, "transmission header with ddhhmm")
    correction = _CORRECTION.fullmatch(header[4] or "")
    return Bulletin(
        cli=cli,
        date=day,
        issued_at=issued_at,
        valid_at=valid_at,
        final=valid_at == end,
        maximum=_extreme(rows, "MAXIMUM", midnight, may_lack=valid is not None),
        minimum=_extreme(rows, "MINIMUM", midnight, may_lack=valid is not None),
        correction=0 if correction is None else ord(correction[1]) - ord("A") + 1,
    )


Status = Literal["official", "preliminary", "revised"]


def statuses(bulletins: Iterable[Bulletin]) -> dict[Status, Bulletin]:
    """The issue for each status of a climate day.

    Official is the first final issue with a maximum, revised the last later one with a different
    maximum, preliminary the last issue before the official one. A correction with the time of
    another issue replaces it.
    """
    found: dict[Status, Bulletin] = {}
    for bulletin in corrected(bulletins):
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


def corrected(bulletins: Iterable[Bulletin]) -> list[Bulletin]:
    """The last correction for each issue time and climate day, in order of issue."""
    latest: dict[tuple[datetime, date, bool], Bulletin] = {}
    for bulletin in sorted(bulletins, key=lambda one: (one.issued_at, one.correction)):
        latest[bulletin.issued_at, bulletin.date, bulletin.final] = bulletin
    return list(latest.values())


def _issued(text: str) -> tuple[datetime, timezone, int]:
    """Time of issue (UTC), zone of the clock times, and standard offset of the station in hours."""
    line = _only(_ISSUED, text, "issue line with clock time, zone and date")
    if line[4] not in ZONES:
        raise BulletinError(f"unknown time zone {line[4]!r}; known: {', '.join(ZONES)}")
    offset_h, daylight = ZONES[line[4]]
    zone = timezone(timedelta(hours=offset_h))
    day = _date(line[5], line[6], line[7])
    issued_at = datetime.combine(day, _clock(line[1], line[2], line[3]), zone).astimezone(UTC)
    header = _only(_HEADER, text, "transmission header with ddhhmm")
    day_of_month, hour, minute = map(int, header.groups()[:3])
    stamps = [
        near.replace(hour=hour, minute=minute)
        for near in (issued_at + timedelta(days=k) for k in (-1, 0, 1))
        if near.day == day_of_month and hour < 24 and minute < 60
    ]
    if not any(abs(stamp - issued_at) <= _HEADER_AGREES for stamp in stamps):
        raise BulletinError(
            f"header {''.join(header.groups()[:3])} and issue line {line[0].strip()!r} differ"
        )
    return issued_at, zone, offset_h - daylight


def _extreme(rows: str, name: str, midnight: datetime, *, may_lack: bool) -> Extreme:
    line = re.search(rf"^[ \t]*{name}\b(?P<said>.*)$", rows, re.MULTILINE)
    if may_lack and (line is None or not line["said"][: _COLUMN + 1].strip()):
        return _ABSENT
    said = None if line is None else _SAID.match(line["said"])
    if said is None:
        raise BulletinError(f"no {name} with a value in whole degrees or {_MISSING}")
    observed = None
    if said["hour"] is not None:
        clock = _clock(said["hour"], said["minute"], said["half"])
        observed = midnight + timedelta(hours=clock.hour, minutes=clock.minute)
    return Extreme(
        value_f=None if said["value"] == _MISSING else int(said["value"]),
        time=observed,
        record="R" in said["flags"],
        estimated="E" in said["flags"],
    )


def _only(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    found = list(pattern.finditer(text))
    if not found:
        raise BulletinError(f"no {what}: {' '.join(text.split())!r:.160}")
    if len(found) > 1:
        raise BulletinError(f"expected one {what}, got {len(found)}; pass one bulletin")
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
