"""Pooling of PMFs: log-linear, with hard zeros by evidence only and last."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.tables import FUSED_PMF

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PoolWeights:
    """Exponents and floors of the log-linear pool.

    The prior weights of the conditional logit, in force until there are thirty training days.
    They need not sum to one.
    """

    market: float = 0.65
    weather: float = 0.35
    market_floor: float = 0.002
    weather_floor: float = 0.0005

    def __post_init__(self) -> None:
        if self.market < 0 or self.weather < 0:
            raise ValueError(f"pool weights must not be negative: {self}")


PRIOR = PoolWeights()


def log_pool(market: Array, weather: Array, weights: PoolWeights = PRIOR) -> Array:
    """softmax(w_m log p_m + w_w log p_w), both floored first.

    Parameters
    ----------
    market, weather
        Shape (..., brackets); every row a PMF.

    Returns
    -------
    Array
        The same shape; every row a PMF.
    """
    score = weights.market * np.log(_floored(market, weights.market_floor))
    score += weights.weather * np.log(_floored(weather, weights.weather_floor))
    score -= score.max(axis=-1, keepdims=True)
    pooled = np.exp(score)
    return pooled / pooled.sum(axis=-1, keepdims=True)


def without_dead(p: Array, dead: NDArray[np.bool_]) -> Array:
    """`p` with the dead brackets at zero, renormalised; uniform over the living if they had none.

    Raises
    ------
    ValueError
        Every bracket of some row is dead: the evidence contradicts the ladder.
    """
    if dead.all(axis=-1).any():
        raise ValueError("every bracket is dead: the evidence contradicts the ladder")
    alive = np.where(dead, 0.0, p)
    total = alive.sum(axis=-1, keepdims=True)
    uniform = (~dead) / (~dead).sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        renormalised = np.where(total > 0, alive / total, uniform)
    return np.where(dead.any(axis=-1, keepdims=True), renormalised, p)


def _floored(p: Array, floor: float) -> Array:
    return (1 - p.shape[-1] * floor) * p + floor


def fused_pmf(
    market: pl.DataFrame, hazard: pl.DataFrame, weights: PoolWeights = PRIOR
) -> pl.DataFrame:
    """Pool the market's PMF of every minute with the latest weather PMF known then.

    Parameters
    ----------
    market
        `probability.market_pmf` of one event.
    hazard
        `probability.hazard_pmf` of it; minutes before its first row have no weather.

    Returns
    -------
    DataFrame
        `probability.fused_pmf`. Where the weather is unknown, or is of the eve only, the pool is
        the market's PMF, its weather weight is 0 and `weather_status` says why.
    """
    rows = (
        market.sort("minute")
        .join_asof(
            hazard.sort("minute").select(
                "market_ticker",
                "minute",
                "status",
                "p_wx",
                "dead",
                hazard_known_at="known_at",
            ),
            on="minute",
            by="market_ticker",
            check_sortedness=False,
        )
        .sort("minute", "bracket")
        .with_columns(
            weather_status=pl.col("status").fill_null("before_climate_day"),
            dead=pl.col("dead").fill_null(value=False),
        )
    )
    n = rows["bracket"].n_unique()
    p_mkt = rows["p_mkt"].to_numpy().reshape(-1, n)
    p_wx = rows["p_wx"].to_numpy().astype(np.float64).reshape(-1, n)
    dead = rows["dead"].to_numpy().reshape(-1, n)
    enters = (rows["weather_status"] == "ok").to_numpy().reshape(-1, n).all(axis=1, keepdims=True)
    known = enters & ~np.isnan(p_wx).any(axis=1, keepdims=True)
    pooled = np.where(known, log_pool(p_mkt, np.where(known, p_wx, 1 / n), weights), p_mkt)
    p_fused = without_dead(pooled, dead)
    used = np.repeat(known.ravel(), n)
    return FUSED_PMF.arranged(
        rows.select(
            "market_ticker",
            "bracket",
            "minute",
            "p_mkt",
            "p_wx",
            "weather_status",
            "dead",
            known_at=pl.max_horizontal("known_at", "hazard_known_at"),
            p_fused=p_fused.ravel(),
            market_weight=np.where(used, weights.market, 1.0),
            weather_weight=np.where(used, weights.weather, 0.0),
            market_valid="valid",
        )
    )
