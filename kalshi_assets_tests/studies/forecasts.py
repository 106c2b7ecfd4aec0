"""Made-up ladders and city-days for tests of scores over many days."""

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.statistics.ladder_forecasts import LadderForecasts
from kalshi_assets.studies.evaluations import EVALUATIONS
from kalshi_assets.units import Array

FIRST = date(2025, 3, 1)


def drawn(p: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """A bracket of each PMF of shape (n, brackets), by its probabilities."""
    return (np.cumsum(p, axis=1)[:, :-1] < rng.random(len(p))[:, None]).sum(axis=1)


def perfect(
    days: int, rng: np.random.Generator, *, hours: int = 1, sharpened: float = 1.0
) -> LadderForecasts:
    """Right forecasts of six brackets, the same at all hours of a day; `sharpened`: too sure."""
    p = rng.dirichlet(np.ones(6), size=days)
    winner = drawn(p, rng)
    told = p**sharpened / (p**sharpened).sum(axis=1, keepdims=True)
    day = np.repeat(np.arange(days), hours)
    return LadderForecasts(p=told[day], winner=winner[day], day=day, date=day)


def evaluated(
    sources: dict[str, Array],
    winners: NDArray[np.int64],
    *,
    city: str = "new_york",
    first: date = FIRST,
    hours: range | list[int] = range(9, 12),
) -> pl.DataFrame:
    """Evaluations of PMFs of shape (days, brackets) per source, the same at all hours of a day.

    A row of NaN: the source has no PMF on that day.
    """
    rows = [
        {
            "city": city,
            "date": first + timedelta(days=day),
            "lst_hour": hour,
            "source": source,
            "p": p[day],
            "winner": int(winners[day]),
            "hazard_next_60m": hour / 24 if hour > 0 else None,
            "regime": "quiet",
            "minutes_to_close": (24 - hour) * 60,
        }
        for source, p in sources.items()
        for day in range(len(winners))
        if not np.isnan(p[day]).any()
        for hour in hours
    ]
    return pl.DataFrame(rows, schema=EVALUATIONS)


def rivals(days: int, seed: int, *, knows: float) -> tuple[dict[str, Array], NDArray[np.int64]]:
    """A market that is right, and a pool that has seen the winner by weight `knows` (or not)."""
    rng = np.random.default_rng(seed)
    market = rng.dirichlet(np.ones(6), size=days)
    winners = drawn(market, rng)
    fused = (1 - abs(knows)) * market
    fused += abs(knows) * (np.eye(6)[winners] if knows > 0 else np.full((days, 6), 1 / 6))
    return {"market": market, "fused": fused}, winners
