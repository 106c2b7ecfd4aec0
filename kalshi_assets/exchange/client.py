"""The REST client: the exchange's reads, by endpoint, from whichever tier holds the data.

Here: paths, limits, chunks and tiers. Not here: sending (rest), what a value means (wire), which
reads make up a city-day (ingest).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import polars as pl

from kalshi_assets.exchange.errors import (
    MalformedAnswerError,
    NotFoundError,
    PaginationError,
)
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
# The tiers have been seen overlapping, and the cutoff moves while a client lives.
TIER_OVERLAP = timedelta(days=2)

_MINUTE_S = 60

Groups = list[tuple[str, list[Any]]]


@dataclass(frozen=True, kw_only=True)
class Cutoff:
    """Where the historical tier ends: markets settled and trades made before are archived."""

    market_settled_ts: datetime
    trades_created_ts: datetime


class KalshiClient(RestReader):
    """Reads of the exchange; see `RestReader` for its parameters."""

    _cutoff: tuple[float, Cutoff] | None = None

    def exchange_status(self) -> Answer:
        """Whether the exchange is up and trades."""
        return self.get("/exchange/status")

    def cutoff(self) -> Cutoff:
        """The historical cutoff, read at most every ten minutes."""
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
        """Those of `event_tickers` that the exchange has, in one question."""
        pages = self.pages(
            "/events", {"tickers": ",".join(event_tickers), "limit": EVENT_LIMIT}, "events"
        )
        return frozenset(
            event["event_ticker"] for page in pages for event in page.payload["events"]
        )

    def event_markets(self, event_ticker: str) -> list[Market]:
        """The event's markets, from whichever tier holds them; each knows its answer's hash."""
        markets = self._markets("/markets", {"event_ticker": event_ticker})
        cutoff = self.cutoff()
        if not markets or any(m.close_time < cutoff.market_settled_ts for m in markets):
            markets += self._markets("/historical/markets", {"event_ticker": event_ticker})
        return list({market.ticker: market for market in reversed(markets)}.values())[::-1]

    def archived_tickers(self, event_ticker: str) -> frozenset[str]:
        """Those of the event's markets that the historical tier holds."""
        markets = self._markets("/historical/markets", {"event_ticker": event_ticker})
        return frozenset(market.ticker for market in markets)

    def settled_markets(self, series: str, since: datetime) -> list[Market]:
        """Markets of `series` that settled at `since` or later, of the live tier."""
        return self._markets(
            "/markets",
            {"series_ticker": series, "status": "settled", "min_settled_ts": _floor_s(since)},
        )

    def market_candles(
        self,
        series: str,
        ticker: str,
        start: datetime,
        end: datetime,
        archived: bool | None = None,
    ) -> pl.DataFrame:
        """One-minute candles of one market that end within `start`..`end`: `tables.CANDLES`.

        Parameters
        ----------
        archived
            Which tier holds the market: True: the historical one; False: the live one; None:
            unknown, the live one first and then the other, should it have nothing.

        Raises
        ------
        NotFoundError
            No tier that was asked knows the market.
        """
        live = f"/series/{_segment(series)}/markets/{_segment(ticker)}/candlesticks"
        historical = _historical_candles(ticker)
        if archived is not None:
            return self._market_candles({ticker: historical if archived else live}, start, end)
        try:
            frame = self._market_candles({ticker: live}, start, end)
        except NotFoundError:
            return self._market_candles({ticker: historical}, start, end)
        if len(frame):
            return frame
        try:
            return self._market_candles({ticker: historical}, start, end)
        except NotFoundError:
            return frame

    def archived_candles(
        self, tickers: Sequence[str], start: datetime, end: datetime
    ) -> pl.DataFrame:
        """One-minute candles of many markets, of the historical tier: `tables.CANDLES`.

        Raises
        ------
        NotFoundError
            The historical tier does not know one of the markets.
        """
        paths = {ticker: _historical_candles(ticker) for ticker in tickers}
        return self._market_candles(paths, start, end, MARKET_SHAPE)

    def event_candles(
        self, series: str, event_ticker: str, start: datetime, end: datetime
    ) -> pl.DataFrame:
        """One-minute candles of all markets of an event, of the live tier: `tables.CANDLES`."""
        path = f"/series/{_segment(series)}/events/{_segment(event_ticker)}/candlesticks"
        frames: list[pl.DataFrame] = []
        for first, last in _windows(start, end, MAX_PERIODS):
            while first < last:
                answer = self.get(path, _candle_params(first, last))
                frame, reached = answer.decode(_event_candles_of)
                frames.append(frame)
                if reached <= first:
                    raise PaginationError(
                        f"adjusted_end_ts {reached} does not advance beyond start_ts {first}",
                        endpoint=answer.endpoint,
                    )
                first = reached
        return _joined(CANDLES, frames)

    def batch_candles(self, tickers: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
        """One-minute candles of many markets, of the live tier: `tables.CANDLES`.

        Raises
        ------
        NotFoundError
            The exchange left a market out, which is how it says that the live tier has none.
        """
        asked = []
        for i in range(0, len(tickers), BATCH_TICKERS):
            some = tickers[i : i + BATCH_TICKERS]
            for window in _windows(start, end, min(MAX_PERIODS, BATCH_PERIODS // len(some))):
                params = {"market_tickers": ",".join(some), **_candle_params(*window)}
                asked.append((some, self.get("/markets/candlesticks", params, MARKETS_SHAPE)))
        return _candles(asked, LIVE, _batch_candles_of)

    def trades(self, ticker: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Trades of one market within `start`..`end`, from both tiers: `tables.TRADES`."""
        return self.event_trades([ticker], start, end)

    def event_trades(self, tickers: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
        """Trades of markets within `start`..`end`, from both tiers: `tables.TRADES`."""
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
            # Page by page, so that the error names the endpoint.
            frames = [
                page.decode(lambda a: trades_of(a.payload["trades"], a.raw_sha256))
                for page in pages
            ]
        return _joined(TRADES, frames)

    def order_book(self, ticker: str) -> OrderBook:
        """The market's book now, every level."""
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

    def _market_candles(
        self,
        paths: Mapping[str, str],
        start: datetime,
        end: datetime,
        shape: pl.Schema | None = None,
    ) -> pl.DataFrame:
        asked = [
            ([ticker], self.get(path, _candle_params(*window), shape))
            for ticker, path in paths.items()
            for window in _windows(start, end, MAX_PERIODS)
        ]
        return _candles(asked, HISTORICAL, _market_candles_of)


def _cutoff_of(answer: Answer) -> Cutoff:
    record = answer.record("cutoff")
    return Cutoff(
        market_settled_ts=record.get("market_settled_ts", utc),
        trades_created_ts=record.get("trades_created_ts", utc),
    )


def _event_candles_of(answer: Answer) -> tuple[pl.DataFrame, int]:
    record = answer.record("answer")
    tickers, lists = record.rows("market_tickers"), record.rows("market_candlesticks")
    if len(tickers) != len(lists):
        raise MalformedAnswerError(
            f"{len(tickers)} market_tickers but {len(lists)} market_candlesticks"
        )
    frame = candles_of(
        [(str(t), c or []) for t, c in zip(tickers, lists, strict=True)], answer.raw_sha256
    )
    return frame, record.integer("adjusted_end_ts")


def _candles(
    asked: Sequence[tuple[Sequence[str], Answer]],
    keys: CandleKeys,
    groups_of: Callable[[Answer, Sequence[str]], Groups],
) -> pl.DataFrame:
    """Of answers about some tickers each: in columns, or where that cannot be, by objects."""
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
            f"left out of the answer, so not in the live tier: {', '.join(missing)}",
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
    # Neighbours share their boundary second, whichever end the exchange leaves out.
    first, last = _floor_s(start), math.ceil(end.timestamp())
    while first < last:
        yield first, min(first + periods * _MINUTE_S, last)
        first += periods * _MINUTE_S


def _candle_params(start_ts: int, end_ts: int) -> dict[str, Any]:
    return {"start_ts": start_ts, "end_ts": end_ts, "period_interval": 1}


def _historical_candles(ticker: str) -> str:
    return f"/historical/markets/{_segment(ticker)}/candlesticks"


def _floor_s(instant: datetime) -> int:
    return math.floor(instant.timestamp())


def _segment(ticker: str) -> str:
    return quote(ticker, safe="")
