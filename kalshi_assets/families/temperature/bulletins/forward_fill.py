"""Copies that a provider shows in place of reports that never came.

A provider that asks for a value every five minutes and has one an hour repeats the last one. Taken
for reports, the copies would say that the temperature stood still. Here: which rows are copies.
Not here: which rows are of the station at all (`timeline`), or what a report can stand for.
"""

from datetime import timedelta

import polars as pl

# A copy repeats everything; a real report differs in the wind at least, but on calm nights.
COPIED = ("temp_f", "dew_f", "wind_mph")
COPIED_OR_MISSING = ("wind_deg",)
FIRST_COPY = 3
# Rows further apart are reports of their own, at a station that reports so seldom.
LONGEST_STEP = timedelta(minutes=10)


def is_copy() -> pl.Expr:
    """Which rows are copies of an earlier one: the third and later of a run of equal rows.

    Equal are temperature, dew point and wind, all of them known (the wind's direction may be
    missing in both); where dew point or wind were not asked for, nothing is a copy. A run ends with
    the first row that differs, as an exact report between rounded ones does, and at a gap of more
    than ten minutes. The first two rows of a run stand, since nothing tells them from reports when
    they are read; so no later row decides about an earlier one. Source: methods, section 1.5.

    Returns
    -------
    pl.Expr
        Boolean, over rows sorted by ``event_time`` with the columns `COPIED` and
        `COPIED_OR_MISSING`.
    """
    equal = [pl.col(name) == pl.col(name).shift() for name in COPIED]
    equal += [pl.col(name).eq_missing(pl.col(name).shift()) for name in COPIED_OR_MISSING]
    close = pl.col("event_time").diff() <= LONGEST_STEP
    goes_on = pl.all_horizontal(*equal, close).fill_null(value=False)
    row = pl.int_range(pl.len())
    first_of_run = pl.when(~goes_on).then(row).forward_fill()
    return row - first_of_run >= FIRST_COPY - 1
