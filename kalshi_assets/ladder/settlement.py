"""Which bracket pays, by every source that says so, and whose word counts."""

from datetime import date
from typing import Any, Literal

import polars as pl

Source = Literal["exchange", "weather_company", "climate_report", "climate_bulletin"]

# Events of this climate day and later name The Weather Company, earlier ones the Daily Climate
# Report of the National Weather Service.
WEATHER_COMPANY_FROM = date(2026, 8, 14)
FINAL_OF_EXCHANGE = ("determined", "finalized")
FINAL_OF_PUBLISHER = "official"


def precedence(day: date) -> tuple[Source, ...]:
    """Whose word settles events of climate day `day`, the first that has spoken.

    The exchange pays; the authority that its rules name stands in where its result is not known.
    Since the rules name The Weather Company, the climate report only checks it.
    """
    if day >= WEATHER_COMPANY_FROM:
        return ("exchange", "weather_company")
    return ("exchange", "climate_report", "climate_bulletin")


def final(settlements: pl.DataFrame) -> pl.DataFrame:
    """The rows that are final in their source's eyes; preliminary and revised ones are not."""
    kept = [_is_final(*said) for said in _rows(settlements, "source", "status")]
    return settlements if all(kept) else settlements.filter(pl.Series(kept))


def winning_brackets(settlements: pl.DataFrame, events: pl.DataFrame) -> dict[str, list[int]]:
    """Positions of the brackets that each source's final word says pay."""
    brackets = _rows(events, "market_ticker", "bracket", "lo_f", "hi_f")
    paid: dict[str, set[int]] = {}
    for source, status, tmax_f, winner in _rows(
        settlements, "source", "status", "tmax_f", "winning_market"
    ):
        if _is_final(source, status):
            paid.setdefault(source, set()).update(
                bracket
                for ticker, bracket, lo_f, hi_f in brackets
                if (_inside(tmax_f, lo_f, hi_f) if winner is None else winner == ticker)
            )
    return {source: sorted(paid[source]) for source in sorted(paid)}


def settled_by(settlements: pl.DataFrame, events: pl.DataFrame) -> tuple[Source, int] | None:
    """The source that settles the event and the position of the bracket that pays.

    None where no source has said its final word yet; see `precedence`.

    Raises
    ------
    ValueError
        The source's value pays no bracket, or more than one.
    """
    winners = winning_brackets(settlements, events)
    if not winners:
        return None
    # A climate day begins at 04:00 to 10:00 UTC of its own date.
    for source in precedence(events["climate_start"][0].date()):
        if source in winners:
            if len(winners[source]) != 1:
                raise ValueError(f"{source} pays brackets {winners[source]}; exactly one must pay")
            return source, winners[source][0]
    return None


def _rows(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    # A handful of rows, asked for many times a day: a query costs more than all of them.
    return list(zip(*(frame[name].to_list() for name in columns), strict=True))


def _is_final(source: str, status: str) -> bool:
    return status in FINAL_OF_EXCHANGE if source == "exchange" else status == FINAL_OF_PUBLISHER


def _inside(value: int | None, lo: int | None, hi: int | None) -> bool:
    return value is not None and (lo is None or value >= lo) and (hi is None or value <= hi)
