"""Settled days from a world whose truth is known: who pays is drawn from the market's PMF, and the
weather has a reading of the outcome that the market has not.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import strategies as st

from kalshi_assets.families.temperature.pool import WEATHER
from kalshi_assets.pooling.inputs import PoolInputs, Training
from kalshi_assets.pooling.simplex import softmax
from kalshi_assets.pooling.weights import PoolWeights, pooled
from kalshi_assets.units import MINUTE_US, Array

# One instant in every block of hours.
HOURS = (5.0, 10.0, 13.0, 16.0, 20.0)
START = datetime(2025, 1, 1, 5, tzinfo=UTC)

pmfs = st.lists(st.floats(1e-4, 1.0), min_size=6, max_size=6).map(lambda x: np.array(x) / np.sum(x))


def inputs_of(
    market: Array,
    weather: Array,
    *,
    conditions: float = 0.5,
    hour: float = 13.0,
    every_min: int = 30,
) -> PoolInputs:
    """Rows in order of time, all of one event and under the same conditions."""
    market, weather = np.atleast_2d(market), np.atleast_2d(weather)
    rows = len(market)
    given = np.full((rows, 4), conditions)
    given[:, 0] = 1.0
    return PoolInputs(
        market=market,
        model=weather,
        market_conditions=given,
        model_conditions=given,
        hour=hour + np.arange(rows) * every_min / 60,
        minute=np.arange(rows) * every_min,
    )


def settled_days(days: int, strength: Sequence[float], seed: int, brackets: int = 6) -> Training:
    """A row per block of hours and day.

    Parameters
    ----------
    strength
        Of the weather's reading in every block, in sds: 0 knows nothing, and then it is as sure
        as at 1.5 and wrong.
    """
    rng = np.random.default_rng(seed)
    market = 0.99 * rng.dirichlet(np.full(brackets, 0.6), size=days) + 0.01 / brackets
    winner = (rng.random((days, 1)) > market.cumsum(axis=1)).sum(axis=1).clip(0, brackets - 1)
    outcome = np.eye(brackets)[winner]
    weather = [
        softmax((each or 1.5) * (each * outcome + rng.normal(size=market.shape)))
        for each in strength
    ]
    blocks = len(strength)
    rows = days * blocks
    return Training(
        model=WEATHER,
        inputs=PoolInputs(
            market=market.repeat(blocks, axis=0),
            model=np.stack(weather, axis=1).reshape(rows, brackets),
            market_conditions=np.column_stack([np.ones(rows), rng.random((rows, 3))]),
            model_conditions=np.column_stack([np.ones(rows), rng.random((rows, 3))]),
            hour=np.tile(HOURS[:blocks], days),
            minute=(np.arange(days).repeat(blocks) * 24 + np.tile(HOURS[:blocks], days)).astype(int)
            * 60,
        ),
        impossible=np.zeros((rows, brackets), dtype=bool),
        winner=winner.repeat(blocks),
        day=np.arange(days).repeat(blocks),
        known_at=(np.arange(days).repeat(blocks) + 1) * 24 * 60 * MINUTE_US,
    )


def pooled_by(weights: PoolWeights, inputs: PoolInputs) -> Array:
    """The pooled PMF of every row; where the weather is unknown or the share is 0 the market's."""
    return pooled(inputs, *weights.exponents(inputs))


def excess_log_loss(training: Training, p: Array) -> Array:
    """Mean log loss less the market's, by block of hours."""
    rows = np.arange(len(p))
    market = training.inputs.market[rows, training.winner]
    excess = np.log(market) - np.log(p[rows, training.winner])
    return excess.reshape(-1, len(np.unique(training.inputs.hour))).mean(axis=0)


def examples(
    day: int,
    training: Training,
    *,
    pays: bool = True,
    status: str = "ok",
    earlier_by: timedelta = timedelta(),
    known_after: timedelta = timedelta(hours=9),
) -> tuple[datetime, pl.DataFrame]:
    """Start and the columns of `panel.examples` that pools read, of one of the settled days.

    Between the half-hours lie rows that no pool may learn from. Its outcome is known some time
    after its end.
    """
    start = START + timedelta(days=day) - earlier_by
    said = [start + timedelta(days=1) + known_after] if pays else []
    mine = training.where(training.day == day)
    n = mine.inputs.market.shape[1]
    rows = [
        {
            "bracket": bracket,
            "minute": start + timedelta(hours=hour, minutes=late),
            "hour_lst": hour + late / 60,
            "p_mkt": mine.inputs.market[row, bracket],
            "p_wx": mine.inputs.model[row, bracket] if late == 0 else 1.0 / n,
            "hazard_status": status,
            "hazard_next_60m": 1 - mine.inputs.model_conditions[row, 1],
            "volume_percentile": mine.inputs.market_conditions[row, 1],
            "volatility_percentile": mine.inputs.market_conditions[row, 2],
            "spread_percentile": 1 - mine.inputs.market_conditions[row, 3],
            "observation_age_s": 600.0,
            "dead": False,
            "pays": bool(bracket == mine.winner[row]) if pays else None,
            "outcome_known_at": said,
            "outcome_pays": [bool(bracket == mine.winner[row])] * len(said),
        }
        for row, hour in enumerate(mine.inputs.hour)
        for late in (0, 5)
        for bracket in range(n)
    ]
    return start, pl.DataFrame(
        rows,
        schema_overrides={
            "bracket": pl.Int8,
            "minute": pl.Datetime("us", "UTC"),
            "pays": pl.Boolean,
            "outcome_known_at": pl.List(pl.Datetime("us", "UTC")),
            "outcome_pays": pl.List(pl.Boolean),
        },
    )
