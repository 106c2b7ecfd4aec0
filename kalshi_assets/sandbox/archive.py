"""Reading the recordings on disk.

Here: locating an archive's files, checking their columns, reading them into cached frames. Not
here: what is visible at an instant (`exchange_state`), the wire format (`exchange_wire`,
`weather_wire`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from kalshi_assets.sandbox import world_layout
from kalshi_assets.sandbox.world_layout import PRICE_COLUMNS, QUOTE_COLUMNS

_MARKETS, _SETTLEMENTS, _FORECASTS = (
    tuple(name for name in schema if name not in ("city", "status", "source"))
    for schema in (world_layout.MARKETS, world_layout.SETTLEMENTS, world_layout.FORECASTS)
)
_CANDLE_SCHEMA = pl.Schema(
    {
        "market_ticker": pl.String(),
        "end_ts": pl.Int64(),
        **dict.fromkeys((*QUOTE_COLUMNS, *PRICE_COLUMNS), pl.Int64()),
        "volume": pl.Float64(),
        "open_interest": pl.Float64(),
    }
)
_TRADE_SCHEMA = pl.Schema(
    {
        "market_ticker": pl.String(),
        "trade_id": pl.String(),
        "created_us": pl.Int64(),
        "yes_price": pl.Int64(),
        "count": pl.Float64(),
        "taker_side": pl.String(),
    }
)
_BOOK_CHANGE_SCHEMA = pl.Schema(
    {
        "market_ticker": pl.String(),
        "at_us": pl.Int64(),
        "side": pl.String(),
        "price_cc": pl.Int64(),
        "size": pl.Int64(),
    }
)
_OBSERVATION_SCHEMA = pl.Schema({"valid_ts": pl.Int64(), "temp_c": pl.Float64()})


class ArchiveError(ValueError):
    """The folder is not an archive, or a file lacks required content."""


@dataclass(frozen=True, kw_only=True)
class Market:
    """A recorded market, with data from the exchange only.

    `result` is empty and the other values are None if they were not recorded from the exchange.
    """

    ticker: str
    event_ticker: str
    series_ticker: str
    event_date: date
    strike_type: str
    floor_strike: float | None
    cap_strike: float | None
    yes_sub_title: str
    open_time: datetime
    close_time: datetime
    result: str
    expiration_value: float | None
    volume: float | None
    open_interest: float | None
    rules_primary: str


class Archive:
    """A folder of recordings, or of a generated world: exchange and weather.

    For the columns of `settlements` and `forecasts` see `world_layout`.

    Raises
    ------
    ArchiveError
        A file is missing or lacks a column; the message names it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._list(
            {
                row["market_ticker"]: _market(row)
                for row in _read(root / "markets.parquet", _MARKETS).iter_rows(named=True)
            }
        )
        if not self.markets:
            raise ArchiveError(f"{root / 'markets.parquet'} contains no markets")
        self.settlements = _read(root / "settlements.parquet", _SETTLEMENTS)
        self.forecasts = _read(root / "forecasts.parquet", _FORECASTS)
        self.candles = lru_cache(maxsize=16)(self._read_candles)
        self.trades = lru_cache(maxsize=16)(self._read_trades)
        self.book_changes = lru_cache(maxsize=4)(self._read_book_changes)
        self.observations = lru_cache(maxsize=4)(self._read_observations)

    def _list(self, markets: dict[str, Market]) -> None:
        self.markets: Mapping[str, Market] = MappingProxyType(markets)
        events: dict[str, list[Market]] = {}
        for market in markets.values():
            events.setdefault(market.event_ticker, []).append(market)
        self.event_markets: Mapping[str, tuple[Market, ...]] = MappingProxyType(
            {ticker: tuple(members) for ticker, members in events.items()}
        )

    def replace(self, market: Market) -> None:
        """Change a market in memory, such as its close time."""
        self._list({**self.markets, market.ticker: market})

    @property
    def first_day(self) -> date:
        """The earliest climate day of any event."""
        return min(m.event_date for m in self.markets.values())

    @property
    def last_day(self) -> date:
        """The latest climate day of any event."""
        return max(m.event_date for m in self.markets.values())

    def _read_candles(self, event_ticker: str) -> pl.DataFrame:
        """One-minute candles of an event, sorted by market and time; empty if not recorded.

        Prices are integers of 1/10,000 dollar; `end_ts` is in Unix seconds.
        """
        path = self._event_file("candles", event_ticker)
        if not path.is_file():
            return pl.DataFrame(schema=_CANDLE_SCHEMA)
        wanted = ("end_period_ts", *(c for c in _CANDLE_SCHEMA if c != "end_ts"))
        return (
            _read(path, wanted)
            .select(
                "market_ticker",
                pl.col("end_period_ts").dt.epoch("s").alias("end_ts"),
                (pl.col(*QUOTE_COLUMNS, *PRICE_COLUMNS).cast(pl.Float64) * 100)
                .round()
                .cast(pl.Int64),
                pl.col("volume", "open_interest").cast(pl.Float64),
            )
            .sort("market_ticker", "end_ts")
        )

    def _read_trades(self, event_ticker: str) -> pl.DataFrame:
        """The trades of an event, newest first; empty if not recorded.

        Prices are integers of 1/10,000 dollar; `created_us` is in Unix microseconds.
        """
        path = self._event_file("trades", event_ticker)
        if not path.is_file():
            return pl.DataFrame(schema=_TRADE_SCHEMA)
        wanted = ("created_time", *(c for c in _TRADE_SCHEMA if c != "created_us"))
        return (
            _read(path, wanted)
            .select(
                "market_ticker",
                "trade_id",
                pl.col("created_time").dt.epoch("us").alias("created_us"),
                pl.col("yes_price").cast(pl.Int64) * 100,
                pl.col("count").cast(pl.Float64),
                "taker_side",
            )
            .sort("created_us", "trade_id", descending=True)
        )

    def _read_book_changes(self, event_ticker: str) -> pl.DataFrame:
        """Recorded sizes of levels of an event, in time order; empty if not recorded.

        Sizes are in hundredths of contracts, `at_us` is in Unix microseconds.
        """
        path = self._event_file("book_changes", event_ticker)
        if not path.is_file():
            return pl.DataFrame(schema=_BOOK_CHANGE_SCHEMA)
        return (
            _read(path, tuple(world_layout.BOOK_CHANGES))
            .select(
                "market_ticker",
                pl.col("changed_time").dt.epoch("us").alias("at_us"),
                "side",
                pl.col("yes_price_cc").cast(pl.Int64).alias("price_cc"),
                pl.col("size_hundredths").alias("size"),
            )
            .sort("at_us", maintain_order=True)
        )

    def _read_observations(self, station: str) -> pl.DataFrame:
        """Temperatures of a station by Unix second; empty if not recorded.

        Reports without tenths have the whole degree of the report's body.
        """
        path = self.root / "observations" / f"station={station}" / "part.parquet"
        if not path.is_file():
            return pl.DataFrame(schema=_OBSERVATION_SCHEMA)
        return (
            _read(path, ("valid_utc", "temp_c", "temp_c_whole"))
            .select(
                pl.col("valid_utc").dt.epoch("s").alias("valid_ts"),
                pl.coalesce("temp_c", "temp_c_whole").alias("temp_c"),
            )
            .drop_nulls()
            .unique("valid_ts", keep="first")
            .sort("valid_ts")
        )

    def _event_file(self, kind: str, event_ticker: str) -> Path:
        market = self.event_markets[event_ticker][0]
        partition = f"series={market.series_ticker}/event_date={market.event_date}"
        return self.root / kind / partition / "part.parquet"


def _read(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    if not path.is_file():
        raise ArchiveError(f"{path.parent} is not an archive: {path.name} is missing")
    held = pl.read_parquet_schema(path)
    missing = [c for c in columns if c not in held]
    if missing:
        raise ArchiveError(f"{path} lacks the columns {', '.join(missing)}")
    return pl.read_parquet(path, columns=list(columns), hive_partitioning=False)


def _market(row: dict[str, Any]) -> Market:
    if row.pop("result_source") != "exchange":
        row |= {"result": "", "expiration_value": None}
    row |= {name: row[name] or "" for name in ("yes_sub_title", "result", "rules_primary")}
    row |= {name: row[name].astimezone(UTC) for name in ("open_time", "close_time")}
    return Market(ticker=row.pop("market_ticker"), **row)
