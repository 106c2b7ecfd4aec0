"""The event contract: one value per event, with everything that its markets share.

Here: the value and its table form. Not here: reading it from the exchange's responses
(contract_reading) and anything that changes while the event trades.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from kalshi_assets.exchange.wire import TickRange
from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.legs import ValueGrid
from kalshi_assets.ladder.terms import atoms_of, latest_terms
from kalshi_assets.tables import EVENTS
from kalshi_assets.units import CC_A_DOLLAR

LINEAR_CENT = (TickRange(start=0, end=CC_A_DOLLAR, step=100),)


class ContractError(ValueError):
    """The exchange's responses do not describe one event; the message says what disagrees."""


class StationChangedError(ContractError):
    """The rules name another settlement station than the registry."""


@dataclass(frozen=True, kw_only=True)
class MarketTerms:
    """Terms of one market that may differ from the others'.

    Attributes
    ----------
    label
        The exchange's label, such as "84° to 85°".
    strike_type, floor_strike, cap_strike
        As stated; empty and None if not stated.
    bracket_from
        Where the bounds of the leg were read; see `tables.EVENTS`.
    rules_sha256
        SHA-256 of the rules text; None: no text.
    tick_grid, tick_grid_from
        Allowed prices; "market": as stated, "default": whole cents, since none were stated.
    fee_waiver_until
        Fees are zero before it, as stated by the market itself; a series would state today's
        waiver, without its start. None: no waiver.
    raw_sha256
        Content hash of the response with the market.
    """

    market_ticker: str
    label: str
    strike_type: str
    floor_strike: str | None
    cap_strike: str | None
    bracket_from: str
    rules_sha256: str | None
    tick_grid: tuple[TickRange, ...]
    tick_grid_from: str
    fee_waiver_until: dt.datetime | None
    raw_sha256: str


@dataclass(frozen=True, kw_only=True)
class EventContract:
    """One event: its day, its ladder and its terms. `markets` is in ladder order.

    Attributes
    ----------
    ladder
        The legs; a `Ladder` where they are a partition.
    grid
        The possible settlement values.
    day_start, day_end
        The day that the settlement value refers to, UTC; the end is exclusive.
    authorities
        Sources that settle the event, by precedence.
    place
        Where the settlement value is measured; for a temperature, the station's ICAO identifier.
    *_from
        Where the value was read; see `tables.EVENTS`.
    """

    key: LadderDay
    series_ticker: str
    event_ticker: str
    ladder: Atoms
    grid: ValueGrid
    markets: tuple[MarketTerms, ...]
    open_time: dt.datetime
    close_time: dt.datetime
    day_start: dt.datetime
    day_end: dt.datetime
    authorities: tuple[str, ...]
    place: str
    place_from: str
    settlement_source: str
    settlement_source_from: str
    fee_type: str
    fee_multiplier: float
    fee_from: str

    @property
    def market_tickers(self) -> tuple[str, ...]:
        """Tickers of the markets, in ladder order."""
        return tuple(terms.market_ticker for terms in self.markets)

    def terms(self, market_ticker: str) -> MarketTerms:
        """The terms of one market.

        Raises
        ------
        KeyError
            Not a market of the event; lists those that are.
        """
        for terms in self.markets:
            if terms.market_ticker == market_ticker:
                return terms
        raise KeyError(
            f"{market_ticker} is no market of {self.event_ticker}: {', '.join(self.market_tickers)}"
        )

    def round_to_tick(
        self, price_cc: int, side: Literal["bid", "ask"], market_ticker: str | None = None
    ) -> int:
        """The nearest price on the grid that is no worse for us: bids down, asks up.

        A result of 0 or 10,000 is not a price of orders and means that there is none.

        Parameters
        ----------
        price_cc
            1/10,000 dollar of YES, 0 to 10,000.
        side
            Side of the order.
        market_ticker
            The market with the grid; None: all markets of the event share one.
        """
        if market_ticker is not None:
            return round_to_tick(self.terms(market_ticker).tick_grid, price_cc, side)
        grids = {terms.tick_grid for terms in self.markets}
        if len(grids) > 1:
            raise ContractError(
                f"the markets of {self.event_ticker} have {len(grids)} price grids: name one market"
            )
        return round_to_tick(grids.pop(), price_cc, side)

    def to_frame(
        self,
        *,
        known_at: dt.datetime | None = None,
        known_at_from: str = "after_the_fact",
        close_time_from: str = "read",
    ) -> pl.DataFrame:
        """The contract as one version of `tables.EVENTS`; see `versions`.

        Parameters
        ----------
        known_at
            None: the open.
        known_at_from, close_time_from
            See `tables.EVENTS`.
        """
        same = {name: getattr(self, name) for name in _SHARED_COLUMNS}
        same |= {
            "unit": self.grid.unit,
            "scale": self.grid.scale,
            "authorities": list(self.authorities),
            "event_time": self.open_time,
            "known_at": self.open_time if known_at is None else known_at,
            "known_at_from": known_at_from,
            "close_time_from": close_time_from,
        }
        rows = [
            same
            | {
                "market_ticker": terms.market_ticker,
                "bracket": position,
                "label": terms.label,
                "strike_type": terms.strike_type,
                "floor_strike": terms.floor_strike,
                "cap_strike": terms.cap_strike,
                "lo": leg.lo,
                "hi": leg.hi,
                "bracket_from": terms.bracket_from,
                "rules_sha256": terms.rules_sha256,
                "tick_grid": _grid_text(terms.tick_grid),
                "tick_grid_from": terms.tick_grid_from,
                "fee_waiver_until": terms.fee_waiver_until,
                "raw_sha256": terms.raw_sha256,
            }
            for position, (terms, leg) in enumerate(
                zip(self.markets, self.ladder.legs, strict=True)
            )
        ]
        return EVENTS.conform(pl.DataFrame(rows, schema=EVENTS.dtypes, orient="row"))

    @classmethod
    def from_frame(cls, key: LadderDay, frame: pl.DataFrame) -> "EventContract":
        """The contract of the last version in `frame`.

        Parameters
        ----------
        key
            Ladder and day of the event.
        frame
            `market.events` of the event.

        Raises
        ------
        ContractError
            The frame has no rows, or rows of several events.
        """
        rows = latest_terms(frame).sort("bracket").to_dicts()
        if not rows:
            raise ContractError(f"no event of {key} in the frame: ingest it first")
        for name in _SHARED_COLUMNS:
            if len({row[name] for row in rows}) > 1:
                raise ContractError(f"the event rows of {key} disagree on {name}")
        terms = tuple(
            MarketTerms(
                **{name: row[name] for name in _OWN_COLUMNS},
                tick_grid=tick_ranges(row["tick_grid"]),
            )
            for row in rows
        )
        return cls(
            key=key,
            ladder=atoms_of(frame),
            grid=ValueGrid(rows[0]["unit"], rows[0]["scale"]),
            authorities=tuple(rows[0]["authorities"]),
            markets=terms,
            **{name: rows[0][name] for name in _SHARED_COLUMNS},
        )


_SHARED_COLUMNS = (
    "series_ticker",
    "event_ticker",
    "open_time",
    "close_time",
    "day_start",
    "day_end",
    "place",
    "place_from",
    "settlement_source",
    "settlement_source_from",
    "fee_type",
    "fee_multiplier",
    "fee_from",
)
_OWN_COLUMNS = (
    "market_ticker",
    "label",
    "strike_type",
    "floor_strike",
    "cap_strike",
    "bracket_from",
    "rules_sha256",
    "tick_grid_from",
    "fee_waiver_until",
    "raw_sha256",
)


def round_to_tick(grid: Sequence[TickRange], price_cc: int, side: Literal["bid", "ask"]) -> int:
    """The nearest price on `grid` that is no worse for us: bids down, asks up.

    Parameters
    ----------
    grid
        Ranges in rising order that cover 0 to 10,000.
    price_cc
        1/10,000 dollar of YES, 0 to 10,000.
    side
        Side of the order.
    """
    if not 0 <= price_cc <= CC_A_DOLLAR:
        raise ValueError(f"price {price_cc} cc is not within 0 and {CC_A_DOLLAR}")
    for ticks in grid:
        if ticks.start <= price_cc <= ticks.end:
            down = ticks.start + (price_cc - ticks.start) // ticks.step * ticks.step
            if side == "bid" or down == price_cc:
                return down
            return min(down + ticks.step, ticks.end)
    raise ContractError(f"price {price_cc} cc lies outside the price grid {_grid_text(grid)}")


def _grid_text(grid: Sequence[TickRange]) -> str:
    return json.dumps([[ticks.start, ticks.end, ticks.step] for ticks in grid])


def tick_ranges(text: str) -> tuple[TickRange, ...]:
    """The price grid of `market.events`, tick_grid."""
    return tuple(TickRange(start=s, end=e, step=d) for s, e, d in json.loads(text))
