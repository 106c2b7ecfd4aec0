"""The day's maximum according to its publishers, as rows of `weather.settlements`.

Here: the common form of these rows, and combining the rows of all publishers and the exchange so
that an error of one publisher does not affect the others. Not here: the responses of a publisher
(`sources`), the exchange's result (`exchange`), or which of them settles (`settlement.rule`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.lake.errors import NotRecordedError
from kalshi_assets.settlement.rule import FAILED
from kalshi_assets.tables.weather import SETTLEMENTS

# The last bulletin is issued at about 1 to 3 am standard time; the rest is margin.
REPORT_LAG = timedelta(hours=9)
MISSING = (None, "", "M")
# The limits of the table; some services write missing values as -9999, -99 or 999.
POSSIBLE_F = range(-80, 141)


Publisher = Callable[[], pl.DataFrame]
"""Asks one publisher and returns its rows of `weather.settlements`."""


@dataclass(frozen=True, kw_only=True)
class PublishedMaximum:
    """One publisher's statement of the maximum.

    Attributes
    ----------
    tmax_f
        Whole °F.
    issued_at
        Time of issue; None: not stated.
    known_from_issue
        Whether it was available from its time of issue. Otherwise it is taken as known nine hours
        after the end of the climate day, or at its time of issue if later.
    raw_sha256
        SHA-256 of the response.
    """

    source: str
    status: str
    tmax_f: int
    issued_at: datetime | None
    known_from_issue: bool
    raw_sha256: str


def settlements_of(maxima: Iterable[PublishedMaximum], city: City, day: date) -> pl.DataFrame:
    """`tables.SETTLEMENTS` of a climate day.

    Raises
    ------
    ContractViolationError
        A value is out of range, or a source has one status twice at one time of issue.
    """
    _, end = city.climate_day(day)
    rows = [_row(maximum, end) for maximum in maxima]
    return SETTLEMENTS.conform(pl.DataFrame(rows, schema=SETTLEMENTS.dtypes))


def with_publishers(
    exchange: pl.DataFrame | None,
    publishers: Mapping[str, Publisher],
    city: City,
    day: date,
    stored: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """`tables.SETTLEMENTS` of a climate day: the rows of the exchange and of each publisher.

    Every publisher is asked, even if others fail. One that fails has a row of status failed with
    the reason.

    Parameters
    ----------
    exchange
        The exchange's rows, empty before settlement; None: there is no event.
    publishers
        A function per source that fetches its rows.
    stored
        The stored partition; its rows are kept for sources that cannot be read now.

    Raises
    ------
    NotRecordedError
        A replay lacks a response, so the result would be incomplete.
    Exception
        The error of a publisher, if there is no event and no source has a row.
    """
    frames = [] if exchange is None else [exchange]
    faults: dict[str, Exception] = {}
    for source, ask in publishers.items():
        try:
            frames.append(SETTLEMENTS.conform(ask()))
        except NotRecordedError:
            raise
        except Exception as error:  # noqa: BLE001 - one publisher's error must not affect the others
            faults[source] = error
    if faults and exchange is None and not any(frame.height for frame in frames):
        raise next(iter(faults.values()))
    _, end = city.climate_day(day)
    place = f"{city.name} {day}: "
    failed = [_failed(source, error, end, place) for source, error in faults.items()]
    frames.append(pl.DataFrame(failed, schema=SETTLEMENTS.dtypes))
    if stored is not None:
        silent = [*faults, *(["exchange"] if exchange is None else [])]
        said_before = pl.col("source").is_in(silent) & (pl.col("status") != FAILED)
        frames.append(stored.filter(said_before))
    return SETTLEMENTS.conform(pl.concat(frames))


def problems_of(settlements: pl.DataFrame) -> dict[str, str]:
    """The errors of sources that could not be read, by source."""
    failed = settlements.filter(pl.col("status") == FAILED)
    return dict(failed.select("source", "problem").iter_rows())


def whole_degrees(value: object, record: object) -> int | None:
    """A maximum in whole °F; None: the publisher marks it as missing.

    Raises
    ------
    ValueError
        Not a whole number, or out of range; the message quotes `record`.
    """
    if value in MISSING:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(f"maximum in whole degrees expected, not {value!r}: {record!r:.300}")
    if int(value) not in POSSIBLE_F:
        raise ValueError(
            f"maximum {value!r} is outside the range of weather.settlements "
            f"({POSSIBLE_F[0]} to {POSSIBLE_F[-1]} F), probably a code for a missing value: "
            f"{record!r:.300}"
        )
    return int(value)


def _failed(source: str, error: Exception, end: datetime, place: str) -> dict[str, object]:
    text = str(error)
    return {
        "source": source,
        "status": FAILED,
        "event_time": end,
        "known_at": end + REPORT_LAG,
        "known_at_from": "assumed",
        "problem": text if text.startswith(place) else f"{place}{type(error).__name__}: {text}",
    }


def _row(maximum: PublishedMaximum, end: datetime) -> dict[str, object]:
    assumed, issued = end + REPORT_LAG, maximum.issued_at
    from_issue = issued is not None and (maximum.known_from_issue or issued > assumed)
    return {
        "source": maximum.source,
        "status": maximum.status,
        "value": maximum.tmax_f,
        "winning_market": None,
        "event_time": end,
        "issued_at": issued,
        "known_at": issued if from_issue else assumed,
        "known_at_from": "issue_time" if from_issue else "assumed",
        "raw_sha256": maximum.raw_sha256,
    }
