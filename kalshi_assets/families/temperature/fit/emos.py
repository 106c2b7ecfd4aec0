"""The day-ahead distribution of the maximum from model guidance: a normal, fitted by its CRPS.

Used for a station with guidance but without reports during the day: mean a + b f (with several
models a weighted sum), standard deviation from past errors, by season. Source: Gneiting and others,
Monthly Weather Review 133 (2005), 1098-1118; methods, section 6 for the scores.

Limitation: errors have heavier tails than a normal. On all 2,025 days of KMDW and KAUS with NBM and
HRRR runs of the evening before, 2023 to 2025, 80 % intervals cover .80 and .79, but standardised
errors have a standard deviation of 1.17 and 1.19 instead of 1: the probabilities of the outermost
brackets are too low. Uniformity of the probability transform is doubtful for KMDW (p = .04) and not
rejected for KAUS (p = .11).

Here: fit, distribution, PMF over a ladder. Not here: the origin of guidance and when it was known
(the caller passes earlier days only), the hazard during the day (`filter`).
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.families.temperature.normal import normal_cdf, normal_density
from kalshi_assets.units import Array

Method = Literal["emos", "climatology"]

YEAR_DAYS = 365.25
LEAST_SD_F = 0.5


@dataclass(frozen=True, kw_only=True)
class EmosParams:
    """Weights of earlier days.

    Attributes
    ----------
    min_days
        Earlier days with guidance that a fit needs; with fewer, climatology is used.
    season_sd_days
        Standard deviation of the normal weight of the distance within the year.
    age_half_life_days
        Age at which the weight is halved.
    prior_days
        Weight of a ridge penalty towards equal weights of the models that sum to 1. The offset is
        not penalised: guidance may be of one hour of the afternoon, which is below the maximum.
    """

    min_days: int = 30
    season_sd_days: float = 30.0
    age_half_life_days: float = 730.0
    prior_days: float = 5.0


DEFAULTS = EmosParams()


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """Earlier days with their forecasts and official maxima.

    Attributes
    ----------
    dates
        Ascending.
    forecast_f
        Shape (days, models), degrees F; NaN: no forecast.
    observed_f
        Official maxima, shape (days,); NaN: not known.
    """

    dates: tuple[date, ...]
    forecast_f: Array
    observed_f: Array

    def __post_init__(self) -> None:
        n = len(self.dates)
        if self.forecast_f.ndim != 2 or len(self.forecast_f) != n or self.observed_f.shape != (n,):
            raise ValueError(
                f"{n} dates, but forecast_f {self.forecast_f.shape} and observed_f "
                f"{self.observed_f.shape}: they must be ({n}, models) and ({n},)"
            )

    def complete(self) -> NDArray[np.bool_]:
        """Days with every model's forecast and an official maximum; shape (days,)."""
        return np.isfinite(self.forecast_f).all(axis=1) & np.isfinite(self.observed_f)


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """A normal distribution of the day's maximum before it is rounded to whole degrees.

    Attributes
    ----------
    method
        emos, or climatology if there was too little guidance.
    n_days
        Number of earlier days used.
    """

    mean_f: float
    sd_f: float
    method: Method
    n_days: int

    def cdf(self, level_f: Array) -> Array:
        """P(maximum below `level_f`)."""
        return normal_cdf((level_f - self.mean_f) / self.sd_f)

    def pmf(self, upper: Array) -> Array:
        """Probabilities of brackets; `upper` are their highest whole degrees except the last.

        Parameters
        ----------
        upper
            Ascending, shape (brackets - 1,). A maximum of at most u is one below u + 0.5.
        """
        below = np.concatenate([[0.0], self.cdf(upper + 0.5), [1.0]])
        return np.diff(below)


@dataclass(frozen=True, kw_only=True)
class Line:
    """The maximum given one forecast f: normal around offset_f + slope f.

    Attributes
    ----------
    n_days
        Number of earlier days used.
    """

    offset_f: float
    slope: float
    sd_f: float
    n_days: int

    def predicted(self, forecast_f: float) -> Predicted:
        """The distribution for one forecast, degrees F."""
        mean = self.offset_f + self.slope * forecast_f
        return Predicted(mean_f=mean, sd_f=self.sd_f, method="emos", n_days=self.n_days)


def line(guidance: Guidance, day: date, params: EmosParams = DEFAULTS) -> Line | None:
    """The fit to guidance of one model, for `day`; None: too few earlier days.

    Raises
    ------
    ValueError
        Guidance is of several models, or not of earlier days.
    """
    if guidance.forecast_f.shape[1] != 1:
        raise ValueError(f"a line takes one model, not {guidance.forecast_f.shape[1]}")
    kept = guidance.complete()
    if kept.sum() < params.min_days:
        return None
    # The mean is linear in the forecast and the sd constant: two forecasts give the line.
    low, high = (predict(guidance, np.array([f]), day, params) for f in (0.0, 1.0))
    slope = high.mean_f - low.mean_f
    return Line(offset_f=low.mean_f, slope=slope, sd_f=low.sd_f, n_days=low.n_days)


def crps_normal(mean: Array, sd: Array | float, observed: Array) -> Array:
    """Continuous ranked probability score of a normal distribution, in the unit of its arguments.

    ``sd (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))`` with z the standardised observation.
    """
    z = (observed - mean) / sd
    return sd * (z * (2 * normal_cdf(z) - 1) + 2 * normal_density(z) - 1 / np.sqrt(np.pi))


def season_weights(
    dates: tuple[date, ...], day: date, *, season_sd_days: float, age_half_life_days: float
) -> Array:
    """Weights of earlier days for `day`, by distance in the year and by age; shape (days,)."""
    age = np.array([(day - each).days for each in dates], dtype=np.float64)
    in_year = np.abs((age + YEAR_DAYS / 2) % YEAR_DAYS - YEAR_DAYS / 2)
    return np.exp(-0.5 * (in_year / season_sd_days) ** 2) * 0.5 ** (age / age_half_life_days)


def predict(
    guidance: Guidance, forecast_f: Array, day: date, params: EmosParams = DEFAULTS
) -> Predicted:
    """The distribution of the maximum of `day`.

    Parameters
    ----------
    guidance
        Earlier days only; a day that is not before `day` is an error.
    forecast_f
        The models' forecasts for the day, shape (models,); NaN: none, so climatology is used.

    Raises
    ------
    ValueError
        Guidance is not of earlier days, or there is no official maximum.
    """
    if guidance.dates and max(guidance.dates) >= day:
        raise ValueError(
            f"guidance of {max(guidance.dates)} cannot predict {day}; pass earlier days"
        )
    kept = guidance.complete()
    if kept.sum() < params.min_days or not np.isfinite(forecast_f).all():
        return climatology(guidance.dates, guidance.observed_f, day, params)
    dates = tuple(d for d, keep in zip(guidance.dates, kept, strict=True) if keep)
    weights = season_weights(
        dates,
        day,
        season_sd_days=params.season_sd_days,
        age_half_life_days=params.age_half_life_days,
    )
    model = _fit(guidance.forecast_f[kept], guidance.observed_f[kept], weights, params)
    mean, sd = _distribution(model, forecast_f[None], _centre(guidance.forecast_f[kept], weights))
    return Predicted(mean_f=float(mean[0]), sd_f=float(sd), method="emos", n_days=int(kept.sum()))


def climatology(
    dates: tuple[date, ...], observed_f: Array, day: date, params: EmosParams = DEFAULTS
) -> Predicted:
    """Weighted mean and spread of the official maxima at this time of the year.

    Raises
    ------
    ValueError
        No official maximum is known.
    """
    known = np.isfinite(observed_f)
    if not known.any():
        raise ValueError(f"no official maximum before {day} is known: there is no climatology")
    kept = tuple(d for d, keep in zip(dates, known, strict=True) if keep)
    weights = season_weights(
        kept, day, season_sd_days=params.season_sd_days / 2, age_half_life_days=np.inf
    )
    weights = np.maximum(weights, 1e-12) / np.maximum(weights, 1e-12).sum()
    values = observed_f[known]
    mean = float(weights @ values)
    # Effective sample size.
    size = 1 / float((weights**2).sum())
    variance = float(weights @ (values - mean) ** 2) * size / max(size - 1, 1.0)
    sd = max(np.sqrt(variance), LEAST_SD_F)
    return Predicted(mean_f=mean, sd_f=float(sd), method="climatology", n_days=int(known.sum()))


def _centre(forecast_f: Array, weights: Array) -> float:
    return float(weights @ forecast_f.mean(axis=1) / weights.sum())


def _fit(forecast_f: Array, observed_f: Array, weights: Array, params: EmosParams) -> Array:
    """Offset at the centre, weights of models, log sd that minimise the weighted CRPS."""
    from scipy.optimize import minimize

    models = forecast_f.shape[1]
    centre, share = _centre(forecast_f, weights), np.full(models, 1 / models)
    misses = observed_f - forecast_f @ share
    offset = float(weights @ misses / weights.sum())
    spread = max(float(np.sqrt(weights @ (misses - offset) ** 2 / weights.sum())), LEAST_SD_F)
    start = np.concatenate([[offset], share, [np.log(spread)]])
    # Scale of the penalty: the spread of the forecasts.
    range_f = max(
        float(np.sqrt(weights @ (forecast_f.mean(axis=1) - centre) ** 2 / weights.sum())), 1.0
    )

    def loss(model: Array) -> tuple[float, Array]:
        centred = forecast_f - centre
        mean, sd = model[0] + centre + centred @ model[1:-1], np.exp(model[-1])
        z = (observed_f - mean) / sd
        by_mean = 1 - 2 * normal_cdf(z)
        by_sd = 2 * normal_density(z) - 1 / np.sqrt(np.pi)
        score = weights @ crps_normal(mean, sd, observed_f)
        gradient = np.concatenate(
            [[weights @ by_mean], (weights * by_mean) @ centred, [sd * (weights @ by_sd)]]
        )
        off = (model[1:-1] - share) * range_f
        penalty = params.prior_days * (off**2).sum() / (2 * spread)
        pull = np.concatenate([[0.0], off * range_f, [0.0]]) * params.prior_days / spread
        return score + penalty, gradient + pull

    found = minimize(loss, start, jac=True, method="L-BFGS-B")
    return found.x


def _distribution(model: Array, forecast_f: Array, centre: float) -> tuple[Array, float]:
    mean = model[0] + centre + (forecast_f - centre) @ model[1:-1]
    return mean, max(float(np.exp(model[-1])), LEAST_SD_F)
