"""The state of the exchange at one instant, derived from the recordings.

Here: visible markets, their status, tier, quotes and volume as of `now`, without any later data.
Not here: the wire format and the routes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Protocol

import polars as pl
from starlette.requests import Request

from kalshi_assets.sandbox.archive import Archive, Market
from kalshi_assets.sandbox.exchange_errors import not_found

SETTLEMENT_LAG = timedelta(hours=12)
"""Assumed time from close to settlement; the recordings have no settlement time."""

USUAL_CUTOFF = datetime(2025, 5, 3, tzinfo=UTC)

EMPTY_BID, EMPTY_ASK = 0, 10_000


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A market's last state, prices in 1/10,000 dollar; None: not recorded."""

    yes_bid: int
    yes_ask: int
    last_price: int | None
    volume: float | None
    volume_24h: float | None
    open_interest: float | None
    yes_bid_size: float = 0.0
    yes_ask_size: float = 0.0


class Live(Protocol):
    """A venue where markets move between the recorded instants."""

    def summary(self, market: Market) -> Summary | None:
        """A market's present state; None if the venue does not trade it."""

    def is_inactive(self, ticker: str) -> bool:
        """Whether a market is paused."""


class Moment:
    """The exchange at `now`; nothing later is shown.

    Markets settled and trades made before `cutoff` are in the historical tier.
    """

    def __init__(self, exchange: "Exchange", now: datetime) -> None:
        self._exchange = exchange
        self.now = now
        self.cutoff = min(exchange.cutoff, now)
        self._summaries: dict[str, dict[str, Summary]] = {}

    def is_visible(self, market: Market) -> bool:
        """Whether the market has opened."""
        return market.open_time <= self.now

    def is_archived(self, market: Market) -> bool:
        """Whether the market is in the historical tier."""
        return market.close_time + SETTLEMENT_LAG < self.cutoff

    def is_settled(self, market: Market) -> bool:
        """Whether the exchange has published the result."""
        return bool(market.result) and market.close_time + SETTLEMENT_LAG <= self.now

    def status(self, market: Market) -> str:
        """The market's status on the wire."""
        if market.close_time > self.now:
            live = self._exchange.live
            paused = live is not None and live.is_inactive(market.ticker)
            return "inactive" if paused else "active"
        return "finalized" if self.is_settled(market) else "closed"

    def markets(self, *, archived: bool, event_ticker: str | None = None) -> list[Market]:
        """The markets of one tier, of one event or all events, newest first, then by ticker."""
        markets = self._exchange.newest_first
        if event_ticker is not None:
            of_event = self._exchange.archive.event_markets.get(event_ticker, ())
            markets = sorted(of_event, key=market_key)
        return [m for m in markets if self.is_visible(m) and self.is_archived(m) is archived]

    def market(self, ticker: str, *, archived: bool) -> Market | None:
        """One visible market of one tier; None if there is no such market."""
        market = self._exchange.archive.markets.get(ticker)
        if market is None or not self.is_visible(market):
            return None
        return market if self.is_archived(market) is archived else None

    def requested(self, request: Request, *, archived: bool) -> Market:
        """The market named in the request's path.

        Raises
        ------
        WireError
            404: there is no such market in the tier.
        """
        market = self.market(request.path_params["ticker"], archived=archived)
        if market is None:
            raise not_found()
        return market

    def events(self) -> list[tuple[Market, ...]]:
        """The events with a visible market, newest first; both tiers."""
        return [
            markets
            for markets in self._exchange.events_newest_first
            if any(self.is_visible(m) for m in markets)
        ]

    def event(self, event_ticker: str) -> tuple[Market, ...] | None:
        """The visible markets of an event, both tiers; None if there are none."""
        markets = self._exchange.archive.event_markets.get(event_ticker, ())
        return tuple(m for m in markets if self.is_visible(m)) or None

    def summary(self, market: Market) -> Summary:
        """The market's last quote, price and volume."""
        live = self._exchange.live
        present = live.summary(market) if live is not None else None
        recorded = self._recorded_summary(market)
        return recorded if present is None else replace(present, volume_24h=recorded.volume_24h)

    def _recorded_summary(self, market: Market) -> Summary:
        event_ticker = market.event_ticker
        if self.now - market.close_time >= timedelta(days=1):
            return self._exchange.final_summaries(event_ticker)[market.ticker]
        if event_ticker not in self._summaries:
            archive = self._exchange.archive
            self._summaries[event_ticker] = _summaries(archive, event_ticker, self.now)
        return self._summaries[event_ticker][market.ticker]


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """The archive's markets in order, as long as it has the mapping `source`."""

    source: Mapping[str, Market]
    markets: list[Market]
    events: list[tuple[Market, ...]]


class Exchange:
    """The recordings, a clock, and the cutoff between the tiers (default: `default_cutoff`)."""

    def __init__(
        self, archive: Archive, *, clock: Callable[[], datetime], cutoff: datetime | None = None
    ) -> None:
        self.archive = archive
        self.clock = clock
        self.cutoff = cutoff if cutoff is not None else default_cutoff(archive)
        self.live: Live | None = None
        self._listing = self._listed()
        end = datetime.max.replace(tzinfo=UTC)
        self.final_summaries = lru_cache(maxsize=4096)(
            lambda event: _summaries(archive, event, end)
        )

    @property
    def newest_first(self) -> list[Market]:
        """All markets, the newest first."""
        return self._present().markets

    @property
    def events_newest_first(self) -> list[tuple[Market, ...]]:
        """The markets of all events, the newest event first."""
        return self._present().events

    def _present(self) -> "_Listing":
        if self._listing.source is not self.archive.markets:
            self._listing = self._listed()
        return self._listing

    def _listed(self) -> "_Listing":
        markets = self.archive.markets
        return _Listing(
            source=markets,
            markets=sorted(markets.values(), key=market_key),
            events=sorted(self.archive.event_markets.values(), key=event_key),
        )

    def moment(self) -> Moment:
        """The exchange at the present of the clock."""
        return Moment(self, self.clock())


def market_key(market: Market) -> tuple[int, str]:
    """Sort key: newest market first, then by ticker."""
    return -int(market.open_time.timestamp()), market.ticker


def event_key(markets: tuple[Market, ...]) -> tuple[int, str]:
    """Sort key: newest event first, then by ticker."""
    return -markets[0].event_date.toordinal(), markets[0].event_ticker


def default_cutoff(archive: Archive) -> datetime:
    """2025-05-03T00:00Z if within the recordings, else their middle: neither tier is empty."""
    first, last = archive.first_day, archive.last_day
    if first < USUAL_CUTOFF.date() < last:
        return USUAL_CUTOFF
    middle = first + (last - first) / 2
    return datetime.combine(middle, time(), tzinfo=UTC)


def unix_us(instant: datetime) -> int:
    """Unix microseconds."""
    return int(instant.timestamp() * 1_000_000)


def instant(us: int) -> datetime:
    """The instant of Unix microseconds."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def _summaries(archive: Archive, event_ticker: str, now: datetime) -> dict[str, Summary]:
    markets = archive.event_markets[event_ticker]
    now_us = unix_us(now)
    tape = archive.trades(event_ticker)
    traded = tape.filter(pl.col("created_us") <= now_us)
    day_before = now_us - 86_400_000_000
    volumes = _by_market(
        traded.group_by("market_ticker").agg(
            pl.col("yes_price").first().alias("last"),
            pl.col("count").sum().alias("volume"),
            pl.col("count").filter(pl.col("created_us") > day_before).sum().alias("volume_24h"),
        )
    )
    candles = archive.candles(event_ticker)
    seen = candles.filter(pl.col("end_ts") <= now_us // 1_000_000)
    quotes = _by_market(
        seen.group_by("market_ticker").agg(
            pl.col("yes_bid_close", "yes_ask_close").last(),
            pl.coalesce("price_close", "price_previous").last().alias("last"),
            pl.col("volume").sum(),
            pl.col("volume").filter(pl.col("end_ts") > day_before // 1_000_000).sum().alias("day"),
            pl.col("open_interest").last(),
        )
    )
    none_traded = {"last": None, "volume": 0.0, "volume_24h": 0.0} if tape.height else {}
    return {
        m.ticker: _summary(m, now, volumes.get(m.ticker, none_traded), quotes.get(m.ticker, {}))
        for m in markets
    }


def _summary(market: Market, now: datetime, traded: dict, quoted: dict) -> Summary:
    closed = market.close_time <= now
    return Summary(
        yes_bid=EMPTY_BID if closed else quoted.get("yes_bid_close", EMPTY_BID),
        yes_ask=EMPTY_ASK if closed else quoted.get("yes_ask_close", EMPTY_ASK),
        last_price=_first(traded.get("last"), quoted.get("last")),
        volume=_first(
            traded.get("volume"), market.volume if closed else None, quoted.get("volume")
        ),
        volume_24h=_first(traded.get("volume_24h"), quoted.get("day")),
        open_interest=_first(market.open_interest if closed else None, quoted.get("open_interest")),
    )


def _first(*values: Any) -> Any:
    return next((v for v in values if v is not None), None)


def _by_market(frame: pl.DataFrame) -> dict[str, dict]:
    return {row["market_ticker"]: row for row in frame.iter_rows(named=True)}
