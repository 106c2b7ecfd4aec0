"""Which runs the clock and the exchange call for: the decisions, without Dagster's machinery."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.cities import CITIES, UnknownCityError, city
from kalshi_assets.defs.automation import (
    FIRST_LOOK_BACK,
    OVERLAP,
    SENSOR_BUDGET_S,
    look_for_settled,
    requests_for,
    settled_city_days,
    settlement_requests,
    today,
    yesterday,
)
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.lake.store import Lake
from kalshi_assets.partitions import CityDay
from kalshi_assets.tables import DECISIONS

NOW = datetime(2026, 6, 30, 17, 0, tzinfo=UTC)
NY, CHI, LA = (CityDay(name, date(2026, 6, 29)) for name in ("new_york", "chicago", "los_angeles"))


def _instants() -> st.SearchStrategy[datetime]:
    first = datetime(2024, 1, 3, tzinfo=UTC)
    return st.integers(0, 6 * 365 * 86_400).map(lambda s: first + timedelta(seconds=s))


@given(now=_instants())
def test_today_is_the_climate_day_that_contains_now_in_every_city(now: datetime) -> None:
    for key in today(CITIES, now):
        start, end = city(key.city).climate_day(key.date)
        assert start <= now < end


@given(now=_instants())
def test_yesterday_ends_where_today_starts_in_every_city(now: datetime) -> None:
    for before, present in zip(yesterday(CITIES, now), today(CITIES, now), strict=True):
        assert before.city == present.city
        assert (
            city(before.city).climate_day(before.date)[1]
            == city(present.city).climate_day(present.date)[0]
        )


@pytest.mark.parametrize(
    ("utc", "new_york", "los_angeles"),
    [
        # Standard time all year: in summer the New York day turns at 01:00 by the wall's clock.
        (datetime(2026, 7, 1, 4, 59, 59, tzinfo=UTC), date(2026, 6, 30), date(2026, 6, 30)),
        (datetime(2026, 7, 1, 5, 0, tzinfo=UTC), date(2026, 7, 1), date(2026, 6, 30)),
        (datetime(2026, 7, 1, 7, 59, 59, tzinfo=UTC), date(2026, 7, 1), date(2026, 6, 30)),
        (datetime(2026, 7, 1, 8, 0, tzinfo=UTC), date(2026, 7, 1), date(2026, 7, 1)),
        (datetime(2026, 1, 1, 5, 0, tzinfo=UTC), date(2026, 1, 1), date(2025, 12, 31)),
    ],
)
def test_each_city_turns_at_its_own_midnight_of_standard_time(
    utc: datetime, new_york: date, los_angeles: date
) -> None:
    assert [key.date for key in today(["new_york", "los_angeles"], utc)] == [new_york, los_angeles]


def test_the_desk_in_new_york_finds_yesterday_over_everywhere_at_half_past_ten() -> None:
    at = datetime(2026, 6, 30, 14, 30, tzinfo=UTC)
    assert {key.date for key in yesterday(CITIES, at)} == {date(2026, 6, 29)}


def test_an_unknown_city_is_named() -> None:
    with pytest.raises(UnknownCityError, match="unknown city 'gotham'; known: "):
        today(["gotham"], NOW)


def test_a_run_is_asked_for_each_event_that_the_exchange_has() -> None:
    listed = frozenset({NY.event_ticker, LA.event_ticker, "KXHIGHNY-99JAN01"})
    asked = requests_for([NY, CHI, LA], listed, lambda key: f"x-{key.event_ticker}")
    assert isinstance(asked, list)
    assert [(r.partition_key, r.run_key) for r in asked] == [
        ("new_york|2026-06-29", "x-KXHIGHNY-26JUN29"),
        ("los_angeles|2026-06-29", "x-KXHIGHLAX-26JUN29"),
    ]


def test_no_event_at_all_is_one_reason_that_names_them() -> None:
    reason = requests_for([NY, CHI], frozenset(), str)
    assert isinstance(reason, dg.SkipReason)
    assert reason.skip_message == ("the exchange has none of: KXHIGHNY-26JUN29, KXHIGHCHI-26JUN29")


def test_no_active_city_is_said() -> None:
    reason = requests_for([], frozenset(), str)
    assert isinstance(reason, dg.SkipReason)
    assert reason.skip_message == "no city is active; name some in KALSHI_ASSETS_CITIES"


def test_settled_city_days_come_once_in_order_and_from_known_series_only() -> None:
    tickers = [
        "KXHIGHNY-26JUN29",
        "KXHIGHNY-26JUN29",
        "KXHIGHCHI-26JUN30",
        "KXINX-26JUN29",
        "KXLOWNY-26JUN29",
        "KXHIGHCHI-26JUN29",
    ]
    assert settled_city_days(tickers) == [CHI, CityDay("chicago", date(2026, 6, 30)), NY]


@given(
    keys=st.lists(
        st.builds(
            CityDay,
            st.sampled_from(list(CITIES)),
            st.dates(date(2024, 1, 1), date(2035, 1, 1)),
        )
    )
)
def test_every_event_ticker_leads_back_to_its_city_day(keys: list[CityDay]) -> None:
    assert settled_city_days(key.event_ticker for key in keys) == sorted(set(keys))


def test_a_former_series_leads_to_the_same_city() -> None:
    former = {series: c.name for c in CITIES.values() for series in c.history}
    assert former, "the registry knows former series"
    for series, name in former.items():
        assert settled_city_days([f"{series}-25MAY05"]) == [CityDay(name, date(2025, 5, 5))]


def test_a_day_with_decisions_is_settled_and_a_new_one_made_whole(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write(DECISIONS, NY, DECISIONS.empty())
    asked = settlement_requests([CHI, NY], lake)
    assert [(r.job_name, r.partition_key, r.run_key) for r in asked] == [
        ("refresh", "chicago|2026-06-29", "settled-KXHIGHCHI-26JUN29"),
        ("settle", "new_york|2026-06-29", "settled-KXHIGHNY-26JUN29"),
    ]


@dataclass
class SlowExchange:
    """Takes its time for every city, and remembers what it was asked."""

    seconds: float = 0.0
    settled: Sequence[str] = ()
    elapsed: float = 0.0
    asked: list[tuple[str, datetime]] = field(default_factory=list)

    def settled_markets(self, series: str, since: datetime) -> list["Settled"]:
        self.elapsed += self.seconds
        self.asked.append((series, since))
        return [Settled(ticker) for ticker in self.settled if ticker.startswith(f"{series}-")]

    def look(
        self, cities: Sequence[str], since: dict[str, datetime]
    ) -> tuple[list[CityDay], dict[str, datetime]]:
        client = cast(KalshiClient, self)
        return look_for_settled(client, cities, since, NOW, lambda: self.elapsed)


@dataclass(frozen=True)
class Settled:
    event_ticker: str


def test_the_first_look_goes_two_days_back_and_later_ones_overlap() -> None:
    exchange = SlowExchange()
    known = NOW - timedelta(minutes=5)
    exchange.look(["chicago", "new_york"], {"new_york": known})
    assert exchange.asked == [
        ("KXHIGHCHI", NOW - FIRST_LOOK_BACK - OVERLAP),
        ("KXHIGHNY", known - OVERLAP),
    ]


def test_cities_are_asked_longest_unasked_first() -> None:
    exchange = SlowExchange()
    ages = {"new_york": 5, "chicago": 30, "los_angeles": 10}
    exchange.look(
        ["miami", *ages], {name: NOW - timedelta(minutes=age) for name, age in ages.items()}
    )
    assert [series for series, _ in exchange.asked] == [
        city(name).series for name in ("miami", "chicago", "los_angeles", "new_york")
    ]


def test_a_slow_exchange_uses_up_the_budget_and_the_rest_waits_without_losing_its_place() -> None:
    exchange = SlowExchange(seconds=SENSOR_BUDGET_S / 2 - 1)
    names = list(CITIES)
    before = {name: NOW - timedelta(hours=1) for name in names}
    _, asked = exchange.look(names, before)
    done = [name for name in names if asked[name] == NOW]
    assert len(done) == len(exchange.asked) == 3
    assert all(asked[name] == before[name] for name in names if name not in done)
    _, later = SlowExchange(seconds=SENSOR_BUDGET_S).look(names, asked)
    assert {name for name in names if later[name] == NOW} - set(done)


def test_what_settled_is_found_whatever_the_city_asked() -> None:
    exchange = SlowExchange(settled=[NY.event_ticker, CHI.event_ticker, LA.event_ticker])
    found, asked = exchange.look(["new_york", "chicago"], {})
    assert found == [CHI, NY]
    assert asked == {"new_york": NOW, "chicago": NOW}


def test_no_city_is_no_question() -> None:
    assert SlowExchange().look([], {}) == ([], {})
