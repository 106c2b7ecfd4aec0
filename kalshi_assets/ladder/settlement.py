"""Which bracket pays, by every source that says so."""

from typing import Literal

import polars as pl

# The exchange pays; the official report stands in where its result was not recorded.
Source = Literal["exchange", "climate_report"]
PRECEDENCE: tuple[Source, ...] = ("exchange", "climate_report")


def winning_brackets(settlements: pl.DataFrame, events: pl.DataFrame) -> dict[str, list[int]]:
    """Positions of the brackets that each source says pay."""
    value = pl.col("tmax_f")
    inside = (pl.col("lo_f").is_null() | (value >= pl.col("lo_f"))) & (
        pl.col("hi_f").is_null() | (value <= pl.col("hi_f"))
    )
    paid = (
        settlements.join(events.select("market_ticker", "bracket", "lo_f", "hi_f"), how="cross")
        .filter(
            pl.when(pl.col("winning_market").is_not_null())
            .then(pl.col("winning_market") == pl.col("market_ticker"))
            .otherwise(inside)
        )
        .group_by("source")
        .agg(pl.col("bracket").sort())
    )
    found = dict(paid.iter_rows())
    return {source: found.get(source, []) for source in settlements["source"].sort()}


def settled_by(settlements: pl.DataFrame, events: pl.DataFrame) -> tuple[Source, int] | None:
    """The source that settles the event and the position of the bracket that pays.

    None where no source is known yet. The exchange's word counts; without it the official
    report's.

    Raises
    ------
    ValueError
        The source's value pays no bracket, or more than one.
    """
    winners = winning_brackets(settlements, events)
    for source in PRECEDENCE:
        if source in winners:
            if len(winners[source]) != 1:
                raise ValueError(f"{source} pays brackets {winners[source]}; exactly one must pay")
            return source, winners[source][0]
    return None
