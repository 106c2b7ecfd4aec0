from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kalshi_assets.families.temperature.trading import REASONS as TEMPERATURE_REASONS
from kalshi_assets.trading.signal import signals
from kalshi_assets.trading.terms import EventTerms
from kalshi_assets_tests.trading.panels import panel, params, random_panel

TERMS = EventTerms(fee_type="quadratic", fee_multiplier=1.0)
BULLISH: dict[str, Any] = {"p_calibrated": 0.60}
GATES: dict[str, dict[str, Any]] = {
    "no_quote": {"bid": None},
    "input_unknown": {"quote_age_s": None},
    "market_invalid": {"market_valid": False},
    "dead_bracket": {"dead": True, "p_mkt": 0.0, "p_calibrated": 0.0},
    "stale_quote": {"quote_age_s": 601.0},
    "extreme_probability": {"p_calibrated": 1.0, "p_mkt": 0.9, "bid": 0.89, "ask": 0.91},
    "wide_spread": {"bid": 0.44, "ask": 0.49},
    "low_volume": {"volume_15m": 19.0},
    "hazard_unknown": {"hazard_next_5m": None},
    "hazard": {"hazard_next_5m": 0.021},
    "inferred_quote": {"quote_source": "inferred", "bid": 0.50, "ask": 0.50},
    "edge_too_small": {"p_calibrated": 0.49},
    "too_late": {"minutes_to_close": 14},
}


def one(**columns: Any) -> dict[str, Any]:
    frame = signals(panel(1, 1, **{**BULLISH, **columns}), params(), TERMS.fee)
    return frame.row(0, named=True)


@pytest.mark.parametrize("reason", GATES)
def test_every_gate_says_no_by_its_name(reason: str) -> None:
    row = one(**GATES[reason])
    assert row["reason"] == reason
    assert row["execution"] is None
    assert row["price_cc"] is None


def test_gates_are_asked_in_the_order_of_the_table() -> None:
    assert ["trade", *GATES] == TEMPERATURE_REASONS[: len(GATES) + 1]
    said = {}
    for reason in reversed([gate for gate in GATES if gate != "no_quote"]):
        if reason not in ("inferred_quote", "extreme_probability"):
            said.update(GATES[reason])
            assert one(**said)["reason"] == reason
    assert one(**{**said, "ask": None})["reason"] == "no_quote"


def test_a_strong_opinion_takes_and_a_mild_one_makes() -> None:
    strong, mild = one(p_calibrated=0.60), one(p_calibrated=0.515)
    assert (strong["side"], strong["execution"], strong["price_cc"]) == ("bid", "taker", 5100)
    assert (mild["side"], mild["execution"], mild["price_cc"]) == ("bid", "maker", 4800)
    assert mild["edge_cents"] == pytest.approx(0.9 * 2.5 - 0.5)


def test_asks_mirror_bids() -> None:
    strong, mild = one(p_calibrated=0.38), one(p_calibrated=0.465)
    assert (strong["side"], strong["execution"], strong["price_cc"]) == ("ask", "taker", 4700)
    assert (mild["side"], mild["execution"], mild["price_cc"]) == ("ask", "maker", 5000)
    assert mild["edge_cents"] == pytest.approx(0.9 * 2.5 - 0.5)


def test_a_takers_edge_pays_the_worst_price_its_limit_allows_and_the_fee() -> None:
    row = one(p_calibrated=0.60)
    fee_cents = TERMS.fee(5100, params().order_contracts, "taker") / params().order_contracts / 100
    assert row["edge_cents"] == pytest.approx(49 + 0.9 * 11 - 51 - fee_cents)


def test_on_inferred_quotes_it_makes_where_it_would_have_taken() -> None:
    row = one(p_calibrated=0.60, quote_source="inferred")
    assert (row["reason"], row["execution"], row["price_cc"]) == ("trade", "maker", 4800)


def test_in_a_locked_book_nothing_rests() -> None:
    assert one(bid=0.50, ask=0.50, p_calibrated=0.525)["reason"] == "edge_too_small"


def test_high_hazard_and_a_dead_bracket_pull_and_a_known_quiet_does_not() -> None:
    assert one(hazard_next_5m=0.5)["pull"]
    assert one(dead=True)["pull"]
    assert not one(hazard_next_5m=0.0)["pull"]


def test_a_makers_fee_lowers_its_edge() -> None:
    charged = EventTerms(fee_type="quadratic_with_maker_fees", fee_multiplier=1.0)
    frame = panel(1, 1, p_calibrated=0.515)
    free = signals(frame, params(), TERMS.fee)["edge_cents"].item()
    assert signals(frame, params(), charged.fee)["edge_cents"].item() == pytest.approx(
        free - charged.fee(4800, 10, "maker") / 1000
    )


@given(seed=st.integers(0, 1000), rows=st.lists(st.integers(0, 179), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_a_row_says_the_same_in_any_slice(seed: int, rows: list[int]) -> None:
    frame = random_panel(seed, minutes=30)
    whole = signals(frame, params(), TERMS.fee)
    assert_frame_equal(signals(frame[rows], params(), TERMS.fee), whole[rows], check_exact=True)


@given(bid=st.integers(1, 98), spread=st.integers(1, 10), where=st.floats(0, 1))
def test_who_agrees_with_the_market_never_trades(bid: int, spread: int, where: float) -> None:
    ask = min(bid + spread, 99)
    p = (bid + where * (ask - bid)) / 100
    row = one(bid=bid / 100, ask=ask / 100, p_mkt=p, p_calibrated=p)
    assert row["reason"] != "trade"


def test_a_frame_without_any_quote_is_refused_row_by_row() -> None:
    frame = signals(panel(3, 2, bid=None, ask=None, quote_source="none"), params(), TERMS.fee)
    assert frame["reason"].unique().to_list() == ["no_quote"]
    assert frame.select(pl.col("side", "edge_cents").is_null().all()).row(0) == (True, True)
