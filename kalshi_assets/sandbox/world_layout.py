"""Columns and types of the archive's files.

Here: the schemas of the recordings, which a generated world has too. Not here: the platform's own
tables (`kalshi_assets.tables`), which have more columns and prices in 1/10,000 dollar.
"""

import polars as pl

UTC_US = pl.Datetime("us", "UTC")
UTC_NS = pl.Datetime("ns", "UTC")
POINTS = ("open", "low", "high", "close")
QUOTE_COLUMNS = tuple(f"{side}_{point}" for side in ("yes_bid", "yes_ask") for point in POINTS)
PRICE_COLUMNS = tuple(f"price_{point}" for point in (*POINTS, "mean", "previous"))

MARKETS = pl.Schema(
    {
        "series_ticker": pl.String(),
        "city": pl.String(),
        "event_ticker": pl.String(),
        "market_ticker": pl.String(),
        "event_date": pl.Date(),
        "strike_type": pl.String(),
        "floor_strike": pl.Float64(),
        "cap_strike": pl.Float64(),
        "yes_sub_title": pl.String(),
        "open_time": UTC_US,
        "close_time": UTC_US,
        "status": pl.String(),
        "result": pl.String(),
        "expiration_value": pl.Float64(),
        "volume": pl.Int64(),
        "open_interest": pl.Int64(),
        "rules_primary": pl.String(),
        "source": pl.String(),
        "result_source": pl.String(),
    }
)

CANDLES = pl.Schema(
    {
        "market_ticker": pl.String(),
        "end_period_ts": UTC_NS,
        **dict.fromkeys(QUOTE_COLUMNS, pl.Int16()),
        **dict.fromkeys(PRICE_COLUMNS, pl.Float64()),
        "volume": pl.Int32(),
        "open_interest": pl.Int32(),
    }
)

TRADES = pl.Schema(
    {
        "trade_id": pl.String(),
        "market_ticker": pl.String(),
        "created_time": UTC_US,
        "yes_price": pl.Int16(),
        "count": pl.Int32(),
        "taker_side": pl.String(),
    }
)

BOOK_CHANGES = pl.Schema(
    {
        "market_ticker": pl.String(),
        "changed_time": UTC_US,
        "side": pl.String(),
        "yes_price_cc": pl.Int32(),
        "size_hundredths": pl.Int64(),
    }
)
"""Recorded depth, which only a recorder has: a level's new size (0: gone), bid or ask of YES."""

OBSERVATIONS = pl.Schema(
    {
        "station": pl.String(),
        "valid_utc": UTC_US,
        "temp_c": pl.Float64(),
        "temp_c_whole": pl.Float64(),
        "source": pl.String(),
    }
)

SETTLEMENTS = pl.Schema(
    {"station": pl.String(), "date": pl.Date(), "tmax_f": pl.Int64(), "source": pl.String()}
)

FORECASTS = pl.Schema(
    {
        "station": pl.String(),
        "model": pl.String(),
        "issued_utc": UTC_US,
        "target_date": pl.Date(),
        "variable": pl.String(),
        "value_f": pl.Float64(),
        "source": pl.String(),
    }
)
