"""NCEI's five-minute ASOS files: one report per line, a METAR after a fixed-width header.

The header holds local standard time, the METAR UTC; both must agree. Here: parsing a line, and
converting the lines of a climate day to `weather.observations`. Not here: the METAR's groups
(`metar`), fetching the files.

A line looks like ``94728KNYC NYC20250401004515804/01/25 00:45:31  5-MIN KNYC 010545Z AUTO ...``:
WBAN and ICAO identifiers, call sign, local standard time (YYYYMMDDHHMM), length of the text, local
date and time of the record, the report.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from kalshi_assets.families.temperature.bulletins.metar import (
    GroupError,
    Metar,
    parse_metar,
    six_hour_window,
)
from kalshi_assets.families.temperature.cities import City
from kalshi_assets.tables.weather import OBSERVATIONS

SOURCE = "asos"
# Public files of the five-minute stream are available 9 to 20 minutes after the report.
LAG = timedelta(minutes=20)

_HEAD = re.compile(
    r"(?P<wban>\d{5})(?P<icao>[A-Z0-9]{4})\s+(?P<call>[A-Z0-9]{3})(?P<lst>\d{12})(?P<length>\d{3})"
    r"(?P<date>\d\d/\d\d/\d\d) (?P<clock>\d\d:\d\d:\d\d)\s+(?P<text>\S.*)"
)
_log = logging.getLogger(__name__)


class LineError(ValueError):
    """A line of a five-minute file is malformed; the message quotes it."""


@dataclass(frozen=True, kw_only=True)
class FiveMinuteReport:
    """One line: the report and its time in UTC."""

    time: datetime
    metar: Metar


def parse_line(line: str, std_offset_h: int) -> FiveMinuteReport:
    """Parse a line of a station whose local standard time is UTC plus `std_offset_h` hours.

    Raises
    ------
    LineError
        Header or report are malformed, or they name different stations or times.
    """
    if not (head := _HEAD.fullmatch(line.rstrip())):
        raise LineError(f"not a five-minute line: {line!r:.100}")
    try:
        local = datetime.strptime(head["lst"], "%Y%m%d%H%M").replace(tzinfo=UTC)
        metar = parse_metar(head["text"])
    except GroupError as error:
        raise LineError(f"{error}, in {line!r:.100}") from error
    except ValueError:
        raise LineError(f"local time {head['lst']} does not exist, in {line!r:.100}") from None
    time = local - timedelta(hours=std_offset_h)
    if metar.station != head["icao"]:
        raise LineError(f"report of {metar.station} in a line of {head['icao']}: {line!r:.100}")
    if metar.time(time) != time:
        raise LineError(
            f"the header says {time:%dT%H:%MZ} at UTC{std_offset_h:+d}, the report "
            f"{metar.time(time):%dT%H:%MZ}: {line!r:.100}"
        )
    return FiveMinuteReport(time=time, metar=metar)


def observations_of(
    lines: Iterable[str], city: City, day: date, *, raw_sha256: str, lag: timedelta = LAG
) -> pl.DataFrame:
    """The lines of a climate day as `tables.OBSERVATIONS`, with exact maxima of six-hour groups.

    Malformed lines are skipped and their number is logged; lines of other stations or days are
    ignored.

    `raw_sha256` is the content hash of the file, `lag` the time from measurement until the line is
    available.
    """
    start, end = city.climate_day(day)
    rows: dict[tuple[datetime, str], dict[str, object]] = {}
    refused = []
    for line in lines:
        try:
            report = parse_line(line, city.std_offset_h)
        except LineError as error:
            refused.append(error)
            continue
        if report.metar.station == city.station and start <= report.time < end:
            for row in rows_of(report.metar, report.time, source=SOURCE, lag=lag):
                rows.setdefault((report.time, str(row["kind"])), row)
    if refused:
        _log.warning(
            "%s %s: skipped %d malformed lines, first: %s", city.name, day, len(refused), refused[0]
        )
    frame = pl.DataFrame(
        [row | {"raw_sha256": raw_sha256} for row in rows.values()], schema=OBSERVATIONS.dtypes
    )
    return OBSERVATIONS.conform(frame)


def rows_of(
    metar: Metar, time: datetime, *, source: str, lag: timedelta
) -> list[dict[str, object]]:
    """A report as rows of `tables.OBSERVATIONS` without `raw_sha256`: at most two.

    The temperature, and the maximum of the six hours before if it is exact in whole °F.
    """
    common = {
        "event_time": time,
        "known_at": time + lag,
        "station": metar.station,
        "source": source,
    }
    rows: list[dict[str, object]] = []
    if (reading := metar.reading) is not None:
        celsius = metar.tenths / 10 if metar.tenths is not None else metar.body_c
        assert celsius is not None
        rows.append(
            common | reading._asdict() | {"temp_f": round(32 + 1.8 * celsius, 1), "max_since": None}
        )
    window = six_hour_window(time)
    if (highest := metar.max_6h_f) is not None and window is not None:
        rows.append(
            common
            | {"kind": "max_6h", "lo_f": highest, "hi_f": highest, "temp_f": float(highest)}
            | {"max_since": window[0]}
        )
    return rows
