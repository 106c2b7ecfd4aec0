"""An event as the registry of its family knows it, before the exchange is asked.

The exchange's answers are held against it: names, day and settlement place.
Here: the value. Not here: any registry (`families`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kalshi_assets.keys import LadderDay


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is expected of one event.

    Attributes
    ----------
    key
        The ladder and its day.
    tickers
        Every name that the event may have, the one of its time first.
    series
        Every name of its series, the present one first.
    day_start, day_end
        The day that the number is of, UTC; the end is exclusive.
    place
        Where the number is taken, such as a weather station.
    read_place
        Where the rules of a market name the place, from its ticker and text (None: no text). Raises
        `contract.StationChangedError` where they name another.
    regular_closes
        Every instant at which trading ends when nothing moves it.
    largest_strike
        No strike is further from zero.
    """

    key: LadderDay
    tickers: tuple[str, ...]
    series: tuple[str, ...]
    day_start: datetime
    day_end: datetime
    place: str
    read_place: Callable[[str, str | None], str]
    regular_closes: frozenset[datetime]
    largest_strike: int
