"""The weather as a `PooledModel`: its columns, and the conditions on which its weight depends."""

import numpy as np

from kalshi_assets.pooling.inputs import UNKNOWN, mean_percentile
from kalshi_assets.pooling.model import Column, Condition, PooledModel
from kalshi_assets.units import Array

# Minutes in which the freshness of an observation falls to 1/e.
FRESH_MIN = 30.0


def _no_new_high(column: Column) -> Array:
    hazard = column("hazard_next_60m")[0]
    return 1 - np.where(np.isnan(hazard), UNKNOWN, hazard)


def _quiet(column: Column) -> Array:
    return 1 - mean_percentile(column, "volatility_percentile")


def _freshness(column: Column) -> Array:
    age_s = column("observation_age_s")[0]
    age_min = np.where(np.isnan(age_s), np.inf, age_s) / 60
    return np.exp(-age_min / FRESH_MIN)


WEATHER = PooledModel(
    name="weather",
    p="p_wx",
    impossible="dead",
    status="status",
    status_in_features="hazard_status",
    before="before_climate_day",
    conditions=(
        Condition(name="no_new_high", value=_no_new_high, of_model=("hazard_next_60m",)),
        Condition(name="quiet", value=_quiet),
        Condition(name="freshness", value=_freshness, of_panel=("observation_age_s",)),
    ),
    # methods.md 5.
    prior_weight=0.35,
)
"""Conditions: 1 less the probability of a new high within the hour; 1 less the mean volatility
percentile; exp(-age of the latest report / 30 minutes)."""
