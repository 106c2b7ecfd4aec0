"""Versions of an event's terms: what the exchange said when, and what its rules said at the open.

An event is read again and again, also after it settled, and its close and its price grid may have
moved by then. Here: what a reading adds to the versions that are stored. Not here: reading
(`ingest`), or choosing a version (`ladder.terms`).

- The first version holds from the open on. Nobody may have recorded it: a reading of the time of
  trading or later tells what the rules said at the open only as far as such a reading cannot differ
  from it. A close that is none of the regular ones was moved; the regular end stands in. A grid
  other than whole cents may be of later; whole cents stand in.
- What a later reading says differently is a version of its own, known from the reading on, but at
  the latest from the close, as trading ended there or went on.
- What was read while the event was open stays for ever. What was read afterwards is replaced by the
  next reading, which says the same and perhaps better.
"""

from dataclasses import replace
from datetime import datetime

import polars as pl

from kalshi_assets.exchange.contract import LINEAR_CENT, EventContract
from kalshi_assets.ladder.terms import latest_terms
from kalshi_assets.tables import EVENTS

_NO_TERMS = ("event_time", "known_at", "raw_sha256")


def with_reading(
    stored: pl.DataFrame | None,
    contract: EventContract,
    read_at: datetime,
    regular_closes: frozenset[datetime],
) -> pl.DataFrame:
    """The versions of an event after one more reading.

    Parameters
    ----------
    stored
        `market.events` of the event as it is stored; None: nothing is.
    contract
        As read.
    read_at
        When.
    regular_closes
        Every instant at which trading of the event ends when nothing moves it.

    Returns
    -------
    DataFrame
        `tables.EVENTS`.
    """
    if read_at <= contract.open_time:
        return contract.to_frame(known_at_from="recorded")
    kept = EVENTS.empty() if stored is None else stored
    kept = kept.filter(pl.col("known_at_from") != "after_the_fact")
    if kept.is_empty():
        kept = _at_open(contract, read_at, regular_closes)
    return _told(kept, contract, read_at)


def _at_open(
    contract: EventContract, read_at: datetime, regular_closes: frozenset[datetime]
) -> pl.DataFrame:
    """What the rules said at the open, as far as a later reading can tell."""
    regular = contract.close_time in regular_closes
    markets = tuple(
        terms
        if terms.tick_grid == LINEAR_CENT
        else replace(terms, tick_grid=LINEAR_CENT, tick_grid_from="default")
        for terms in contract.markets
    )
    close = contract.close_time if regular else contract.day_end
    return replace(contract, close_time=close, markets=markets).to_frame(
        known_at_from="assumed" if read_at < contract.close_time else "after_the_fact",
        close_time_from="read" if regular else "regular",
    )


def _told(versions: pl.DataFrame, contract: EventContract, read_at: datetime) -> pl.DataFrame:
    """The versions, and one more where the reading differs from the last of them."""
    last = latest_terms(versions)
    since: datetime = last["known_at"][0]
    # A reading from before the last version tells nothing new.
    if read_at <= since or _terms(last).equals(_terms(contract.to_frame())):
        return versions
    closes = (last["close_time"][0], contract.close_time)
    known_at = min(at for at in (read_at, *closes) if at > since)
    told = contract.to_frame(
        known_at=known_at, known_at_from="recorded" if known_at == read_at else "after_the_fact"
    )
    return EVENTS.conform(pl.concat([versions, told]))


def _terms(events: pl.DataFrame) -> pl.DataFrame:
    """What is agreed, without where and when it was read."""
    provenance = [name for name in events.columns if name.endswith("_from")]
    return events.drop(*_NO_TERMS, *provenance)
