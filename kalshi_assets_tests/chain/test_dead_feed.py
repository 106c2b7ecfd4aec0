"""A feed that dies takes the engine out of the market: from reports to orders, on a whole day."""

from dataclasses import replace
from datetime import timedelta

import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.trading import trading_params, veto
from kalshi_assets.pipeline.backtest import terms_of
from kalshi_assets.tables import CALIBRATED, MINUTE_PANEL_FULL
from kalshi_assets.trading.engine import DayResult, run_day
from kalshi_assets.trading.params import CONFIG_NAME
from kalshi_assets.trading.signal import priced
from kalshi_assets_tests.chain.inputs import Inputs, chain_of


def _traded(day: Inputs) -> tuple[pl.DataFrame, DayResult]:
    whole = chain_of(day)
    # An engine that no hazard is too high for, and that trades all it can.
    params = trading_params(load_toml(CONFIG_NAME), day.key.ladder).model_copy(
        update={
            "max_spread_cents": 30.0,
            "min_volume_15m": 0.0,
            "max_hazard_5m": 1.0,
            "maker_min_edge_cents": 0.01,
            "max_position_contracts": 10_000,
            "max_daily_loss_cc": 10**9,
        }
    )
    full = whole[MINUTE_PANEL_FULL]
    seen = priced(full, whole[CALIBRATED], veto(full, params))
    return seen, run_day(seen, terms=terms_of(day.events), params=params)


def test_when_the_reports_end_no_order_is_sent_and_none_stays_in_the_book(
    generated_day: Inputs,
) -> None:
    dies = generated_day.start + timedelta(hours=9)
    reports = generated_day.observations.filter(pl.col("known_at") <= dies)
    seen, result = _traded(replace(generated_day, observations=reports))
    dead = seen.filter(pl.col("hazard_next_5m").is_null() & (pl.col("minute") > dies))["minute"]
    since = dead.min()
    assert (seen.filter(pl.col("minute") >= since)["hazard_next_5m"].is_null()).all()

    after = pl.col("minute") >= since
    assert "trade" not in result.decisions.filter(after)["reason"].to_list()
    assert "hazard_unknown" in result.decisions.filter(after)["reason"].to_list()
    assert result.fills["event_time"].max() <= since + timedelta(minutes=1)

    _, alive = _traded(generated_day)
    orders = alive.fills.filter(pl.col("placed_at") <= since, pl.col("event_time") > since)
    assert orders.height > 0, "with reports orders rest over that minute"


def test_on_the_eve_when_nobody_knows_the_hazard_nothing_is_sent(generated_day: Inputs) -> None:
    seen, result = _traded(generated_day)
    eve = seen.filter(pl.col("minute") < generated_day.start)
    assert eve["hazard_next_5m"].is_null().all()
    decided = result.decisions.filter(pl.col("minute") < generated_day.start)
    assert "hazard_unknown" in decided["reason"].to_list()
    assert decided["contracts"].sum() == 0
    assert result.decisions["contracts"].sum() > 0
