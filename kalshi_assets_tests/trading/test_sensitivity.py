"""Surfaces of parameters, and the controls beside them."""

from datetime import timedelta

import polars as pl
import pytest
from pydantic import ValidationError

from kalshi_assets.benchmarks.engine import BUSY_EDGE, generated_day
from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.trading import trading_params
from kalshi_assets.trading.controls import (
    market_only,
    other_outcome,
    with_forecast_of_the_day_before,
)
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.params import CONFIG_NAME as TRADING
from kalshi_assets.trading.records import Outcome, daily_pnl
from kalshi_assets.trading.sensitivity import (
    CONFIG_NAME,
    Surface,
    points_of,
    surfaces_of,
    swept,
    with_changes,
)
from kalshi_assets.trading.strategies import Value

DAY = generated_day(7, BUSY_EDGE, minutes=400)
WINNER = 2
OUTCOME = Outcome(
    settled_by="exchange",
    value=None,
    winning_bracket=WINNER,
    payoffs_cc=tuple(10_000 * (bracket == WINNER) for bracket in range(len(DAY.markets))),
    known_at=DAY.terms.close,
)
SURFACE = Surface(
    name="test",
    strategy="value",
    x="latency_s",
    x_values=(0, 60),
    y="value.maker_min_edge_cents",
    y_values=(0.45, 1.4),
)


def test_a_grid_has_every_combination_and_the_last_name_changes_fastest() -> None:
    assert points_of({"a": [1, 2], "b": [3, 4]}) == [
        {"a": 1, "b": 3},
        {"a": 1, "b": 4},
        {"a": 2, "b": 3},
        {"a": 2, "b": 4},
    ]


def test_every_point_of_a_surface_is_the_backtest_with_those_parameters() -> None:
    found = swept(DAY, OUTCOME, SURFACE)
    for changes in SURFACE.points:
        day = DAY.with_params(with_changes(DAY.params, changes))
        whole = daily_pnl(day, backtest(day, (Value(),)), OUTCOME)
        rows = found.filter(x=float(changes[SURFACE.x]), y=float(changes[SURFACE.y]))
        for name in ("orders", "contracts", "fees_cc", "net_cc"):
            ours = dict(rows.select("fill_model", name).iter_rows())
            assert ours == dict(whole.select("fill_model", name).iter_rows())
    assert found["orders"].n_unique() > 1


def test_the_parameters_of_a_point_are_validated() -> None:
    with pytest.raises(ValidationError, match="honesty"):
        with_changes(DAY.params, {"honesty": 2.0})


def test_an_unsettled_day_has_no_gain_on_a_surface() -> None:
    assert swept(DAY, None, SURFACE)["net_cc"].null_count() == len(SURFACE.points) * 3


def test_the_surfaces_that_ship_name_parameters_that_exist() -> None:
    surfaces = surfaces_of(load_toml(CONFIG_NAME))
    assert len(surfaces) >= 4
    params = trading_params(load_toml(TRADING), "new_york")
    for each in surfaces:
        for changes in each.points:
            with_changes(params, changes)


def test_a_surface_with_a_wrong_key_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"\[wrong\].*'z'"):
        surfaces_of({"wrong": {"z": 1}})
    document = load_toml(CONFIG_NAME)
    (name, values), *_ = document.items()
    with pytest.raises(ValueError, match="strategy is one of value, move, sets"):
        surfaces_of({name: {**values, "strategy": "luck"}})


def test_the_market_alone_has_no_edge_to_trade() -> None:
    day = DAY.of(market_only(DAY.panel), pl.DataFrame(schema=_TRADES), DAY.terms, DAY.params)
    assert swept(DAY, OUTCOME, SURFACE)["orders"].sum() > 0
    assert swept(day, OUTCOME, SURFACE)["orders"].sum() == 0


def test_a_stale_forecast_is_that_of_the_same_position_and_minute_of_the_day_before() -> None:
    known = DAY.panel.select("bracket", "minute", "p_calibrated")
    before = known.with_columns(pl.col("minute") - timedelta(days=1), p_calibrated=pl.lit(0.125))
    stale = with_forecast_of_the_day_before(DAY.panel, before.filter(pl.col("bracket") != 1))
    assert stale["minute"].equals(DAY.panel["minute"])
    by_bracket = stale.group_by("bracket").agg(pl.col("p_calibrated").unique())
    found = dict(by_bracket.iter_rows())
    assert found.pop(1) == [None]
    assert all(values == [0.125] for values in found.values())


def test_another_winner_is_paid_what_the_winner_was_paid() -> None:
    other = other_outcome(OUTCOME, 0, partition=True)
    assert other is not None
    assert other.payoffs_cc[0] == 10_000
    assert sum(other.payoffs_cc) == 10_000


@pytest.mark.parametrize(
    ("payoffs", "winning", "winner"),
    [((10_000, 10_000, 0), 1, 0), ((5_000, 5_000, 0), None, 0), ((0, 10_000, 0), 1, 3)],
)
def test_no_other_winner_of_nested_legs_fair_prices_or_longer_ladders(
    payoffs: tuple[int, ...], winning: int | None, winner: int
) -> None:
    outcome = Outcome(
        settled_by="exchange",
        value=None,
        winning_bracket=winning,
        payoffs_cc=payoffs,
        known_at=0,
    )
    assert other_outcome(outcome, winner, partition=True) is None
    assert other_outcome(OUTCOME, 0, partition=False) is None


_TRADES = {
    "market_ticker": pl.String,
    "event_time": pl.Datetime("us", "UTC"),
    "yes_price_cc": pl.Int32,
    "count": pl.Float64,
    "taker_side": pl.String,
    "is_block_trade": pl.Boolean,
    "trade_id": pl.String,
}
