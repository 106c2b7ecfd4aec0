"""What publishers say the day's maximum was, as rows of `weather.settlements`.

Here: the form that all publishers share, and a day's rows of all of them beside the exchange's, in
which no publisher's fault costs another's word. Not here: any one publisher's answers, the
exchange's own result (`exchange`), or which of them settles (`ladder.settlement`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.lake.errors import NotRecordedError
from kalshi_assets.settlement.rule import FAILED
from kalshi_assets.tables.weather import SETTLEMENTS

# The last bulletin comes about 1 to 3 am standard time; the rest is margin.
REPORT_LAG = timedelta(hours=9)
MISSING = (None, "", "M")
# As far as the table goes; services write what is missing as -9999, -99 or 999, too.
POSSIBLE_F = range(-80, 141)


Publisher = Callable[[], pl.DataFrame]
"""Asks one publisher; gives its rows of `weather.settlements`."""


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
        A value out of range, or a source that says one status twice in one issue.
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
    """`tables.SETTLEMENTS` of a climate day: the exchange's rows, and what each publisher says.

    Every publisher is asked, whatever became of the others. One that cannot be read has a row of
    status failed that says why; the exchange pays, so its word needs nobody's beside it.

    Parameters
    ----------
    exchange
        The exchange's rows, none before it settled; None: the event is not there.
    publishers
        How each is asked, by source.
    stored
        The partition so far: what a source said that cannot be read now stays.

    Raises
    ------
    NotRecordedError
        A replay lacks an answer: what is stored rests on more than it can show.
    Exception
        That of a publisher, where the event is not there and nobody else said anything either.
    """
    frames = [] if exchange is None else [exchange]
    faults: dict[str, Exception] = {}
    for source, ask in publishers.items():
        try:
            frames.append(SETTLEMENTS.conform(ask()))
        except NotRecordedError:
            raise
        except Exception as error:  # noqa: BLE001 - no fault of one may cost the word of another
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
    """Why sources of a day could not be read, by source."""
    failed = settlements.filter(pl.col("status") == FAILED)
    return dict(failed.select("source", "problem").iter_rows())


def whole_degrees(value: object, record: object) -> int | None:
    """A maximum in whole °F; None: the publisher says that it is missing.

    Raises
    ------
    ValueError
        Not a whole number, or no possible temperature; the message quotes `record`.
    """
    if value in MISSING:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(f"maximum in whole degrees expected, not {value!r}: {record!r:.300}")
    if int(value) not in POSSIBLE_F:
        raise ValueError(
            f"maximum {value!r} is outside what weather.settlements takes "
            f"({POSSIBLE_F[0]} to {POSSIBLE_F[-1]} F), probably a mark of a missing value: "
            f"{record!r:.300}"
        )
    return int(value)


def _failed(source: str, error: Exception, end: datetime, place: str) -> dict[str, object]:
    said = f"{error}"
    return {
        "source": source,
        "status": FAILED,
        "event_time": end,
        "known_at": end + REPORT_LAG,
        "known_at_from": "assumed",
        "problem": said if said.startswith(place) else f"{place}{type(error).__name__}: {said}",
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
