"""The weights of the pool that are in force on a day.

Here: coefficients and shares, their fit to earlier days, and their form as the table
`probability.fusion_weights`. Not here: the fit itself (`conditional_logit`), the test that sets the
shares (`anchor`), the pooled PMF of a day (`fused`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.instants import as_times, microseconds_of
from kalshi_assets.pooling.anchor import (
    BLOCK_EDGES,
    BLOCKS,
    MIN_DAYS,
    Anchor,
    anchored,
    block_of,
)
from kalshi_assets.pooling.conditional_logit import FittedLogit, conditional_logit
from kalshi_assets.pooling.inputs import PoolInputs, Training, training_of
from kalshi_assets.pooling.model import PooledModel
from kalshi_assets.pooling.rolling_origin import PURGE_DAYS, out_of_sample
from kalshi_assets.pooling.simplex import log_pool
from kalshi_assets.tables.probability import FUSION_WEIGHTS
from kalshi_assets.units import Array

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class PoolWeights:
    """Coefficients of the conditional logit, and its share at each hour.

    Attributes
    ----------
    model
        The model that is pooled with the market.
    coefficients
        In the order of `PooledModel.coefficients`: the market's exponent, then the model's.
    shares
        By block of hours, from 0 (the market alone) to 1 (the whole pool).

    Raises
    ------
    ValueError
        A wrong number of coefficients or shares, a negative one, or a share above 1.
    """

    model: PooledModel
    coefficients: tuple[float, ...]
    shares: tuple[float, ...] = (1.0,) * BLOCKS

    def __post_init__(self) -> None:
        names = self.model.coefficients
        if len(self.coefficients) != len(names) or len(self.shares) != BLOCKS:
            raise ValueError(
                f"pool weights need {len(names)} coefficients and {BLOCKS} shares, got "
                f"{len(self.coefficients)} and {len(self.shares)}"
            )
        if min(self.coefficients) < 0:
            negative = dict(zip(names, self.coefficients, strict=True))
            raise ValueError(f"pool weights must not be negative: {negative}")
        if not all(0 <= share <= 1 for share in self.shares):
            raise ValueError(f"shares of a pool lie between 0 and 1: {self.shares}")

    @classmethod
    def prior(cls, model: PooledModel) -> "PoolWeights":
        """The whole pool with its prior coefficients."""
        return cls(model=model, coefficients=tuple(model.prior))

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, model: PooledModel) -> "PoolWeights":
        """The weights in a partition of `probability.fusion_weights`.

        Parameters
        ----------
        frame
            A partition of `probability.fusion_weights`.
        model
            The model that it was fitted for.
        """
        values = {
            (name, hour): value
            for name, hour, value in frame.select("parameter", "hour_from", "value").iter_rows()
        }
        return cls(
            model=model,
            coefficients=tuple(values[name, 0] for name in model.coefficients),
            shares=tuple(values["share", hour] for hour in BLOCK_EDGES[:-1]),
        )

    def exponents(self, inputs: PoolInputs) -> tuple[Array, Array]:
        """Exponents of market and model in every row, each of shape (rows,).

        For a share s they are 1 - s + s w_m and s w_x: the geometric path from market to pool.
        """
        unknown = np.full(len(self.coefficients), np.nan)
        fitted = FittedLogit(coefficients=np.array(self.coefficients), standard_errors=unknown)
        market, model = fitted.exponents(inputs)
        share = np.array(self.shares)[block_of(inputs.hour)] * inputs.known
        return 1 - share + share * market, share * model


def pooled(inputs: PoolInputs, market_weight: Array, model_weight: Array) -> Array:
    """The log pool where it differs from the market; elsewhere the market, bit for bit.

    Parameters
    ----------
    inputs
        The rows.
    market_weight, model_weight
        Exponents from `PoolWeights.exponents`, shape (rows,).
    """
    p = inputs.market.copy()
    moved = (market_weight != 1) | (model_weight != 0)
    rows = inputs.where(moved)
    p[moved] = log_pool(rows.market, rows.model, market_weight[moved], model_weight[moved])
    return p


def fusion_weights(
    model: PooledModel, day_start: datetime, earlier: Sequence[tuple[datetime, pl.DataFrame]]
) -> pl.DataFrame:
    """Weights of a ladder's pool, fitted to the days before.

    Parameters
    ----------
    model
        The model that is pooled with the market.
    day_start
        First instant of the day that the weights are for.
    earlier
        Start of the day and `panel.examples` of earlier days of the ladder. Left out are later
        ones, the day right before, and those whose outcome was not known at `day_start`.

    Returns
    -------
    DataFrame
        `probability.fusion_weights`: a row per coefficient and per share.
    """
    latest = day_start - (1 + PURGE_DAYS) * DAY
    counted = [frame for start, frame in earlier if start <= latest]
    training = training_of(counted, model, known_by=day_start)
    fitted = conditional_logit(training)
    shares = anchored(training, out_of_sample(training))
    columns = _columns(model, fitted, shares, training.n_days) | _when(day_start, training)
    return FUSION_WEIGHTS.arranged(
        pl.DataFrame(columns, schema_overrides=FUSION_WEIGHTS.dtypes, nan_to_null=True)
    )


def _columns(
    model: PooledModel, fitted: FittedLogit, anchor: Anchor, n_days: int
) -> dict[str, list | NDArray]:
    """The coefficients' rows, then the shares'; NaN is unknown."""
    names = model.coefficients
    unjudged, unfitted = np.full(len(names), np.nan), np.full(BLOCKS, np.nan)
    coefficient = "prior" if fitted.is_prior else "fitted"
    return {
        "parameter": [*names, *["share"] * BLOCKS],
        "hour_from": [*[BLOCK_EDGES[0]] * len(names), *BLOCK_EDGES[:-1]],
        "hour_to": [*[BLOCK_EDGES[-1]] * len(names), *BLOCK_EDGES[1:]],
        "value": np.concatenate([fitted.coefficients, anchor.share]),
        "prior": np.concatenate([model.prior, np.zeros(BLOCKS)]),
        "standard_error": np.concatenate([fitted.standard_errors, unfitted]),
        "status": [
            *[coefficient] * len(names),
            *map(_status, anchor.share, anchor.n_days),
        ],
        "difference": np.concatenate([unjudged, anchor.difference]),
        "difference_bound": np.concatenate([unjudged, anchor.bound]),
        "whole_difference": np.concatenate([unjudged, anchor.whole_difference]),
        "n_days": [*[n_days] * len(names), *anchor.n_days.tolist()],
    }


def _status(share: float, n_days: int) -> str:
    if n_days < MIN_DAYS:
        return "unproven"
    if share == 0:
        return "market"
    return "part" if share < 1 else "whole"


def _when(day_start: datetime, training: Training) -> dict[str, list | pl.Series]:
    """Window and times: the fit is known when its last outcome is."""
    first, last, known_at = None, None, microseconds_of(day_start)
    if training.n_days:
        first, last = (_EPOCH + int(day) * DAY for day in training.days[[0, -1]])
        known_at = int(training.known_at.max())
    rows = len(training.model.coefficients) + BLOCKS
    return {
        "window_start": [first] * rows,
        "window_end": [last] * rows,
        "event_time": as_times(np.full(rows, microseconds_of(day_start))),
        "known_at": as_times(np.full(rows, known_at)),
    }


_EPOCH = date(1970, 1, 1)
