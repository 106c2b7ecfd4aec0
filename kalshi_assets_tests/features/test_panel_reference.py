from datetime import timedelta

import polars as pl
import pytest

from kalshi_assets.benchmarks.panel_reference import reference_panel
from kalshi_assets.features.panel import minute_panel
from kalshi_assets_tests.features.tapes import OPEN, busy_tape, short_event, told_of

MINUTES = 300


@pytest.mark.parametrize("keep", ["both", "candles", "trades", "neither"])
def test_the_panel_equals_the_one_made_the_plain_way(keep: str) -> None:
    candles, trades = busy_tape(5, MINUTES)
    candles = candles if keep in ("both", "candles") else candles.clear()
    trades = trades if keep in ("both", "trades") else trades.clear()
    made = minute_panel(short_event(MINUTES), candles, trades)
    plain = reference_panel(short_event(MINUTES), candles, trades)
    assert made.schema == plain.schema
    for name, dtype in made.schema.items():
        if dtype == pl.Float64:
            assert made[name].is_null().equals(plain[name].is_null()), name
            assert ((made[name] - plain[name]).abs().max() or 0.0) <= 1e-9, name
        else:
            assert made[name].equals(plain[name]), name


def test_terms_that_change_are_the_same_in_both() -> None:
    tape = busy_tape(5, MINUTES)
    event = told_of(short_event(MINUTES), 100.5, close_time=OPEN + timedelta(minutes=200))
    columns = ("market_ticker", "minute", "known_at", "minutes_to_close")
    made, plain = minute_panel(event, *tape), reference_panel(event, *tape)
    assert made.select(columns).equals(plain.select(columns))
    assert made["minute"].max() == OPEN + timedelta(minutes=200)
