"""A market without its strike fields is read from its label, its rules and its siblings' gap."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.exchange.contract import ContractError, EventContract
from kalshi_assets.exchange.contract_reading import read_event_contract
from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.ingest import IngestError, fetch_event, fetch_settlement
from kalshi_assets.exchange.wire import market_of
from kalshi_assets.families.temperature.bracket_reading import bracket_of, read_brackets
from kalshi_assets.families.temperature.cities import CITIES, city_day
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.ladder.brackets import LadderError
from kalshi_assets.tables import SETTLEMENTS
from kalshi_assets_tests.exchange.fake_exchange import (
    CITY,
    DAY,
    EVENT,
    SERIES,
    STRIKES,
    exchange,
    market,
    markets,
    settled,
)
from kalshi_assets_tests.shared import SAMPLES, needs_samples

SENTENCES = {
    "T78": "less than 78°",
    "B80.5": "between 80-81°",
    "T85": "greater than 85°",
}
WHOLE = [(None, 77), (78, 79), (80, 81), (82, 83), (84, 85), (86, None)]
NO_STRIKES = {"strike_type": None, "floor_strike": None, "cap_strike": None}


def rules(words):
    return (
        f"If the highest temperature recorded at Chicago Midway, IL for June 15, 2026, is {words} "
        "according to the NWS's Daily Climate Report, then the market resolves to Yes."
    )


def event_without_strikes_of(*bare, **changes):
    return [market(name, **(NO_STRIKES | changes if name in bare else {})) for name, *_ in STRIKES]


def read(rows):
    brackets, origins = read_brackets([market_of(row, "sha") for row in rows])
    return [(b.lo, b.hi) for b in brackets], origins


@pytest.mark.parametrize("winner", ["T78", "B80.5", "T85"])
def test_a_winner_without_strikes_is_read_from_label_rules_and_gap(winner):
    rows = event_without_strikes_of(winner, rules_primary=rules(SENTENCES[winner]))
    found, origins = read(rows)
    assert found == WHOLE
    assert origins[f"{EVENT}-{winner}"] == "label_rules_gap"
    assert {o for t, o in origins.items() if t != f"{EVENT}-{winner}"} == {"strikes"}


@needs_samples
def test_the_recorded_winner_without_strikes_is_read():
    path = SAMPLES / "kalshi_cents_era" / "event_KXHIGHNY_2025-01-20.json"
    rows = json.loads(path.read_bytes())["markets"]
    bare = next(row for row in rows if "strike_type" not in row)
    assert (bare["ticker"], bare["result"]) == ("KXHIGHNY-25JAN20-B26.5", "yes")
    quotes = {"yes_bid_dollars": "0.0000", "yes_ask_dollars": "1.0000"}
    found, origins = read([row | quotes for row in rows])
    assert found == [(None, 21), (22, 23), (24, 25), (26, 27), (28, 29), (30, None)]
    assert origins[bare["ticker"]] == "label_rules_gap"


@pytest.mark.parametrize(
    ("label", "words", "origin"),
    [
        ("80° to 81°", "between 80-81°", "label_rules_gap"),
        ("80 to 81", "between 80 and 81", "label_rules_gap"),
        ("80°F to 81°F", "between 80° and 81°", "label_rules_gap"),
        (None, "between 80–81°", "rules_gap"),
        ("words", "between 80-81°", "rules_gap"),
        ("80° to 81°", "warm", "label_gap"),
        ("80° to 81°", None, "label_gap"),
        ("80° to 81°", "between 79-80°", "label_gap"),
        ("79° to 80°", "between 80-81°", "rules_gap"),
        ("80° to 81°", "between 80-81°, or is less than 20°", "label_gap"),
        ("80° to 81°", "between 80-81.5°", "label_gap"),
    ],
)
def test_two_of_three_must_agree_and_are_named(label, words, origin):
    text = None if words is None else rules(words)
    rows = event_without_strikes_of("B80.5", yes_sub_title=label, rules_primary=text)
    found, origins = read(rows)
    assert (found, origins[f"{EVENT}-B80.5"]) == (WHOLE, origin)


@pytest.mark.parametrize(
    ("label", "words", "each"),
    [
        ("82° to 83°", "between 84-85°", "'82° to 83°': 82 to 83, the rules: 84 to 85, .*80 to 81"),
        ("warm", None, "'warm': nothing, no rules: nothing, the gap .*: 80 to 81"),
        ("81° or above", "less than 81°", ": from 81, the rules: up to 80, the gap"),
    ],
)
def test_where_no_two_agree_the_error_names_the_market_and_what_each_says(label, words, each):
    text = None if words is None else rules(words)
    rows = event_without_strikes_of("B80.5", yes_sub_title=label, rules_primary=text)
    with pytest.raises(ContractError, match=f"{EVENT}-B80.5 lacks its strike fields.*{each}"):
        read(rows)


def test_two_that_agree_on_what_leaves_no_whole_ladder_do_not_pass():
    rows = event_without_strikes_of(
        "B80.5", yes_sub_title="82° to 83°", rules_primary=rules("between 82-83°")
    )
    with pytest.raises(LadderError, match=r"gap|overlap"):
        read_event_contract(
            listing_of(CITY, DAY),
            {"event_ticker": EVENT},
            [market_of(r, "sha") for r in rows],
            SERIES,
            [],
        )


def test_several_markets_without_strikes_are_read_and_the_last_by_its_gap():
    found, origins = read(event_without_strikes_of(*(name for name, *_ in STRIKES)))
    assert found == WHOLE
    assert set(origins.values()) == {"label_rules"}
    rows = event_without_strikes_of("B78.5", "T85")
    rows[5] |= {"yes_sub_title": "words"}
    found, origins = read(rows)
    assert found == WHOLE
    assert (origins[f"{EVENT}-B78.5"], origins[f"{EVENT}-T85"]) == ("label_rules", "rules_gap")
    rows[1] |= {"yes_sub_title": "words"}
    with pytest.raises(ContractError, match=rf"{EVENT}-B78\.5 lacks.*; {EVENT}-T85 lacks"):
        read(rows)


@pytest.mark.parametrize(
    "left", [{"strike_type": "between"}, {"floor_strike": 80}, {"cap_strike": 81}]
)
def test_strikes_in_part_are_read_alike_where_they_do_not_contradict(left):
    found, origins = read(event_without_strikes_of("B80.5", **left))
    assert (found, origins[f"{EVENT}-B80.5"]) == (WHOLE, "label_rules_gap")


@pytest.mark.parametrize(
    "left", [{"strike_type": "greater"}, {"floor_strike": 70}, {"cap_strike": 83}]
)
def test_strikes_in_part_that_say_another_thing_are_refused(left):
    with pytest.raises(ContractError, match=r"B80\.5 lacks some strike .* say 80 to 81, but"):
        read(event_without_strikes_of("B80.5", **left))


@given(st.integers(-60, 130), st.integers(0, 5), st.booleans())
def test_any_ladder_is_read_without_the_strikes_of_any_one_market(lowest, bare, with_rules):
    rows = []
    for i in range(6):
        lo, hi = lowest + 2 * i, lowest + 2 * i + 1
        kind, floor, cap, label, words = (
            ("less", None, hi + 1, f"{hi}° or below", f"less than {hi + 1}°")
            if i == 0
            else ("greater", lo - 1, None, f"{lo}° or above", f"greater than {lo - 1}°")
            if i == 5
            else ("between", lo, hi, f"{lo}° to {hi}°", f"between {lo}-{hi}°")
        )
        given = {"strike_type": kind, "floor_strike": floor, "cap_strike": cap}
        rows.append(
            market(ticker=f"{EVENT}-{i}", yes_sub_title=label, rules_primary=rules(words))
            | {"floor_strike": None, "cap_strike": None}
            | given
        )
    truth, _ = read(rows)
    rows[bare] |= dict.fromkeys(("strike_type", "floor_strike", "cap_strike"))
    if not with_rules:
        rows[bare]["rules_primary"] = None
    found, origins = read(rows)
    assert found == truth
    assert origins[f"{EVENT}-{bare}"] == ("label_rules_gap" if with_rules else "label_gap")


@pytest.mark.parametrize("field", ["floor_strike", "cap_strike"])
def test_a_strike_that_is_no_temperature_names_market_and_field(field):
    row = market("B80.5", **{field: 1e300})
    with pytest.raises(MalformedAnswerError, match=rf"market {EVENT}-B80.5, field {field}"):
        bracket_of(market_of(row, "sha"))


def test_the_contract_says_where_each_bracket_was_read_and_comes_back_whole():
    rows = event_without_strikes_of("B80.5")
    contract = fetch_event(exchange(rows).client(), listing_of(CITY, DAY))
    frame = contract.to_frame()
    assert frame["bracket_from"].to_list().count("strikes") == 5
    row = frame.sort("bracket").row(2, named=True)
    assert (row["bracket_from"], row["strike_type"], row["lo"], row["hi"]) == (
        "label_rules_gap",
        "",
        80,
        81,
    )
    assert EventContract.from_frame(city_day("chicago", DAY), frame) == contract


def test_a_day_whose_winner_lost_its_strikes_settles_as_ever():
    rows = settled()
    for name in NO_STRIKES:
        rows[2].pop(name, None)
    fake = exchange(rows)
    contract = fetch_event(fake.client(), listing_of(CITY, DAY))
    settlement = fetch_settlement(fake.client(), contract, SETTLEMENTS)
    assert settlement.select("winning_market", "value").rows() == [(f"{EVENT}-B80.5", 81)]


def test_an_event_that_cannot_be_read_names_city_day_and_market():
    rows = event_without_strikes_of("B80.5", yes_sub_title="warm", rules_primary=None)
    with pytest.raises(IngestError, match=rf"chicago 2026-06-15: .*{EVENT}-B80\.5 lacks its stri"):
        fetch_event(exchange(rows).client(), listing_of(CITIES["chicago"], DAY))


def test_markets_with_strikes_do_not_need_their_labels():
    found, origins = read(markets(yes_sub_title="words", rules_primary=None))
    assert found == WHOLE
    assert set(origins.values()) == {"strikes"}
