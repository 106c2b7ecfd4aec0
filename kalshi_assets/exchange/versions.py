"""Versions of an event's terms: what the exchange stated when, and what held at the open.

An event is read repeatedly, also after it settled, and its close and its price grid may have
changed by then. Here: what a reading adds to the stored versions. Not here: reading (`ingest`), or
selecting a version (`ladder.terms`).

- The first version is valid from the open. If it was not recorded, a later reading stands in, but
  only in what cannot have changed. A close that is not a regular one was moved and is replaced
  by the end of the day. A grid other than whole cents may be newer and is replaced by whole cents.
- A later reading that differs is a version of its own, known from the reading on, but at the latest
  from the close, since trading ended there or went on.
- A version that was read while the event was open is kept for ever. One that was read afterwards is
  replaced by the next reading.
"""

from dataclasses import replace
from datetime import datetime

import polars as pl

from kalshi_assets.exchange.contract import LINEAR_CENT, ContractError, EventContract
from kalshi_assets.ladder.terms import latest_terms
from kalshi_assets.tables import EVENTS

_NO_TERMS = ("event_time", "known_at", "raw_sha256")


def with_reading(
    stored: pl.DataFrame | None,
    contract: EventContract,
    read_at: datetime,
    regular_closes: frozenset[datetime],
) -> pl.DataFrame:
    """The versions of an event after one more reading: `tables.EVENTS`.

    Parameters
    ----------
    stored
        The stored `market.events` of the event; None: there is none.
    contract
        As read.
    read_at
        When it was read.
    regular_closes
        Every instant at which trading of the event ends unless the close is moved.
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
    """The terms at the open, as far as a later reading determines them."""
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
    """The versions, and one more if the reading differs from the last of them."""
    last = latest_terms(versions)
    since: datetime = last["known_at"][0]
    # A reading from before the last version adds nothing.
    if read_at <= since or _terms(last).equals(_terms(contract.to_frame())):
        return versions
    _check_legs(last, contract)
    closes = (last["close_time"][0], contract.close_time)
    known_at = min(at for at in (read_at, *closes) if at > since)
    told = contract.to_frame(
        known_at=known_at, known_at_from="recorded" if known_at == read_at else "after_the_fact"
    )
    return EVENTS.conform(pl.concat([versions, told]))


def _check_legs(last: pl.DataFrame, contract: EventContract) -> None:
    """What the markets pay on never changes: versions are joined by bracket."""
    legs = ("market_ticker", "bracket", "lo", "hi")
    before, now = (each.select(legs).sort("bracket") for each in (last, contract.to_frame()))
    if not before.equals(now):
        changed = [f"{row[0]} [{row[2]}, {row[3]}]" for row in set(before.rows()) ^ set(now.rows())]
        raise ContractError(
            f"{contract.event_ticker} has other legs than at an earlier reading: "
            f"{', '.join(sorted(changed))}; if the exchange corrected them, delete the event's "
            "market.events partition and materialize it again"
        )


def _terms(events: pl.DataFrame) -> pl.DataFrame:
    """The terms without provenance and times."""
    provenance = [name for name in events.columns if name.endswith("_from")]
    return events.drop(*_NO_TERMS, *provenance)
