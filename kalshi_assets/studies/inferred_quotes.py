"""How far quotes inferred from trades are from recorded ones, where both are recorded.

Here: the comparison at the orders that the clock would place. Not here: these orders
(`virtual_makers`), the quotes of the panel (`features`).
"""

import numpy as np
import polars as pl

from kalshi_assets.instants import microseconds
from kalshi_assets.studies.virtual_makers import Tape, clock_orders
from kalshi_assets.units import CC_A_CENT, CC_A_DOLLAR

COMPARED = pl.Schema(
    {
        "date": pl.Date(),
        "bid": pl.Boolean(),
        "gap_cents": pl.Float64(),
        "crosses": pl.Boolean(),
    }
)
"""A row per clock order with a recorded quote of both sides.

`gap_cents`: inferred less recorded best price of its side, for an ask the reverse; above 0 it
improves the recorded quote. `crosses`: it would reach the recorded quote of the other side.
"""


def compared(trades: pl.DataFrame, markets: pl.DataFrame, candles: pl.DataFrame) -> pl.DataFrame:
    """Schema `COMPARED` of an event.

    Parameters
    ----------
    trades, markets
        As for `virtual_makers.probed`.
    candles
        `market.candles` of the event; a quote is valid from the end of its minute.
    """
    markets = markets.sort("market_ticker")
    tickers = markets["market_ticker"]
    tape = Tape.of(trades, tickers)
    if not tape.at.size or candles.is_empty():
        return pl.DataFrame(schema=COMPARED)
    opened, closed = (microseconds(markets[name]) for name in ("open_time", "close_time"))
    market, placed, sign, price = clock_orders(tape, opened, closed)
    orders = pl.DataFrame(
        {
            "market_ticker": tickers.gather(market),
            "event_time": pl.Series(placed).cast(pl.Datetime("us", "UTC")),
            "sign": sign,
            "price": price,
        }
    )
    quotes = candles.select(
        "market_ticker",
        "event_time",
        low=pl.col("yes_bid_close_cc").cast(pl.Int64),
        high=pl.col("yes_ask_close_cc").cast(pl.Int64),
    )
    found = (
        orders.sort("event_time")
        .join_asof(
            quotes.sort("event_time"), on="event_time", by="market_ticker", check_sortedness=False
        )
        .filter(pl.col("low") > 0, pl.col("high") < CC_A_DOLLAR)
    )
    sign, price = found["sign"].to_numpy(), found["price"].to_numpy()
    low, high = found["low"].to_numpy(), found["high"].to_numpy()
    own, other = np.where(sign > 0, low, high), np.where(sign > 0, high, low)
    return pl.DataFrame(
        {
            "date": [markets["date"][0]] * found.height,
            "bid": sign > 0,
            "gap_cents": sign * (price - own) / CC_A_CENT,
            "crosses": sign * (other - price) <= 0,
        },
        schema=COMPARED,
    )
