"""Fits the hazard's parameters to a station's earlier days.

Here: which days and inputs are used. Not here: the estimators (`estimation`, `likelihood`),
weighing against priors (`weighing`), the packaged priors (`priors`), the form of the result
(`parameters`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.families.temperature.authorities import official_maximum
from kalshi_assets.families.temperature.fit import estimation, likelihood
from kalshi_assets.families.temperature.fit.baseline import climatological
from kalshi_assets.families.temperature.fit.emos import Guidance, line
from kalshi_assets.families.temperature.fit.estimation import (
    BLOCK_SLOTS,
    BLOCKS,
    Estimated,
)
from kalshi_assets.families.temperature.fit.parameters import (
    KNOTS,
    UNITS,
    HazardParameters,
    Parameter,
    Parent,
)
from kalshi_assets.families.temperature.fit.priors import Priors
from kalshi_assets.families.temperature.fit.weighing import (
    alone,
    forecast_error,
    shrunk_bias,
    weighed_rho,
    weighed_sd,
)
from kalshi_assets.families.temperature.providers import one_forecast_each
from kalshi_assets.families.temperature.station_days import StationDays
from kalshi_assets.units import Array

# Blocks in which the day's maximum usually falls.
PEAK_BLOCKS = slice(4, 6)
# A missed peak is one between five-minute reports; days with longer gaps are not informative.
FULL_COVERAGE = 0.9


def fit(
    days: StationDays,
    official_f: Array,
    *,
    as_of: datetime,
    priors: Priors,
    baseline: Array | None = None,
    forecast_error_f: Array | None = None,
    guidance: Guidance | None = None,
    known_at: datetime | None = None,
) -> HazardParameters:
    """Parameters of a station from its earlier days.

    The residual is taken around the climatological profile of the same days, or around `baseline`.
    Its sd includes variance that the filter's mixture over the shape also explains: removing the
    shape from the residual first made no difference (81 days of KNYC: mean log loss .424 against
    .423).

    Parameters
    ----------
    days
        Earlier days, oldest first; those with too few reports are excluded here.
    official_f
        Official maximum of each day, shape (days,); NaN: not known.
    as_of
        Start of the climate day that the parameters are for.
    baseline
        Shape (days, 288); replaces the climatological profile.
    forecast_error_f
        Official less forecast maximum of any number of earlier days.
    guidance
        Forecasts and official maxima of earlier days; used if there are too few reports.
    known_at
        When the latest of the inputs became known; None: the latest of the observations.
    """
    kept = days.usable()
    enough = int(kept.sum()) >= priors.min_days
    used = days.take(kept)
    errors = np.zeros(0) if forecast_error_f is None else forecast_error_f
    parameters = {
        **(
            _of_station(used, None if baseline is None else baseline[kept], as_of, priors)
            if enough
            else _of_priors(days, as_of, priors)
        ),
        **forecast_error(errors, priors),
        **_guidance(None if enough else guidance, as_of),
        "tail_share": alone(np.array([priors.tail_share])),
    }
    parameters |= _missed_peak(used, official_f[kept], parameters["sd"], priors)
    return HazardParameters(
        as_of=as_of,
        known_at=known_at or days.known_at or as_of,
        window=(used.starts[0].date(), used.starts[-1].date()) if len(used) else None,
        parameters=MappingProxyType({name: parameters[name] for name in UNITS}),
    )


def _of_station(
    days: StationDays, baseline: Array | None, as_of: datetime, priors: Priors
) -> dict[str, Parameter]:
    rounding, n = days.rounding_variance, len(days)
    centre = climatological(days.mid_f)
    expected = np.broadcast_to(centre.profile, days.mid_f.shape) if baseline is None else baseline
    bias = estimation.block_means(days.mid_f - expected, _weights(days, as_of, priors))
    if baseline is not None:
        mean = estimation.block_means(days.mid_f - expected, np.ones(n)).value
        expected = expected + np.repeat(np.nan_to_num(mean), BLOCK_SLOTS)
    # Corrects for the mean, which is taken from the same days.
    residual = (days.mid_f - expected) * np.sqrt(n / (n - 1))
    start = estimation.start_spread(residual, rounding)
    rho, sd = _autoregression(days, expected, residual, float(start.value), as_of, priors)
    return {
        "rho": rho,
        "sd": sd,
        "start_sd": weighed_sd(start, np.array([priors.start_sd]), priors.level_spread, "global"),
        "bias": shrunk_bias(bias, _weights(days, as_of, priors), priors),
        "profile": Parameter(
            value=centre.profile[KNOTS],
            standard_error=_spread(days.mid_f)[KNOTS] / np.sqrt(n),
            n_days=n,
            parent="own",
        ),
        # Of its size only; the uncertainty of its form is not included.
        "shape": Parameter(
            value=centre.shape[KNOTS],
            standard_error=np.abs(centre.shape[KNOTS]) / np.sqrt(2 * n),
            n_days=n,
            parent="own",
        ),
    }


def _autoregression(
    days: StationDays,
    expected: Array,
    residual: Array,
    start_sd: float,
    as_of: datetime,
    priors: Priors,
) -> tuple[Parameter, Parameter]:
    """rho and sd by regression, refined by the likelihood of the most recent days."""

    def weighed(rho: Estimated, sd: Estimated) -> tuple[Parameter, Parameter]:
        return weighed_rho(rho, priors), weighed_sd(
            sd, priors.sd_at(as_of), priors.sd_spread, priors.sd_parent_at(as_of)
        )

    own_rho = estimation.autocorrelation(residual)
    start_rho = float(weighed_rho(own_rho, priors).value[0])
    own_sd = estimation.innovation_sd(residual, start_rho, days.rounding_variance)
    rho, sd = weighed(own_rho, own_sd)
    if priors.likelihood_days == 0:
        return rho, sd
    recent = np.arange(len(days)) >= len(days) - priors.likelihood_days
    own = likelihood.refined(
        days.take(recent),
        expected[recent],
        rho=own_rho,
        sd=own_sd,
        start=(start_rho, sd.value),
        start_sd=start_sd,
        tail_share=priors.tail_share,
    )
    return weighed(*own)


def _of_priors(days: StationDays, as_of: datetime, priors: Priors) -> dict[str, Parameter]:
    """The packaged values; the packaged profile is shifted to the mean of any reports there are."""
    diurnal, sd = priors.by_slot("diurnal"), priors.sd_at(as_of)
    known = (days.mid_f - diurnal)[~np.isnan(days.mid_f)]
    level = float(known.mean()) if known.size else np.nan
    return {
        "rho": alone(np.array([priors.rho]), priors.rho_spread * (1 - priors.rho**2)),
        "sd": alone(sd, priors.sd_spread * sd),
        "start_sd": alone(np.array([priors.start_sd]), priors.level_spread * priors.start_sd),
        "bias": alone(np.zeros(BLOCKS)),
        "profile": alone(level + diurnal[KNOTS], priors.start_sd),
        "shape": alone(priors.by_slot("shape")[KNOTS]),
    }


def _weights(days: StationDays, as_of: datetime, priors: Priors) -> Array:
    """Weights of days, which decrease exponentially with age."""
    age = np.array([(as_of - start).days for start in days.starts])
    return 0.5 ** (age / priors.bias_half_life_days)


def _guidance(guidance: Guidance | None, as_of: datetime) -> dict[str, Parameter]:
    """The line from forecast to maximum; not fitted if there are enough reports."""
    found = None if guidance is None else line(guidance, as_of.date())
    values = (np.nan,) * 3 if found is None else (found.offset_f, found.slope, found.sd_f)
    return {
        f"guidance_{name}": Parameter(
            value=np.array([value]),
            standard_error=np.array([np.nan]),
            n_days=0 if found is None else found.n_days,
            parent="default" if found is None else "own",
        )
        for name, value in zip(("offset", "slope", "sd"), values, strict=True)
    }


def _missed_peak(
    days: StationDays, official_f: Array, sd: Parameter, priors: Priors
) -> dict[str, Parameter]:
    full = ~np.isnan(official_f) & _five_minutes(days)
    lo, hi = days.highest()
    share = days.exact_share if len(days) else 1.0
    missed = np.array(priors.missed_peak) * priors.missed_days
    proven = share * missed + (1 - share) * np.array(priors.whole_c_evidence) * priors.missed_days
    peak = estimation.missed_degrees(official_f[full], lo[full], hi[full], missed)
    above = estimation.missed_degrees(official_f[full], lo[full], lo[full], proven)
    any_missed = 1 - float(peak.value[0])
    kappa, error = estimation.barrier_shift(
        any_missed, float(peak.standard_error[0]), float(sd.value[PEAK_BLOCKS].mean())
    )

    def parameter(value: Array, standard_error: Array) -> Parameter:
        parent: Parent = "global" if peak.days else "default"
        return Parameter(
            value=value, standard_error=standard_error, n_days=peak.days, parent=parent
        )

    return {
        "kappa": parameter(np.array([kappa]), np.array([error])),
        "missed_peak": parameter(peak.value, peak.standard_error),
        "above_evidence": parameter(above.value, above.standard_error),
    }


def _five_minutes(days: StationDays) -> NDArray[np.bool_]:
    return (~np.isnan(days.mid_f)).mean(axis=1) >= FULL_COVERAGE


def _spread(days: Array) -> Array:
    """Standard deviation over days by slot, shape (288,); NaN where fewer than two days tell."""
    known = ~np.isnan(days)
    count = known.sum(axis=0)
    filled = np.where(known, days, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, (days - mean) ** 2, 0.0).sum(axis=0)
    return np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)


def mc_params(
    start: datetime,
    observations: Sequence[tuple[datetime, pl.DataFrame]],
    settlements: Sequence[tuple[datetime, pl.DataFrame]],
    forecasts: Sequence[tuple[datetime, pl.DataFrame]],
    priors: Priors,
) -> pl.DataFrame:
    """`probability.mc_params` of one city-day.

    Parameters
    ----------
    start
        Start of the climate day; inputs that became known later are excluded.
    observations, settlements, forecasts
        Start of the climate day and the table's partition for earlier days, oldest first; days
        without settlement or forecast may be missing from the latter two.
    """
    days = StationDays.of(observations, known_by=start)
    official, settled_at = _official(settlements, start)
    expected, forecast_at = _expected(forecasts, start)
    times = [t for t in (days.known_at, settled_at, forecast_at) if t is not None]
    found = fit(
        days,
        np.array([official.get(day, np.nan) for day in days.starts], np.float64),
        as_of=start,
        priors=priors,
        forecast_error_f=np.array(
            # In order of days, because the last bit of a mean depends on the order.
            [official[day] - expected[day] for day in sorted(expected) if day in official],
            np.float64,
        ),
        guidance=_as_guidance(official, expected),
        known_at=max(times, default=start),
    )
    return found.to_frame()


def _as_guidance(
    official: Mapping[datetime, float], expected: Mapping[datetime, float]
) -> Guidance:
    days = sorted(expected)
    return Guidance(
        dates=tuple(day.date() for day in days),
        forecast_f=np.array([[expected[day]] for day in days], np.float64).reshape(-1, 1),
        observed_f=np.array([official.get(day, np.nan) for day in days], np.float64),
    )


def _official(
    settlements: Sequence[tuple[datetime, pl.DataFrame]], known_by: datetime
) -> tuple[dict[datetime, float], datetime | None]:
    """Official maxima by day, and when the latest became known."""
    known = {
        # A climate day begins at 04:00 to 10:00 UTC of its own date.
        day: official_maximum(rows, day.date(), known_by)
        for day, rows in settlements
    }
    found = {day: of for day, of in known.items() if of is not None}
    latest = max((known_at for _, known_at in found.values()), default=None)
    return {day: float(tmax_f) for day, (tmax_f, _) in found.items()}, latest


def _expected(
    forecasts: Sequence[tuple[datetime, pl.DataFrame]], known_by: datetime
) -> tuple[dict[datetime, float], datetime | None]:
    """Forecast maxima by day, as known when that day began, and when the latest became known."""
    if not forecasts:
        return {}, None
    days, rows = _of_days([(start, one_forecast_each(frame)) for start, frame in forecasts])
    basis, value = pl.col("event_time"), pl.col("value_f")
    latest = basis == basis.max()
    tmax, temps = (value.filter(latest & (pl.col("variable") == n)) for n in ("tmax", "temp"))
    by_day = (
        rows.lazy()
        .with_columns(day=pl.Series(days, dtype=pl.Datetime("us", "UTC")))
        .filter((pl.col("known_at") <= pl.col("day")) & (pl.col("known_at") <= known_by))
        .group_by("day")
        .agg(
            expected=pl.coalesce(tmax.first(), temps.max()),
            known_at=pl.col("known_at").filter(latest).max(),
        )
        .collect()
    )
    known_at = by_day["known_at"].max()
    expected = dict(by_day.select("day", "expected").drop_nulls().iter_rows())
    return expected, known_at if isinstance(known_at, datetime) else None


def _of_days(days: Sequence[tuple[datetime, pl.DataFrame]]) -> tuple[list[datetime], pl.DataFrame]:
    """All rows, and the start of each one's day."""
    starts = [start for start, frame in days for _ in range(frame.height)]
    return starts, pl.concat(frame for _, frame in days)
