"""The REST client: one method per kind of read, from the live or historical tier as needed.

Here: paths, limits, chunking and tiers. Not here: sending requests (rest), decoding values (wire),
which reads make up a city-day (ingest).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import polars as pl

from kalshi_assets.exchange.errors import MalformedAnswerError, NotFoundError
from kalshi_assets.exchange.rest import Answer, RestReader
from kalshi_assets.exchange.wire import Market, candles_of, market_of, trades_of
from kalshi_assets.exchange.wire_candles import (
    HISTORICAL,
    LIVE,
    MARKET_SHAPE,
    MARKETS_SHAPE,
    CandleKeys,
    usual_candles,
)
from kalshi_assets.exchange.wire_stream import OrderBook, order_book_of
from kalshi_assets.exchange.wire_values import Record, utc
from kalshi_assets.tables import CANDLES, TRADES, Table

PAGE_LIMIT = 1000
EVENT_LIMIT = 200
MAX_PERIODS = 5_000
BATCH_TICKERS = 100
BATCH_PERIODS = 10_000
CUTOFF_MAX_AGE_S = 600.0
# The tiers have been observed to overlap, and the cutoff moves during a client's lifetime.
TIER_OVERLAP = timedelta(days=2)

_MINUTE_S = 60

Groups = list[tuple[str, list[Any]]]


@dataclass(frozen=True, kw_only=True)
class Cutoff:
    """End of the historical tier: markets settled and trades made before it are archived."""

    market_settled_ts: datetime
    trades_created_ts: datetime


class KalshiClient(RestReader):
    """Reads of the exchange; see `RestReader` for its parameters."""

    _cutoff: tuple[float, Cutoff] | None = None

    def cutoff(self) -> Cutoff:
        """The historical cutoff, cached for ten minutes."""
        now = self._clock()
        if self._cutoff is None or now - self._cutoff[0] > CUTOFF_MAX_AGE_S:
            self._cutoff = (now, self.get("/historical/cutoff").decode(_cutoff_of))
        return self._cutoff[1]

    def series(self, ticker: str) -> Answer:
        """The series: settlement sources, fee terms."""
        return self._object(f"/series/{_segment(ticker)}", "series")

    def fee_changes(self, series: str) -> Answer:
        """All fee changes of a series, past and scheduled: a list of objects."""
        answer = self.get(
            "/series/fee_changes", {"series_ticker": series, "show_historical": "true"}
        )
        rows = answer.decode(lambda a: a.record("answer").rows("series_fee_change_arr"))
        return Answer(rows, answer.raw_sha256, answer.endpoint)

    def event(self, event_ticker: str) -> Answer:
        """The event, without its markets."""
        return self._object(f"/events/{_segment(event_ticker)}", "event")

    def listed_events(self, event_tickers: Sequence[str]) -> frozenset[str]:
        """The subset of `event_tickers` that exists on the exchange, from one query."""
        params = {"tickers": ",".join(event_tickers), "limit": EVENT_LIMIT}
        return frozenset(_event_tickers(self.pages("/events", params, "events"), "events"))

    def event_markets(self, event_ticker: str) -> list[Market]:
        """The event's markets from the tiers that hold them, each with its response's hash."""
        markets = self._markets("/markets", {"event_ticker": event_ticker})
        cutoff = self.cutoff()
        if not markets or any(m.close_time < cutoff.market_settled_ts for m in markets):
            markets += self._markets("/historical/markets", {"event_ticker": event_ticker})
        return list({market.ticker: market for market in reversed(markets)}.values())[::-1]

    def archived_tickers(self, event_ticker: str) -> frozenset[str]:
        """Tickers of the event's markets that are in the historical tier."""
        markets = self._markets("/historical/markets", {"event_ticker": event_ticker})
        return frozenset(market.ticker for market in markets)

    def settled_events(self, series: str, since: datetime) -> list[str]:
        """Tickers of live-tier events of `series` that settled at `since` or later.

        Only tickers are decoded, so that other malformed fields cause no error here.

        Parameters
        ----------
        series
            Ticker of the series.
        since
            Earliest settlement.
        """
        params = {
            "series_ticker": series,
            "status": "settled",
            "min_settled_ts": _floor_s(since),
            "limit": PAGE_LIMIT,
        }
        try:
            pages = list(self.pages("/markets", params, "markets"))
        except NotFoundError:
            return []
        return list(dict.fromkeys(_event_tickers(pages, "markets")))

    def archived_candles(
        self, tickers: Sequence[str], start: datetime, end: datetime
    ) -> pl.DataFrame:
        """One-minute candles (`tables.CANDLES`) of several markets of the historical tier.

        Parameters
        ----------
        tickers
            Markets.
        start, end
            Window of the candles, UTC.

        Raises
        ------
        NotFoundError
            One of the markets is not in the historical tier.
        """
        asked = [
            ([ticker], self.get(path, _candle_params(*window), MARKET_SHAPE))
            for ticker in tickers
            for path in [f"/historical/markets/{_segment(ticker)}/candlesticks"]
            for window in _windows(start, end, MAX_PERIODS)
        ]
        return _candles(asked, HISTORICAL, _market_candles_of)

    def batch_candles(self, tickers: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
        """One-minute candles (`tables.CANDLES`) of several markets of the live tier.

        Parameters
        ----------
        tickers, start, end
            As in `archived_candles`.

        Raises
        ------
        NotFoundError
            The response omits a market, which means that it is not in the live tier.
        """
        asked = []
        for i in range(0, len(tickers), BATCH_TICKERS):
            some = tickers[i : i + BATCH_TICKERS]
            for window in _windows(start, end, min(MAX_PERIODS, BATCH_PERIODS // len(some))):
                params = {"market_tickers": ",".join(some), **_candle_params(*window)}
                asked.append((some, self.get("/markets/candlesticks", params, MARKETS_SHAPE)))
        return _candles(asked, LIVE, _batch_candles_of)

    def event_trades(self, tickers: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
        """Trades (`tables.TRADES`) of several markets, from both tiers.

        Parameters
        ----------
        tickers
            Markets.
        start, end
            Window of the trades, UTC, both included.
        """
        cutoff = self.cutoff().trades_created_ts
        paths = []
        if end >= cutoff - TIER_OVERLAP:
            paths.append("/markets/trades")
        if start < cutoff + TIER_OVERLAP:
            paths.append("/historical/trades")
        params = {
            "min_ts": _floor_s(start),
            "max_ts": math.ceil(end.timestamp()),
            "limit": PAGE_LIMIT,
        }
        pages = [
            page
            for ticker in tickers
            for path in paths
            for page in self.pages(path, {"ticker": ticker, **params}, "trades")
        ]
        try:
            trades = [
                (trade, page.raw_sha256) for page in pages for trade in page.payload["trades"]
            ]
            frames = [trades_of([trade for trade, _ in trades], [sha256 for _, sha256 in trades])]
        except MalformedAnswerError:
            # Decoding page by page makes the error name the endpoint.
            frames = [
                page.decode(lambda a: trades_of(a.payload["trades"], a.raw_sha256))
                for page in pages
            ]
        return _joined(TRADES, frames)

    def order_book(self, ticker: str) -> OrderBook:
        """The market's current order book, all levels."""
        answer = self.get(f"/markets/{_segment(ticker)}/orderbook", {"depth": 0})
        return answer.decode(lambda a: order_book_of(a.payload, ticker))

    def _object(self, path: str, name: str) -> Answer:
        answer = self.get(path)
        payload = answer.decode(lambda a: a.record("answer").get(name, _as_object))
        return Answer(payload, answer.raw_sha256, answer.endpoint)

    def _markets(self, path: str, params: dict[str, Any]) -> list[Market]:
        try:
            return [
                market
                for page in self.pages(path, {**params, "limit": PAGE_LIMIT}, "markets")
                for market in page.decode(
                    lambda a: [market_of(m, a.raw_sha256) for m in a.payload["markets"]]
                )
            ]
        except NotFoundError:
            return []


def _event_tickers(pages: Iterable[Answer], name: str) -> Iterator[str]:
    # A malformed ticker is passed on as text; the caller reports it as unknown.
    for page in pages:
        for record in page.payload[name]:
            ticker = record.get("event_ticker") if isinstance(record, dict) else record
            yield str(ticker)[:80]


def _cutoff_of(answer: Answer) -> Cutoff:
    record = answer.record("cutoff")
    return Cutoff(
        market_settled_ts=record.get("market_settled_ts", utc),
        trades_created_ts=record.get("trades_created_ts", utc),
    )


def _candles(
    asked: Sequence[tuple[Sequence[str], Answer]],
    keys: CandleKeys,
    groups_of: Callable[[Answer, Sequence[str]], Groups],
) -> pl.DataFrame:
    """Decode responses, each about some tickers, in columns if possible, else object by object."""
    usual = usual_candles([(some, a.payload, a.raw_sha256) for some, a in asked], keys)
    if usual is not None:
        return _joined(CANDLES, [usual])

    def carefully(answer: Answer, tickers: Sequence[str]) -> pl.DataFrame:
        return answer.objects().decode(
            lambda a: candles_of(groups_of(a, tickers), answer.raw_sha256)
        )

    return _joined(CANDLES, [carefully(answer, some) for some, answer in asked])


def _market_candles_of(answer: Answer, tickers: Sequence[str]) -> Groups:
    return [(tickers[0], answer.record("answer").rows("candlesticks"))]


def _batch_candles_of(answer: Answer, tickers: Sequence[str]) -> Groups:
    records = [Record(m, "market") for m in answer.record("answer").rows("markets")]
    groups = [(r.text("market_ticker"), r.rows("candlesticks")) for r in records]
    if missing := sorted(set(tickers) - {ticker for ticker, _ in groups}):
        raise NotFoundError(
            f"missing from the response, so not in the live tier: {', '.join(missing)}",
            endpoint=answer.endpoint,
        )
    return groups


def _as_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _joined(table: Table, frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    frame = frames[0] if len(frames) == 1 else pl.concat([table.empty(), *frames])
    return table.arranged(frame.unique(table.key, keep="first", maintain_order=True))


def _windows(start: datetime, end: datetime, periods: int) -> Iterator[tuple[int, int]]:
    # Adjacent windows share their boundary second, in case the exchange excludes one end.
    first, last = _floor_s(start), math.ceil(end.timestamp())
    while first < last:
        yield first, min(first + periods * _MINUTE_S, last)
        first += periods * _MINUTE_S


def _candle_params(start_ts: int, end_ts: int) -> dict[str, Any]:
    return {"start_ts": start_ts, "end_ts": end_ts, "period_interval": 1}


def _floor_s(instant: datetime) -> int:
    return math.floor(instant.timestamp())


def _segment(ticker: str) -> str:
    return quote(ticker, safe="")
