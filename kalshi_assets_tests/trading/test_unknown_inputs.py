"""What is not known never lets an order through, and takes resting ones out of the book."""

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from kalshi_assets.instants import as_times
from kalshi_assets.tables.backtest import REASONS
from kalshi_assets.trading import records
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.terms import EventTerms
from kalshi_assets_tests.trading.days import Shape, generated_day, lively

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
"""Every column that all strategies read, but for the key."""

FLOATS = ("quote_age_s", "volume_15m", "p_mkt", "p_calibrated")
ATTACKS = [
    *((name, None) for name in REASON_OF_UNKNOWN),
    *((name, value) for name in FLOATS for value in (math.nan, math.inf, -0.01)),
    *((name, 1.01) for name in ("p_mkt", "p_calibrated")),
    *((name, value) for name in ("bid_cc", "ask_cc") for value in (-1, 0, 10_000, 10_001)),
]
DAY = generated_day(
    21, lively(order_lifetime_s=3600, latency_s=60), Shape(minutes=120, spoilt=0.0, trades=1500)
)
MIDDLE = int(DAY.instants[80])


def spoilt(name: str, value: Any) -> TradingDay:
    """The day, of which a column is not known from the middle on."""
    late = pl.col("minute").dt.epoch("us") >= MIDDLE
    new = pl.when(late).then(pl.lit(value, DAY.panel.schema[name])).otherwise(name)
    return replace(DAY, panel=DAY.panel.with_columns(new.alias(name)))


@pytest.mark.parametrize(("name", "value"), ATTACKS)
def test_an_input_that_becomes_unknown_lets_no_order_through_and_takes_resting_ones_out(
    name: str, value: Any
) -> None:
    day = spoilt(name, value)
    runs = backtest(day)
    middle = as_times(day.instants[80:81])[0]
    late = records.decisions(day, runs).filter(pl.col("minute") >= middle)
    # A gate that comes first has the word.
    earlier = {"no_quote"}
    if name == "veto":
        earlier |= set(REASONS[REASONS.index("no_quote") : REASONS.index("veto")])
    assert REASON_OF_UNKNOWN[name] in {*late["reason"]} <= {REASON_OF_UNKNOWN[name]} | earlier
    orders = records.orders(day, runs)
    assert (orders["decided_at"] < middle).all()
    resting = orders.filter(execution="maker")
    assert (resting["event_time"] <= middle + timedelta(seconds=60)).all()
    assert resting.filter(event_time=middle + timedelta(seconds=60)).height > 0


def test_without_the_attack_orders_rest_on_and_others_are_sent() -> None:
    orders = records.orders(DAY, backtest(DAY))
    middle = as_times(DAY.instants[80:81])[0]
    assert orders.filter(pl.col("decided_at") >= middle).height > 0


@pytest.mark.parametrize("name", ["low_1m_cc", "high_1m_cc", "volume_1m"])
def test_minutes_whose_trades_nobody_knows_fill_no_maker(name: str) -> None:
    unknown = pl.lit(None, DAY.panel.schema[name]).alias(name)
    day = replace(DAY, panel=DAY.panel.with_columns(unknown))
    day = replace(day, tape=day.tape_of_minutes())
    fills = records.fills(day, backtest(day), None)
    assert fills.filter(execution="maker").is_empty()


@pytest.mark.parametrize(
    ("name", "kind"), [("fee_type", pl.String), ("fee_multiplier", pl.Float64)]
)
def test_fee_terms_that_nobody_knows_are_an_error_that_names_the_event(
    name: str, kind: Any
) -> None:
    known: dict[str, Any] = {"fee_type": "quadratic", "fee_multiplier": 1.0, name: None}
    row = {"event_ticker": "KXHIGHCHI-25MAY05", "market_ticker": "A", "bracket": 0, "lo": None}
    events = pl.DataFrame(
        [row | {"hi": None, "fee_waiver_until": None} | known],
        schema_overrides={"fee_waiver_until": pl.Datetime("us", "UTC"), name: kind},
    )
    with pytest.raises(ValueError, match=r"fee terms of KXHIGHCHI-25MAY05.*market\.events"):
        EventTerms.of(events)
