"""Labels of a city-day: those of any ladder, and whether reports rule out a bracket soon."""

from functools import partial

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.evidence import counted, evidence_floor, of_climate_day
from kalshi_assets.features.labels import HORIZONS
from kalshi_assets.features.labels import labels as labels_of_ladder
from kalshi_assets.instants import microseconds
from kalshi_assets.ladder.grid import Grid
from kalshi_assets.units import MINUTE_US, Array, Ints


def labels(
    panel: pl.DataFrame,
    events: pl.DataFrame,
    observations: pl.DataFrame,
    settlements: pl.DataFrame,
) -> pl.DataFrame:
    """`panel.labels` of a city-day; see `features.labels`.

    Parameters
    ----------
    panel, events, settlements
        As there.
    observations
        `weather.observations` of the climate day.
    """
    return labels_of_ladder(panel, events, settlements, partial(crossings, observations))


def crossings(observations: pl.DataFrame, grid: Grid, ladder: pl.DataFrame) -> dict[str, Array]:
    """Whether the evidence rules out each bracket soon, by measurement time and by `known_at`.

    Parameters
    ----------
    observations
        `weather.observations` of the climate day.
    grid
        Grid of the panel.
    ladder
        The event's terms, a row per bracket, in the order of the grid's markets.

    Returns
    -------
    dict
        The columns y_cross_* of `panel.labels`, each of the grid's shape.
    """
    reports = of_climate_day(observations, ladder["day_start"][0])
    clocks = {"sensor": reports.with_columns(known_at="event_time"), "known": reports}
    upper = ladder["hi"].cast(pl.Float64).to_numpy()
    found = {}
    for clock, seen in clocks.items():
        rows = counted(seen)
        times, floor = microseconds(rows["known_at"]), evidence_floor(rows)
        for minutes in HORIZONS:
            found[f"y_cross_{clock}_{minutes}m"] = _crossed(
                grid.minutes, grid.minutes + minutes * MINUTE_US, times, floor, upper
            )
    return found


def _crossed(now: Ints, until: Ints, times: Ints, floor: Array, upper: Array) -> Array:
    """1 if the floor first exceeds the edge after `now` and not after `until`, otherwise 0.

    NaN if there was no report by `until`, and for a bracket without an upper edge.
    """
    crossed = np.full((upper.size, now.size), np.nan)
    if times.size:
        for row, edge in zip(crossed, upper, strict=True):
            passed = times[floor > edge]
            row[:] = (now < passed[0]) & (passed[0] <= until) if passed.size else 0.0
        crossed[np.isnan(upper)] = np.nan
        crossed[:, until < times[0]] = np.nan
    return crossed
