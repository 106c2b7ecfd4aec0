"""The non-parametric hazard: the rest of the day on earlier days that were similar so far.

The state at an evaluation time is the drop of the temperature from the running maximum, and its
slope over the last hour. The library consists of the station's earlier days at the same slot; their
remaining rises, kernel-weighted and smoothed, give the distribution of today's maximum and the
hazard of a new high. Source: methods, section 3.6, without the covariates that are not recorded.

Here: the model on arrays. Not here: which reports were known when (`analogue_day`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.families.temperature.climate_day import FIVE_MINUTES, ONE_HOUR
from kalshi_assets.families.temperature.normal import normal_cdf
from kalshi_assets.families.temperature.station_days import bridged
from kalshi_assets.units import Array


@dataclass(frozen=True, kw_only=True)
class AnalogueParams:
    """Size and bandwidths of the analogue model.

    Attributes
    ----------
    look_back_days
        Earlier days that may enter the library.
    min_days
        With fewer usable days there is no PMF.
    min_coverage
        Share of slots with a report that a day of the library needs.
    drop_bandwidth_f, slope_bandwidth_f
        Kernel bandwidths of the drop from the running maximum (degrees F) and of the slope over
        the last hour (degrees F per hour).
    min_effective_days
        The bandwidths are multiplied by 1.25 until the effective number of days is this large.
    smoothing_f
        Standard deviation by which each rise is smoothed, degrees F.
    missed_peak
        Probability that the official maximum is one degree above the highest report: reports are
        five minutes apart, the official value is the maximum of all minutes. Recorded: 2 of 65
        nearly complete days of KNYC.
    prior_days, prior_sd_f
        Weight and standard deviation of a wider distribution around the same days, so that maxima
        beyond all earlier rises remain possible.
    """

    look_back_days: int = 45
    min_days: int = 10
    min_coverage: float = 0.75
    drop_bandwidth_f: float = 1.5
    slope_bandwidth_f: float = 1.5
    min_effective_days: float = 8.0
    smoothing_f: float = 0.7
    missed_peak: float = 0.05
    prior_days: float = 1.0
    prior_sd_f: float = 3.0


DEFAULTS = AnalogueParams()


@dataclass(frozen=True)
class Library:
    """Earlier days on the five-minute grid.

    Attributes
    ----------
    temp_f
        Shape (days, 288); short gaps interpolated, long ones NaN.
    drop_f, slope_f
        Running maximum less temperature, and change over the last hour, per day and slot.
    rise_day_f, rise_1h_f, rise_5m_f
        Highest later temperature less the slot's: in the rest of the day, the next hour, the next
        five minutes.
    """

    temp_f: Array
    drop_f: Array
    slope_f: Array
    rise_day_f: Array
    rise_1h_f: Array
    rise_5m_f: Array

    @classmethod
    def of(cls, days: Array, params: AnalogueParams = DEFAULTS) -> "Library":
        """The library of `days`, shape (days, 288), NaN for no report."""
        usable = (~np.isnan(days)).mean(axis=1) >= params.min_coverage
        temp = bridged(days[usable])
        running = np.fmax.accumulate(temp, axis=1)
        later = np.full_like(temp, -np.inf)
        later[:, :-1] = np.fmax.accumulate(temp[:, :0:-1], axis=1)[:, ::-1]
        return cls(
            temp_f=temp,
            drop_f=running - temp,
            slope_f=_hourly_change(temp),
            rise_day_f=later - temp,
            rise_1h_f=_highest_within(temp, ONE_HOUR) - temp,
            rise_5m_f=_highest_within(temp, FIVE_MINUTES) - temp,
        )

    def __len__(self) -> int:
        return len(self.temp_f)

    def days_at(self, slot: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of days with each of the slots and later reports; shape of `slot`."""
        return (~np.isnan(self.rise_day_f)).sum(axis=0)[slot]


@dataclass(frozen=True)
class State:
    """The day as known at some evaluation times; all arrays have shape (times,).

    Attributes
    ----------
    slot
        Slot of the latest report.
    temp_f, slope_f
        Its temperature, and the change over the hour before it (NaN: unknown).
    max_lo_f, max_hi_f
        Bounds of the running maximum, whole degrees.
    """

    slot: NDArray[np.int64]
    temp_f: Array
    slope_f: Array
    max_lo_f: Array
    max_hi_f: Array


@dataclass(frozen=True)
class Outlook:
    """The model's results; `pmf` has shape (times, brackets), the others (times,).

    NaN if no day of the library has the slot; `effective_days` is then 0.
    """

    pmf: Array
    hazard_5m: Array
    hazard_60m: Array
    effective_days: Array


def outlook(
    state: State, library: Library, upper: NDArray[np.float64], params: AnalogueParams = DEFAULTS
) -> Outlook:
    """Distribution of the day's maximum, and the hazard of a new high, at every evaluation time.

    Parameters
    ----------
    upper
        Highest whole degree of every bracket except the last, shape (brackets - 1,).
    """
    weights, effective = _weights(state, library, params)
    temp = state.temp_f[:, None]

    def below(level: Array, rises: Array) -> Array:
        """P(temp + rise < level), level of shape (times, n) or (times, 1)."""
        gap = level[:, None, :] - (temp + rises)[:, :, None]
        sharp = normal_cdf(gap / params.smoothing_f)
        wide = normal_cdf(gap / params.prior_sd_f)
        share = params.prior_days / (params.prior_days + effective)[:, None, None]
        mixed = (1 - share) * sharp + share * wide
        # A day without this slot has weight 0, but 0 times NaN is NaN.
        return np.einsum("td,tdn->tn", weights, np.nan_to_num(mixed))

    def reported_maximum_up_to(degree: Array) -> Array:
        edges = np.broadcast_to(degree + 0.5, (len(temp), len(degree)))
        not_above = np.clip((edges - state.max_lo_f[:, None] + 0.5) / _span(state), 0.0, 1.0)
        return not_above * below(edges, library.rise_day_f[:, state.slot].T)

    cdf = (1 - params.missed_peak) * reported_maximum_up_to(upper)
    cdf += params.missed_peak * reported_maximum_up_to(upper - 1)
    cdf = np.concatenate([np.zeros((len(temp), 1)), cdf, np.ones((len(temp), 1))], axis=1)
    # Averaging over the bounds of the running maximum keeps the distribution monotone.
    pmf = np.maximum(np.diff(cdf, axis=1), 0.0)
    pmf /= pmf.sum(axis=1, keepdims=True)
    pmf[effective == 0] = np.nan

    new_high = state.max_hi_f[:, None] + 0.5
    unknown = np.where(effective == 0, np.nan, 0.0)
    hazard_5m = 1 - below(new_high, library.rise_5m_f[:, state.slot].T)[:, 0] + unknown
    hazard_60m = 1 - below(new_high, library.rise_1h_f[:, state.slot].T)[:, 0] + unknown
    return Outlook(
        pmf=pmf,
        hazard_5m=np.clip(hazard_5m, 0.0, 1.0),
        hazard_60m=np.clip(np.maximum(hazard_60m, hazard_5m), 0.0, 1.0),
        effective_days=effective,
    )


def _span(state: State) -> Array:
    return (state.max_hi_f - state.max_lo_f + 1)[:, None]


def _weights(state: State, library: Library, params: AnalogueParams) -> tuple[Array, Array]:
    """Kernel weights, shape (times, days), rows summing to one; and their effective number."""
    drop = (state.max_lo_f + state.max_hi_f)[:, None] / 2 - state.temp_f[:, None]
    distance = ((drop - library.drop_f[:, state.slot].T) / params.drop_bandwidth_f) ** 2
    slope = (state.slope_f[:, None] - library.slope_f[:, state.slot].T) / params.slope_bandwidth_f
    distance = distance + np.nan_to_num(slope) ** 2
    usable = ~np.isnan(library.rise_day_f[:, state.slot].T)
    distance = np.where(usable, distance, np.inf)
    enough = np.minimum(params.min_effective_days, usable.sum(axis=1) * 0.8)
    weights, effective = _normalised(distance)
    for _ in range(24):
        narrow = effective < enough
        if not narrow.any():
            break
        distance[narrow] /= 1.25**2
        weights, effective = _normalised(distance)
    return weights, effective


def _normalised(distance: Array) -> tuple[Array, Array]:
    nearest = distance.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        raw = np.exp(-0.5 * (distance - np.where(np.isinf(nearest), 0.0, nearest)))
    total = raw.sum(axis=1, keepdims=True)
    weights = raw / np.where(total > 0, total, 1.0)
    squares = (weights**2).sum(axis=1)
    return weights, np.where(squares > 0, 1 / np.where(squares > 0, squares, 1.0), 0.0)


def _hourly_change(temp: Array) -> Array:
    change = np.full_like(temp, np.nan)
    change[:, ONE_HOUR:] = temp[:, ONE_HOUR:] - temp[:, :-ONE_HOUR]
    return change


def _highest_within(temp: Array, slots: int) -> Array:
    """Highest of the next `slots` values, NaN-safe; -inf at the day's last slot."""
    highest = np.full_like(temp, -np.inf)
    for ahead in range(1, slots + 1):
        highest[:, :-ahead] = np.fmax(highest[:, :-ahead], temp[:, ahead:])
    return highest
