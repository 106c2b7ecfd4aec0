"""What is not known never lets an order through, and takes resting ones out of the book."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kalshi_assets.trading.engine import run_day
from kalshi_assets.trading.policy import minute_signals
from kalshi_assets.trading.signal import priced, signals
from kalshi_assets.trading.terms import EventTerms
from kalshi_assets_tests.trading.panels import column, minute, panel, params, random_panel

TERMS = EventTerms(fee_type="quadratic", fee_multiplier=1.0)
NAN = math.nan
REASON_OF_UNKNOWN = {
    "bid_cc": "no_quote",
    "ask_cc": "no_quote",
    "quote_source": "input_unknown",
    "quote_age_s": "input_unknown",
    "volume_15m": "input_unknown",
    "minutes_to_close": "input_unknown",
    "p_mkt": "input_unknown",
    "p_calibrated": "input_unknown",
    "market_valid": "input_unknown",
    "impossible": "input_unknown",
    "known_at": "input_unknown",
    "veto": "veto_unknown",
}
"""Every column that the decision reads, but for the key."""

FLOATS = ("quote_age_s", "volume_15m", "p_mkt", "p_calibrated")
ATTACKS = [
    *((name, None) for name in REASON_OF_UNKNOWN),
    *((name, value) for name in FLOATS for value in (NAN, math.inf)),
    *((name, -0.01) for name in FLOATS),
    *((name, 1.01) for name in ("p_mkt", "p_calibrated")),
    *((name, value) for name in ("bid_cc", "ask_cc") for value in (-1, 10_001)),
]


def spoilt(frame: pl.DataFrame, rows: pl.Expr, *attacks: tuple[str, Any]) -> pl.DataFrame:
    """`frame` with values in some rows that nobody knows, or that cannot be."""
    return frame.with_columns(
        pl.when(rows).then(pl.lit(value, dtype=frame.schema[name])).otherwise(name).alias(name)
        for name, value in attacks
    )


def day_with_one_order(at: int, *attacks: tuple[str, Any]) -> pl.DataFrame:
    """Bracket 0 is worth a bid at minute 0; what is known of it ends at minute `at`.

    Its trades would fill the order at minute 5.
    """
    through = {"low_1m": 0.46, "high_1m": 0.49, "volume_1m": 60.0}
    plain = {"low_1m": np.nan, "high_1m": np.nan, "volume_1m": 0.0}
    frame = panel(
        12,
        p_calibrated=column(12, 0.49, {0: 0.515}),
        **{name: column(12, plain[name], {5: value}) for name, value in through.items()},
    )
    return spoilt(frame, (pl.col("bracket") == 0) & (pl.col("minute") >= minute(at)), *attacks)


def of_an_event(frame: pl.DataFrame) -> pl.DataFrame:
    """Orders and what became of them, filled conservatively."""
    result = run_day(frame, terms=TERMS, params=params(), outcome=None)
    return result.fills.filter(fill_model="conservative").sort("order_id")


def test_the_order_would_fill_if_all_stayed_known() -> None:
    assert of_an_event(day_with_one_order(0))["filled"].to_list() == [6]


@pytest.mark.parametrize(("name", "value"), ATTACKS)
def test_an_input_that_becomes_unknown_takes_the_resting_order_out(name: str, value: Any) -> None:
    (order,) = of_an_event(day_with_one_order(2, (name, value))).to_dicts()
    assert (order["filled"], order["outcome"], order["event_time"]) == (0, "cancelled", minute(3))


@pytest.mark.parametrize(("name", "value"), ATTACKS)
def test_an_input_that_is_unknown_places_no_order_and_the_reason_says_so(
    name: str, value: Any
) -> None:
    frame = day_with_one_order(0, (name, value))
    assert of_an_event(frame).is_empty()
    said = signals(frame, params(), TERMS.fee).filter(bracket=0)
    row = said.sort("minute").row(0, named=True)
    assert row["reason"] == REASON_OF_UNKNOWN[name]
    assert row["pull"]
    assert row["execution"] is None
    assert row["price_cc"] is None


@pytest.mark.parametrize("value", [None, NAN])
def test_with_nothing_known_at_all_nothing_is_placed_and_nothing_rests(value: Any) -> None:
    names = REASON_OF_UNKNOWN if value is None else FLOATS
    attacks = [(name, value) for name in names]
    assert of_an_event(day_with_one_order(0, *attacks)).is_empty()
    (order,) = of_an_event(day_with_one_order(2, *attacks)).to_dicts()
    assert (order["filled"], order["event_time"]) == (0, minute(3))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    attacks=st.lists(st.sampled_from(ATTACKS), min_size=1, max_size=12, unique_by=lambda a: a[0]),
    share=st.floats(0.01, 0.6),
    lively=st.booleans(),
)
def test_whatever_is_unknown_only_the_known_rows_trade_and_as_if_all_were_known(
    seed: int, attacks: list[tuple[str, Any]], share: float, lively: bool
) -> None:
    whole = random_panel(seed, minutes=60)
    rng = np.random.default_rng(seed)
    rows = rng.random(whole.height) < share
    marked = whole.with_columns(pl.Series("hit", rows))
    attacked = spoilt(marked, pl.col("hit"), *attacks).drop("hit")
    tuned = params(max_position_contracts=500, max_daily_loss_cc=10**8) if lively else params()

    said = signals(attacked, tuned, TERMS.fee)
    assert "trade" not in said.filter(rows)["reason"].to_list()
    assert said.filter(rows)["pull"].all()
    clean = signals(whole, tuned, TERMS.fee)
    assert_frame_equal(said.filter(~rows), clean.filter(~rows), check_exact=True)

    result = run_day(attacked, terms=TERMS, params=tuned, outcome=None)
    hit = attacked.filter(rows).select("market_ticker", "minute")
    assert result.decisions.join(hit, on=["market_ticker", "minute"])["contracts"].sum() == 0
    # Decided before, an order is gone when the cancel has had its time.
    latency = pl.duration(minutes=tuned.latency_minutes)
    made = result.fills.filter(execution="maker").join(hit, on="market_ticker")
    decided_before = pl.col("placed_at") - latency < pl.col("minute")
    outlived = pl.col("event_time") > pl.col("minute") + latency
    assert made.filter(decided_before & outlived).is_empty()


def test_a_bracket_without_a_row_at_a_minute_loses_its_resting_order() -> None:
    frame = day_with_one_order(0).filter((pl.col("bracket") != 0) | (pl.col("minute") != minute(2)))
    (order,) = of_an_event(frame).to_dicts()
    assert (order["filled"], order["event_time"]) == (0, minute(3))


def test_a_close_that_one_bracket_does_not_know_is_the_others() -> None:
    frame = spoilt(panel(3), pl.col("bracket") == 0, ("minutes_to_close", None))
    whole = [each.close for each in minute_signals(signals(panel(3), params(), TERMS.fee))]
    assert [each.close for each in minute_signals(signals(frame, params(), TERMS.fee))] == whole
    nobody = spoilt(panel(3), pl.lit(value=True), ("minutes_to_close", None))
    for each in minute_signals(signals(nobody, params(), TERMS.fee)):
        assert each.close == each.minute
        assert each.candidates == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [("low_1m_cc", None), ("high_1m_cc", None), ("volume_1m", None), ("volume_1m", NAN)],
)
def test_trades_that_nobody_knows_fill_nothing(name: str, value: Any) -> None:
    frame = spoilt(day_with_one_order(0), pl.lit(value=True), (name, value))
    (order,) = of_an_event(frame).to_dicts()
    assert order["filled"] == 0


@pytest.mark.parametrize("side", ["panel", "calibrated"])
def test_a_row_is_not_known_when_either_of_its_halves_is_not(side: str) -> None:
    frame = panel(2, 2)
    halves = {
        "panel": frame.drop("p_calibrated", "impossible", "veto"),
        "calibrated": frame.select(
            "market_ticker", "minute", "known_at", "p_calibrated", "impossible"
        ),
    }
    halves[side] = spoilt(halves[side], pl.col("minute") == minute(1), ("known_at", None))
    seen = priced(halves["panel"], halves["calibrated"], frame["veto"])
    expected = frame.select(pl.when(pl.col("minute") == minute(0)).then("known_at"))
    assert seen["known_at"].equals(expected["known_at"])


@pytest.mark.parametrize("name", ["fee_type", "fee_multiplier"])
def test_fee_terms_that_nobody_knows_are_an_error_that_names_the_event(name: str) -> None:
    known: dict[str, Any] = {"fee_type": "quadratic", "fee_multiplier": 1.0, name: None}
    events = pl.DataFrame(
        [
            {
                "event_ticker": "KXHIGHCHI-25MAY05",
                "market_ticker": "A",
                "bracket": 0,
                "lo": None,
                "hi": None,
                "fee_waiver_until": None,
                **known,
            }
        ],
        schema_overrides={"fee_waiver_until": pl.Datetime("us", "UTC"), name: _TYPES[name]},
    )
    with pytest.raises(ValueError, match=r"fee terms of KXHIGHCHI-25MAY05.*market\.events"):
        EventTerms.of(events)


_TYPES: dict[str, Any] = {"fee_type": pl.String, "fee_multiplier": pl.Float64}


@pytest.mark.parametrize("brackets", [64, 100, 127])
def test_every_bracket_of_a_long_ladder_loses_its_order_when_it_must_go(brackets: int) -> None:
    worth = np.full((8, brackets), 0.49)
    worth[0] = 0.515
    hazard = np.zeros((8, brackets))
    hazard[2] = 0.5
    frame = panel(8, brackets, p_calibrated=worth, hazard_next_5m=hazard)
    tuned = params(max_daily_loss_cc=10**9)
    fills = run_day(frame, terms=TERMS, params=tuned).fills.filter(fill_model="conservative")
    assert fills.height == brackets
    assert fills["event_time"].unique().to_list() == [minute(3)]


def test_a_minute_names_every_bracket_to_pull_of_a_ladder_of_any_length() -> None:
    count = 300
    said = pl.DataFrame(
        {
            "market_ticker": [f"B{bracket:03d}" for bracket in range(count)],
            "bracket": pl.Series(range(count), dtype=pl.Int16),
            "minute": [minute(0)] * count,
            "minutes_to_close": pl.Series([60] * count, dtype=pl.Int32),
            "reason": ["low_volume"] * count,
            "pull": [bracket in (0, 62, 63, 64, 128, 299) for bracket in range(count)],
        }
    )
    (only,) = minute_signals(said)
    assert only.pull == {0, 62, 63, 64, 128, 299}
