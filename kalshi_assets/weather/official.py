"""What publishers say the day's maximum was, as rows of `weather.settlements`.

Here: the form that all publishers share. Not here: any one publisher's answers, the exchange's own
result (`exchange`), or which of them settles (`ladder.settlement`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from kalshi_assets.cities import City
from kalshi_assets.tables.weather import SETTLEMENTS

# The last bulletin comes about 1 to 3 am standard time; the rest is margin.
REPORT_LAG = timedelta(hours=9)
MISSING = (None, "", "M")


@dataclass(frozen=True, kw_only=True)
class PublishedMaximum:
    """One publisher's word at one status.

    Attributes
    ----------
    source, status
        Who says so, and as what.
    tmax_f
        Whole °F.
    issued_at
        When it was issued; None: the publisher does not say.
    known_from_issue
        Whether it could be acted on from its issue. Otherwise it is taken as known nine hours
        after the climate day ended, or at its issue where that came later.
    raw_sha256
        Content hash of the answer.
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
        A value out of range, or a source that says one status twice.
    """
    _, end = city.climate_day(day)
    rows = [_row(maximum, end) for maximum in maxima]
    return SETTLEMENTS.conform(pl.DataFrame(rows, schema=SETTLEMENTS.dtypes))


def whole_degrees(value: object, record: object) -> int | None:
    """A maximum in whole °F; None: the publisher says that it is missing.

    Raises
    ------
    ValueError
        Not a whole number; the message quotes `record`.
    """
    if value in MISSING:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(f"maximum in whole degrees expected, not {value!r}: {record!r:.300}")
    return int(value)


def _row(maximum: PublishedMaximum, end: datetime) -> dict[str, object]:
    assumed, issued = end + REPORT_LAG, maximum.issued_at
    from_issue = issued is not None and (maximum.known_from_issue or issued > assumed)
    return {
        "source": maximum.source,
        "status": maximum.status,
        "tmax_f": maximum.tmax_f,
        "winning_market": None,
        "event_time": end,
        "issued_at": issued,
        "known_at": issued if from_issue else assumed,
        "known_at_from": "issue_time" if from_issue else "assumed",
        "raw_sha256": maximum.raw_sha256,
    }
