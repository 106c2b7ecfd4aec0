"""Legs from strikes alone, for families whose markets always state them.

Here: strikes to legs on a grid. Not here: what labels and rules say (the families' contracts), or a
leg's bounds from a strike type (`ladder.legs`).
"""

from collections.abc import Sequence

from kalshi_assets.exchange.wire import Market
from kalshi_assets.ladder.legs import Leg, ValueGrid, read_leg


def legs_by_strikes(markets: Sequence[Market], grid: ValueGrid) -> tuple[list[Leg], dict[str, str]]:
    """The legs of an event's markets, and by market their origin: strikes.

    Parameters
    ----------
    markets
        All markets of the event.
    grid
        The possible settlement values.

    Raises
    ------
    LadderError
        A market's strikes cannot be read; the message names it.
    """
    legs = [
        read_leg(m.ticker, m.strike_type, floor=m.floor_strike, cap=m.cap_strike, grid=grid)
        for m in markets
    ]
    return legs, {market.ticker: "strikes" for market in markets}
