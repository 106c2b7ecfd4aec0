"""The terms of an event as they were known at an instant, from the versions of `market.events`.

Whoever reads `market.events` asks here, so that nothing of a later version (an early close, another
price grid) is known before it was said. Here: choosing a version. Not here: what makes one
(`exchange.versions`).
"""

from datetime import datetime

import numpy as np
import polars as pl

from kalshi_assets.instants import microseconds, microseconds_of
from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.brackets import Ladder
from kalshi_assets.ladder.legs import Leg
from kalshi_assets.units import Ints


def terms_at(events: pl.DataFrame, known_by: datetime | None = None) -> pl.DataFrame:
    """The terms known at an instant, a row per bracket; None: what the rules said at the open.

    Parameters
    ----------
    events
        `market.events` of one event, any number of versions.
    known_by
        Before the first version the first stands: its brackets are the event.
    """
    if _one_version(events):
        return events
    known_at = events["known_at"].to_physical()
    until = known_at.min() if known_by is None else microseconds_of(known_by)
    heard = known_at.filter(known_at <= until)
    return events.filter(known_at == (known_at.min() if heard.is_empty() else heard.max()))


def atoms_of(events: pl.DataFrame) -> Atoms:
    """The legs of an event in the order of their brackets; a `Ladder` where they are a partition.

    Parameters
    ----------
    events
        `market.events` of one event: the brackets are the same in every version.
    """
    columns = (latest_terms(events)[name] for name in ("bracket", "market_ticker", "lo", "hi"))
    rows = sorted(zip(*(column.to_list() for column in columns), strict=True))
    atoms = Atoms(tuple(Leg(market_ticker=ticker, lo=lo, hi=hi) for _, ticker, lo, hi in rows))
    tiled = len(atoms) > 1 and atoms.shape == "partition"
    return Ladder(atoms.legs) if tiled else atoms


def latest_terms(events: pl.DataFrame) -> pl.DataFrame:
    """The terms of the last version, a row per bracket: what to ask the exchange by."""
    if _one_version(events):
        return events
    known_at = events["known_at"].to_physical()
    return events.filter(known_at == known_at.max())


def trading_end(events: pl.DataFrame) -> datetime:
    """When trading ended or will: the last close; one set back in time counts when it was said."""
    latest = latest_terms(events)
    end: datetime = latest.select(pl.max_horizontal("close_time", "known_at").max()).item()
    return end


def versions(events: pl.DataFrame, minutes: Ints) -> list[tuple[slice, pl.DataFrame]]:
    """Every version by market, and the minutes that it is in force at, oldest first.

    Parameters
    ----------
    minutes
        Microseconds since the epoch, rising, shape (minutes,). The first version is in force from
        the first on.
    """
    ladder = events.sort("market_ticker")
    if _one_version(ladder):
        return [(slice(0, len(minutes)), ladder)]
    known_at = microseconds(ladder["known_at"])
    times = np.unique(known_at)
    starts = np.searchsorted(minutes, times)
    starts[0] = 0
    stops = [*starts[1:], len(minutes)]
    return [
        (slice(int(start), int(stop)), ladder.filter(known_at == at))
        for at, start, stop in zip(times, starts, stops, strict=True)
    ]


def _one_version(events: pl.DataFrame) -> bool:
    return events["market_ticker"].n_unique() == events.height
