"""The minute panel joined with the weather as known at every minute.

Not here: the weather as of a time (`asof`), other features (`features`).
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from kalshi_assets.families.temperature.asof import weather_as_of
from kalshi_assets.features.activity import minutes_since, percentiles
from kalshi_assets.ladder.grid import gridded
from kalshi_assets.ladder.terms import terms_at
from kalshi_assets.tables import MINUTE_PANEL_WITH_WEATHER

HOURS_A_MINUTE = 1 / 60


def with_weather(
    panel: pl.DataFrame,
    events: pl.DataFrame,
    observations: pl.DataFrame,
    forecasts: pl.DataFrame,
    earlier_activity: Sequence[pl.DataFrame] = (),
) -> pl.DataFrame:
    """Join reports and forecasts to the panel by the time at which they were known.

    Parameters
    ----------
    panel, events
        `panel.minute_panel` and `market.events` of one event.
    observations, forecasts
        `weather.observations` and `weather.forecasts` of its climate day; either may be empty.
    earlier_activity
        `panel.activity` of earlier days of the city; see `activity.percentiles`.

    Returns
    -------
    DataFrame
        `panel.minute_panel_with_weather`, the same rows.
    """
    climate_start: datetime = events["day_start"][0]
    panel, grid = gridded(panel)
    ladder = terms_at(events).sort("market_ticker")
    lo, hi = (ladder[name].cast(pl.Float64).to_numpy()[:, None] for name in ("lo", "hi"))
    weather = weather_as_of(
        panel[: grid.shape[1], ["minute"]], observations, forecasts, climate_start
    )
    least = weather["running_max_lo_f"].to_numpy()
    of_minutes = weather.select(
        pl.exclude("minute", "known_at"),
        weather_known_at="known_at",
        forecast_gap_f=pl.col("forecast_max_f") - pl.col("running_max_lo_f"),
        hour_lst=pl.Series(minutes_since(grid, climate_start) * HOURS_A_MINUTE),
    )
    joined = pl.concat(
        [
            panel,
            percentiles(panel, climate_start, earlier_activity),
            pl.concat([of_minutes] * grid.shape[0], rechunk=True),
        ],
        how="horizontal",
    )
    return MINUTE_PANEL_WITH_WEATHER.arranged(
        joined.with_columns(
            pl.Series("to_upper_edge_f", (hi + 0.5 - least).ravel(), nan_to_null=True),
            pl.Series("to_lower_edge_f", (least - (lo - 0.5)).ravel(), nan_to_null=True),
            known_at=pl.max_horizontal("known_at", "weather_known_at", "activity_known_at"),
        )
    )
