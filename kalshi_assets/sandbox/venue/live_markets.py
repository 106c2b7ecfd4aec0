"""The present state of the venue's markets, for the routes that list markets.

Here: the last published quotes. Not here: books (`levels`). Those routes run in threads, so only
immutable values are read.
"""

from kalshi_assets.sandbox.archive import Market
from kalshi_assets.sandbox.exchange_state import EMPTY_ASK, EMPTY_BID, Summary
from kalshi_assets.sandbox.venue.events import Event, Top
from kalshi_assets.sandbox.venue.numbers import A_CONTRACT
from kalshi_assets.sandbox.venue.venue import Venue


class LiveMarkets:
    """What a venue published last of each market."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._tops = {t: venue.matching.top(traded) for t, traded in venue.markets.items()}
        venue.listen(self._note)

    def summary(self, market: Market) -> Summary | None:
        """Quotes and totals; None if the market is not traded, or nothing happened in it."""
        traded, top = self._venue.markets.get(market.ticker), self._tops.get(market.ticker)
        if traded is None or top is None or traded.status not in ("active", "inactive"):
            return None
        return Summary(
            yes_bid=EMPTY_BID if top.bid_cc is None else top.bid_cc,
            yes_ask=EMPTY_ASK if top.ask_cc is None else top.ask_cc,
            last_price=top.last_cc,
            volume=top.volume / A_CONTRACT,
            volume_24h=None,
            open_interest=top.open_interest / A_CONTRACT,
            yes_bid_size=top.bid_size / A_CONTRACT,
            yes_ask_size=top.ask_size / A_CONTRACT,
        )

    def is_inactive(self, ticker: str) -> bool:
        """Whether a market is paused."""
        traded = self._venue.markets.get(ticker)
        return traded is not None and traded.status == "inactive"

    def _note(self, event: Event) -> None:
        if isinstance(event, Top):
            self._tops[event.ticker] = event
