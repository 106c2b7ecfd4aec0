"""Which bracket pays, by every source that says so, and whose word counts."""

from datetime import date, datetime
from typing import Any, Literal, NamedTuple

import polars as pl

Source = Literal["exchange", "weather_company", "climate_report", "climate_bulletin"]
SettledAs = Literal["bracket", "fair_price"]

# Events of this climate day and later name The Weather Company, earlier ones the Daily Climate
# Report of the National Weather Service.
WEATHER_COMPANY_FROM = date(2026, 8, 14)
FINAL_OF_EXCHANGE = ("determined", "finalized")
FINAL_OF_PUBLISHER = "official"
FAILED = "failed"


class FairPrice(NamedTuple):
    """The exchange's word that no bracket won and every one pays a price that it states.

    Attributes
    ----------
    payoffs_cc
        What a YES contract of each bracket pays, 1/10,000 dollar, coldest first.
    known_at
        When that could first be acted on.
    """

    payoffs_cc: tuple[int, ...]
    known_at: datetime

    def __str__(self) -> str:
        prices = ", ".join(f"{payoff / 10_000:.2f}" for payoff in self.payoffs_cc)
        return f"settled at a fair price ({prices}): no bracket won"


def precedence(day: date) -> tuple[Source, ...]:
    """Whose word settles events of climate day `day`, the first that has spoken.

    The exchange pays; the authority that its rules name stands in where its result is not known.
    Since the rules name The Weather Company, the climate report only checks it.
    """
    if day >= WEATHER_COMPANY_FROM:
        return ("exchange", "weather_company")
    return ("exchange", "climate_report", "climate_bulletin")


def final(settlements: pl.DataFrame) -> pl.DataFrame:
    """The rows that are final in their source's eyes; preliminary and revised ones are not.

    Of several issues of one source and status the first.
    """
    settlements = first_issues(settlements)
    kept = [_is_final(*said) for said in _rows(settlements, "source", "status")]
    return settlements if all(kept) else settlements.filter(pl.Series(kept))


def first_issues(settlements: pl.DataFrame) -> pl.DataFrame:
    """Of every source and status the row that was known first; what it issued later revises it."""
    first: dict[tuple[str, str], tuple[datetime, int]] = {}
    for row, (source, status, known_at) in enumerate(
        _rows(settlements, "source", "status", "known_at")
    ):
        first[source, status] = min(first.get((source, status), (known_at, row)), (known_at, row))
    if len(first) == settlements.height:
        return settlements
    return settlements[sorted(row for _, row in first.values())]


def fair_price(settlements: pl.DataFrame) -> FairPrice | None:
    """What the exchange paid where it settled at a fair price.

    None: it has not settled, or one bracket pays a dollar.
    """
    for source, status, payoffs, known_at in _rows(
        settlements, "source", "status", "payoffs_cc", "known_at"
    ):
        if source == "exchange" and payoffs is not None and _is_final(source, status):
            return FairPrice(tuple(payoffs), known_at)
    return None


def winning_brackets(settlements: pl.DataFrame, events: pl.DataFrame) -> dict[str, list[int]]:
    """Positions of the brackets that each source's final word says pay.

    The exchange is not among them where it settled at a fair price.
    """
    brackets = _rows(events, "market_ticker", "bracket", "lo_f", "hi_f")
    paid: dict[str, set[int]] = {}
    for source, status, tmax_f, winner, payoffs in _rows(
        first_issues(settlements), "source", "status", "tmax_f", "winning_market", "payoffs_cc"
    ):
        if _is_final(source, status) and payoffs is None:
            paid.setdefault(source, set()).update(
                bracket
                for ticker, bracket, lo_f, hi_f in brackets
                if (_inside(tmax_f, lo_f, hi_f) if winner is None else winner == ticker)
            )
    return {source: sorted(paid[source]) for source in sorted(paid)}


def settled_by(settlements: pl.DataFrame, events: pl.DataFrame) -> tuple[Source, int] | None:
    """The source that settles the event and the position of the bracket that pays.

    None where no source has said its final word yet, see `precedence`, or where the exchange said
    that no bracket won, see `fair_price`: its word goes before that of any publisher.

    Raises
    ------
    ValueError
        The source's value pays no bracket, or more than one.
    """
    winners = winning_brackets(settlements, events)
    if not winners or fair_price(settlements) is not None:
        return None
    # A climate day begins at 04:00 to 10:00 UTC of its own date.
    for source in precedence(events["climate_start"][0].date()):
        if source in winners:
            if len(winners[source]) != 1:
                raise ValueError(f"{source} pays brackets {winners[source]}; exactly one must pay")
            return source, winners[source][0]
    return None


def settled_as(settlements: pl.DataFrame, events: pl.DataFrame) -> SettledAs | None:
    """Whether one bracket pays or the exchange paid a fair price; None: not settled."""
    if fair_price(settlements) is not None:
        return "fair_price"
    return None if settled_by(settlements, events) is None else "bracket"


def _rows(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    # A handful of rows, asked for many times a day: a query costs more than all of them.
    return list(zip(*(frame[name].to_list() for name in columns), strict=True))


def _is_final(source: str, status: str) -> bool:
    return status in FINAL_OF_EXCHANGE if source == "exchange" else status == FINAL_OF_PUBLISHER


def _inside(value: int | None, lo: int | None, hi: int | None) -> bool:
    return value is not None and (lo is None or value >= lo) and (hi is None or value <= hi)
