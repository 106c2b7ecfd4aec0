"""Recorded days as the engine's input: recorded quotes and trades, an opinion of no consequence."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.ingest import fetch_candles, fetch_event, fetch_trades
from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.ladder.market_pmf import market_pmf
from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.server import running
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.params import TradingParams
from kalshi_assets.trading.terms import EventTerms

_ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)
_KEY = ["market_ticker", "minute"]


def recorded_day(archive: Path, ladder: str, day: date, of: TradingParams) -> TradingDay:
    """A day of an archive, with a generated calibrated PMF and predictions.

    Parameters
    ----------
    archive
        Folder of the recordings.
    ladder, day
        Which one.
    of
        The trader's settings.
    """
    with (
        running(archive, read_bucket=_ENDLESS, anonymous_bucket=_ENDLESS) as sandbox,
        KalshiClient(sandbox.api_url) as exchange,
    ):
        contract = fetch_event(exchange, listing_of(city(ladder), day))
        events, candles = contract.to_frame(), fetch_candles(exchange, contract)
        trades = fetch_trades(exchange, contract)
    panel = minute_panel(events, candles, trades)
    market = market_pmf(panel).select(*_KEY, "p_mkt", market_valid="valid")
    panel = panel.join(market, on=_KEY, how="left", maintain_order="left")
    random = np.random.default_rng(int(day.strftime("%y%m%d")))
    noise = np.cumsum(random.normal(0, 0.01, panel.height)) % 0.1 - 0.05
    size = panel.height
    panel = panel.with_columns(
        p_calibrated=(pl.col("p_mkt") + pl.Series(noise)).clip(0.0, 1.0),
        impossible=pl.Series(random.random(size) < 0.001),
        veto=pl.Series(np.where(random.random(size) < 0.01, "hazard", "")),
        flow_percentile=pl.Series(random.random(size)),
        pressure=pl.Series(random.normal(0, 1, size)),
        **{
            f"p_{way}_{h}m": pl.Series(random.random(size) / 2)
            for way in ("up", "down")
            for h in (1, 5)
        },
    )
    return TradingDay.of(panel, trades, EventTerms.of(events), of)
