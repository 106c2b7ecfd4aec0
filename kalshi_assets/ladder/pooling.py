"""The fused PMF of a city-day: market and weather pooled, hard zeros by evidence only and last."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.ladder.pools.inputs import COLUMNS, pool_inputs
from kalshi_assets.ladder.pools.simplex import without_dead
from kalshi_assets.ladder.pools.weights import PoolWeights, pooled
from kalshi_assets.tables import FUSED_PMF

Array = NDArray[np.float64]

# Of the panel, what the weights depend on.
CONDITIONS = (
    "hour_lst",
    "volume_percentile",
    "volatility_percentile",
    "spread_percentile",
    "observation_age_s",
)
_KEY = ("market_ticker", "minute")


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
    rows = _with_conditions(market.sort(_KEY), panel).join_asof(
        hazard.sort(_KEY).select(
            *_KEY,
            "p_wx",
            "dead",
            "hazard_next_60m",
            hazard_status="status",
            hazard_known_at="known_at",
        ),
        on="minute",
        by="market_ticker",
        check_sortedness=False,
    )
    minutes = _by_minute(rows)
    by_minute = rows[[*COLUMNS, "dead"]][minutes]
    inputs = pool_inputs(by_minute)
    exponents = weights.exponents(inputs)
    dead = by_minute["dead"].fill_null(value=False).to_numpy().reshape(inputs.market.shape)
    p_fused = without_dead(pooled(inputs, *exponents), dead)

    def in_rows(values: Array) -> Array:
        out = np.empty(len(minutes))
        out[minutes] = np.broadcast_to(values, dead.shape).ravel()
        return out

    return FUSED_PMF.arranged(
        rows.select(
            "market_ticker",
            "bracket",
            "minute",
            "p_mkt",
            "p_wx",
            pl.col("dead").fill_null(value=False),
            known_at=pl.max_horizontal("known_at", "hazard_known_at", "condition_known_at"),
            p_fused=in_rows(p_fused),
            market_weight=in_rows(exponents[0][:, None]),
            weather_weight=in_rows(exponents[1][:, None]),
            weather_status=pl.col("hazard_status").fill_null("before_climate_day"),
            market_valid="valid",
        )
    )


def _with_conditions(market: pl.DataFrame, panel: pl.DataFrame) -> pl.DataFrame:
    conditions = panel.select(*_KEY, *CONDITIONS, condition_known_at="known_at").sort(_KEY)
    if not conditions.select(_KEY).equals(market.select(_KEY)):
        raise ValueError("the panel and the market's PMF are not of the same event and minutes")
    return pl.concat([market, conditions.drop(_KEY)], how="horizontal")


def _by_minute(rows: pl.DataFrame) -> NDArray[np.int64]:
    """Positions of rows sorted by market and minute, in the order of minute and bracket."""
    brackets = rows["bracket"].to_numpy().reshape(rows["bracket"].n_unique(), -1)
    minutes = np.arange(brackets.shape[1])
    return (np.argsort(brackets[:, 0]) * len(minutes) + minutes[:, None]).ravel()
