"""The expected event, from the registry of its family, before any request.

The exchange's responses are checked against it: names, day and settlement place. Here: the value.
Not here: any registry (`families`).
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
    """One expected event.

    Attributes
    ----------
    key
        The ladder and its day.
    tickers
        Every name that the event may have, the one valid on its day first.
    series
        Every name of its series, the present one first.
    day_start, day_end
        The day that the settlement value refers to, UTC; the end is exclusive.
    grid
        The possible settlement values.
    read_legs
        The leg of each market, and where it was read (`tables.EVENTS`, bracket_from), from all
        markets of the event. Raises `ContractError` if a market cannot be read.
    shape
        Required shape of the legs.
    authorities
        Sources that settle the event, by precedence: the exchange, then sources of the family.
    publishers
        Publishers that rules may name, each with the pattern of its name.
    place
        Where the settlement value is measured, such as a weather station.
    read_place
        Where the rules of a market name the place, from its ticker and text (None: no text). Raises
        `contract.StationChangedError` if they name another.
    regular_closes
        Every instant at which trading ends unless the close is moved.
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
