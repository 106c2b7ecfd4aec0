"""What reports prove about the day's maximum: its bounds, and the floor that may kill a bracket.

Here: which rows of `weather.observations` are temperatures, and how the proof grows row by row in
the order in which they became known, so that nothing later touches an earlier row. Not here:
joining to minutes (`asof`), brackets, or what is likely.
"""

from datetime import datetime, timedelta

import polars as pl

# From the exact integer the station keeps; a whole °C stands for two degrees, and may be a misread.
EXACT = ("tgroup", "max_6h", "max_so_far")
REPORTED = ("whole_c", "tgroup")
FILLED = "filled"


def temperatures(observations: pl.DataFrame) -> pl.DataFrame:
    """The rows that are temperatures: no copies of earlier reports, no maxima of windows."""
    return observations.filter((pl.col("kind") != FILLED) & pl.col("max_since").is_null())


def kind_shares(observations: pl.DataFrame) -> dict[str, float]:
    """Share of every kind among the rows, the most frequent first.

    A station whose feed is mostly interpolated or copied proves little.
    """
    counts = observations["kind"].value_counts(sort=True, name="n")
    return {kind: round(n / observations.height, 4) for kind, n in counts.iter_rows()}


def of_climate_day(observations: pl.DataFrame, climate_start: datetime) -> pl.DataFrame:
    """The rows that say something about one climate day, copies of earlier reports left out.

    A maximum counts only if its whole window lies in the day: the six-hour group that is sent just
    after midnight mostly tells of the day before.
    """
    end = climate_start + timedelta(days=1)
    inside = pl.col("event_time").is_between(climate_start, end, closed="left")
    window_inside = pl.col("max_since").is_null() | (pl.col("max_since") >= climate_start)
    return observations.filter(inside & window_inside & (pl.col("kind") != FILLED))


def evidence_floor() -> pl.Expr:
    """The least that the day's maximum can be, by evidence that may kill brackets.

    A bracket is dead once this exceeds its greatest whole degree. Evidence is

    - an exact product: a T-group, a six-hour group, a maximum so far;
    - two reports one after the other, whole °C or better: both their intervals must reach it. One
      report of whole °C alone kills nothing, and an interpolated value never does.

    Reports follow each other in the order in which they became known; a late one pairs with the
    report known just before it. Source: methods, section 5, zeros.

    Returns
    -------
    pl.Expr
        Over ``kind``, ``lo_f`` and ``max_since`` of `of_climate_day`, sorted by ``known_at``
        and ``event_time``: null before the first evidence, and never falling.
    """
    low = pl.col("lo_f")
    exact = pl.when(pl.col("kind").is_in(EXACT)).then(low)
    reported = pl.when(pl.col("kind").is_in(REPORTED) & pl.col("max_since").is_null()).then(low)
    before = reported.forward_fill().shift(1)
    both = reported.is_not_null() & before.is_not_null()
    pair = pl.when(both).then(pl.min_horizontal(reported, before))
    return pl.max_horizontal(exact, pair).cum_max().forward_fill()
