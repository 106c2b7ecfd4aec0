"""Tables of schema `market`: decoded data of the exchange, one row per fact.

Prices are integers of 1/10,000 dollar (`_cc`) of a YES contract. Counts are contracts and may be
fractional.
"""

from typing import Annotated

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, UtcTime, column

Names = Annotated[pl.List, pl.String()]


class Events(Contract):
    """Versions of the event contract: one row per bracket and version, with provenance.

    Terms can change while an event trades, and are read again after it settled. The first version
    is valid from the open, each later one from its own known_at. Code that uses terms selects those
    known at an instant (`ladder.terms`). A day that was read after the fact has one version, and a
    second one, known at the close, if the terms read cannot be those stated at the open.
    """

    market_ticker: pl.String = column("The bracket's market.")
    event_ticker: pl.String = column("The event: one ladder, one day.")
    series_ticker: pl.String = column("The series of the event.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the lowest.", ge=0)
    label: pl.String = column("The exchange's label, such as '84° to 85°'.")
    strike_type: pl.String = column(
        "The exchange's strike type: less, between, greater ...; empty: no strikes were sent."
    )
    floor_strike: pl.String = column("The exchange's lower strike, as sent.", nullable=True)
    cap_strike: pl.String = column("The exchange's upper strike, as sent.", nullable=True)
    lo: pl.Int64 = column(
        "Smallest settlement value that pays; null: no bound.", unit="ticks", nullable=True
    )
    hi: pl.Int64 = column(
        "Greatest settlement value that pays; null: no bound.", unit="ticks", nullable=True
    )
    unit: pl.String = column("Unit of the settlement value: f, point, %.")
    scale: pl.Int64 = column("Ticks in one unit, a power of ten.", ge=1)
    bracket_from: pl.String = column(
        "Where lo and hi were read: strikes; if the exchange sent none, those of label, rules and "
        "the gap between the other markets that agree.",
        isin=["strikes", "label_rules", "label_gap", "rules_gap", "label_rules_gap"],
    )
    open_time: UtcTime = column("Trading opens.")
    close_time: UtcTime = column("Trading closes, as stated in this version.")
    close_time_from: pl.String = column(
        "read: as stated by the exchange; regular: the stated close is not a regular one, so it "
        "was moved; the close stated at the open is assumed to be the day's end.",
        isin=["read", "regular"],
    )
    day_start: UtcTime = column("Start of the day that the settlement value refers to.")
    day_end: UtcTime = column("End of that day, exclusive.")
    place: pl.String = column(
        "Where the settlement value is measured; for a temperature, the station's ICAO identifier."
    )
    place_from: pl.String = column(
        "Where the place was read.", isin=["rules_code", "rules_name", "registry"]
    )
    authorities: Names = column(
        "Sources that settle the event, by precedence: the first with a final statement counts; "
        "see `weather.settlements`."
    )
    settlement_source: pl.String = column("Who publishes the settlement value.")
    settlement_source_from: pl.String = column(
        "Where that was read.", isin=["event", "series", "rules", "unknown"]
    )
    rules_sha256: pl.String = column(
        "SHA-256 of the rules text; null: no text was sent.", nullable=True
    )
    tick_grid: pl.String = column("Price grid, JSON [[start, end, step], ...].", unit="cc")
    tick_grid_from: pl.String = column(
        "Where the grid was read. default: whole cents, because no grid was stated, or another "
        "grid was read too late to know what was stated at the open.",
        isin=["market", "default"],
    )
    fee_type: pl.String = column("The exchange's fee formula.")
    fee_multiplier: pl.Float64 = column("Factor that multiplies the formula.", ge=0)
    fee_from: pl.String = column(
        "Where the fee terms were read.", isin=["event", "fee_changes", "series"]
    )
    fee_waiver_until: UtcTime = column(
        "The market's fees are zero before it; null: no waiver.", nullable=True
    )
    event_time: UtcTime = column("The open of the market.")
    known_at: UtcTime = column(
        "When the version could first be acted on; the open for the first version."
    )
    known_at_from: pl.String = column(
        "recorded: read from the exchange by then; assumed: read while the event traded and "
        "assumed to hold since the open; after_the_fact: read after the close; the first version "
        "is assumed to hold since the open, a later one to be known at the close at the latest.",
        isin=["recorded", "assumed", "after_the_fact"],
    )
    raw_sha256: pl.String = column("Content hash of the response that the row was decoded from.")


class Candles(Contract):
    """One-minute candles of the event's markets, sparse: only minutes with a quote or a trade."""

    market_ticker: pl.String = column("The market.")
    event_time: UtcTime = column("Inclusive end of the minute.")
    known_at: UtcTime = column("When the candle could first be read.")
    yes_bid_open_cc: pl.Int32 = column("Best YES bid, first.", unit="cc", ge=0, le=10_000)
    yes_bid_high_cc: pl.Int32 = column("Best YES bid, highest.", unit="cc", ge=0, le=10_000)
    yes_bid_low_cc: pl.Int32 = column("Best YES bid, lowest.", unit="cc", ge=0, le=10_000)
    yes_bid_close_cc: pl.Int32 = column("Best YES bid, last; 0: none.", unit="cc", ge=0, le=10_000)
    yes_ask_open_cc: pl.Int32 = column("Best YES ask, first.", unit="cc", ge=0, le=10_000)
    yes_ask_high_cc: pl.Int32 = column("Best YES ask, highest.", unit="cc", ge=0, le=10_000)
    yes_ask_low_cc: pl.Int32 = column("Best YES ask, lowest.", unit="cc", ge=0, le=10_000)
    yes_ask_close_cc: pl.Int32 = column(
        "Best YES ask, last; 10,000: none.", unit="cc", ge=0, le=10_000
    )
    price_open_cc: pl.Int32 = column(
        "First trade; null: no trade.", unit="cc", ge=0, le=10_000, nullable=True
    )
    price_high_cc: pl.Int32 = column("Highest trade.", unit="cc", ge=0, le=10_000, nullable=True)
    price_low_cc: pl.Int32 = column("Lowest trade.", unit="cc", ge=0, le=10_000, nullable=True)
    price_close_cc: pl.Int32 = column("Last trade.", unit="cc", ge=0, le=10_000, nullable=True)
    price_mean_cc: pl.Int32 = column("Mean trade price.", unit="cc", ge=0, le=10_000, nullable=True)
    price_previous_cc: pl.Int32 = column(
        "Last trade before the minute.", unit="cc", ge=0, le=10_000, nullable=True
    )
    volume: pl.Float64 = column("Traded in the minute.", unit="contracts", ge=0)
    open_interest: pl.Float64 = column(
        "Open at the minute's end; null in candles made from the stream, which does not state it.",
        unit="contracts",
        ge=0,
        nullable=True,
    )
    raw_sha256: pl.String = column("Content hash of the response that the row was decoded from.")


class Trades(Contract):
    """The tape: every trade of the event's markets."""

    trade_id: pl.String = column("The exchange's identifier.")
    market_ticker: pl.String = column("The market.")
    event_time: UtcTime = column("When it was matched.")
    known_at: UtcTime = column("When it could first be read.")
    yes_price_cc: pl.Int32 = column("Price of YES.", unit="cc", ge=0, le=10_000)
    count: pl.Float64 = column("Size.", unit="contracts", gt=0)
    taker_side: pl.String = column("What the taker bought.", isin=["yes", "no"])
    is_block_trade: pl.Boolean = column("Negotiated off the book.")
    raw_sha256: pl.String = column("Content hash of the response that the row was decoded from.")


class OrderBook(Contract):
    """Changes of the order books of the event's markets, all levels, from recordings of the stream.

    A book at an instant is what the last row up to then says of every level since the last reset.
    No rows: there is no recording of the event. `live.order_book.books_at` reads it so.
    """

    market_ticker: pl.String = column("The market.")
    sequence: pl.Int64 = column("Position among the changes of all markets of the event.", ge=0)
    event_time: UtcTime = column(
        "When the exchange made the change, in milliseconds; of a snapshot when it arrived."
    )
    known_at: UtcTime = column("When it arrived at the recorder, by its clock.")
    change: pl.String = column(
        "reset: the book is known and empty before the rows that follow; level: size of a level "
        "from now on; lost: the book is not known until the next reset.",
        isin=["reset", "level", "lost"],
    )
    side: pl.String = column("Of a level: bid or ask, of YES.", isin=["bid", "ask"], nullable=True)
    price_cc: pl.Int32 = column("Of a level.", unit="cc", ge=1, le=9_999, nullable=True)
    size: pl.Int64 = column("Of a level; 0: removed.", unit="1/100 contract", ge=0, nullable=True)
    raw_sha256: pl.String = column(
        "Content hash of the file of the recording that the row was decoded from."
    )


EVENTS = Table("market", "events", Events, key=("market_ticker", "known_at"))
CANDLES = Table(
    "market", "candles", Candles, key=("market_ticker", "event_time"), may_be_empty=True
)
TRADES = Table("market", "trades", Trades, key=("trade_id",), may_be_empty=True)
ORDER_BOOK = Table(
    "market", "order_book", OrderBook, key=("market_ticker", "sequence"), may_be_empty=True
)
