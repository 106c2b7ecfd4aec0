"""Routes of the read side: orders, fills, positions, settlements, balance, books, status.

Here: selection, pages, the lag of reads behind cancels. Not here: JSON of an object
(`account_wire`), writes (`order_routes`).
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kalshi_assets.sandbox.archive import Market
from kalshi_assets.sandbox.exchange_errors import bad_request, invalid_parameter, not_found
from kalshi_assets.sandbox.exchange_params import Query, page
from kalshi_assets.sandbox.exchange_state import instant
from kalshi_assets.sandbox.exchange_wire import rfc3339
from kalshi_assets.sandbox.faults import OWN
from kalshi_assets.sandbox.venue.account import Position
from kalshi_assets.sandbox.venue.account_wire import (
    event_position_json,
    fill_json,
    order_json,
    position_json,
    settlement_json,
)
from kalshi_assets.sandbox.venue.events import Event, OrderChanged
from kalshi_assets.sandbox.venue.levels import Book
from kalshi_assets.sandbox.venue.numbers import (
    MICRO_A_CC,
    MICRO_A_DOLLAR,
    count_text,
    price_text,
)
from kalshi_assets.sandbox.venue.order_entry import OrderEntry
from kalshi_assets.sandbox.venue.venue import Venue
from kalshi_assets.units import CC_A_DOLLAR, SECOND_US

STATUSES = ("resting", "canceled", "executed")
MOST_BOOKS = 100


class OrderReads:
    """Orders as reads show them: a cancel is seen only `lag_s` real seconds later."""

    def __init__(self, venue: Venue, *, lag_s: float, monotonic: Callable[[], float]) -> None:
        self._lag_s = lag_s
        self._monotonic = monotonic
        self._present = {o.order_id: order_json(o) for o in venue.orders.values()}
        self._before: dict[str, tuple[float, dict[str, Any]]] = {}
        venue.listen(self._note)

    def order(self, order_id: str) -> dict[str, Any] | None:
        """One order; None if there is none."""
        late = self._before.get(order_id)
        if late is not None and self._monotonic() < late[0]:
            return late[1]
        return self._present.get(order_id)

    def _note(self, event: Event) -> None:
        if not isinstance(event, OrderChanged):
            return
        order = event.order
        before = self._present.get(order.order_id)
        if order.status == "canceled" and before is not None and before["status"] == "resting":
            self._before[order.order_id] = (self._monotonic() + self._lag_s, before)
        self._present[order.order_id] = order_json(order)


class PortfolioRoutes:
    """The routes that read account and books.

    Parameters
    ----------
    venue, entry, reads
        What they read.
    before
        Called first, to bring the venue to the present.
    wall_clock
        Unix seconds, for `updated_ts`.
    """

    def __init__(
        self,
        venue: Venue,
        entry: OrderEntry,
        reads: OrderReads,
        *,
        before: Callable[[], None],
        wall_clock: Callable[[], float],
    ) -> None:
        self._venue = venue
        self._entry = entry
        self._reads = reads
        self._before = before
        self._wall_clock = wall_clock

    def routes(self) -> list[Route]:
        """All routes below the API, in the order of matching."""
        return [
            Route("/exchange/status", self.status),
            Route("/exchange/user_data_timestamp", self.user_data_timestamp),
            Route("/portfolio/balance", self.balance),
            Route("/portfolio/orders", self.orders),
            Route("/portfolio/orders/queue_positions", self.queue_positions),
            Route("/portfolio/orders/{order_id}", self.order),
            Route("/portfolio/orders/{order_id}/queue_position", self.queue_position),
            Route("/portfolio/fills", self.fills),
            Route("/portfolio/positions", self.positions),
            Route("/portfolio/settlements", self.settlements),
            Route("/markets/orderbooks", self.order_books),
            Route("/markets/{ticker}/orderbook", self.order_book),
        ]

    def own_routes(self) -> list[Route]:
        """GET /sandbox/books: the exact amounts, and whether money is conserved."""
        return [Route(OWN + "books", self.books)]

    async def status(self, request: Request) -> JSONResponse:
        """GET /exchange/status."""
        self._before()
        body = {
            "exchange_active": True,
            "trading_active": self._venue.trading_active,
            "intra_exchange_transfers_active": True,
        }
        shard = {"exchange_index": 0, "description": "everything", **body}
        return JSONResponse(body | {"exchange_index_statuses": [shard]})

    async def user_data_timestamp(self, request: Request) -> JSONResponse:
        """GET /exchange/user_data_timestamp."""
        self._before()
        return JSONResponse({"as_of_time": rfc3339(instant(self._venue.now_us))})

    async def balance(self, request: Request) -> JSONResponse:
        """GET /portfolio/balance: what is available for trading."""
        self._before()
        free = self._venue.account.cash - self._locked()
        text = price_text(free // MICRO_A_CC)
        return JSONResponse(
            {
                "balance": free * 100 // MICRO_A_DOLLAR,
                "balance_breakdown": [{"balance": text, "exchange_index": 0}],
                "balance_dollars": text,
                "portfolio_value": self._worth() * 100 // MICRO_A_DOLLAR,
                "updated_ts": int(self._wall_clock()),
            }
        )

    async def books(self, request: Request) -> JSONResponse:
        """GET /sandbox/books; amounts in millionths of a dollar."""
        self._before()
        account = self._venue.account
        account.check_conservation()
        held = account.positions.values()
        return JSONResponse(
            {
                "now": rfc3339(instant(self._venue.now_us)),
                "initial_micro": account.initial,
                "cash_micro": account.cash,
                "locked_micro": self._locked(),
                "fees_micro": sum(p.fees for p in held),
                "cost_micro": sum(p.cost for p in held),
                "realized_micro": sum(p.realized for p in held),
                "resting_orders": len(self._venue.matching.resting()),
                "orders": len(self._venue.orders),
                "fills": len(self._venue.fills),
                "positions": {p.ticker: count_text(p.contracts) for p in held if p.contracts},
            }
        )

    async def orders(self, request: Request) -> JSONResponse:
        """GET /portfolio/orders, the newest first."""
        self._before()
        query = Query(request.query_params, "GetOrders")
        limit, status = query.limit(default=100, most=1000), query.text("status")
        if status is not None and status not in STATUSES:
            raise invalid_parameter("GetOrders", "Status", "oneof")
        events = query.words("event_ticker")
        window = _window(query)
        ticker = query.text("ticker")
        chosen = [
            o
            for o in reversed(self._venue.orders.values())
            if ticker in (None, o.ticker)
            and (events is None or self._market(o.ticker).event_ticker in events)
            and window(o.created_us)
        ]
        rows = [(o.number, self._reads.order(o.order_id)) for o in chosen]
        wanted = [(n, body) for n, body in rows if body and status in (None, body["status"])]
        cut, cursor = page(wanted, lambda row: (-row[0],), limit, query.cursor())
        return JSONResponse({"orders": [body for _, body in cut], "cursor": cursor})

    async def order(self, request: Request) -> JSONResponse:
        """GET /portfolio/orders/{order_id}."""
        self._before()
        body = self._reads.order(request.path_params["order_id"])
        if body is None:
            raise not_found()
        return JSONResponse({"order": body})

    async def queue_position(self, request: Request) -> JSONResponse:
        """GET /portfolio/orders/{order_id}/queue_position."""
        self._before()
        ahead = self._entry.queue_position(request.path_params["order_id"])
        return JSONResponse({"queue_position_fp": count_text(ahead)})

    async def queue_positions(self, request: Request) -> JSONResponse:
        """GET /portfolio/orders/queue_positions."""
        self._before()
        query = Query(request.query_params, "GetOrderQueuePositions")
        tickers, event = query.words("market_tickers"), query.text("event_ticker")
        if tickers is None and event is None:
            raise bad_request("need to specify market_tickers or event_ticker")
        rows = [
            {
                "order_id": o.order_id,
                "market_ticker": o.ticker,
                "queue_position_fp": count_text(self._entry.queue_position(o.order_id)),
            }
            for o in self._venue.matching.resting()
            if (tickers is None or o.ticker in tickers)
            and event in (None, self._market(o.ticker).event_ticker)
        ]
        return JSONResponse({"queue_positions": rows})

    async def fills(self, request: Request) -> JSONResponse:
        """GET /portfolio/fills, the newest first."""
        self._before()
        query = Query(request.query_params, "GetFills")
        limit, tickers = query.limit(default=100, most=1000), query.words("ticker")
        order_id = query.text("order_id")
        window = _window(query)
        chosen = [
            f
            for f in reversed(self._venue.fills)
            if (tickers is None or f.ticker in tickers)
            and order_id in (None, f.order_id)
            and window(f.at_us)
        ]
        cut, cursor = page(chosen, lambda f: (-f.number,), limit, query.cursor())
        return JSONResponse({"fills": [fill_json(f) for f in cut], "cursor": cursor})

    async def positions(self, request: Request) -> JSONResponse:
        """GET /portfolio/positions, by ticker."""
        self._before()
        query = Query(request.query_params, "GetPositions")
        limit = query.limit(default=100, most=1000)
        wanted = query.text("settlement_status") or "unsettled"
        if wanted not in ("unsettled", "settled", "all"):
            raise invalid_parameter("GetPositions", "SettlementStatus", "oneof")
        ticker, event = query.text("ticker"), query.text("event_ticker")
        counted = query.words("count_filter") or ()
        chosen = [
            p
            for p in sorted(self._venue.account.positions.values(), key=lambda p: p.ticker)
            if wanted in ("all", "settled" if p.settled else "unsettled")
            and ticker in (None, p.ticker)
            and event in (None, self._market(p.ticker).event_ticker)
            and (not counted or _counts(p, counted))
        ]
        cut, cursor = page(chosen, lambda p: (p.ticker,), limit, query.cursor())
        events: dict[str, list[Position]] = {}
        for position in cut:
            events.setdefault(self._market(position.ticker).event_ticker, []).append(position)
        return JSONResponse(
            {
                "cursor": cursor,
                "event_positions": [event_position_json(t, held) for t, held in events.items()],
                "market_positions": [position_json(p) for p in cut],
            }
        )

    async def settlements(self, request: Request) -> JSONResponse:
        """GET /portfolio/settlements, the newest first."""
        self._before()
        query = Query(request.query_params, "GetSettlements")
        limit = query.limit(default=100, most=1000)
        ticker, event = query.text("ticker"), query.text("event_ticker")
        window = _window(query)
        chosen = [
            s
            for s in self._venue.account.settlements
            if ticker in (None, s.ticker) and event in (None, s.event_ticker)
            if window(s.settled_us)
        ]
        chosen.sort(key=lambda s: (-s.settled_us, s.ticker))
        cut, cursor = page(chosen, lambda s: (-s.settled_us, s.ticker), limit, query.cursor())
        return JSONResponse({"settlements": [settlement_json(s) for s in cut], "cursor": cursor})

    async def order_book(self, request: Request) -> JSONResponse:
        """GET /markets/{ticker}/orderbook."""
        self._before()
        depth = Query(request.query_params, "GetMarketOrderbook").integer("depth") or 0
        if not 0 <= depth <= 100:
            raise invalid_parameter("GetMarketOrderbook", "Depth", "lte" if depth > 0 else "gte")
        ticker = request.path_params["ticker"]
        self._venue.known_market(ticker)
        return JSONResponse({"orderbook_fp": _book_json(self._venue.book(ticker), depth)})

    async def order_books(self, request: Request) -> JSONResponse:
        """GET /markets/orderbooks?tickers=A&tickers=B; unknown tickers are omitted."""
        self._before()
        tickers = request.query_params.getlist("tickers")
        if not tickers:
            raise invalid_parameter("GetMarketOrderbooks", "Tickers", "required")
        if len(tickers) > MOST_BOOKS:
            raise invalid_parameter("GetMarketOrderbooks", "Tickers", "max")
        rows = [
            {"ticker": t, "orderbook_fp": _book_json(self._venue.book(t), 0)}
            for t in tickers
            if self._venue.is_open_or_over(t)
        ]
        return JSONResponse({"orderbooks": rows})

    def _market(self, ticker: str) -> Market:
        return self._venue.archive.markets[ticker]

    def _locked(self) -> int:
        return self._venue.account.locked(self._venue.matching.resting())

    def _worth(self) -> int:
        """Value of the positions at the bids for what is held, micro."""
        total = 0
        for position in self._venue.account.positions.values():
            book = self._venue.book(position.ticker)
            bid, ask = book.best("bid"), book.best("ask")
            no_bid = 0 if ask is None else CC_A_DOLLAR - ask
            total += abs(position.contracts) * ((bid or 0) if position.contracts > 0 else no_bid)
        return total


def _book_json(book: Book, depth: int) -> dict[str, list[list[str]]]:
    bids = book.depth("bid")[-depth:]
    asks = [(CC_A_DOLLAR - price, size) for price, size in reversed(book.depth("ask"))][-depth:]
    return {
        name: [[price_text(price), count_text(size)] for price, size in levels]
        for name, levels in (("yes_dollars", bids), ("no_dollars", asks))
    }


def _window(query: Query) -> Callable[[int], bool]:
    """Whether an instant is within min_ts and max_ts, both inclusive."""
    least, most = query.integer("min_ts"), query.integer("max_ts")

    def within(at_us: int) -> bool:
        second = at_us // SECOND_US
        return (least is None or second >= least) and (most is None or second <= most)

    return within


def _counts(position: Position, names: tuple[str, ...]) -> bool:
    held = {"position": position.contracts, "total_traded": position.traded}
    return any(held.get(name, 0) for name in names)
