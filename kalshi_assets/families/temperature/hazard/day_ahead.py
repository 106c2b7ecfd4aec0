"""The day-ahead distribution by guidance, before a report is known.

It is the only PMF for a station with forecasts but without reports during the day. It is used until
10:00 standard time; later, anyone who observes the station knows more. Its status is ``day_ahead``
instead of ``ok``, so it is not pooled: there is no evidence that it adds to the market. On five
recorded days of Chicago, pooled at the prior weight, it had a mean log loss of 2.4 against the
market's .6, and the engine sent a hundred orders a day because of it.

Here: the times at which it is used. Not here: the fit (`fit.emos`).
"""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.families.temperature.fit.parameters import HazardParameters

SPEAKS_UNTIL = timedelta(hours=10)
SILENT = ("not_yet", "no_observations")


def day_ahead(
    asof: pl.DataFrame,
    parameters: HazardParameters,
    upper: NDArray[np.float64],
    start: datetime,
) -> pl.DataFrame:
    """The day-ahead PMF at the times at which a forecast but no report is known.

    Parameters
    ----------
    asof
        `weather_as_of` at the evaluation times.
    upper
        Highest whole degree of every bracket except the last.
    start
        Start of the climate day, UTC.

    Returns
    -------
    DataFrame
        Columns minute, status, method, baseline, p_wx.
    """
    line = parameters.guidance
    rows = asof.filter(
        pl.col("weather_status").is_in(SILENT),
        pl.col("minute") < start + SPEAKS_UNTIL,
        pl.col("forecast_max_f").is_not_null(),
        pl.lit(line is not None),
    )
    forecasts = rows["forecast_max_f"].to_list()
    pmfs = [line.predicted(each).pmf(upper).tolist() for each in forecasts] if line else []
    return rows.select(
        "minute",
        status=pl.lit("day_ahead"),
        method=pl.lit("emos"),
        baseline=pl.lit("guidance"),
        p_wx=pl.Series(pmfs, dtype=pl.List(pl.Float64)),
    )
