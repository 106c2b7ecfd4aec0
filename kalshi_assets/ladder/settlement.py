"""Which bracket pays, by every source that says so, and whose word counts."""

from datetime import date
from typing import Literal

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
    of_exchange = pl.col("source") == "exchange"
    return settlements.filter(
        (of_exchange & pl.col("status").is_in(FINAL_OF_EXCHANGE))
        | (~of_exchange & (pl.col("status") == FINAL_OF_PUBLISHER))
    )


def winning_brackets(settlements: pl.DataFrame, events: pl.DataFrame) -> dict[str, list[int]]:
    """Positions of the brackets that each source's final word says pay."""
    value = pl.col("tmax_f")
    inside = (pl.col("lo_f").is_null() | (value >= pl.col("lo_f"))) & (
        pl.col("hi_f").is_null() | (value <= pl.col("hi_f"))
    )
    said = final(settlements)
    paid = (
        said.join(events.select("market_ticker", "bracket", "lo_f", "hi_f"), how="cross")
        .filter(
            pl.when(pl.col("winning_market").is_not_null())
            .then(pl.col("winning_market") == pl.col("market_ticker"))
            .otherwise(inside)
        )
        .group_by("source")
        .agg(pl.col("bracket").unique().sort())
    )
    found = dict(paid.iter_rows())
    return {source: found.get(source, []) for source in said["source"].unique().sort()}


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
