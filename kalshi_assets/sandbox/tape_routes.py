"""Candles and trades, as the exchange serves them.

Here: the routes of both tiers, their limits and their ranges. Not here: how a row is written
(`exchange_wire`).
"""

from datetime import datetime
from functools import lru_cache

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kalshi_assets.sandbox.archive import Archive, Market
from kalshi_assets.sandbox.exchange_errors import bad_request, invalid_parameter, not_found
from kalshi_assets.sandbox.exchange_params import Query, encode_cursor
from kalshi_assets.sandbox.exchange_state import Exchange, Moment
from kalshi_assets.sandbox.exchange_wire import (
    candles_json,
    coarser_candles,
    synthetic_candle_json,
    trades_json,
)

PERIODS = (1, 60, 1440)
MOST_CANDLES = 5_000
MOST_BATCH_CANDLES = 10_000
MOST_BATCH_TICKERS = 100


class TapeRoutes:
    """The routes about what happened in the markets.

    Parameters
    ----------
    exchange
        The recordings and the clock.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._tape = _Tape(exchange.archive)

    def routes(self) -> list[Route]:
        """In the order in which they must be matched."""
        market = "/series/{series_ticker}/markets/{ticker}/candlesticks"
        event = "/series/{series_ticker}/events/{event_ticker}/candlesticks"
        return [
            Route(market, self.market_candles),
            Route(event, self.event_candles),
            Route("/markets/candlesticks", self.batch_candles),
            Route("/markets/trades", self.trades),
            Route("/historical/markets/{ticker}/candlesticks", self.historical_candles),
            Route("/historical/trades", self.historical_trades),
        ]

    def market_candles(self, request: Request) -> Response:
        """GET /series/{series_ticker}/markets/{ticker}/candlesticks; the series is not checked."""
        window = _Window(Query(request.query_params, "GetMarketCandlesticks"))
        window.check()
        moment = self._exchange.moment()
        market = _found(request, moment, archived=False)
        return _json(_market_body(market.ticker, self._tape.candles(market, window, moment)))

    def historical_candles(self, request: Request) -> Response:
        """GET /historical/markets/{ticker}/candlesticks: keys without suffix."""
        window = _Window(Query(request.query_params, "GetMarketCandlesticksHistorical"))
        window.check()
        window.with_synthetic = False
        moment = self._exchange.moment()
        market = _found(request, moment, archived=True)
        rows = self._tape.candles(market, window, moment, suffixed=False)
        return _json(_market_body(market.ticker, rows))

    def event_candles(self, request: Request) -> Response:
        """GET /series/{series_ticker}/events/{event_ticker}/candlesticks: parallel arrays.

        The range is cut where all markets together would exceed the limit; the answer says where.
        """
        window = _Window(Query(request.query_params, "GetMarketCandlesticksByEvent"))
        moment = self._exchange.moment()
        markets = moment.event(request.path_params["event_ticker"])
        if markets is None:
            raise not_found()
        live = [m for m in markets if not moment.is_archived(m)]
        window.cut_to(MOST_CANDLES // max(len(live), 1))
        tickers = ",".join(f'"{m.ticker}"' for m in live)
        rows = ",".join(f"[{self._tape.candles(m, window, moment)}]" for m in live)
        return _json(
            f'{{"market_tickers":[{tickers}],"market_candlesticks":[{rows}],'
            f'"adjusted_end_ts":{window.end_ts}}}'
        )

    def batch_candles(self, request: Request) -> Response:
        """GET /markets/candlesticks; unknown and archived tickers are left out."""
        query = Query(request.query_params, "BatchGetMarketCandlesticks")
        tickers = query.words("market_tickers")
        if not tickers:
            raise invalid_parameter(query.operation, "MarketTickers", "required")
        if len(tickers) > MOST_BATCH_TICKERS:
            raise invalid_parameter(query.operation, "MarketTickers", "max")
        window = _Window(query)
        asked = len(tickers) * window.periods
        if asked > MOST_BATCH_CANDLES:
            raise bad_request(
                f"requested candlesticks across all markets: {asked:.0f}, "
                f"max candlesticks: {MOST_BATCH_CANDLES}"
            )
        moment = self._exchange.moment()
        found = [m for t in tickers if (m := moment.market(t, archived=False)) is not None]
        bodies = ",".join(
            f'{{"market_ticker":"{m.ticker}",'
            f'"candlesticks":[{self._tape.candles(m, window, moment)}]}}'
            for m in found
        )
        return _json(f'{{"markets":[{bodies}]}}')

    def trades(self, request: Request) -> Response:
        """GET /markets/trades: trades made at or after the cutoff, newest first."""
        return self._trades(Query(request.query_params, "GetTrades"), archived=False)

    def historical_trades(self, request: Request) -> Response:
        """GET /historical/trades: trades made before the cutoff, newest first."""
        return self._trades(Query(request.query_params, "GetHistoricalTrades"), archived=True)

    def _trades(self, query: Query, *, archived: bool) -> Response:
        limit = query.limit(default=100, most=1000)
        moment = self._exchange.moment()
        least, most = query.integer("min_ts"), query.integer("max_ts")
        from_us = (least or 0) * 1_000_000
        to_us = moment.now_us if most is None else min(most * 1_000_000, moment.now_us)
        if archived:
            to_us = min(to_us, moment.cutoff_us - 1)
        else:
            from_us = max(from_us, moment.cutoff_us)
        rows = pl.DataFrame()
        if query.flag("is_block_trade") is not True:
            rows = self._tape.trades(query.text("ticker"), from_us, to_us, query.cursor(), limit)
        cursor = ""
        if rows.height > limit:
            last = rows.row(limit - 1, named=True)
            cursor = encode_cursor((last["created_us"], last["trade_id"]))
        bodies = ",".join(rows["json"].head(limit)) if rows.height else ""
        return _json(f'{{"trades":[{bodies}],"cursor":"{cursor}"}}')


class _Window:
    """The range of a candle request: Unix seconds, both ends inclusive."""

    def __init__(self, query: Query) -> None:
        self.start_ts = query.required_integer("start_ts")
        self.end_ts = query.required_integer("end_ts")
        self.minutes = query.required_integer("period_interval")
        self.with_synthetic = bool(query.flag("include_latest_before_start"))
        if self.minutes not in PERIODS:
            raise invalid_parameter(query.operation, "PeriodInterval", "oneof")
        if self.end_ts < self.start_ts:
            raise invalid_parameter(query.operation, "EndTs", "gtefield")

    @property
    def periods(self) -> float:
        """How many candles the range could hold."""
        return (self.end_ts - self.start_ts) / (60 * self.minutes)

    def check(self) -> None:
        """Refuse a range that could hold too many candles."""
        if self.periods > MOST_CANDLES:
            raise bad_request(
                f"requested time range with candlesticks: {self.periods:.6f}, "
                f"max candlesticks: {MOST_CANDLES}"
            )

    def cut_to(self, periods: int) -> None:
        """End the range after `periods` at the latest."""
        self.end_ts = min(self.end_ts, self.start_ts + periods * self.minutes * 60)


class _Tape:
    """Candles and trades as JSON, kept for the events asked for last."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._event_candles = lru_cache(maxsize=16)(self._write_candles)
        self._event_trades = lru_cache(maxsize=16)(self._write_trades)

    def candles(
        self, market: Market, window: _Window, moment: Moment, *, suffixed: bool = True
    ) -> str:
        """The market's candles that end within the window and have ended: JSON, comma separated."""
        last = min(window.end_ts, moment.now_us // 1_000_000)
        of_market = pl.col("market_ticker") == market.ticker
        rows = self._event_candles(market.event_ticker, window.minutes, suffixed).filter(
            of_market & pl.col("end_ts").is_between(window.start_ts, last)
        )["json"]
        bodies = rows.to_list()
        if window.with_synthetic:
            bodies[:0] = self._before(market, min(window.start_ts, last), window.start_ts)
        return ",".join(bodies)

    def trades(
        self, ticker: str | None, from_us: int, to_us: int, after: list | None, limit: int
    ) -> pl.DataFrame:
        """Up to `limit` + 1 trades, newest first; of one market, or of all."""
        frames: list[pl.DataFrame] = []
        newest: list[int] = []
        for event_ticker, close_us in self._events_with(ticker, from_us, to_us):
            if len(newest) > limit and newest[limit] > close_us:
                break
            rows = self._event_trades(event_ticker).filter(
                pl.col("created_us").is_between(from_us, to_us)
            )
            if ticker is not None:
                rows = rows.filter(pl.col("market_ticker") == ticker)
            rows = _after(rows, after).head(limit + 1)
            frames.append(rows)
            newest = sorted(newest + rows["created_us"].to_list(), reverse=True)[: limit + 1]
        if not newest:
            return pl.DataFrame()
        together = pl.concat(frames)
        if len(frames) > 1:
            together = together.sort("created_us", "trade_id", descending=True)
        return together.head(limit + 1)

    def _events_with(self, ticker: str | None, from_us: int, to_us: int) -> list[tuple[str, int]]:
        """Events that may hold such trades with their closes, the last to close first."""
        if ticker is not None:
            market = self._archive.markets.get(ticker)
            return [(market.event_ticker, _us(market.close_time))] if market is not None else []
        spans = [
            (event, min(_us(m.open_time) for m in markets), max(_us(m.close_time) for m in markets))
            for event, markets in self._archive.event_markets.items()
        ]
        meeting = [(event, end) for event, start, end in spans if start <= to_us and end >= from_us]
        return sorted(meeting, key=lambda span: -span[1])

    def _before(self, market: Market, before_ts: int, at_ts: int) -> list[str]:
        """The synthetic candle at `at_ts`, if the market had a price before."""
        rows = (
            self._archive.candles(market.event_ticker)
            .filter((pl.col("market_ticker") == market.ticker) & (pl.col("end_ts") < before_ts))
            .select(pl.coalesce("price_close", "price_previous").alias("last"), "open_interest")
            .tail(1)
            .rows()
        )
        if not rows or rows[0][0] is None:
            return []
        return [synthetic_candle_json(at_ts, *rows[0])]

    def _write_candles(self, event_ticker: str, minutes: int, suffixed: bool) -> pl.DataFrame:
        candles = coarser_candles(self._archive.candles(event_ticker), minutes)
        return candles_json(candles, suffixed=suffixed)

    def _write_trades(self, event_ticker: str) -> pl.DataFrame:
        return trades_json(self._archive.trades(event_ticker))


def _us(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000_000)


def _after(rows: pl.DataFrame, place: list | None) -> pl.DataFrame:
    if place is None or len(place) != 2 or not isinstance(place[0], int):
        return rows
    created, trade_id = place[0], str(place[1])
    same = (pl.col("created_us") == created) & (pl.col("trade_id") < trade_id)
    return rows.filter((pl.col("created_us") < created) | same)


def _found(request: Request, moment: Moment, *, archived: bool) -> Market:
    market = moment.market(request.path_params["ticker"], archived=archived)
    if market is None:
        raise not_found()
    return market


def _market_body(ticker: str, rows: str) -> str:
    return f'{{"ticker":"{ticker}","candlesticks":[{rows}]}}'


def _json(body: str) -> Response:
    return Response(body, media_type="application/json")
