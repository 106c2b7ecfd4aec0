"""Reading the event contract from the exchange's responses, with the origin of each part.

Here: the place and the publisher in the rules, the fee terms of the day. Not here: the legs of
markets (`listing`), requests (`ingest`), the contract's data types (`contract`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kalshi_assets.exchange.contract import LINEAR_CENT, ContractError, EventContract, MarketTerms
from kalshi_assets.exchange.errors import MalformedAnswerError
from kalshi_assets.exchange.listing import Listing
from kalshi_assets.exchange.wire import Market
from kalshi_assets.exchange.wire_account import fee_changes_of
from kalshi_assets.exchange.wire_values import Record
from kalshi_assets.ladder.brackets import ladder_of


def read_event_contract(
    listing: Listing,
    event_payload: Mapping[str, Any],
    markets: Sequence[Market],
    series_payload: Mapping[str, Any],
    fee_changes: Sequence[Mapping[str, Any]],
) -> EventContract:
    """Read an event's contract from the exchange's responses.

    Parameters
    ----------
    listing
        The expected event.
    event_payload, series_payload, fee_changes
        The objects in ``event``, ``series`` and ``series_fee_change_arr`` (with history).
    markets
        All markets of the event, any order.

    Raises
    ------
    ContractError
        Markets disagree, a bracket cannot be read, or the event is of another day or series.
    StationChangedError
        The rules name another place than the registry.
    LadderError
        The legs are not of the listing's shape: of a partition they leave a gap, overlap or lack a
        tail.
    MalformedAnswerError
        Fee terms are missing, a fee waiver is not an instant, or a strike is out of range.
    """
    event_ticker = _common(markets, "event_ticker", listing.tickers[0])
    stated = event_payload.get("event_ticker")
    if event_ticker not in listing.tickers or stated != event_ticker:
        raise ContractError(
            f"requested {' or '.join(listing.tickers)}, got event {stated} "
            f"with markets of {event_ticker}"
        )
    series_ticker = series_of_event(listing, event_payload)
    legs, legs_from = listing.read_legs(markets)
    ladder = ladder_of(legs, listing.shape)
    by_ticker = {market.ticker: market for market in markets}
    ordered = [by_ticker[leg.market_ticker] for leg in ladder.legs]
    open_time = _common(markets, "open_time", event_ticker)
    close_time = _common(markets, "close_time", event_ticker)
    if close_time <= open_time:
        raise ContractError(f"{event_ticker} closes at {close_time}, before it opens: {open_time}")
    source, source_from = _settlement_source(listing, event_payload, series_payload, ordered)
    fee_type, multiplier, fee_from = _fee_terms(
        event_payload, series_payload, fee_changes, open_time
    )
    return EventContract(
        key=listing.key,
        series_ticker=series_ticker,
        event_ticker=event_ticker,
        ladder=ladder,
        markets=tuple(_terms(market, legs_from[market.ticker]) for market in ordered),
        open_time=open_time,
        close_time=close_time,
        day_start=listing.day_start,
        day_end=listing.day_end,
        grid=listing.grid,
        authorities=listing.authorities,
        place=listing.place,
        place_from=_place_from(listing, ordered),
        settlement_source=source,
        settlement_source_from=source_from,
        fee_type=fee_type,
        fee_multiplier=multiplier,
        fee_from=fee_from,
    )


def series_of_event(listing: Listing, event_payload: Mapping[str, Any]) -> str:
    """The series named by the event, current or former; the current one if it names none.

    Parameters
    ----------
    listing
        The expected event.
    event_payload
        The object in ``event``.

    Raises
    ------
    ContractError
        The event names a series of another ladder.
    """
    event_ticker = event_payload.get("event_ticker")
    series = Record(event_payload, f"event {event_ticker}").maybe_text("series_ticker")
    if series is not None and series not in listing.series:
        raise ContractError(
            f"event {event_ticker} is of series {series}, the registry has "
            f"{', '.join(listing.series)} for {listing.key.ladder}"
        )
    return series or listing.series[0]


def _common(markets: Sequence[Market], name: str, event_ticker: str) -> Any:
    if not markets:
        raise ContractError(f"{event_ticker} has no markets")
    first = markets[0]
    for other in markets[1:]:
        if getattr(other, name) != getattr(first, name):
            raise ContractError(
                f"{first.ticker} and {other.ticker} disagree on {name}: "
                f"{getattr(first, name)} and {getattr(other, name)}"
            )
    return getattr(first, name)


def _terms(market: Market, bracket_from: str) -> MarketTerms:
    rules = market.rules_primary
    return MarketTerms(
        market_ticker=market.ticker,
        label=market.yes_sub_title,
        strike_type=market.strike_type or "",
        floor_strike=None if market.floor_strike is None else str(market.floor_strike),
        cap_strike=None if market.cap_strike is None else str(market.cap_strike),
        bracket_from=bracket_from,
        rules_sha256=None if rules is None else hashlib.sha256(rules.encode()).hexdigest(),
        tick_grid=market.price_ranges or LINEAR_CENT,
        tick_grid_from="market" if market.price_ranges else "default",
        fee_waiver_until=market.fee_waiver_expiration_time,
        raw_sha256=market.raw_sha256,
    )


def _place_from(listing: Listing, markets: Sequence[Market]) -> str:
    found = {listing.read_place(market.ticker, market.rules_primary) for market in markets}
    if len(found) > 1:
        raise ContractError(
            f"the rules of the markets of {markets[0].event_ticker} name the place in different "
            f"ways: {', '.join(sorted(found))}"
        )
    return found.pop()


def _settlement_source(
    listing: Listing,
    event: Mapping[str, Any],
    series: Mapping[str, Any],
    markets: Sequence[Market],
) -> tuple[str, str]:
    # The series' list comes last, because it is today's: the source changed on 2026-08-14.
    if names := _source_names(event):
        return names, "event"
    rules = " ".join(market.rules_primary or "" for market in markets)
    for publisher, pattern in listing.publishers:
        if pattern.search(rules):
            return publisher, "rules"
    if names := _source_names(series):
        return names, "series"
    return "unknown", "unknown"


def _source_names(payload: Mapping[str, Any]) -> str:
    sources = payload.get("settlement_sources")
    if not isinstance(sources, list):
        return ""
    return ", ".join(
        s["name"] for s in sources if isinstance(s, dict) and isinstance(s.get("name"), str)
    )


def _fee_terms(
    event: Mapping[str, Any],
    series: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]],
    open_time: datetime,
) -> tuple[str, float, str]:
    effective = [c for c in fee_changes_of(changes) if c.scheduled_ts <= open_time]
    if effective:
        latest = max(effective, key=lambda change: change.scheduled_ts)
        fee_type, multiplier, origin = latest.fee_type, latest.fee_multiplier, "fee_changes"
    else:
        terms = Record(series, f"series {series.get('ticker', '')}".rstrip())
        fee_type, multiplier = terms.text("fee_type"), terms.number("fee_multiplier")
        origin = "series"
    override = Record(event, f"event {event.get('event_ticker', '')}".rstrip())
    own_type = override.maybe_text("fee_type_override")
    own_multiplier = override.maybe_number("fee_multiplier_override")
    if own_type is not None or own_multiplier is not None:
        origin = "event"
        fee_type = own_type if own_type is not None else fee_type
        multiplier = own_multiplier if own_multiplier is not None else multiplier
    if multiplier < 0:
        raise MalformedAnswerError(
            f"{multiplier} is negative", record=f"terms of {origin}", field="fee_multiplier"
        )
    return fee_type, multiplier, origin
