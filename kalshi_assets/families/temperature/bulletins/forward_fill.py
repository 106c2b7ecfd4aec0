"""Copies of earlier reports that a provider serves in place of missing ones (forward fill).

A provider with five-minute rows and hourly data repeats the last value. Taken for reports, the
copies would mean that the temperature did not change. Here: detecting copies. Not here: which rows
belong to the station (`timeline`), the interval of a report.
"""

from datetime import timedelta

import polars as pl

# A copy repeats everything; except on calm nights, a real report differs at least in the wind.
COPIED = ("temp_f", "dew_f", "wind_mph")
COPIED_OR_MISSING = ("wind_deg",)
FIRST_COPY = 3
# Rows further apart are separate reports of a station that reports less often.
LONGEST_STEP = timedelta(minutes=10)


def is_copy() -> pl.Expr:
    """Which rows are copies: the third and later rows of a run of equal rows.

    Rows are equal if temperature, dew point and wind are known and equal (the wind direction may be
    missing in both); without dew point or wind in the data, no row is a copy. A run ends at the
    first different row, such as an exact report among rounded ones, and at a gap of more than ten
    minutes. The first two rows of a run are kept, because they cannot be distinguished from reports
    when they are read; no later row changes the status of an earlier one. Source: methods, section
    1.5. Rows must be sorted by ``event_time``.
    """
    equal = [pl.col(name) == pl.col(name).shift() for name in COPIED]
    equal += [pl.col(name).eq_missing(pl.col(name).shift()) for name in COPIED_OR_MISSING]
    close = pl.col("event_time").diff() <= LONGEST_STEP
    goes_on = pl.all_horizontal(*equal, close).fill_null(value=False)
    row = pl.int_range(pl.len())
    first_of_run = pl.when(~goes_on).then(row).forward_fill()
    return row - first_of_run >= FIRST_COPY - 1
