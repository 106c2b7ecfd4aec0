"""Routes for series, events, markets and order books.

Here: the routes of both tiers and their filters. Not here: candles and trades (`tape_routes`).
"""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kalshi_assets.sandbox.archive import Market
from kalshi_assets.sandbox.exchange_errors import bad_request, coded, invalid_parameter, not_found
from kalshi_assets.sandbox.exchange_params import Query, page
from kalshi_assets.sandbox.exchange_state import (
    SETTLEMENT_LAG,
    Exchange,
    Moment,
    event_key,
    market_key,
)
from kalshi_assets.sandbox.exchange_wire import CATEGORY, event_json, market_json, series_json

STATUS_OF_FILTER = {
    "unopened": "initialized",
    "open": "active",
    "paused": "inactive",
    "closed": "closed",
    "settled": "finalized",
}
STATUSES_OF_TIME_FILTER: dict[str, set[str | None]] = {
    "created": {None, "unopened", "open"},
    "close": {None, "closed"},
    "settled": {None, "settled"},
    "updated": {None},
}
MOST_BOOKS = 100
NO_BOOK: dict[str, list] = {"yes_dollars": [], "no_dollars": []}


class MarketRoutes:
    """The routes for what is traded."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def routes(self) -> list[Route]:
        """All routes, in the order of matching."""
        return [
            Route("/series", self.series_list),
            Route("/series/fee_changes", self.series_fee_changes),
            Route("/series/{series_ticker}", self.series),
            Route("/events", self.events),
            Route("/events/fee_changes", self.event_fee_changes),
            Route("/events/{event_ticker}", self.event),
            Route("/markets", self.markets),
            Route("/markets/orderbooks", self.orderbooks),
            Route("/markets/{ticker}", self.market),
            Route("/markets/{ticker}/orderbook", self.orderbook),
            Route("/historical/markets", self.historical_markets),
            Route("/historical/markets/{ticker}", self.historical_market),
        ]

    def series_list(self, request: Request) -> JSONResponse:
        """GET /series; not paginated."""
        query = Query(request.query_params, "GetSeriesList")
        if query.text("category") not in (None, CATEGORY) or query.words("tags"):
            return JSONResponse({"series": []})
        return JSONResponse(
            {"series": [series_json(t, day) for t, day in self._last_days().items()]}
        )

    def series(self, request: Request) -> JSONResponse:
        """GET /series/{series_ticker}."""
        ticker = request.path_params["series_ticker"]
        last_days = self._last_days()
        if ticker not in last_days:
            raise not_found()
        return JSONResponse({"series": series_json(ticker, last_days[ticker])})

    def series_fee_changes(self, request: Request) -> JSONResponse:
        """GET /series/fee_changes: the recordings have none."""
        Query(request.query_params, "GetSeriesFeeChanges").flag("show_historical")
        return JSONResponse({"series_fee_change_arr": []})

    def event_fee_changes(self, request: Request) -> JSONResponse:
        """GET /events/fee_changes: the recordings have none."""
        Query(request.query_params, "GetEventFeeChanges").limit(default=100, most=1000)
        return JSONResponse({"event_fee_changes": [], "cursor": ""})

    def events(self, request: Request) -> JSONResponse:
        """GET /events."""
        query = Query(request.query_params, "GetEvents")
        limit = query.limit(default=200, most=200)
        status, tickers = _status(query), query.words("tickers")
        series, min_close = query.text("series_ticker"), query.integer("min_close_ts")
        nested = query.flag("with_nested_markets")
        moment = self._exchange.moment()
        chosen = [
            markets
            for markets in moment.events()
            if (series is None or markets[0].series_ticker == series)
            and (tickers is None or markets[0].event_ticker in tickers)
            and (min_close is None or any(_ts(m.close_time) >= min_close for m in markets))
            and (status is None or any(_has_status(moment, m, status) for m in markets))
        ]
        rows, cursor = page(chosen, event_key, limit, query.cursor())
        events = [_event(markets, moment, nested=bool(nested)) for markets in rows]
        return JSONResponse({"events": events, "cursor": cursor})

    def event(self, request: Request) -> JSONResponse:
        """GET /events/{event_ticker}."""
        query = Query(request.query_params, "GetEvent")
        nested = bool(query.flag("with_nested_markets"))
        moment = self._exchange.moment()
        markets = moment.event(request.path_params["event_ticker"])
        if markets is None:
            raise not_found()
        live = [] if nested else [market_json(m, moment) for m in _live(markets, moment)]
        return JSONResponse({"event": _event(markets, moment, nested=nested), "markets": live})

    def markets(self, request: Request) -> JSONResponse:
        """GET /markets, the live tier."""
        query = Query(request.query_params, "GetMarkets")
        limit = query.limit(default=100, most=1000)
        status = _status(query)
        window = _time_window(query, status)
        moment = self._exchange.moment()
        chosen = [
            m
            for m in _selected(moment, query, archived=False)
            if (status is None or _has_status(moment, m, status)) and _within(m, window)
        ]
        return _market_page(chosen, moment, limit, query)

    def market(self, request: Request) -> JSONResponse:
        """GET /markets/{ticker}, the live tier."""
        moment = self._exchange.moment()
        market = moment.requested(request, archived=False)
        return JSONResponse({"market": market_json(market, moment)})

    def orderbook(self, request: Request) -> JSONResponse:
        """GET /markets/{ticker}/orderbook: empty, since the recordings have no sizes."""
        depth = Query(request.query_params, "GetMarketOrderbook").integer("depth")
        if depth is not None and not 0 <= depth <= 100:
            raise invalid_parameter("GetMarketOrderbook", "Depth", "lte" if depth > 0 else "gte")
        self._exchange.moment().requested(request, archived=False)
        return JSONResponse({"orderbook_fp": NO_BOOK})

    def orderbooks(self, request: Request) -> JSONResponse:
        """GET /markets/orderbooks?tickers=A&tickers=B; unknown tickers are omitted."""
        tickers = request.query_params.getlist("tickers")
        if not tickers:
            raise invalid_parameter("GetMarketOrderbooks", "Tickers", "required")
        if len(tickers) > MOST_BOOKS:
            raise invalid_parameter("GetMarketOrderbooks", "Tickers", "max")
        moment = self._exchange.moment()
        books = [
            {"ticker": t, "orderbook_fp": NO_BOOK}
            for t in tickers
            if moment.market(t, archived=False) is not None
        ]
        return JSONResponse({"orderbooks": books})

    def historical_markets(self, request: Request) -> JSONResponse:
        """GET /historical/markets: one filter, no dates."""
        query = Query(request.query_params, "GetHistoricalMarkets")
        limit = query.limit(default=100, most=1000)
        given = [n for n in ("tickers", "event_ticker", "series_ticker") if query.text(n)]
        if len(given) > 1:
            raise bad_request(f"{' and '.join(given)} are mutually exclusive")
        moment = self._exchange.moment()
        chosen = _selected(moment, query, archived=True)
        return _market_page(chosen, moment, limit, query)

    def historical_market(self, request: Request) -> JSONResponse:
        """GET /historical/markets/{ticker}."""
        moment = self._exchange.moment()
        market = moment.requested(request, archived=True)
        return JSONResponse({"market": market_json(market, moment)})

    def _last_days(self) -> dict:
        days: dict = {}
        for markets in self._exchange.moment().events():
            days.setdefault(markets[0].series_ticker, markets[0].event_date)
        return dict(sorted(days.items()))


def _market_page(chosen: list[Market], moment: Moment, limit: int, query: Query) -> JSONResponse:
    rows, cursor = page(chosen, market_key, limit, query.cursor())
    return JSONResponse({"markets": [market_json(m, moment) for m in rows], "cursor": cursor})


def _event(markets: tuple[Market, ...], moment: Moment, *, nested: bool) -> dict:
    body = event_json(markets)
    live = _live(markets, moment)
    if nested and live:
        body["markets"] = [market_json(m, moment) for m in live]
    return body


def _live(markets: tuple[Market, ...], moment: Moment) -> list[Market]:
    return [m for m in markets if moment.is_visible(m) and not moment.is_archived(m)]


def _selected(moment: Moment, query: Query, *, archived: bool) -> list[Market]:
    """The markets of one tier that pass the ticker filters and `mve_filter`."""
    multivariate = query.text("mve_filter")
    if multivariate not in (None, "only", "exclude"):
        raise invalid_parameter(query.operation, "MveFilter", "oneof")
    if multivariate == "only":
        return []
    event, series = query.text("event_ticker"), query.text("series_ticker")
    tickers = query.words("tickers")
    return [
        m
        for m in moment.markets(archived=archived, event_ticker=event)
        if (series is None or m.series_ticker == series)
        and (tickers is None or m.ticker in tickers)
    ]


def _status(query: Query) -> str | None:
    status = query.text("status")
    if status is not None and status not in STATUS_OF_FILTER:
        raise coded(400, "bad_request", "invalid status filter")
    return status


def _has_status(moment: Moment, market: Market, status: str) -> bool:
    return moment.is_visible(market) and moment.status(market) == STATUS_OF_FILTER[status]


def _time_window(query: Query, status: str | None) -> dict[str, tuple[int | None, int | None]]:
    """The bounds (from, to) by the name of the time filter; at most one is set."""
    bounds = {
        family: (
            query.integer(f"min_{family}_ts"),
            None if family == "updated" else query.integer(f"max_{family}_ts"),
        )
        for family in STATUSES_OF_TIME_FILTER
    }
    used = [family for family, values in bounds.items() if any(v is not None for v in values)]
    if len(used) > 1:
        raise bad_request("timestamp filters are mutually exclusive: " + ", ".join(used))
    for family in used:
        if status not in STATUSES_OF_TIME_FILTER[family]:
            raise bad_request(f"{family} timestamp filters cannot be used with status {status}")
    if "updated" in used:
        _check_updated_alone(query)
    return {family: bounds[family] for family in used}


def _check_updated_alone(query: Query) -> None:
    given = [n for n in ("tickers", "event_ticker") if query.text(n)]
    if given:
        raise bad_request(f"min_updated_ts cannot be used with {' and '.join(given)}")
    if query.text("series_ticker") and query.text("mve_filter") != "exclude":
        raise bad_request("min_updated_ts with series_ticker needs mve_filter=exclude")


def _within(market: Market, window: dict[str, tuple[int | None, int | None]]) -> bool:
    """Created means the open time, settled and updated the close time plus `SETTLEMENT_LAG`."""
    settled = market.close_time + SETTLEMENT_LAG
    instants = {
        "created": market.open_time,
        "close": market.close_time,
        "settled": settled,
        "updated": settled,
    }
    return all(
        (least is None or _ts(instants[family]) >= least)
        and (most is None or _ts(instants[family]) <= most)
        for family, (least, most) in window.items()
    )


def _ts(instant: datetime) -> int:
    return int(instant.timestamp())
