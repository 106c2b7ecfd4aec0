"""An event as the registry of its family knows it, before the exchange is asked.

The exchange's answers are held against it: names, day and settlement place.
Here: the value. Not here: any registry (`families`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kalshi_assets.exchange.wire import Market
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.atoms import Shape
from kalshi_assets.ladder.legs import Leg, ValueGrid


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
    grid
        The numbers that can settle.
    read_legs
        Which numbers each market pays on, and where that was read (`tables.EVENTS`, bracket_from),
        from all markets of the event. Raises `ContractError` where a market cannot be read.
    shape
        What the legs are together; another shape is an error.
    authorities
        Whose word settles, the first that has spoken: the exchange, then sources of the family.
    publishers
        Publishers that rules may name, each with the words that name it.
    place
        Where the number is taken, such as a weather station.
    read_place
        Where the rules of a market name the place, from its ticker and text (None: no text). Raises
        `contract.StationChangedError` where they name another.
    regular_closes
        Every instant at which trading ends when nothing moves it.
    """

    key: LadderDay
    tickers: tuple[str, ...]
    series: tuple[str, ...]
    day_start: datetime
    day_end: datetime
    grid: ValueGrid
    read_legs: Callable[[Sequence[Market]], tuple[list[Leg], dict[str, str]]]
    shape: Shape
    authorities: tuple[str, ...]
    publishers: tuple[tuple[str, re.Pattern[str]], ...] = ()
    place: str
    read_place: Callable[[str, str | None], str]
    regular_closes: frozenset[datetime]
