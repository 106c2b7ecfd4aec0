"""The exact engine over one day's reports, in the order in which they became known.

Here: feeding reports to the filter and reading it at evaluation times. Not here: the filter
(`exact`, `mixture`), the parameters (`parameters`), what a table row looks like (`hazard`).
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.weather.climate_day import FIVE_MINUTES, ONE_HOUR, SLOTS, slot_of
from kalshi_assets.weather.evidence import temperatures
from kalshi_assets.weather.filter.emission import emission
from kalshi_assets.weather.filter.exact import Workspace
from kalshi_assets.weather.filter.mixture import MissedPeaks, MixtureFilter
from kalshi_assets.weather.filter.residual_model import Grid, ResidualModel
from kalshi_assets.weather.fit.baseline import Baseline
from kalshi_assets.weather.fit.parameters import HazardParameters
from kalshi_assets.weather.reports.intervals import Kind

Array = NDArray[np.float64]

SHAPE_NODES = 3

_WORKSPACE = Workspace()


@dataclass(frozen=True)
class ExactOutlook:
    """What the engine says at every evaluation time.

    Attributes
    ----------
    pmf
        Shape (times, brackets).
    hazard_5m, hazard_60m
        Probability of a temperature above the highest that reports allow so far, shape (times,).
    log_likelihood
        Of all reports known, shape (times,).
    """

    pmf: Array
    hazard_5m: Array
    hazard_60m: Array
    log_likelihood: Array


def exact_outlook(
    times: pl.DataFrame,
    observations: pl.DataFrame,
    start: datetime,
    upper: Array,
    baseline: Baseline,
    parameters: HazardParameters,
) -> ExactOutlook:
    """Evaluate the filter at every time, with the reports known then.

    Parameters
    ----------
    times
        `minute` (ascending) and `running_max_hi_f` of the evaluation times, each with a report.
    observations
        `weather.observations` of the climate day.
    start
        Start of the climate day, UTC.
    upper
        Greatest whole degree of every bracket but the last.
    baseline, parameters
        As of the start of the day.
    """
    peaks = MissedPeaks(tuple(parameters["missed_peak"] / parameters["missed_peak"].sum()))
    edges = upper + 0.5
    known_edges = peaks.edges(edges)
    mixture = _mixture(baseline, parameters, known_edges)
    reports = _reports(observations, start)
    minutes = times["minute"].to_list()
    slots = times.select(slot_of(pl.col("minute"), start)).to_series().to_list()
    highest = times["running_max_hi_f"].to_list()
    cdf = np.empty((len(minutes), len(known_edges)))
    hazards = np.empty((len(minutes), 2))
    log_likelihood = np.empty(len(minutes))
    fed = 0
    for row, (minute, slot) in enumerate(zip(minutes, slots, strict=True)):
        news = False
        while fed < len(reports) and reports[fed][0] <= minute:
            _, at, kind, lo, hi, temp = reports[fed]
            mixture.report(at, emission(kind, lo, hi, temp))
            mixture.advance(at)
            fed, news = fed + 1, True
        if news or row == 0:
            cdf[row] = mixture.cdf()
            log_likelihood[row] = mixture.log_likelihood
        else:
            cdf[row], log_likelihood[row] = cdf[row - 1], log_likelihood[row - 1]
        lead = min(slot, SLOTS - 1) - mixture.head
        hazards[row] = mixture.hazards(highest[row] + 0.5, lead, (FIVE_MINUTES, ONE_HOUR))
    pmf = np.diff(peaks.cdf(edges, known_edges, cdf), axis=1, prepend=0.0, append=1.0)
    pmf = np.maximum(pmf, 0.0)
    return ExactOutlook(
        pmf=pmf / pmf.sum(axis=1, keepdims=True),
        hazard_5m=np.clip(hazards[:, 0], 0.0, 1.0),
        hazard_60m=np.clip(hazards[:, 1], 0.0, 1.0),
        log_likelihood=log_likelihood,
    )


def _mixture(baseline: Baseline, parameters: HazardParameters, edges: Array) -> MixtureFilter:
    climatology = baseline.source == "climatology"
    sd = parameters.sd_by_step(beside_shape=True)
    model = ResidualModel(
        rho=np.full(len(sd), parameters.rho),
        sd=sd,
        start_sd=parameters.start_sd if climatology else parameters.bias_sd,
    )
    nodes = baseline.nodes(SHAPE_NODES)
    offsets = [profile - baseline.profile for profile, _ in nodes]
    spread = np.array([profile for profile, _ in nodes])
    grid = Grid.of(spread, model)
    return MixtureFilter(
        grid,
        baseline.profile,
        model,
        edges,
        _WORKSPACE,
        nodes=(offsets, np.array([prior for _, prior in nodes])),
    )


def _reports(
    observations: pl.DataFrame, start: datetime
) -> list[tuple[datetime, int, Kind, int, int, float]]:
    """(known at, slot, kind, lo, hi, shown) of the day's temperatures, as they became known."""
    slot = slot_of(pl.col("event_time"), start)
    rows = (
        temperatures(observations)
        .select("known_at", slot.alias("slot"), "kind", "lo_f", "hi_f", "temp_f", "event_time")
        .filter(pl.col("slot").is_between(0, SLOTS - 1))
        .sort("known_at", "event_time")
    )
    return list(rows.drop("event_time").iter_rows())
