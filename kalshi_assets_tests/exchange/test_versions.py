from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from kalshi_assets.exchange.contract import LINEAR_CENT, ContractError, EventContract
from kalshi_assets.exchange.contract_reading import read_event_contract
from kalshi_assets.exchange.versions import with_reading
from kalshi_assets.exchange.wire import TickRange, market_of
from kalshi_assets.families.temperature.cities import CITIES, city_day
from kalshi_assets.families.temperature.listing import listing_of, regular_closes
from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.terms import latest_terms, terms_at
from kalshi_assets.tables import EVENTS
from kalshi_assets_tests.exchange.fake_exchange import (
    CITY,
    CLOSE,
    DAY,
    EVENT,
    OPEN,
    SERIES,
    markets,
)
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

HOUR = timedelta(hours=1)
AFTERWARDS = CLOSE + 30 * HOUR
EARLY = CLOSE - 6 * HOUR
END = datetime(2026, 6, 16, 6, tzinfo=UTC)
CLOSES = regular_closes(CITY, DAY)
TENTHS = (TickRange(start=0, end=10_000, step=10),)
VERSION = ("close_time", "close_time_from", "known_at", "known_at_from")

Version = tuple[datetime, str, datetime, str]


def contract() -> EventContract:
    rows = [market_of(row, "sha") for row in markets()]
    return read_event_contract(listing_of(CITY, DAY), {"event_ticker": EVENT}, rows, SERIES, ())


SAID = contract()
CLOSED_EARLY = replace(SAID, close_time=EARLY)
FINER = replace(SAID, markets=tuple(replace(m, tick_grid=TENTHS) for m in SAID.markets))


def read(*readings: tuple[EventContract, datetime]) -> pl.DataFrame:
    """The versions after these readings."""
    stored = None
    for said, at in readings:
        stored = with_reading(stored, said, at, CLOSES)
    assert stored is not None
    return EVENTS.conform(stored)


def versions(events: pl.DataFrame) -> list[Version]:
    assert set(events.group_by("known_at").len()["len"]) == {6}
    return events.select(VERSION).unique().sort("known_at").rows()


def test_a_day_read_after_the_fact_has_one_version_and_says_so() -> None:
    assert versions(read((SAID, AFTERWARDS))) == [(CLOSE, "read", OPEN, "after_the_fact")]


@pytest.mark.parametrize(
    ("read_at", "known_at_from"), [(OPEN - HOUR, "recorded"), (OPEN + HOUR, "assumed")]
)
def test_what_was_recorded_at_the_time_is_marked_as_such(
    read_at: datetime, known_at_from: str
) -> None:
    assert versions(read((SAID, read_at))) == [(CLOSE, "read", OPEN, known_at_from)]


def test_an_early_close_read_after_the_settlement_is_not_known_before_it_came() -> None:
    events = read((CLOSED_EARLY, AFTERWARDS))
    assert versions(events) == [
        (END, "regular", OPEN, "after_the_fact"),
        (EARLY, "read", EARLY, "after_the_fact"),
    ]
    assert set(terms_at(events, EARLY - timedelta(microseconds=1))["close_time"]) == {END}
    assert set(terms_at(events, EARLY)["close_time"]) == {EARLY}


def test_a_close_that_was_put_off_is_known_when_trading_goes_on() -> None:
    later = replace(SAID, close_time=END + 3 * HOUR)
    assert versions(read((later, AFTERWARDS))) == [
        (END, "regular", OPEN, "after_the_fact"),
        (END + 3 * HOUR, "read", END, "after_the_fact"),
    ]


def test_another_grid_read_after_the_settlement_is_not_known_while_the_event_trades() -> None:
    events = read((FINER, AFTERWARDS))
    assert [row[2] for row in versions(events)] == [OPEN, CLOSE]
    assert set(terms_at(events, CLOSE - HOUR)["tick_grid"]) == {"[[0, 10000, 100]]"}
    assert set(terms_at(events)["tick_grid_from"]) == {"default"}
    assert set(latest_terms(events)["tick_grid"]) == {"[[0, 10000, 10]]"}


@pytest.mark.parametrize("changed", [CLOSED_EARLY, FINER], ids=["close", "grid"])
def test_a_change_while_the_event_trades_is_known_from_the_reading_on(
    changed: EventContract,
) -> None:
    seen = OPEN + 20 * HOUR
    expected = [
        (CLOSE, "read", OPEN, "assumed"),
        (changed.close_time, "read", seen, "recorded"),
    ]
    events = read((SAID, OPEN + HOUR), (SAID, OPEN + 2 * HOUR), (changed, seen))
    assert versions(events) == expected
    assert versions(with_reading(events, changed, AFTERWARDS, CLOSES)) == expected


def test_an_event_first_read_with_its_close_moved_had_the_regular_one_at_the_open() -> None:
    seen = OPEN + 20 * HOUR
    assert versions(read((CLOSED_EARLY, seen))) == [
        (END, "regular", OPEN, "assumed"),
        (EARLY, "read", seen, "recorded"),
    ]


def test_terms_recorded_while_the_event_was_open_stay_when_it_is_read_after_settlement() -> None:
    events = read((SAID, OPEN - HOUR), (CLOSED_EARLY, AFTERWARDS))
    assert versions(events) == [
        (CLOSE, "read", OPEN, "recorded"),
        (EARLY, "read", EARLY, "after_the_fact"),
    ]
    assert events.equals(read((SAID, OPEN - HOUR), *[(CLOSED_EARLY, AFTERWARDS)] * 3))


def test_what_was_read_after_the_fact_is_replaced_by_the_next_reading() -> None:
    other = replace(SAID, fee_multiplier=2.0)
    assert read((other, AFTERWARDS), (SAID, AFTERWARDS + HOUR)).equals(read((SAID, AFTERWARDS)))
    assert read((SAID, AFTERWARDS), (SAID, AFTERWARDS + HOUR)).equals(read((SAID, AFTERWARDS)))


def test_the_last_reading_before_the_open_is_what_the_rules_said_at_it() -> None:
    early = replace(SAID, fee_multiplier=2.0)
    assert read((early, OPEN - 2 * HOUR), (SAID, OPEN - HOUR)).equals(read((SAID, OPEN)))


def test_the_same_terms_read_elsewhere_are_no_new_version() -> None:
    terms = tuple(
        replace(m, raw_sha256="other", tick_grid=LINEAR_CENT, tick_grid_from="default")
        for m in SAID.markets
    )
    before = read((SAID, OPEN + HOUR))
    assert with_reading(before, replace(SAID, markets=terms), OPEN + 2 * HOUR, CLOSES).equals(
        before
    )


def test_an_older_reading_than_the_last_version_tells_nothing_new() -> None:
    events = read((SAID, OPEN + HOUR), (CLOSED_EARLY, OPEN + 5 * HOUR))
    assert with_reading(events, SAID, OPEN + 4 * HOUR, CLOSES).equals(events)


def test_the_exchange_is_asked_by_the_last_terms() -> None:
    events = read((SAID, OPEN - HOUR), (CLOSED_EARLY, AFTERWARDS))
    assert EventContract.from_frame(city_day(CITY.name, DAY), events) == CLOSED_EARLY


@pytest.mark.parametrize(
    ("city", "day", "close"),
    [
        ("new_york", date(2025, 4, 15), "2025-04-16T03:59Z"),
        ("new_york", date(2025, 1, 20), "2025-01-21T04:59Z"),
        ("new_york", date(2026, 7, 12), "2026-07-13T04:59Z"),
        ("new_york", date(2026, 10, 8), "2026-10-09T05:00Z"),
        ("chicago", date(2025, 1, 20), "2025-01-21T04:59Z"),
        ("chicago", date(2025, 3, 1), "2025-03-02T05:59Z"),
        ("denver", date(2025, 4, 15), "2025-04-16T05:59Z"),
    ],
)
def test_recorded_closes_are_regular(city: str, day: date, close: str) -> None:
    regular = regular_closes(CITIES[city], day)
    at = datetime.fromisoformat(close)
    assert at in regular
    assert at - timedelta(minutes=30) not in regular
    assert at + timedelta(hours=2) not in regular


@needs_archive
def test_every_close_of_the_archive_is_regular() -> None:
    recorded = pl.read_parquet(
        ARCHIVE / "markets.parquet", columns=["city", "event_date", "close_time"]
    ).unique()
    assert recorded.height > 700
    for city, day, close in recorded.iter_rows():
        assert close in regular_closes(CITIES[city], day), (city, day, close)


def test_other_legs_than_at_an_earlier_reading_are_refused_by_name() -> None:
    legs = list(SAID.ladder.legs)
    assert legs[2].hi is not None
    legs[2] = replace(legs[2], hi=legs[2].hi + 1)
    moved = replace(SAID, ladder=Atoms(tuple(legs)))
    with pytest.raises(ContractError, match=rf"{EVENT} has other legs .*{legs[2].market_ticker}"):
        read((SAID, OPEN + HOUR), (moved, OPEN + 2 * HOUR))
