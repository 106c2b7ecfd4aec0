"""Which runs the clock and the exchange call for: the decisions, without Dagster's machinery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import dagster as dg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.defs.automation import (
    REFRESHED_DAYS,
    is_left_to_the_sensor,
    requests_for,
    settlement_requests,
    today,
)
from kalshi_assets.defs.settlement_watch import (
    FIRST_LOOK_BACK,
    LONGEST_DISTANCE,
    OVERLAP,
    SENSOR_BUDGET_S,
    Tries,
    Watch,
    city_day_of,
    overdue,
)
from kalshi_assets.exchange.errors import MalformedAnswerError, UnreachableError
from kalshi_assets.families.temperature.cities import (
    CITIES,
    TEMPERATURE,
    UnknownCityError,
    city,
    city_day,
    event_ticker,
)
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import REPORT

NOW = datetime(2026, 6, 30, 17, 0, tzinfo=UTC)
NY, CHI, LA = (city_day(name, date(2026, 6, 29)) for name in ("new_york", "chicago", "los_angeles"))


def _instants() -> st.SearchStrategy[datetime]:
    first = datetime(2024, 1, 3, tzinfo=UTC)
    return st.integers(0, 6 * 365 * 86_400).map(lambda s: first + timedelta(seconds=s))


@given(now=_instants())
def test_today_is_the_climate_day_that_contains_now_in_every_city(now: datetime) -> None:
    for key in today(CITIES, now):
        start, end = city(key.ladder).climate_day(key.date)
        assert start <= now < end


def _yesterday(cities: Sequence[str], now: datetime) -> list[LadderDay]:
    return overdue(cities, now, 1, made=lambda key: False)


@given(now=_instants())
def test_yesterday_ends_where_today_starts_in_every_city(now: datetime) -> None:
    for before, present in zip(_yesterday(list(CITIES), now), today(CITIES, now), strict=True):
        assert before.ladder == present.ladder
        assert (
            city(before.ladder).climate_day(before.date)[1]
            == city(present.ladder).climate_day(present.date)[0]
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
    assert {key.date for key in _yesterday(list(CITIES), at)} == {date(2026, 6, 29)}


def test_an_unknown_city_is_named() -> None:
    with pytest.raises(UnknownCityError, match="unknown city 'gotham'; known: "):
        today(["gotham"], NOW)


def test_a_run_is_asked_for_each_event_that_the_exchange_has() -> None:
    listed = frozenset({event_ticker(NY), event_ticker(LA), "KXHIGHNY-99JAN01"})
    asked = requests_for([NY, CHI, LA], listed, lambda key: f"x-{event_ticker(key)}")
    assert isinstance(asked, list)
    assert [(r.partition_key, r.run_key) for r in asked] == [
        ("new_york|2026-06-29", "x-KXHIGHNY-26JUN29"),
        ("los_angeles|2026-06-29", "x-KXHIGHLAX-26JUN29"),
    ]


def test_no_event_at_all_is_one_reason_that_names_them() -> None:
    reason = requests_for([NY, CHI], frozenset(), str)
    assert isinstance(reason, dg.SkipReason)
    assert reason.skip_message == ("the exchange has none of: KXHIGHNY-26JUN29, KXHIGHCHI-26JUN29")


def test_days_of_late_are_overdue_until_they_are_made_unless_a_run_is_at_it() -> None:
    wanted = overdue(["new_york", "chicago"], NOW, 3, made={NY}.__contains__, running={CHI})
    assert [(key.ladder, key.date.day) for key in wanted] == [
        ("new_york", 27),
        ("chicago", 27),
        ("new_york", 28),
        ("chicago", 28),
    ]


@given(
    keys=st.lists(
        st.builds(
            city_day,
            st.sampled_from(list(CITIES)),
            st.dates(date(2024, 1, 1), date(2035, 1, 1)),
        )
    )
)
def test_every_event_ticker_leads_back_to_its_city_day(keys: list[LadderDay]) -> None:
    later = datetime(2035, 1, 1, tzinfo=UTC)
    assert [city_day_of(event_ticker(key), later) for key in keys] == keys


def test_a_former_series_leads_to_the_same_city() -> None:
    former = {series: c.name for c in CITIES.values() for series in c.history}
    assert former, "the registry knows former series"
    for series, name in former.items():
        assert city_day_of(f"{series}-25MAY05", NOW) == city_day(name, date(2025, 5, 5))


@pytest.mark.parametrize(
    ("ticker", "said"),
    [
        ("KXINX-26JUN29", "no city of cities.toml has the series KXINX"),
        ("None", "'None' is not SERIES-YYMONDD"),
        ("KXHIGHNY", "'KXHIGHNY' is not SERIES-YYMONDD"),
        ("KXHIGHNY-26JUN31", "26JUN31 is not a valid date"),
        ("KXHIGHNY-26JUN29-T78", "is not SERIES-YYMONDD"),
        ("KXHIGHNY-26JUL02", "'KXHIGHNY-26JUL02': its day has no partition"),
        ("KXHIGHNY-23DEC31", "'KXHIGHNY-23DEC31': its day has no partition"),
    ],
)
def test_an_odd_ticker_is_named(ticker: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        city_day_of(ticker, NOW)


def test_every_try_of_a_settlement_is_a_run_of_its_own_and_a_day_not_made_is_made_whole(
    tmp_path: Path,
) -> None:
    lake = Lake(Files(tmp_path), TEMPERATURE)
    lake.write(REPORT, NY, REPORT.empty())
    asked = settlement_requests({CHI: 1, NY: 3}, lake)
    assert [(r.job_name, r.partition_key, r.run_key) for r in asked] == [
        ("refresh", "chicago|2026-06-29", "settled-KXHIGHCHI-26JUN29-1"),
        ("settle", "new_york|2026-06-29", "settled-KXHIGHNY-26JUN29-3"),
    ]


def test_a_day_is_the_sensor_s_once_it_is_made_or_too_old_for_the_refresh(tmp_path: Path) -> None:
    lake = Lake(Files(tmp_path), TEMPERATURE)
    assert not is_left_to_the_sensor(lake, CHI, NOW)
    assert is_left_to_the_sensor(lake, CHI, NOW + timedelta(days=REFRESHED_DAYS))
    lake.write(REPORT, CHI, REPORT.empty())
    assert is_left_to_the_sensor(lake, CHI, NOW)


@dataclass
class SlowExchange:
    """Takes its time for every city, and remembers what it was asked.

    Attributes
    ----------
    unreadable
        Series whose answer cannot be read.
    """

    seconds: float = 0.0
    settled: Sequence[str] = ()
    unreadable: frozenset[str] = frozenset()
    elapsed: float = 0.0
    asked: list[tuple[str, datetime]] = field(default_factory=list)

    def settled_events(self, series: str, since: datetime) -> list[str]:
        self.elapsed += self.seconds
        self.asked.append((series, since))
        if series in self.unreadable:
            raise MalformedAnswerError(f"{series} answers in words")
        return [ticker for ticker in self.settled if ticker.startswith(f"{series}-")]

    def look(self, watch: Watch, cities: Sequence[str], now: datetime = NOW) -> list[str]:
        return watch.look(self, cities, now, lambda: self.elapsed)


def _asked(ages: Mapping[str, timedelta]) -> Watch:
    return Watch(since={name: NOW - age for name, age in ages.items()})


def test_the_first_look_goes_two_days_back_and_later_ones_overlap() -> None:
    exchange = SlowExchange()
    known = timedelta(minutes=5)
    assert exchange.look(_asked({"new_york": known}), ["chicago", "new_york"]) == []
    assert exchange.asked == [
        ("KXHIGHCHI", NOW - FIRST_LOOK_BACK - OVERLAP),
        ("KXHIGHNY", NOW - known - OVERLAP),
    ]


def test_cities_are_asked_longest_unasked_first() -> None:
    exchange = SlowExchange()
    ages = {"new_york": 5, "chicago": 30, "los_angeles": 10}
    watch = _asked({name: timedelta(minutes=age) for name, age in ages.items()})
    exchange.look(watch, ["miami", *ages])
    assert [series for series, _ in exchange.asked] == [
        city(name).series for name in ("miami", "chicago", "los_angeles", "new_york")
    ]


def test_a_slow_exchange_uses_up_the_budget_and_the_rest_waits_without_losing_its_place() -> None:
    exchange = SlowExchange(seconds=SENSOR_BUDGET_S / 2 - 1)
    names = list(CITIES)
    watch = _asked(dict.fromkeys(names, timedelta(hours=1)))
    exchange.look(watch, names)
    done = [name for name in names if watch.since[name] == NOW]
    assert len(done) == len(exchange.asked) == 3
    assert all(watch.since[n] == NOW - timedelta(hours=1) for n in names if n not in done)
    SlowExchange(seconds=SENSOR_BUDGET_S).look(watch, names)
    assert {name for name in names if watch.since[name] == NOW} - set(done)


def test_what_settled_is_pending_until_it_is_stored() -> None:
    exchange = SlowExchange(settled=[event_ticker(NY), event_ticker(CHI), event_ticker(LA)])
    watch = Watch()
    assert exchange.look(watch, ["new_york", "chicago"]) == []
    assert watch.due(NOW, stored={CHI}.__contains__) == {NY: 1}
    assert list(watch.pending) == [event_ticker(NY)]
    assert watch.due(NOW + timedelta(days=9), stored={NY}.__contains__) == {}
    assert watch.pending == {}


def test_a_run_that_failed_is_repeated_with_growing_distance_for_as_long_as_it_takes() -> None:
    watch = Watch(pending={event_ticker(NY): None})
    tried = [
        minute
        for minute in range(0, 3 * 24 * 60, 5)
        if watch.due(NOW + timedelta(minutes=minute), stored=lambda key: False)
    ]
    distances = [after - before for before, after in pairwise(tried)]
    assert distances[:7] == [5, 10, 20, 40, 80, 160, 320]
    longest = LONGEST_DISTANCE / timedelta(minutes=1)
    assert set(distances[7:]) == {longest}
    assert len(distances) > 12


def test_a_settlement_waits_for_the_run_at_work_and_for_the_day_to_be_refreshed() -> None:
    watch = Watch(pending={event_ticker(NY): None, event_ticker(CHI): None, event_ticker(LA): None})
    due = watch.due(NOW, stored=lambda key: False, running={NY}, refreshed={NY, CHI}.__contains__)
    assert due == {CHI: 1}
    assert watch.pending[event_ticker(NY)] is watch.pending[event_ticker(LA)] is None


def test_one_unreadable_series_does_not_blind_the_sensor_for_the_others() -> None:
    exchange = SlowExchange(settled=[event_ticker(NY)], unreadable=frozenset({"KXHIGHCHI"}))
    watch, cities = Watch(), ["chicago", "new_york"]
    said = exchange.look(watch, cities)
    assert said == ["chicago is asked again at 17:05Z: KXHIGHCHI answers in words"]
    assert watch.due(NOW, stored=lambda key: False) == {NY: 1}
    assert watch.since == {"new_york": NOW, "chicago": NOW - FIRST_LOOK_BACK}

    # It is left alone for five minutes, then ten, and has lost nothing when it answers again.
    exchange.look(watch, cities, NOW + timedelta(minutes=4))
    assert [series for series, _ in exchange.asked].count("KXHIGHCHI") == 1
    (again,) = exchange.look(watch, cities, NOW + timedelta(minutes=5))
    assert again.startswith("chicago is asked again at 17:15Z")
    answering = SlowExchange(settled=[event_ticker(CHI)])
    assert answering.look(watch, cities, NOW + timedelta(minutes=15)) == []
    assert answering.asked[0] == ("KXHIGHCHI", NOW - FIRST_LOOK_BACK - OVERLAP)
    assert watch.refused == {}
    assert event_ticker(CHI) in watch.pending


def test_a_city_outside_the_registry_and_an_odd_ticker_are_named_and_skipped() -> None:
    exchange = SlowExchange(settled=["KXHIGHNY-SOON", event_ticker(NY)])
    watch = Watch()
    said = exchange.look(watch, ["gotham", "new_york"])
    assert said == [
        "unknown city gotham: see KALSHI_ASSETS_CITIES",
        "event 'KXHIGHNY-SOON' is not SERIES-YYMONDD, such as KXHIGHNY-25APR20",
    ]
    assert list(watch.pending) == [event_ticker(NY)]


def test_an_exchange_that_cannot_be_read_is_asked_again_and_what_is_pending_goes_on() -> None:
    exchange = SlowExchange(unreadable=frozenset({"KXHIGHNY"}))
    watch = Watch(pending={event_ticker(NY): None})
    assert len(exchange.look(watch, ["new_york"])) == 1
    assert watch.refused["new_york"].count == 1
    assert watch.due(NOW, stored=lambda key: False) == {NY: 1}


def test_an_exchange_out_of_reach_fails_the_tick() -> None:
    class Gone:
        def settled_events(self, series: str, since: datetime) -> list[str]:
            raise UnreachableError("no answer") from httpx.ConnectError("refused")

    with pytest.raises(UnreachableError, match="no answer"):
        Watch().look(Gone(), ["chicago", "new_york"], NOW, lambda: 0.0)


def test_a_cursor_is_read_back_and_one_that_cannot_be_read_begins_anew() -> None:
    watch = Watch(
        since={"new_york": NOW},
        refused={"chicago": Tries(count=2, again_at=NOW)},
        pending={event_ticker(NY): Tries(count=1, again_at=NOW), event_ticker(LA): None},
    )
    assert Watch.of(watch.model_dump_json()) == watch
    for cursor in (None, "", "{}", '{"new_york": "2026-06-30T00:00:00+00:00"}', "not JSON"):
        assert Watch.of(cursor) == Watch()


def test_a_pending_event_whose_city_has_left_the_registry_is_let_go() -> None:
    watch = Watch(pending={"KXHIGHFOO-26JUN29": None, event_ticker(NY): None})
    assert watch.due(NOW, stored=lambda key: False) == {NY: 1}
    assert list(watch.pending) == [event_ticker(NY)]


def test_no_city_is_no_question() -> None:
    exchange, watch = SlowExchange(), Watch()
    assert exchange.look(watch, []) == []
    assert exchange.asked == []
