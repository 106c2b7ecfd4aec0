"""A feed that dies takes the engine out of the market: from reports to orders, on a whole day."""

from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.trading import trading_params
from kalshi_assets.tables import CALIBRATED, MINUTE_PANEL_FULL
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.params import CONFIG_NAME
from kalshi_assets.trading.records import decisions, orders
from kalshi_assets.trading.sensitivity import with_changes
from kalshi_assets.trading.strategies import Value
from kalshi_assets_tests.chain.inputs import Inputs, chain_of, day_of


@dataclass(frozen=True)
class Traded:
    """What the engine saw, decided and sent."""

    seen: pl.DataFrame
    decisions: pl.DataFrame
    orders: pl.DataFrame


def _traded(day: Inputs) -> Traded:
    # An engine that no hazard is too high for, and whose orders rest wherever they can.
    params = with_changes(
        trading_params(load_toml(CONFIG_NAME), day.key.ladder),
        {
            "max_spread_cents": 30.0,
            "min_volume_15m": 0.0,
            "max_hazard_5m": 1.0,
            "quiet_minutes": 0,
            "max_position_contracts": 10_000,
            "max_ladder_loss_cc": 10**9,
            "max_daily_loss_cc": 10**9,
            "kelly_fraction": 1.0,
            "value.maker_min_edge_cents": 0.01,
            "value.taker_min_edge_cents": 50.0,
        },
    )
    whole = chain_of(day)
    seen = day_of(replace(day, params=params), whole[MINUTE_PANEL_FULL], whole[CALIBRATED])
    runs = backtest(seen, (Value(),))
    return Traded(seen.panel, decisions(seen, runs), orders(seen, runs))


def test_when_the_reports_end_no_order_is_sent_and_none_stays_in_the_book(
    generated_day: Inputs,
) -> None:
    dies = generated_day.start + timedelta(hours=9)
    reports = generated_day.observations.filter(pl.col("known_at") <= dies)
    result = _traded(replace(generated_day, observations=reports))
    seen = result.seen
    dead = seen.filter(pl.col("hazard_next_5m").is_null() & (pl.col("minute") > dies))["minute"]
    since = dead.min()
    assert (seen.filter(pl.col("minute") >= since)["hazard_next_5m"].is_null()).all()

    after = pl.col("minute") >= since
    assert "trade" not in result.decisions.filter(after)["reason"].to_list()
    assert "hazard_unknown" in result.decisions.filter(after)["reason"].to_list()
    assert result.orders["event_time"].max() <= since + timedelta(minutes=1)

    alive = _traded(generated_day).orders
    resting = alive.filter(pl.col("placed_at") <= since, pl.col("event_time") > since)
    assert resting.height > 0, "with reports orders rest over that minute"


def test_on_the_eve_when_nobody_knows_the_hazard_nothing_is_sent(generated_day: Inputs) -> None:
    result = _traded(generated_day)
    eve = result.seen.filter(pl.col("minute") < generated_day.start)
    assert eve["hazard_next_5m"].is_null().all()
    decided = result.decisions.filter(pl.col("minute") < generated_day.start)
    assert "hazard_unknown" in decided["reason"].to_list()
    assert decided["contracts"].sum() == 0
    assert result.decisions["contracts"].sum() > 0
