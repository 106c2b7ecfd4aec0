"""Recordings in the exchange's current wire format.

Here: conversion to JSON, with column expressions for candles and trades. Not here: which values are
visible (`exchange_state`) and requested (the routes).

Fields that the recordings lack (created_time, settlement_ts, expiration times, sizes) are omitted,
or sent with the value that the exchange uses for nothing.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache

import polars as pl

from kalshi_assets.families.temperature.authorities import WEATHER_COMPANY_FROM
from kalshi_assets.families.temperature.cities import city_of_series
from kalshi_assets.sandbox.archive import Market
from kalshi_assets.sandbox.exchange_state import EMPTY_BID, Moment

CATEGORY = "Climate and Weather"
_POINTS = ("open", "low", "high", "close")
_PRICE_POINTS = ("open", "low", "high", "close", "mean")


def rfc3339(instant: datetime) -> str:
    """UTC with Z; fractional digits only if needed."""
    text = instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"


def rfc3339_us(instant_us: int) -> str:
    """The same for Unix microseconds."""
    seconds, fraction = divmod(instant_us, 1_000_000)
    digits = f".{fraction:06d}".rstrip("0").rstrip(".")
    return f"{_whole_second(seconds)}{digits}Z"


@lru_cache(maxsize=1024)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def dollars(cc: int) -> str:
    """1/10,000 dollar as a dollar string with four decimals."""
    return f"{cc // 10_000}.{cc % 10_000:04d}"


def fixed_point(count: float) -> str:
    """A count with two decimals."""
    return f"{count:.2f}"


def market_json(market: Market, moment: Moment) -> dict:
    """A Market object."""
    summary = moment.summary(market)
    body = {
        "can_close_early": True,
        "close_time": rfc3339(market.close_time),
        "event_ticker": market.event_ticker,
        "exchange_index": 0,
        "expiration_value": "",
        "last_price_dollars": dollars(summary.last_price or 0),
        "market_type": "binary",
        "no_ask_dollars": dollars(10_000 - summary.yes_bid),
        "no_bid_dollars": dollars(10_000 - summary.yes_ask),
        "no_sub_title": market.yes_sub_title,
        "notional_value_dollars": "1.0000",
        "open_time": rfc3339(market.open_time),
        "previous_price_dollars": dollars(0),
        "previous_yes_ask_dollars": dollars(0),
        "previous_yes_bid_dollars": dollars(EMPTY_BID),
        "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        "result": "",
        "rules_primary": market.rules_primary,
        "rules_secondary": "",
        "settlement_bounds_type": "default",
        "settlement_timer_seconds": 3600,
        "status": moment.status(market),
        "strike_type": market.strike_type,
        "subtitle": market.yes_sub_title,
        "ticker": market.ticker,
        "title": "",
        "volume_24h_fp": fixed_point(summary.volume_24h or 0.0),
        "volume_fp": fixed_point(summary.volume or 0.0),
        "yes_ask_dollars": dollars(summary.yes_ask),
        "yes_ask_size_fp": fixed_point(summary.yes_ask_size),
        "yes_bid_dollars": dollars(summary.yes_bid),
        "yes_bid_size_fp": fixed_point(summary.yes_bid_size),
        "yes_sub_title": market.yes_sub_title,
    }
    if summary.open_interest is not None:
        body["open_interest_fp"] = fixed_point(summary.open_interest)
    for name, strike in (("floor_strike", market.floor_strike), ("cap_strike", market.cap_strike)):
        if strike is not None:
            body[name] = int(strike) if strike == int(strike) else strike
    if moment.is_settled(market):
        body["result"] = market.result
        body["settlement_value_dollars"] = dollars(10_000 if market.result == "yes" else 0)
        if market.expiration_value is not None:
            body["expiration_value"] = fixed_point(market.expiration_value)
    return body


def event_json(markets: tuple[Market, ...]) -> dict:
    """An EventData object without markets."""
    first = markets[0]
    place = _place(first.series_ticker)
    day = f"{first.event_date:%b} {first.event_date.day}, {first.event_date.year}"
    return {
        "category": CATEGORY,
        "collateral_return_type": "MECNET",
        "event_ticker": first.event_ticker,
        "exchange_index": 0,
        "mutually_exclusive": True,
        "series_ticker": first.series_ticker,
        "settlement_sources": settlement_sources(first.series_ticker, first.event_date),
        "strike_date": rfc3339(max(m.close_time for m in markets)),
        "sub_title": f"On {day}",
        "title": f"Highest temperature in {place} on {day}?",
    }


def series_json(series_ticker: str, last_day: date) -> dict:
    """A Series object, as of its last event."""
    return {
        "additional_prohibitions": None,
        "categories": [CATEGORY],
        "category": CATEGORY,
        "contract_terms_url": "",
        "contract_url": "",
        "exchange_index": 0,
        "fee_multiplier": 1,
        "fee_type": "quadratic",
        "frequency": "daily",
        "settlement_sources": settlement_sources(series_ticker, last_day),
        "tags": None,
        "ticker": series_ticker,
        "title": f"Highest temperature in {_place(series_ticker)}",
    }


def settlement_sources(series_ticker: str, day: date) -> list[dict[str, str]]:
    """The settlement sources of an event on `day`; they changed on 2026-08-14."""
    if day >= WEATHER_COMPANY_FROM:
        return [{"name": "The Weather Company", "url": "https://weather.com/kalshi"}]
    place = city_of_series(series_ticker)
    report = f"&issuedby={place.cli}" if place else ""
    return [
        {
            "name": "NWS Climatological Report (Daily)",
            "url": f"https://forecast.weather.gov/product.php?site=NWS&product=CLI{report}",
        }
    ]


def coarser_candles(candles: pl.DataFrame, minutes: int) -> pl.DataFrame:
    """Aggregate one-minute candles to candles of `minutes`, aligned to Unix time.

    The mean is weighted by volume; `end_ts` is the inclusive end of the period.
    """
    if minutes == 1:
        return candles
    span = minutes * 60
    weighted = (pl.col("price_mean") * pl.col("volume")).sum()
    return (
        candles.with_columns(((pl.col("end_ts") + span - 1) // span * span).alias("end_ts"))
        .group_by("market_ticker", "end_ts", maintain_order=True)
        .agg(
            *(pl.col(f"{s}_open").first() for s in ("yes_bid", "yes_ask")),
            *(pl.col(f"{s}_low").min() for s in ("yes_bid", "yes_ask", "price")),
            *(pl.col(f"{s}_high").max() for s in ("yes_bid", "yes_ask", "price")),
            *(pl.col(f"{s}_close").last() for s in ("yes_bid", "yes_ask")),
            pl.col("price_open").drop_nulls().first(),
            pl.col("price_close").drop_nulls().last(),
            (weighted / pl.col("volume").sum())
            .fill_nan(None)
            .round()
            .cast(pl.Int64)
            .alias("price_mean"),
            pl.col("price_previous").first(),
            pl.col("volume").sum(),
            pl.col("open_interest").last(),
        )
    )


def candles_json(candles: pl.DataFrame, *, suffixed: bool) -> pl.DataFrame:
    """Candles as JSON objects: columns market_ticker, end_ts, json.

    The keys are those of the live tier if `suffixed` (`close_dollars`, `volume_fp`), else of the
    historical tier (`close`, `volume`). The values are strings in both.
    """
    dollar, fp = ("_dollars", "_fp") if suffixed else ("", "")
    traded = [_pair(f"{p}{dollar}", _price(f"price_{p}")) for p in _PRICE_POINTS]
    previous = _pair(f"previous{dollar}", _price("price_previous"))
    never = pl.col("price_previous").is_null()
    price = (
        pl.when(pl.col("price_open").is_null())
        .then(pl.when(never).then(pl.lit("{}")).otherwise(_object([previous])))
        .otherwise(pl.when(never).then(_object(traded)).otherwise(_object([*traded, previous])))
    )
    sides = {
        side: _object(_pair(f"{p}{dollar}", _price(f"{side}_{p}")) for p in _POINTS)
        for side in ("yes_bid", "yes_ask")
    }
    body = _object(
        [
            pl.concat_str(pl.lit('"end_period_ts":'), pl.col("end_ts").cast(pl.String)),
            *(
                pl.concat_str(pl.lit(f'"{name}":'), value)
                for name, value in (sides | {"price": price}).items()
            ),
            _pair(f"volume{fp}", _count("volume")),
            _pair(f"open_interest{fp}", _count("open_interest")),
        ]
    )
    return candles.select("market_ticker", "end_ts", body.alias("json"))


def synthetic_candle_json(end_ts: int, previous: int, open_interest: float) -> str:
    """The candle for the time before the first one: only the previous price."""
    nothing = ",".join(f'"{p}_dollars":null' for p in _POINTS)
    return (
        f'{{"end_period_ts":{end_ts},"yes_bid":{{{nothing}}},"yes_ask":{{{nothing}}},'
        f'"price":{{{nothing},"mean_dollars":null,"previous_dollars":"{dollars(previous)}"}},'
        f'"volume_fp":"0.00","open_interest_fp":"{fixed_point(open_interest)}"}}'
    )


def trades_json(trades: pl.DataFrame) -> pl.DataFrame:
    """Trades as JSON objects, in order: columns market_ticker, created_us, trade_id, json."""
    created = (
        pl.from_epoch("created_us", time_unit="us")
        .dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
        .str.strip_chars_end("0")
        .str.strip_chars_end(".")
    )
    book_side = pl.when(pl.col("taker_side") == "yes").then(pl.lit("bid")).otherwise(pl.lit("ask"))
    side = pl.col("taker_side")
    fields = [
        ("count_fp", _count("count")),
        ("created_time", created + "Z"),
        ("no_price_dollars", _dollar_text(10_000 - pl.col("yes_price"))),
        ("taker_book_side", book_side),
        ("taker_outcome_side", side),
        ("taker_side", side),
        ("ticker", pl.col("market_ticker")),
        ("trade_id", pl.col("trade_id")),
        ("yes_price_dollars", _price("yes_price")),
    ]
    pairs = [_pair(name, text) for name, text in fields]
    body = _object([*pairs, pl.lit('"is_block_trade":false')])
    return trades.select("market_ticker", "created_us", "trade_id", body.alias("json"))


def _place(series_ticker: str) -> str:
    city = city_of_series(series_ticker)
    return city.title if city is not None else series_ticker


def _dollar_text(cc: pl.Expr) -> pl.Expr:
    whole = (cc // 10_000).cast(pl.String)
    return pl.concat_str(whole, pl.lit("."), (cc % 10_000).cast(pl.String).str.zfill(4))


def _price(column: str) -> pl.Expr:
    return _dollar_text(pl.col(column))


def _count(column: str) -> pl.Expr:
    hundredths = (pl.col(column) * 100).round().cast(pl.Int64)
    return pl.concat_str(
        (hundredths // 100).cast(pl.String),
        pl.lit("."),
        (hundredths % 100).cast(pl.String).str.zfill(2),
    )


def _pair(name: str, text: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit(f'"{name}":"'), text, pl.lit('"'))


def _object(pairs: Iterable[pl.Expr]) -> pl.Expr:
    return pl.concat_str(pl.lit("{"), pl.concat_str(*pairs, separator=","), pl.lit("}"))
