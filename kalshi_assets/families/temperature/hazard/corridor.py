"""The extent of a day's grid: along the paths through its reports.

Here: the range of temperatures of the grid at every slot, and the range of reports that fit on it.
Not here: the grid itself (`filter.residual_model`), when it is rebuilt (`filtered_day`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kalshi_assets.families.temperature.climate_day import ONE_HOUR, SLOTS
from kalshi_assets.families.temperature.filter.residual_model import (
    LEAST_REACH_F,
    Grid,
    ResidualModel,
)
from kalshi_assets.families.temperature.fit.baseline import Baseline
from kalshi_assets.units import Array

Offsets = Sequence[Array] | Array
Reports = Sequence[tuple[int, float]]

# Nodes per panel in addition to those for the innovations; probabilities are accurate to 3e-6.
NODES_AT_LEAST = 1.5
# Reach of a kernel's row; 4e-8 of it lie beyond.
BAND_SD = 5.5
# Uncertainty of the temperature at a report that the grid follows, degrees F.
REPORT_SD_F = 1.5
# How far a report may deviate from the paths that the grid follows: standard deviations, six before
# the first report, and at least this many degrees F. A report beyond causes a new grid.
DEPART_SD, DEPART_PRIOR_SD, DEPART_F = 3.0, 6.0, 6.0
# For this long after the first report the grid is wider, because the report may be wrong.
EARLY_SLOTS = ONE_HOUR
# Margin beyond that: standard deviations of the rest of the day, and degrees F. A path that would
# leave the grid is kept on it, which matters only if it would have returned.
BEYOND_SD, BEYOND_F = 3.0, 2.0


def corridor(
    model: ResidualModel,
    baselines: Sequence[tuple[int, Baseline]],
    offsets: Offsets,
    through: Reports,
) -> Grid:
    """A grid along the paths through some reports.

    Parameters
    ----------
    baselines
        Each with the slot from which it applies.
    offsets
        Possible deviations of the day from its baseline.
    through
        Slot and degrees F of reports; if empty, the grid covers the prior.
    """
    spread = (replace(model, start_sd=REPORT_SD_F) if through else model).residual_sd()
    reach = np.maximum((DEPART_SD if through else DEPART_PRIOR_SD) * spread, DEPART_F)
    reach += _beyond(model)
    wide = np.maximum(DEPART_PRIOR_SD * spread, LEAST_REACH_F)
    early = through[0][0] + EARLY_SLOTS if through else 0
    # If the only known report is wrong, the day is near its baseline.
    alone = reach if len(through) < 2 else DEPART_F
    low, high = np.full(SLOTS, np.inf), np.full(SLOTS, -np.inf)
    for since, baseline in baselines:
        paths = paths_through(through, baseline, offsets, model.rho[0])
        shapes = paths_through((), baseline, offsets, model.rho[0])
        least = np.minimum(paths.min(axis=0), shapes.min(axis=0))
        most = np.maximum(paths.max(axis=0), shapes.max(axis=0))
        low[since:] = np.minimum(paths.min(axis=0) - reach, least - alone)[since:]
        high[since:] = np.maximum(paths.max(axis=0) + reach, most + alone)[since:]
        low[:early] = np.minimum(low[:early], (least - wide).min())
        high[:early] = np.maximum(high[:early], (most + wide).max())
    return Grid.along(low, high, model, nodes_at_least=NODES_AT_LEAST, band_sd=BAND_SD)


def allowed(grid: Grid, model: ResidualModel) -> tuple[Array, Array]:
    """Lowest and highest report that does not cause a new grid; both (slots,), degrees F."""
    held, beyond = grid.degrees, _beyond(model)
    return held[:, 0] + beyond, held[:, 1] - beyond


def paths_through(through: Reports, baseline: Baseline, offsets: Offsets, rho: float) -> Array:
    """For each offset the mean path through each report; without reports, the baseline."""
    profiles = baseline.profile + np.array(offsets)
    if not through:
        return profiles
    slots, degrees = (np.array(each) for each in zip(*through, strict=True))
    fading = rho ** np.abs(np.arange(SLOTS) - slots[:, None])
    departed = degrees - profiles[:, slots]
    return (profiles[:, None] + fading * departed[:, :, None]).reshape(-1, SLOTS)


def _beyond(model: ResidualModel) -> Array:
    """The margin of the grid beyond a report at every slot, (slots,), degrees F."""
    variance = [0.0]
    for rho, sd in zip(model.rho[::-1].tolist(), model.sd[::-1].tolist(), strict=True):
        variance.append(sd**2 + rho**2 * variance[-1])
    return BEYOND_F + BEYOND_SD * np.sqrt(variance[::-1])
