import hashlib
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.exchange.contract import (
    ContractError,
    EventContract,
    StationChangedError,
    round_to_tick,
)
from kalshi_assets.exchange.contract_reading import read_event_contract
from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire import TickRange, market_of
from kalshi_assets.families.temperature.bracket_reading import bracket_of
from kalshi_assets.families.temperature.cities import CITIES, city_day
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.ladder.brackets import LadderError
from kalshi_assets.tables import EVENTS
from kalshi_assets_tests.exchange.fake_exchange import (
    CITY,
    CLOSE,
    DAY,
    EVENT,
    OPEN,
    SERIES,
    market,
    markets,
)

TAPERED = (
    TickRange(start=0, end=1_000, step=10),
    TickRange(start=1_000, end=9_000, step=100),
    TickRange(start=9_000, end=10_000, step=10),
)


def decoded(rows):
    return [market_of(row, "sha") for row in rows]


def read(rows=None, *, event=None, series=None, changes=(), city=CITY):
    return read_event_contract(
        listing_of(city, DAY),
        {"event_ticker": EVENT} | (event or {}),
        decoded(markets() if rows is None else rows),
        SERIES if series is None else series,
        changes,
    )


def test_the_contract_holds_the_ladder_in_order_and_the_climate_day():
    contract = read(markets()[::-1])
    assert [(b.lo, b.hi) for b in contract.ladder.brackets] == [
        (None, 77),
        (78, 79),
        (80, 81),
        (82, 83),
        (84, 85),
        (86, None),
    ]
    assert contract.market_tickers[0] == f"{EVENT}-T78"
    assert (contract.open_time, contract.close_time) == (OPEN, CLOSE)
    assert contract.day_start == datetime(2026, 6, 15, 6, tzinfo=UTC)
    assert contract.day_end == datetime(2026, 6, 16, 6, tzinfo=UTC)
    assert (contract.place, contract.series_ticker) == ("KMDW", "KXHIGHCHI")


@pytest.mark.parametrize(
    ("strike_type", "floor", "cap", "bounds"),
    [
        ("less", None, 78, (None, 77)),
        ("less_or_equal", None, 78, (None, 78)),
        ("between", 84, 85, (84, 85)),
        ("greater", 85, None, (86, None)),
        ("greater_or_equal", 85, None, (85, None)),
    ],
)
def test_strikes_become_whole_degrees_that_pay(strike_type, floor, cap, bounds):
    row = market(strike_type=strike_type, floor_strike=floor, cap_strike=cap)
    bracket = bracket_of(market_of(row, "sha"))
    assert (bracket.lo, bracket.hi) == bounds


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"strike_type": "functional"}, "strike_type 'functional'"),
        ({"strike_type": None}, "strike_type None"),
        ({"cap_strike": 78.5}, "cap_strike is 78.5, not a whole degree"),
        ({"cap_strike": None}, "cap_strike is None"),
    ],
)
def test_other_strikes_are_refused(changes, complaint):
    with pytest.raises(ContractError, match=f"{EVENT}-T78.*{complaint}"):
        bracket_of(market_of(market(**changes), "sha"))


@pytest.mark.parametrize(
    ("drop", "complaint"),
    [("T78", "lower tail is missing"), ("T85", "upper tail is missing"), ("B80.5", "gap between")],
)
def test_a_ladder_that_is_not_whole_is_refused(drop, complaint):
    rows = [row for row in markets() if not row["ticker"].endswith(drop)]
    with pytest.raises(LadderError, match=complaint):
        read(rows)


def test_overlapping_brackets_are_refused():
    rows = markets()
    rows[2] |= {"floor_strike": 79}
    with pytest.raises(LadderError, match="overlap"):
        read(rows)


@pytest.mark.parametrize("name", ["open_time", "close_time", "event_ticker"])
def test_siblings_that_disagree_are_named(name):
    rows = markets()
    rows[3][name] = "2026-06-16T04:59:00Z" if name.endswith("time") else "KXHIGHCHI-26JUN16"
    with pytest.raises(ContractError, match=f"{EVENT}-T78 and {EVENT}-B82.5 disagree on {name}"):
        read(rows)


def test_an_event_of_another_day_is_refused():
    complaint = "requested KXHIGHCHI-26JUN15 or HIGHCHI-26JUN15, got event KXHIGHCHI-26JUN16"
    with pytest.raises(ContractError, match=complaint):
        read(event={"event_ticker": "KXHIGHCHI-26JUN16"})
    with pytest.raises(ContractError, match="no markets"):
        read([])
    with pytest.raises(ContractError, match="before it opens"):
        read(markets(close_time="2026-06-14T13:00:00Z"))


TWC = "If the maximum temperature recorded at {} for Jun 15, 2026, is greater than 87 degrees"


@pytest.mark.parametrize(
    ("rules", "origin"),
    [
        (TWC.format("Chicago (CLIMDW)"), "rules_code"),
        ("If the highest temperature recorded at Chicago Midway, IL for Jun 15", "rules_name"),
        (None, "registry"),
    ],
)
def test_the_station_is_read_from_the_rules_and_says_where(rules, origin):
    contract = read(markets(rules_primary=rules))
    assert (contract.place, contract.place_from) == ("KMDW", origin)


@pytest.mark.parametrize(
    ("rules", "both"),
    [
        (TWC.format("Chicago (CLIORD)"), "CLIORD.*CLIMDW"),
        ("If the highest temperature recorded in Central Park, New York", "KNYC.*KMDW"),
        ("If the highest temperature recorded at the lakefront", "lakefront.*KMDW"),
    ],
)
def test_a_station_that_changed_is_an_error_that_names_both(rules, both):
    with pytest.raises(StationChangedError, match=both):
        read(markets(rules_primary=rules))


def test_a_city_without_known_wording_rests_on_the_registry():
    city = CITIES["atlanta"]
    rows = [
        row
        | {
            "event_ticker": city.event_ticker(DAY),
            "rules_primary": "the highest temperature recorded in Atlanta",
        }
        for row in markets()
    ]
    contract = read(rows, event={"event_ticker": city.event_ticker(DAY)}, city=city)
    assert contract.place_from == "registry"


@pytest.mark.parametrize(
    ("event", "rules", "series", "source"),
    [
        ({"settlement_sources": [{"name": "TWC"}]}, "NWS", SERIES, ("TWC", "event")),
        ({}, "the NWS's Daily Climate Report", SERIES, ("National Weather Service", "rules")),
        ({}, "according to The Weather Company", SERIES, ("The Weather Company", "rules")),
        ({"settlement_sources": None}, "", SERIES, ("The Weather Company", "series")),
        ({}, "", {"fee_type": "quadratic", "fee_multiplier": 1}, ("unknown", "unknown")),
    ],
)
def test_the_publisher_is_the_events_then_the_rules_then_the_series(event, rules, series, source):
    text = f"Chicago Midway, IL {rules}" if rules else None
    contract = read(markets(rules_primary=text), event=event, series=series)
    assert (contract.settlement_source, contract.settlement_source_from) == source


def change(day, fee_type, multiplier):
    return {
        "id": day,
        "series_ticker": "KXHIGHCHI",
        "fee_type": fee_type,
        "fee_multiplier": multiplier,
        "scheduled_ts": f"{day}T00:00:00Z",
    }


def test_fee_terms_are_those_of_the_opening_of_the_event():
    changes = [
        change("2026-06-10", "quadratic_with_maker_fees", 0.5),
        change("2026-05-01", "quadratic", 2),
        change("2026-06-15", "quadratic", 9),
    ]
    contract = read(changes=changes)
    terms = (contract.fee_type, contract.fee_multiplier, contract.fee_from)
    assert terms == ("quadratic_with_maker_fees", 0.5, "fee_changes")
    later = read(changes=changes[2:])
    assert (later.fee_multiplier, later.fee_from) == (1.0, "series")


def test_an_events_own_fee_terms_win_each_by_itself():
    contract = read(event={"fee_multiplier_override": 0, "fee_type_override": None})
    assert (contract.fee_type, contract.fee_multiplier, contract.fee_from) == (
        "quadratic",
        0.0,
        "event",
    )
    with pytest.raises(MalformedAnswerError, match="fee_multiplier"):
        read(event={"fee_multiplier_override": -1})
    with pytest.raises(MalformedAnswerError, match="series KXHIGHCHI, field fee_type"):
        read(series={"ticker": "KXHIGHCHI", "fee_multiplier": 1})


def test_a_fee_waiver_is_the_market_s_own_and_a_series_waives_nothing_of_its_past():
    own, of_series = "2026-06-14T20:00:00Z", "2027-01-01T00:00:00Z"
    rows = [market(fee_waiver_expiration_time=own), *markets()[1:]]
    contract = read(rows, series={**SERIES, "fee_waiver_expiration_time": of_series})
    said = [terms.fee_waiver_until for terms in contract.markets]
    assert said == [datetime(2026, 6, 14, 20, tzinfo=UTC), *[None] * 5]
    assert EventContract.from_frame(city_day(CITY.name, DAY), contract.to_frame()) == contract


def test_without_a_word_on_it_there_is_no_fee_waiver():
    frame = read(markets(fee_waiver_expiration_time="")).to_frame()
    assert frame["fee_waiver_until"].null_count() == 6


@pytest.mark.parametrize("said", ["soon", "2026-06-14", "2026-06-14T20:00:00", 1781467200, True])
def test_a_fee_waiver_that_is_no_instant_is_an_error_that_names_it(said):
    with pytest.raises(
        MalformedAnswerError, match=r"market KXHIGHCHI-26JUN15-T78.*fee_waiver_expiration_time"
    ):
        read([market(fee_waiver_expiration_time=said), *markets()[1:]])


def test_an_unknown_fee_type_is_kept_as_the_exchange_says_it():
    assert read(series={**SERIES, "fee_type": "cubic"}).fee_type == "cubic"


def test_the_contract_makes_rows_of_the_events_table_and_comes_back_whole():
    contract = read()
    frame = contract.to_frame()
    assert EVENTS.conform(frame).equals(frame)
    row = frame.sort("bracket").row(1, named=True)
    assert (row["lo"], row["hi"], row["label"]) == (78, 79, "78° to 79°")
    assert row["event_time"] == row["known_at"] == OPEN
    assert json.loads(row["tick_grid"]) == [[0, 10_000, 100]]
    rules = markets()[1]["rules_primary"].encode()
    assert row["rules_sha256"] == hashlib.sha256(rules).hexdigest()
    assert EventContract.from_frame(city_day("chicago", DAY), frame) == contract
    bare = read(markets(rules_primary=None, price_ranges=None))
    assert EventContract.from_frame(city_day("chicago", DAY), bare.to_frame()) == bare


def test_a_frame_that_is_not_one_event_is_refused():
    frame = read().to_frame()
    with pytest.raises(ContractError, match="no event of chicago 2026-06-15"):
        EventContract.from_frame(city_day("chicago", DAY), frame.clear())
    other = frame.with_columns(event_ticker=frame["market_ticker"])
    with pytest.raises(ContractError, match="disagree on event_ticker"):
        EventContract.from_frame(city_day("chicago", date(2026, 6, 15)), other)


@given(st.integers(0, 10_000), st.sampled_from([TAPERED, TAPERED[1:2], ()]))
def test_rounding_to_the_grid_is_never_worse_for_us_and_stays(price, grid):
    if not any(r.start <= price <= r.end for r in grid):
        with pytest.raises(ContractError, match="outside the price grid"):
            round_to_tick(grid, price, "bid")
        return
    bid, ask = round_to_tick(grid, price, "bid"), round_to_tick(grid, price, "ask")
    assert bid <= price <= ask
    assert ask - bid <= 100
    for on_grid in (bid, ask):
        assert round_to_tick(grid, on_grid, "bid") == on_grid
        assert round_to_tick(grid, on_grid, "ask") == on_grid


def test_a_contract_rounds_by_its_markets_grid():
    contract = read()
    assert contract.round_to_tick(5_678, "bid") == 5_600
    assert contract.round_to_tick(5_678, "ask") == 5_700
    with pytest.raises(ValueError, match="10001"):
        contract.round_to_tick(10_001, "bid")
    rows = markets()
    rows[0]["price_ranges"] = [{"start": "0.0000", "end": "1.0000", "step": "0.0010"}]
    mixed = read(rows)
    assert mixed.round_to_tick(5_678, "bid", f"{EVENT}-T78") == 5_670
    with pytest.raises(ContractError, match="2 price grids"):
        mixed.round_to_tick(5_678, "bid")
    with pytest.raises(KeyError, match="no market of"):
        mixed.terms("OTHER")


def test_a_market_without_a_grid_has_whole_cents_and_says_so():
    terms = read(markets(price_ranges=None)).terms(f"{EVENT}-T78")
    assert terms.tick_grid == (TickRange(start=0, end=10_000, step=100),)
    assert terms.tick_grid_from == "default"
