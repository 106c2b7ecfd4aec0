"""The fused PMF of a city-day: market and weather pooled, hard zeros by evidence only and last."""

import polars as pl
from numpy.typing import NDArray

from kalshi_assets.ladder.grid import KEY, aligned, in_force
from kalshi_assets.pooling.inputs import ENTERS, inputs_of
from kalshi_assets.pooling.simplex import without_dead
from kalshi_assets.pooling.weights import PoolWeights, pooled
from kalshi_assets.tables import FUSED_PMF

# Of the panel, what the weights depend on.
CONDITIONS = (
    "hour_lst",
    "volume_percentile",
    "volatility_percentile",
    "spread_percentile",
    "observation_age_s",
)
_OF_MARKET = (*KEY, "bracket", "known_at", "p_mkt", pl.col("valid").alias("market_valid"))
_OF_PANEL = (*CONDITIONS, pl.col("known_at").alias("condition_known_at"))
_OF_HAZARD = (
    *("p_wx", "dead", "hazard_next_60m"),
    pl.col("status").alias("hazard_status"),
    pl.col("known_at").alias("hazard_known_at"),
)


def fused_pmf(
    market: pl.DataFrame,
    hazard: pl.DataFrame,
    panel: pl.DataFrame,
    weights: PoolWeights,
) -> pl.DataFrame:
    """Pool the market's PMF of every minute with the latest weather PMF known then.

    Parameters
    ----------
    market
        `probability.market_pmf` of one event.
    hazard
        `probability.hazard_pmf` of it; minutes before its first row have no weather.
    panel
        `panel.minute_panel_with_weather` of it: the conditions that the weights depend on.
    weights
        In force on the day.

    Returns
    -------
    DataFrame
        `probability.fused_pmf`. Where the weather is unknown, or is of the eve only, the pool is
        the market's PMF, its weather weight is 0 and `weather_status` says why. With status ok a
        weather weight of 0 says that the weights hold to the market at that hour.

    Raises
    ------
    ValueError
        The panel is of another event or of other minutes.
    """
    grid, (market, panel) = aligned(market, panel)
    rows = (
        market.select(_OF_MARKET)
        .hstack(panel.select(_OF_PANEL))
        .hstack(in_force(grid, hazard, *_OF_HAZARD))
        .with_columns(pl.col("dead").fill_null(value=False), enters=ENTERS)
    )

    def by_bracket(name: str) -> NDArray:
        return grid.in_ladder(grid.matrix(rows[name]))

    inputs = inputs_of(by_bracket, grid.minutes)
    exponents = weights.exponents(inputs)
    p_fused = without_dead(pooled(inputs, *exponents), by_bracket("dead").T)
    market_weight, weather_weight = map(grid.of_minutes, exponents)
    return FUSED_PMF.arranged(
        rows.with_columns(
            known_at=pl.max_horizontal("known_at", "hazard_known_at", "condition_known_at"),
            p_fused=pl.Series(grid.in_table(p_fused.T).ravel()),
            market_weight=pl.Series(market_weight),
            weather_weight=pl.Series(weather_weight),
            weather_status=pl.col("hazard_status").fill_null("before_climate_day"),
        )
    )
