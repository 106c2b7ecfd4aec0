"""The expected temperature of the day: a profile, and the main way in which its shape may differ.

Here: the climatological profile of earlier days, and its combination with forecasts. Not here: the
residual around the baseline (`parameters`), which forecast was known when (the caller filters by
``known_at``).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.families.temperature.climate_day import SLOT, SLOTS
from kalshi_assets.families.temperature.providers import one_forecast_each
from kalshi_assets.families.temperature.station_days import bridged
from kalshi_assets.units import Array

Source = Literal["forecast_hourly", "forecast_max", "climatology"]

PROFILE_WINDOW = 13
SHAPE_WINDOW = 25
AFTERNOON = slice(13 * 12, 16 * 12)
# Forecast temperatures further apart than this are not used as an hourly forecast.
LONGEST_STEP = 3 * 12
# If a forecast maximum needs a scale outside this range, the day is shifted as well.
LEAST_SCALE, GREATEST_SCALE = 0.4, 2.0
# The leading component of few days overstates its own spread. Chosen among a few values on days of
# KNYC that the study scores; the likelihood of reports is flat from .5 to 1, the brackets' nearly
# so.
SHAPE_SPREAD = 0.86


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The expected temperature of the day, slot by slot.

    Attributes
    ----------
    profile
        Shape (288,), degrees F.
    shape
        Shape (288,), degrees F: one standard deviation of the leading deviation from the profile's
        form, positive in the afternoon; the day is profile + z shape, z standard normal.
    source
        Origin of the profile.
    """

    profile: Array
    shape: Array
    source: Source

    def __post_init__(self) -> None:
        for name in ("profile", "shape"):
            value = getattr(self, name)
            if value.shape != (SLOTS,) or not np.isfinite(value).all():
                raise ValueError(
                    f"{name} of a baseline must be {SLOTS} finite degrees, not {value.shape} with "
                    f"{int((~np.isfinite(value)).sum())} unknown"
                )

    def nodes(self, count: int = 5) -> list[tuple[Array, float]]:
        """Baselines at `count` Gauss-Hermite nodes of z, each with its prior probability.

        z has a standard deviation of 0.86 instead of 1, see `SHAPE_SPREAD`. With one node, or
        without a shape, the profile alone.
        """
        if count == 1 or not self.shape.any():
            return [(self.profile, 1.0)]
        z, weight = np.polynomial.hermite_e.hermegauss(count)
        return [
            (self.profile + SHAPE_SPREAD * node * self.shape, float(prior))
            for node, prior in zip(z, weight / weight.sum(), strict=True)
        ]

    def shifted(self, offset: float | Array) -> "Baseline":
        """The same baseline, warmer by `offset` degrees F, one number or one per slot."""
        return replace(self, profile=self.profile + offset)


def climatological(days: Array) -> Baseline:
    """The mean of earlier days, and the leading component in which their forms differ.

    Profile: mean over days, smoothed over about an hour. Shape: first principal component of the
    days' smoothed curves less their own mean, times the standard deviation of its score.

    Parameters
    ----------
    days
        Shape (days, 288), degrees F, NaN for no report. Gaps of up to an hour are interpolated; in
        longer ones a day is taken as parallel to the profile.

    Raises
    ------
    ValueError
        No report on any day.
    """
    curves = np.array([bridged(day) for day in days]).reshape(-1, SLOTS)
    known = ~np.isnan(curves)
    if not known.any():
        raise ValueError("a climatological baseline needs at least one report on an earlier day")
    mean = _mean_day(curves, known)
    level = np.where(known, curves - mean, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    filled = np.where(known, curves, mean + level[:, None])
    profile = smoothed(filled.mean(axis=0), PROFILE_WINDOW)
    return Baseline(profile=profile, shape=_leading_shape(filled), source="climatology")


def from_hourly(times: Array, temp_f: Array) -> Baseline:
    """Forecast temperatures, linearly interpolated to the slots; their form is taken as certain.

    Parameters
    ----------
    times
        Slot of each forecast temperature, ascending; fractions and slots outside the day allowed.
    temp_f
        The temperatures, degrees F.

    Raises
    ------
    ValueError
        The forecast has a gap of more than three hours.
    """
    if not covers_day(times):
        raise ValueError(f"{len(times)} forecast temperatures leave a gap of more than three hours")
    profile = np.interp(np.arange(SLOTS), times, temp_f)
    return Baseline(profile=profile, shape=np.zeros(SLOTS), source="forecast_hourly")


def covers_day(times: Array) -> bool:
    """Whether temperatures at these slots, ascending, cover the day without long gaps."""
    if len(times) == 0:
        return False
    inside = np.clip(np.concatenate([[0.0], times, [SLOTS - 1.0]]), 0.0, SLOTS - 1.0)
    return float(np.diff(inside).max()) <= LONGEST_STEP


def from_maximum(maximum_f: float, climatology: Baseline) -> Baseline:
    """The climatological day, stretched from its minimum so that it reaches a forecast maximum.

    It is stretched to between 0.4 and 2 times its range and then shifted by the remaining
    difference. A constant day is only shifted. The shape is stretched, too.
    """
    low, high = float(climatology.profile.min()), float(climatology.profile.max())
    wanted = (maximum_f - low) / (high - low) if high > low else 1.0
    scale = float(np.clip(wanted, LEAST_SCALE, GREATEST_SCALE))
    stretched = low + scale * (climatology.profile - low)
    return Baseline(
        profile=stretched + (maximum_f - float(stretched.max())),
        shape=climatology.shape * scale,
        source="forecast_max",
    )


def of_forecasts(
    forecasts: pl.DataFrame, start: datetime, climatology: Baseline | None
) -> Baseline | None:
    """The baseline by the latest forecast issued, or the climatology if there is none.

    Parameters
    ----------
    forecasts
        `weather.forecasts` of the climate day, only rows known at the evaluation time.
    start
        Start of the climate day, UTC.
    climatology
        None: there is no earlier day, so only a forecast of the whole day gives a baseline.
    """
    if forecasts.is_empty():
        return climatology
    forecasts = one_forecast_each(forecasts)
    latest = forecasts.filter(pl.col("event_time") == pl.col("event_time").max())
    hourly = latest.filter(pl.col("variable") == "temp").sort("valid_time")
    slot_us = SLOT.seconds * 1e6
    times = hourly.select(
        (pl.col("valid_time") - start).dt.total_microseconds() / slot_us
    ).to_series()
    if covers_day(times.to_numpy()):
        return from_hourly(times.to_numpy(), hourly["value_f"].to_numpy())
    maximum = latest.filter(pl.col("variable") == "tmax")["value_f"]
    if climatology is None or maximum.is_empty():
        return climatology
    return from_maximum(float(maximum[0]), climatology)


def smoothed(curve: Array, window: int) -> Array:
    """Moving average over an odd number of slots along the last axis, mirrored at the ends."""
    half = window // 2
    padding = [(0, 0)] * (curve.ndim - 1) + [(half + 1, half)]
    total = np.cumsum(np.pad(curve, padding, mode="symmetric"), axis=-1)
    return (total[..., window:] - total[..., :-window]) / window


def _mean_day(curves: Array, known: NDArray[np.bool_]) -> Array:
    count = known.sum(axis=0)
    mean = np.where(known, curves, 0.0).sum(axis=0) / np.maximum(count, 1)
    slots = np.flatnonzero(count)
    return np.interp(np.arange(SLOTS), slots, mean[slots])


def _leading_shape(filled: Array) -> Array:
    if len(filled) < 2:
        return np.zeros(SLOTS)
    form = smoothed(filled, SHAPE_WINDOW)
    form = form - form.mean(axis=1, keepdims=True)
    form -= form.mean(axis=0)
    shape = _leading(np.einsum("as,bs->ab", form, form)) @ form / np.sqrt(len(filled) - 1)
    return -shape if shape[AFTERNOON].mean() < 0 else shape


def _leading(gram: Array) -> Array:
    """Unit eigenvector of the greatest eigenvalue, by squaring the matrix twelve times.

    LAPACK's solvers distribute even such small matrices over all cores (40 ms instead of 1).
    """
    for _ in range(12):
        size = np.abs(gram).max()
        if size == 0:
            return np.zeros(len(gram))
        gram = gram / size
        gram = np.einsum("ab,bc->ac", gram, gram)
    vector = gram[:, np.argmax(np.diagonal(gram))]
    return vector / np.sqrt((vector**2).sum())
