"""Decoding market data: markets, candles and trades, from JSON to typed rows.

Strict about required fields (a missing price or ticker is an error that names the record), tolerant
of the rest (unknown fields and enum values). Here: lists, decoded as a whole. Not here: single
values (wire_values), accounts and orders (wire_account), order books and the stream (wire_stream).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.wire_values import (
    FIRST_INSTANT,
    LAST_INSTANT,
    SIDE_OF_BOOK,
    Record,
    amount,
    count,
    epoch_s,
    mean_price_cc,
    price_cc,
    utc,
)
from kalshi_assets.tables import CANDLES, TRADES

CANDLE_LAG = timedelta(seconds=2)
TRADE_LAG = timedelta(seconds=1)

OHLC = ("open", "high", "low", "close")
FEE_WAIVER = "fee_waiver_expiration_time"
_NOTHING: dict[str, Any] = {}
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
    pl.exceptions.PolarsError,
)


@dataclass(frozen=True, kw_only=True)
class TickRange:
    """Prices from `start` to `end` in steps of `step`, all in 1/10,000 dollar."""

    start: int
    end: int
    step: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end or self.step <= 0:
            raise ValueError(f"invalid price grid: {self.start} to {self.end} by {self.step}")


@dataclass(frozen=True, kw_only=True)
class Market:
    """One market as sent by the exchange, without unused fields.

    Attributes
    ----------
    floor_strike, cap_strike
        The exchange's strikes; `strike_type` determines whether they pay.
    status
        initialized, inactive, active, closed, determined, disputed, amended, finalized, or a
        value added later.
    result
        yes, no, scalar; empty: not settled.
    expiration_value, expiration_words
        The settlement value, or the text given instead of a number, such as "84. As reported.".
    settlement_value_cc
        Payoff of a YES contract, 1/10,000 dollar; None: not given.
    price_ranges
        The price grid; None: not given.
    fee_waiver_expiration_time
        When fees begin; None: no waiver.
    yes_bid_cc, yes_ask_cc
        Best quotes, 1/10,000 dollar; 0 and 10,000 together: no quotes.
    """

    ticker: str
    event_ticker: str
    strike_type: str | None
    floor_strike: Decimal | None
    cap_strike: Decimal | None
    yes_sub_title: str
    open_time: datetime
    close_time: datetime
    settlement_ts: datetime | None
    expected_expiration_time: datetime | None
    status: str
    result: str
    expiration_value: Decimal | None
    settlement_value_cc: int | None = None
    rules_primary: str | None
    price_ranges: tuple[TickRange, ...] | None
    yes_bid_cc: int
    yes_ask_cc: int
    raw_sha256: str
    expiration_words: str | None = None
    fee_waiver_expiration_time: datetime | None = None


def market_of(payload: Any, raw_sha256: str) -> Market:
    """Decode one market object.

    Parameters
    ----------
    payload
        The object.
    raw_sha256
        Content hash of the response.

    Raises
    ------
    MalformedAnswerError
        A required field is missing or malformed; the message names the market and the field.
    """
    record = Record(payload, "market", "ticker")
    expiration_value, expiration_words = _expiration(record.payload.get("expiration_value"))
    return Market(
        ticker=record.text("ticker"),
        event_ticker=record.text("event_ticker"),
        strike_type=record.maybe_text("strike_type"),
        floor_strike=_strike(record, "floor_strike"),
        cap_strike=_strike(record, "cap_strike"),
        yes_sub_title=record.maybe_text("yes_sub_title") or "",
        open_time=record.get("open_time", utc),
        close_time=record.get("close_time", utc),
        settlement_ts=record.maybe("settlement_ts", utc),
        expected_expiration_time=record.maybe("expected_expiration_time", utc),
        status=record.text("status"),
        result=record.word("result"),
        expiration_value=expiration_value,
        expiration_words=expiration_words,
        settlement_value_cc=record.maybe("settlement_value_dollars", price_cc),
        rules_primary=record.maybe_text("rules_primary"),
        price_ranges=record.maybe("price_ranges", _price_ranges),
        fee_waiver_expiration_time=record.maybe(FEE_WAIVER, utc),
        yes_bid_cc=record.get("yes_bid_dollars", price_cc),
        yes_ask_cc=record.get("yes_ask_dollars", price_cc),
        raw_sha256=raw_sha256,
    )


def _strike(record: Record, name: str) -> Decimal | None:
    """A strike as the exchange wrote it: the shortest text of the float that JSON made of it."""
    number = record.maybe_number(name)
    if number is None:
        return None
    return Decimal(int(number)) if number == int(number) else Decimal(repr(number))


def _expiration(value: object) -> tuple[Decimal | None, str | None]:
    # A malformed value must not prevent reading the market's terms.
    if value is None or value == "":
        return None, None
    try:
        return amount(value), None
    except ValueError:
        return None, value if isinstance(value, str) else repr(value)[:200]


def _price_ranges(value: object) -> tuple[TickRange, ...] | None:
    if not isinstance(value, list):
        raise ValueError("not a list of {start, end, step}")
    ranges = []
    for entry in value:
        if not isinstance(entry, dict):
            raise ValueError(f"{repr(entry)[:80]} is not {{start, end, step}}")
        start, end, step = (price_cc(entry.get(name)) for name in ("start", "end", "step"))
        ranges.append(TickRange(start=start, end=end, step=step))
    return tuple(ranges) or None


def candles_of(groups: Sequence[tuple[str, Sequence[Any]]], raw_sha256: str) -> pl.DataFrame:
    """Decode candle objects to `tables.CANDLES`.

    Keys may be those of the live tier (``close_dollars``) or of the historical (``close``). The
    synthetic first candle (no quotes) that ``include_latest_before_start`` adds is dropped.

    Parameters
    ----------
    groups
        Ticker and candle objects of each market.
    raw_sha256
        Hash of the raw response.

    Raises
    ------
    MalformedAnswerError
        Names the market, the candle's time and the field.
    """
    groups = [(t, c[1:] if c and _is_synthetic(c[0]) else c) for t, c in groups]
    candles = [candle for _, group in groups for candle in group]
    if not candles:
        return CANDLES.empty()
    tickers = [ticker for ticker, group in groups for _ in group]
    first = candles[0]
    archived = isinstance(first, dict) and "volume_fp" not in first and "volume" in first
    dollars, fp = ("", "") if archived else ("_dollars", "_fp")
    try:
        columns = _candle_columns(tickers, candles, dollars, fp)
    except _UNREADABLE as error:
        for ticker, candle in zip(tickers, candles, strict=True):
            _check_candle(ticker, candle, dollars, fp)
        raise MalformedAnswerError(
            str(error), record=f"candles of {', '.join(dict.fromkeys(tickers))}"
        ) from error
    return columns.with_columns(
        raw_sha256=pl.lit(raw_sha256), **times_of(columns["event_s"] * 1_000_000, CANDLE_LAG)
    ).select(CANDLES.dtypes.keys())


def _candle_columns(tickers: list[str], candles: list[Any], dollars: str, fp: str) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {
        "market_ticker": tickers,
        "event_s": [epoch_s(candle["end_period_ts"]) for candle in candles],
    }
    prices = Memo(price_cc)
    for side in ("yes_bid", "yes_ask"):
        quotes = [candle[side] for candle in candles]
        for part in OHLC:
            key = part + dollars
            columns[f"{side}_{part}_cc"] = [prices[quote[key]] for quote in quotes]
    prices[None] = None
    trades = [candle.get("price") or _NOTHING for candle in candles]
    for part in (*OHLC, "previous"):
        key = part + dollars
        columns[f"price_{part}_cc"] = [prices[trade.get(key)] for trade in trades]
    means = Memo(mean_price_cc)
    means[None] = None
    columns["price_mean_cc"] = [means[trade.get("mean" + dollars)] for trade in trades]
    counts = Memo(count)
    columns["volume"] = [counts[candle["volume" + fp]] for candle in candles]
    columns["open_interest"] = [counts[candle["open_interest" + fp]] for candle in candles]
    values = {name: CANDLES.dtypes[name] for name in columns if name != "event_s"}
    frame = pl.DataFrame(columns, schema={"event_s": pl.Int64(), **values})
    priceless = pl.any_horizontal(pl.col(f"price_{part}_cc").is_null() for part in OHLC)
    if frame.select(((pl.col("volume") > 0) & priceless).any()).item():
        raise ValueError("a candle has volume without a price")
    return frame


def _check_candle(ticker: str, candle: Any, dollars: str, fp: str) -> None:
    record = Record(candle, f"candle of {ticker}")
    ends = datetime.fromtimestamp(record.get("end_period_ts", epoch_s), tz=UTC)
    record.name = f"candle of {ticker} ending {ends:%Y-%m-%dT%H:%M:%SZ}"
    for side in ("yes_bid", "yes_ask"):
        quote = Record(candle.get(side), f"{record.name}, {side}")
        for part in OHLC:
            quote.get(part + dollars, price_cc)
    trade = Record(candle.get("price") or {}, f"{record.name}, price")
    traded = record.get("volume" + fp, count) > 0
    for part in OHLC:
        (trade.get if traded else trade.maybe)(part + dollars, price_cc)
    trade.maybe("mean" + dollars, mean_price_cc)
    trade.maybe("previous" + dollars, price_cc)
    record.get("open_interest" + fp, count)


def _is_synthetic(candle: Any) -> bool:
    if not isinstance(candle, dict):
        return False
    sides = [candle.get(name) for name in ("yes_bid", "yes_ask", "price")]
    if not all(side is None or isinstance(side, dict) for side in sides):
        return False
    values = {name: value for side in sides if side for name, value in side.items()}
    previous = [name for name in values if name.startswith("previous")]
    return any(values[name] is not None for name in previous) and all(
        value is None for name, value in values.items() if name not in previous
    )


def trades_of(trades: Sequence[Any], raw_sha256: str | Sequence[str]) -> pl.DataFrame:
    """Decode trade objects to `tables.TRADES`, keeping their order.

    The taker's side is ``taker_outcome_side``, else ``taker_book_side`` (bid is yes), else the
    deprecated ``taker_side``.

    Parameters
    ----------
    trades
        The objects.
    raw_sha256
        Content hash of the response, or one per trade.

    Raises
    ------
    MalformedAnswerError
        Names the trade and the field.
    """
    if not trades:
        return TRADES.empty()
    hashes = [raw_sha256] * len(trades) if isinstance(raw_sha256, str) else raw_sha256
    try:
        columns = {"raw_sha256": pl.Series(hashes, dtype=pl.String), **_trade_columns(trades)}
    except _UNREADABLE as error:
        for trade in trades:
            _check_trade(trade)
        raise MalformedAnswerError(str(error), record=f"{len(trades)} trades") from error
    return pl.DataFrame({name: columns[name] for name in TRADES.dtypes})


def _trade_columns(trades: Sequence[Any]) -> dict[str, pl.Series]:
    prices, counts = Memo(price_cc), Memo(count)
    values = {
        "trade_id": [trade["trade_id"] for trade in trades],
        "market_ticker": [trade["ticker"] for trade in trades],
        "yes_price_cc": [prices[trade["yes_price_dollars"]] for trade in trades],
        "count": [counts[trade["count_fp"]] for trade in trades],
        "taker_side": [_taker_side(trade) for trade in trades],
        "is_block_trade": [trade.get("is_block_trade") or False for trade in trades],
    }
    columns = {n: pl.Series(column, dtype=TRADES.dtypes[n]) for n, column in values.items()}
    texts = pl.Series([trade["created_time"] for trade in trades], dtype=pl.String)
    times = texts.str.to_datetime("%+", time_unit="us", time_zone="UTC")
    if (
        any(column.null_count() for column in (times, *columns.values()))
        or not times.is_between(FIRST_INSTANT, LAST_INSTANT, closed="left").all()
        or any((columns[name] == "").any() for name in ("trade_id", "market_ticker"))
        or (columns["count"] <= 0).any()
    ):
        raise ValueError("a trade lacks a required field or has a value out of range")
    return columns | times_of(times.to_physical(), TRADE_LAG)


def _taker_side(trade: Any) -> str:
    side = (
        trade.get("taker_outcome_side")
        or SIDE_OF_BOOK.get(trade.get("taker_book_side"))
        or trade.get("taker_side")
    )
    if side not in ("yes", "no"):
        raise ValueError("no taker side")
    return side


def _check_trade(trade: Any) -> None:
    record = Record(trade, "trade", "trade_id")
    record.name += f" of {record.text('ticker')}"
    record.get("created_time", utc)
    record.get("yes_price_dollars", price_cc)
    if record.get("count_fp", count) <= 0:
        raise MalformedAnswerError("not positive", record=record.name, field="count_fp")
    if trade.get("is_block_trade") is not None:
        record.flag("is_block_trade")
    try:
        _taker_side(trade)
    except (TypeError, ValueError):
        shown = {name: value for name, value in trade.items() if name.startswith("taker_")}
        raise MalformedAnswerError(
            f"no field says whether the taker bought yes or no: {shown}",
            record=record.name,
            field="taker_outcome_side",
        ) from None


class Memo(dict[Any, Any]):
    """Cache of decoded values by wire string; prices take few distinct values."""

    def __init__(self, read: Callable[[object], Any]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: Any) -> Any:
        value = self[text] = self._read(text)
        return value


def times_of(microseconds: pl.Series, lag: timedelta) -> dict[str, pl.Series]:
    """Columns event_time and known_at.

    Parameters
    ----------
    microseconds
        Unix time of the event.
    lag
        From the event until it is available.
    """
    utc_time = pl.Datetime("us", "UTC")
    lag_us = lag // timedelta(microseconds=1)
    return {
        "event_time": microseconds.cast(utc_time),
        "known_at": (microseconds + lag_us).cast(utc_time),
    }
