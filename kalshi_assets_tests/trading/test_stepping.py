"""A session's minutes are the backtest's."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.tables.backtest import FILL_MODELS
from kalshi_assets.trading import records
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.engine import Run, backtest
from kalshi_assets.trading.stepping import new_runs
from kalshi_assets.trading.strategies import SHIPPED, Minute, Quote
from kalshi_assets.units import MINUTE_US
from kalshi_assets_tests.trading.days import Shape, generated_day, lively

SHORT = Shape(minutes=90, brackets=4, trades=600, spoilt=0.02)


def _frames(day: TradingDay, runs: Sequence[Run]) -> dict[str, pl.DataFrame]:
    return {
        "decisions": records.decisions(day, runs),
        "orders": records.orders(day, runs),
        "fills": records.fills(day, runs, None),
    }


def _stepped(days: Sequence[TradingDay]) -> list[Run]:
    """A run of the last day's minutes, of which the n-th day is what is known at the n-th."""
    runs = new_runs(SHIPPED, tuple(FILL_MODELS), days[0])
    for minute, day in enumerate(days):
        wanted = {each.name: each.wanted(day) for each in SHIPPED}
        for run in runs:
            run.step(day, minute, wanted[run.strategy.name])
    for run in runs:
        run.finish(days[-1])
    return [run.run() for run in runs]


def _must_be_equal(day: TradingDay, stepped: Sequence[Run]) -> int:
    whole = _frames(day, backtest(day))
    for name, frame in _frames(day, stepped).items():
        assert_frame_equal(frame, whole[name])
    return whole["orders"].height


def test_minute_by_minute_is_the_whole_day_at_once() -> None:
    sent = 0
    for seed in range(20):
        day = generated_day(seed, lively(), replace(SHORT, nested=seed % 3 == 0))
        sent += _must_be_equal(day, _stepped([day] * len(day.instants)))
    assert sent > 200


def _so_far(day: TradingDay, minute: int, seed: int) -> TradingDay:
    """The day where nothing is true of rows after the next and of trades a minute later."""
    now = int(day.instants[minute])
    late = day.panel["minute"].dt.epoch("us").to_numpy() > now + MINUTE_US
    torn = {
        name: pl.when(pl.Series(late)).then(day.panel[name].shuffle(seed)).otherwise(name)
        for name in ("bid_cc", "ask_cc", "p_mkt", "p_calibrated", "volume_1m", "volume_15m")
    }
    known = day.tape.at <= now + MINUTE_US
    tape = day.tape._replace(
        **{name: getattr(day.tape, name)[known] for name in day.tape._fields if name != "bar"}
    )
    return TradingDay(
        panel=day.panel.with_columns(**torn),
        grid=day.grid,
        terms=day.terms,
        params=day.params,
        tape=tape,
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_day_that_is_known_to_the_next_minute_alone_is_traded_like_the_whole(seed: int) -> None:
    day = generated_day(seed, lively(), SHORT)
    days = [_so_far(day, minute, seed + minute) for minute in range(len(day.instants) - 1)]
    assert _must_be_equal(day, _stepped([*days, day])) > 5


class BuysTheCheapest:
    """A user's strategy, which depends on what is held."""

    name = "cheapest"

    def quotes(self, now: Minute) -> Iterable[Quote]:
        """A bid in the cheapest bracket of which fewer than thirty contracts are held."""
        open_to = [b for b, allowed in enumerate(now.allowed) if allowed and now.position[b] < 30]
        if open_to:
            bracket = min(open_to, key=now.ask_cc.__getitem__)
            yield Quote(bracket, "bid", int(now.bid_cc[bracket]))


def test_a_user_s_strategy_is_asked_at_every_minute_with_the_positions_then() -> None:
    sent = 0
    for seed in range(6):
        day = generated_day(seed, lively(), SHORT)
        runs = new_runs([BuysTheCheapest()], tuple(FILL_MODELS), day)
        for run in runs:
            for minute in range(len(day.instants)):
                run.step(day, minute)
            run.finish(day)
        whole = _frames(day, backtest(day, [BuysTheCheapest()]))
        for name, frame in _frames(day, [run.run() for run in runs]).items():
            assert_frame_equal(frame, whole[name])
        sent += whole["orders"].height
    assert sent > 50


def test_an_impossible_order_of_a_user_s_strategy_is_refused_by_name() -> None:
    class OffTheGrid:
        name = "off"

        def quotes(self, now: Minute) -> Iterable[Quote]:
            yield Quote(0, "bid", 1234)

    day = generated_day(0, lively(), SHORT)
    (run,) = new_runs([OffTheGrid()], ["through"], day)
    with pytest.raises(ValueError, match=r"off wants .*price grid"):
        run.step(day, 0)


def test_a_minute_that_is_tried_again_is_decided_once() -> None:
    day = generated_day(1, lively(), SHORT)
    runs = new_runs(SHIPPED, tuple(FILL_MODELS), day)
    for minute in range(len(day.instants)):
        for run in runs:
            run.step(day, minute)
            run.step(day, minute)
    for run in runs:
        run.finish(day)
    assert _must_be_equal(day, [run.run() for run in runs]) > 5
