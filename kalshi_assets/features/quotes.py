"""Best bid and ask per bracket and minute: from candles where there are any, else from trades.

A trade that lifted the offer shows the ask; one that hit the bid shows the bid. Such quotes are
marked `inferred`. Every fact enters by its `known_at`.
"""

from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.features.facts import latest, minutes_entered
from kalshi_assets.instants import age_s, microseconds, times_at, values_at
from kalshi_assets.ladder.grid import Grid
from kalshi_assets.units import CC_A_DOLLAR, Array, Ints

NO_BID, NO_ASK = 0, CC_A_DOLLAR
SOURCES = ("none", "inferred", "recorded")


@dataclass(frozen=True, kw_only=True)
class Quotes:
    """Quotes of every bracket and minute.

    Attributes
    ----------
    bid, ask
        Whole cc; NaN: none.
    source
        Position in `SOURCES`.
    age_s
        Time since the quote was confirmed, the older of two sides; NaN: no quote.
    known_at
        When the quote became known, microseconds since the epoch; `NEVER`: no quote.
    """

    bid: Array
    ask: Array
    source: NDArray[np.int64]
    age_s: Array
    known_at: Ints


def quotes_as_of(grid: Grid, candles: pl.DataFrame, tape: pl.DataFrame) -> Quotes:
    """Quotes known at every bracket and minute.

    Parameters
    ----------
    grid
        Markets and minutes.
    candles, tape
        `facts.candles_of` and `facts.tape_of`; either may be empty.
    """
    recorded, inferred = _recorded(grid, candles), _inferred(grid, tape)
    stands = recorded.source > 0
    either = {
        each.name: np.where(stands, getattr(recorded, each.name), getattr(inferred, each.name))
        for each in fields(Quotes)
    }
    return Quotes(**either)


def _recorded(grid: Grid, candles: pl.DataFrame) -> Quotes:
    """The exchange's quotes; both sides of a candle are valid until the next."""
    known_at = microseconds(candles["known_at"])
    at = latest(grid, candles["market"].to_numpy(), minutes_entered(grid, known_at))
    bid, ask = (candles[f"yes_{side}_close_cc"].to_numpy() for side in ("bid", "ask"))
    return Quotes(
        bid=values_at(at, np.where(bid > NO_BID, bid, np.nan)),
        ask=values_at(at, np.where(ask < NO_ASK, ask, np.nan)),
        source=np.where(at >= 0, SOURCES.index("recorded"), 0),
        age_s=age_s(grid.minutes, times_at(at, microseconds(candles["event_time"]))),
        known_at=times_at(at, known_at),
    )


def _inferred(grid: Grid, tape: pl.DataFrame) -> Quotes:
    """Quotes that trades imply; the older side of a crossed pair is no longer valid."""
    lifts = (tape["taker_side"] == "yes").to_numpy()
    bid, bid_time, bid_known_at = _shown(grid, tape, ~lifts)
    ask, ask_time, ask_known_at = _shown(grid, tape, lifts)
    crossed = bid >= ask
    older = bid_time <= ask_time  # at the same instant one of them must be dropped
    bid, ask = np.where(crossed & older, np.nan, bid), np.where(crossed & ~older, np.nan, ask)
    age = np.fmax(
        np.where(np.isnan(bid), np.nan, age_s(grid.minutes, bid_time)),
        np.where(np.isnan(ask), np.nan, age_s(grid.minutes, ask_time)),
    )
    return Quotes(
        bid=bid,
        ask=ask,
        source=np.where(np.isnan(age), 0, SOURCES.index("inferred")),
        age_s=age,
        known_at=np.maximum(bid_known_at, ask_known_at),
    )


def _shown(grid: Grid, tape: pl.DataFrame, shows: NDArray[np.bool_]) -> tuple[Array, Ints, Ints]:
    """Price, time and `known_at` of the latest trade that shows one side of the book."""
    known_at = microseconds(tape["known_at"])[shows]
    at = latest(grid, tape["market"].to_numpy()[shows], minutes_entered(grid, known_at))
    return (
        values_at(at, tape["yes_price_cc"].to_numpy()[shows].astype(np.float64)),
        times_at(at, microseconds(tape["event_time"])[shows]),
        times_at(at, known_at),
    )
