"""Routes for candles and trades.

Here: the routes of both tiers, their limits and ranges. Not here: the JSON of a row
(`exchange_wire`).
"""

from functools import lru_cache

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kalshi_assets.sandbox.archive import Archive, Market
from kalshi_assets.sandbox.exchange_errors import bad_request, invalid_parameter, not_found
from kalshi_assets.sandbox.exchange_params import Query, encode_cursor
from kalshi_assets.sandbox.exchange_state import Exchange, Moment, unix_us
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
    """The routes for candles and trades."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._tape = _Tape(exchange.archive)

    def routes(self) -> list[Route]:
        """All routes, in the order of matching."""
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
        return self._candles(request, "GetMarketCandlesticks", archived=False)

    def historical_candles(self, request: Request) -> Response:
        """GET /historical/markets/{ticker}/candlesticks: keys without suffix."""
        return self._candles(request, "GetMarketCandlesticksHistorical", archived=True)

    def _candles(self, request: Request, operation: str, *, archived: bool) -> Response:
        window = _Window(Query(request.query_params, operation))
        if window.periods > MOST_CANDLES:
            raise bad_request(
                f"requested time range with candlesticks: {window.periods:.6f}, "
                f"max candlesticks: {MOST_CANDLES}"
            )
        window.with_synthetic &= not archived
        moment = self._exchange.moment()
        market = moment.requested(request, archived=archived)
        rows = self._tape.candles(market, window, moment, suffixed=not archived)
        return _json(f'{{"ticker":"{market.ticker}","candlesticks":[{rows}]}}')

    def event_candles(self, request: Request) -> Response:
        """GET /series/{series_ticker}/events/{event_ticker}/candlesticks: parallel arrays.

        The range is cut so that all markets together stay within the limit; the response contains
        the end.
        """
        window = _Window(Query(request.query_params, "GetMarketCandlesticksByEvent"))
        moment = self._exchange.moment()
        markets = moment.event(request.path_params["event_ticker"])
        if markets is None:
            raise not_found()
        live = [m for m in markets if not moment.is_archived(m)]
        periods = MOST_CANDLES // max(len(live), 1)
        window.end_ts = min(window.end_ts, window.start_ts + periods * window.minutes * 60)
        tickers = ",".join(f'"{m.ticker}"' for m in live)
        rows = ",".join(f"[{self._tape.candles(m, window, moment)}]" for m in live)
        return _json(
            f'{{"market_tickers":[{tickers}],"market_candlesticks":[{rows}],'
            f'"adjusted_end_ts":{window.end_ts}}}'
        )

    def batch_candles(self, request: Request) -> Response:
        """GET /markets/candlesticks; unknown and archived tickers are omitted."""
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
        now_us, cutoff_us = unix_us(moment.now), unix_us(moment.cutoff)
        from_us = (least or 0) * 1_000_000
        to_us = now_us if most is None else min(most * 1_000_000, now_us)
        if archived:
            to_us = min(to_us, cutoff_us - 1)
        else:
            from_us = max(from_us, cutoff_us)
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
    """The time range of a candle request: Unix seconds, both ends inclusive."""

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
        """Greatest possible number of candles."""
        return (self.end_ts - self.start_ts) / (60 * self.minutes)


class _Tape:
    """Candles and trades as JSON, cached for the most recent events."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._event_candles = lru_cache(maxsize=16)(self._write_candles)
        self._event_trades = lru_cache(maxsize=16)(lambda event: trades_json(archive.trades(event)))

    def candles(
        self, market: Market, window: _Window, moment: Moment, *, suffixed: bool = True
    ) -> str:
        """The market's completed candles that end within the window, as comma-separated JSON."""
        last = min(window.end_ts, unix_us(moment.now) // 1_000_000)
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
        """Up to `limit` + 1 trades, newest first, of one market or all markets."""
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
        """Events that may have such trades and their close times, the latest first."""
        if ticker is not None:
            market = self._archive.markets.get(ticker)
            return [] if market is None else [(market.event_ticker, unix_us(market.close_time))]
        spans = [
            (
                event,
                min(unix_us(m.open_time) for m in markets),
                max(unix_us(m.close_time) for m in markets),
            )
            for event, markets in self._archive.event_markets.items()
        ]
        meeting = [(event, end) for event, start, end in spans if start <= to_us and end >= from_us]
        return sorted(meeting, key=lambda span: -span[1])

    def _before(self, market: Market, before_ts: int, at_ts: int) -> list[str]:
        """The synthetic candle at `at_ts`, if the market had a price before `before_ts`."""
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


def _after(rows: pl.DataFrame, place: list | None) -> pl.DataFrame:
    if place is None or len(place) != 2 or not isinstance(place[0], int):
        return rows
    created, trade_id = place[0], str(place[1])
    same = (pl.col("created_us") == created) & (pl.col("trade_id") < trade_id)
    return rows.filter((pl.col("created_us") < created) | same)


def _json(body: str) -> Response:
    return Response(body, media_type="application/json")
