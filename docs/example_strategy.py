"""A strategy of a user's own: buys brackets that are believed in more than they cost.

    kalshi-assets backtest --city new_york --start 2025-04-24 --end 2025-04-25 \\
        --strategy docs.example_strategy:Cheap

The engine asks it at every minute, under every fill model, and sizes, limits, sends and fills what
it wants. It keeps nothing between minutes: what it holds is in `now.position`.
"""

from collections.abc import Iterator

from kalshi_assets.trading.strategies import Minute, Quote

MIN_EDGE_CC = 300
MOST_CONTRACTS = 20


class Cheap:
    """Rests a bid at the best bid where that is at least three cents below the probability."""

    name = "cheap"

    def quotes(self, now: Minute) -> Iterator[Quote]:
        """The orders wanted at the minute."""
        for bracket, bid_cc in enumerate(now.bid_cc):
            if not now.allowed[bracket] or now.position[bracket] >= MOST_CONTRACTS:
                continue
            # Prices are in 1/10,000 dollar; a comparison with an unknown value, NaN, is false.
            edge_cc = 10_000 * now.p_used[bracket] - bid_cc
            if edge_cc >= MIN_EDGE_CC:
                yield Quote(bracket, "bid", round(bid_cc), edge_cents=edge_cc / 100)
