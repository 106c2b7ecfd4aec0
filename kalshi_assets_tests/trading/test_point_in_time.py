"""Nothing after an instant changes a decision, an order or a fill up to it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kalshi_assets.benchmarks.engine import BUSY_EDGE, generated_day, minute_of
from kalshi_assets.tables.backtest import FILL_MODELS
from kalshi_assets.trading import records
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.strategies import SHIPPED, Minute, MinuteStrategy, Quote, Strategy

LAST = 600
DAY = generated_day(5, BUSY_EDGE, minutes=LAST)


class BuysTheCheapest:
    """A user's strategy, which depends on what is held."""

    name = "cheapest"

    def quotes(self, now: Minute) -> Iterable[Quote]:
        """A bid in the cheapest bracket of which fewer than thirty contracts are held."""
        open_to = [b for b, allowed in enumerate(now.allowed) if allowed and now.position[b] < 30]
        if open_to:
            bracket = min(open_to, key=now.ask_cc.__getitem__)
            yield Quote(bracket, "bid", int(now.bid_cc[bracket]))


STRATEGIES: tuple[Strategy | MinuteStrategy, ...] = (*SHIPPED, BuysTheCheapest())


def _frames(day: TradingDay) -> dict[str, pl.DataFrame]:
    runs = backtest(day, STRATEGIES)
    return {
        "decisions": records.decisions(day, runs),
        "orders": records.orders(day, runs),
        "fills": records.fills(day, runs, None),
    }


WHOLE = _frames(DAY)


def _attacked(day: TradingDay, after: pl.Expr, random: np.random.Generator) -> TradingDay:
    """The day with everything after an instant torn: quotes, probabilities, volumes, vetoes."""
    panel, size = day.panel, day.panel.height

    def torn(name: str, values: np.ndarray) -> pl.Expr:
        kind = panel.schema[name]
        return pl.when(after).then(pl.Series(values).cast(kind)).otherwise(name).alias(name)

    bid = random.integers(1, 90, size) * 100
    p = random.random(size)
    changed = panel.with_columns(
        torn("bid_cc", bid),
        torn("ask_cc", bid + 100 * random.integers(0, 9, size)),
        torn("p_mkt", p),
        torn("p_calibrated", 1 - p),
        torn("volume_1m", random.integers(0, 500, size)),
        torn("volume_15m", random.integers(0, 500, size)),
        torn("quote_age_s", random.integers(0, 900, size)),
        torn("relative_acceleration", random.normal(size=size)),
        torn("velocity_5m", random.normal(size=size)),
        torn("p_up_5m", random.random(size)),
        pl.when(after & (pl.Series(random.random(size)) < 0.2))
        .then(pl.lit("torn"))
        .otherwise("veto")
        .alias("veto"),
    )
    return replace(day, panel=changed)


@settings(max_examples=25, deadline=None)
@given(minute=st.integers(40, LAST - 60), seed=st.integers(0, 2**16))
def test_what_comes_after_an_instant_changes_nothing_before_it(minute: int, seed: int) -> None:
    instant = minute_of(minute)
    random = np.random.default_rng(seed)
    # The quote after an order's arrival is read one row later than the arrival.
    lag = timedelta(seconds=DAY.params.latency_s) + timedelta(minutes=1)
    later = _frames(_attacked(DAY, pl.col("minute") > instant, random))
    past = pl.col("minute") <= instant
    certain = pl.col("minute") <= instant - lag
    # Limits and positions follow fills, which follow the quotes after arrival; wants do not.
    wanted = ["strategy", "bracket", "minute", "edge_cents", "p_used", "signal"]
    assert_frame_equal(
        later["decisions"].filter(past).select(wanted),
        WHOLE["decisions"].filter(past).select(wanted),
    )
    assert_frame_equal(later["decisions"].filter(certain), WHOLE["decisions"].filter(certain))
    for name in ("orders", "fills"):
        ended = pl.col("event_time") <= instant - lag
        assert_frame_equal(
            later[name].filter(ended).drop(_MARKS, strict=False),
            WHOLE[name].filter(ended).drop(_MARKS, strict=False),
        )


_MARKS = ["mark_out_1m_cc", "mark_out_5m_cc"]


@settings(max_examples=15, deadline=None)
@given(minute=st.integers(40, LAST - 60), seed=st.integers(0, 2**16))
def test_trades_after_an_instant_change_nothing_before_it(minute: int, seed: int) -> None:
    instant = minute_of(minute)
    random = np.random.default_rng(seed)
    tape, at = DAY.tape, int(instant.timestamp() * 1_000_000)
    torn = tape.at > at
    attacked = replace(
        DAY,
        tape=tape._replace(
            price=np.where(torn, random.integers(1, 99, len(torn)) * 100, tape.price).astype(
                np.int32
            ),
            quantity=np.where(torn, random.integers(1, 9999, len(torn)), tape.quantity),
        ),
    )
    later = _frames(attacked)
    # A taker's price is the worse of the quote and of the trades within a minute of its arrival.
    certain = instant - timedelta(minutes=1)
    decided = pl.col("minute") <= certain
    assert_frame_equal(later["decisions"].filter(decided), WHOLE["decisions"].filter(decided))
    ended = pl.col("event_time") <= certain
    for name in ("orders", "fills"):
        assert_frame_equal(later[name].filter(ended), WHOLE[name].filter(ended))


def test_the_attack_meets_orders_and_fills_of_every_strategy_and_model() -> None:
    seen = WHOLE["fills"].group_by("strategy", "fill_model").len()
    assert {*seen["strategy"]} >= {"value", "move", "cheapest"}
    assert {*seen["fill_model"]} == {*FILL_MODELS}


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: each.name)
def test_the_same_day_gives_the_same_bytes(strategy: Strategy | MinuteStrategy) -> None:
    for _ in range(2):
        runs = backtest(DAY, [strategy])
        again = records.orders(DAY, runs)
        assert again.equals(WHOLE["orders"].filter(strategy=strategy.name))
