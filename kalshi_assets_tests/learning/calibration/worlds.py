"""Settled days of a world whose forecasts are right, or too bold by a known factor."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.learning.calibration.days import CalibrationDay
from kalshi_assets.tables import FUSED_PMF
from kalshi_assets.units import Array

START = datetime(2025, 1, 1, 5, tzinfo=UTC)
ALL_HOURS = np.arange(-15, 23, 0.5)
MORNING = np.arange(9, 12, 0.5)
FLOOR = 0.0005
EDGES = np.array([-4.0, -2.0, 0.0, 2.0, 4.0])


def forecasts(
    days: int, seed: int, *, boldness: float = 1.0, hours: Array = ALL_HOURS
) -> tuple[Array, NDArray[np.int64]]:
    """PMFs of shape (days, hours, 6) of a normal maximum, and the brackets that paid.

    What is known of the maximum grows through the day; the forecast's sd is the true one over
    `boldness`. No bracket has less than .0005, as in a pool.
    """
    from scipy.special import ndtr

    rng = np.random.default_rng(seed)
    left = 7.0 * np.clip(1 - (hours + 15) / 36, 0.02, 1.0)
    news = np.sqrt(np.append(left[:-1] - left[1:], left[-1]))
    steps = rng.normal(size=(days, len(hours))) * news
    start = rng.normal(0.0, 1.0, size=days)
    mean = start[:, None] + np.cumsum(steps, axis=1) - steps
    value = start + steps.sum(axis=1)
    below = ndtr((EDGES - mean[..., None]) * boldness / np.sqrt(left)[:, None])
    p = np.diff(below, prepend=0.0, append=1.0, axis=-1)
    return (1 - 6 * FLOOR) * p + FLOOR, np.searchsorted(EDGES, value)


def settled_day(number: int, p: Array, winner: int, hours: Array = ALL_HOURS) -> CalibrationDay:
    """Day `number` of the world; its outcome is known eleven hours after its end."""
    start = START + timedelta(days=number)
    known_at = start + timedelta(hours=35)
    return CalibrationDay.of_arrays(start, p, hours, winner=winner, known_at=known_at)


def settled_days(
    days: int, seed: int, *, boldness: float = 1.0, hours: Array = ALL_HOURS
) -> list[CalibrationDay]:
    """Days 0, 1, ... of the world."""
    p, winners = forecasts(days, seed, boldness=boldness, hours=hours)
    return [settled_day(d, p[d], int(winners[d]), hours) for d in range(days)]


def fused_frame(number: int, p: Array, hours: Array = ALL_HOURS, dead: int = 0) -> pl.DataFrame:
    """`probability.fused_pmf` of day `number`, the coldest `dead` brackets out of play."""
    start = START + timedelta(days=number)
    minutes = [start + timedelta(hours=float(hour)) for hour in hours]
    n = p.shape[1]
    alive = np.where(np.arange(n) < dead, 0.0, p)
    alive /= alive.sum(axis=1, keepdims=True)
    frame = pl.DataFrame(
        {
            # The order of tickers is not that of brackets.
            "market_ticker": [f"B{n - 1 - i}" for _ in minutes for i in range(n)],
            "bracket": list(range(n)) * len(minutes),
            "minute": [minute for minute in minutes for _ in range(n)],
            "known_at": [minute for minute in minutes for _ in range(n)],
            "p_fused": alive.ravel(),
            "p_mkt": p.ravel(),
            "p_model": p.ravel(),
            "market_weight": 0.65,
            "model_weight": 0.35,
            "model_status": "ok",
            "market_valid": True,
            "impossible": [i < dead for _ in minutes for i in range(n)],
        }
    )
    return FUSED_PMF.arranged(frame.cast(pl.Schema(FUSED_PMF.dtypes)))
