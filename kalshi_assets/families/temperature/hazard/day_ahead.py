"""Before a report is known: the day-ahead distribution by guidance alone.

Where a station has forecasts but no reports during the day, this is all that the weather says. It
is said until ten hours of standard time: later everyone who watches the station knows more. Its
status is ``day_ahead`` and not ``ok``: nothing has shown that it knows what the market does not, so
it does not enter the pool. On five recorded days of Chicago, pooled at the prior weight, it had a
mean log loss of 2.4 against the market's .6, and the engine sent a hundred orders a day on it.

Here: which times it speaks at. Not here: the fit (`fit.emos`).
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
    """The day-ahead PMF at the times at which a forecast is known, but no report.

    Parameters
    ----------
    asof
        `weather_as_of` at the evaluation times.
    upper
        Greatest whole degree of every bracket but the last.
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
