"""`learning.calibrators` of a climate day from earlier days, and `learning.calibrated` from both.

Here: which days count, and applying what is in force. Not here: fits (`rolling`), the rule of
adoption (`selection`), the form of the calibrators' table (`rows`).

Everything is refitted for every partition: 150 earlier days take 40 ms, so that neither a weekly
refit nor a stored state is needed, and a partition depends on its inputs only.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.learning.calibration import rows
from kalshi_assets.learning.calibration.days import (
    LEAD_BLOCKS,
    CalibrationDay,
    as_of,
    lead_block,
    season_of,
)
from kalshi_assets.learning.calibration.maps import (
    IDENTITY,
    CalibrationMap,
    cumulatives,
    interpolated,
    venn_abers_band,
)
from kalshi_assets.learning.calibration.rolling import Stack, fitted, keys_of, out_of_sample
from kalshi_assets.learning.calibration.selection import InForce, chosen, scopes_of_bands
from kalshi_assets.tables.calibration import CALIBRATED
from kalshi_assets.tables.probability import FUSED_PMF
from kalshi_assets.units import Array


def calibrators(
    day_start: datetime,
    earlier: Sequence[CalibrationDay],
    packaged: CalibrationMap = IDENTITY,
) -> pl.DataFrame:
    """Calibrators of a climate day.

    Parameters
    ----------
    day_start
        Start of the climate day.
    earlier
        Settled days of the same city, in any order; those whose outcome was not known a day before
        the climate day are left out. Days of one city only: otherwise a partition would depend on
        which cities were backfilled before.
    packaged
        The map in force where none is adopted.

    Returns
    -------
    DataFrame
        `learning.calibrators`.
    """
    at, season = as_of(day_start), season_of(day_start)
    days = sorted(
        (day for day in earlier if day.known_at <= at and len(day.p)),
        key=lambda day: day.day_start,
    )
    if not days:
        nothing = [InForce()] * len(LEAD_BLOCKS)
        return rows.as_frame(list(rows.rows_of_packaged(packaged, nothing)), at, at)
    stack = Stack.of(days, season)
    fits = fitted(stack, packaged)
    choices, in_force = chosen(stack, out_of_sample(stack, fits, packaged), at)
    fitted_to = rows.days_of_keys(stack)
    found = [
        *rows.rows_of_packaged(packaged, in_force),
        *rows.rows_of_maps(fits, fitted_to, choices, in_force, season),
    ]
    scopes = scopes_of_bands(stack, at)
    banded = [(b, scope, keys_of(b)[scope]) for b, scope in enumerate(scopes) if scope is not None]
    bands = venn_abers_band(fits.statistics.take([key for _, _, key in banded]))
    for place, (block, scope, key) in enumerate(banded):
        band = np.stack([end[place] for end in bands])
        found += rows.rows_of_band(block, scope, fitted_to[key], season, band)
    return rows.as_frame(found, at, max(day.known_at for day in days))


def calibrated(
    fused: pl.DataFrame,
    calibrators_frame: pl.DataFrame,
    day_start: datetime,
    ladder: Atoms | None = None,
) -> pl.DataFrame:
    """The pooled PMFs of a climate day after the map of each minute's lead block.

    Parameters
    ----------
    fused
        `probability.fused_pmf` of one event.
    calibrators_frame
        `learning.calibrators` of the same climate day.
    day_start
        Start of the day.
    ladder
        The event's legs by bracket; None: a partition.

    Returns
    -------
    DataFrame
        `learning.calibrated`. Only legs of a partition have a band.

    Raises
    ------
    ValueError
        The market was open before the calibrators were made, or a bracket lacks a minute.
    """
    # Sorting by minute and back would cost three times the rest.
    frame = FUSED_PMF.arranged(fused)
    if frame.is_empty():
        return CALIBRATED.empty()
    made = calibrators_frame["event_time"][0]
    minute, order, p = _by_minute(frame)
    nested = None if ladder is None or ladder.shape == "partition" else ladder
    if nested is not None:
        p = np.ascontiguousarray(nested.atom_probabilities(p.T).T)
    if (first := frame["minute"][0]) < made:
        raise ValueError(
            f"the first minute {first:%Y-%m-%dT%H:%MZ} lies before the calibrators of "
            f"{made:%Y-%m-%dT%H:%MZ} were made; increase days.OPENS_BEFORE"
        )
    in_force = rows.in_force(calibrators_frame)
    since = minute.astype(np.float64) - day_start.timestamp() * 1e6
    block = lead_block(since / 3.6e9)
    out, band = p.copy(), np.full((2, *p.shape), np.nan)
    for b in np.unique(block):
        at = block == b
        out[at] = in_force[b].map(p[at])
        band[:, at] = _band(in_force[b].band, p[at])

    if nested is not None:
        out = nested.leg_probabilities(out.T).T
        band = np.full((2, *out.shape), np.nan)

    def column(values: Array) -> pl.Series:
        back = np.empty_like(values.T)
        back[order] = values.T
        return pl.Series(back.ravel(), nan_to_null=True)

    of_block = np.tile(block.astype(np.int64), len(order))
    return frame.select(
        "market_ticker",
        "bracket",
        "minute",
        pl.max_horizontal("known_at", calibrators_frame["known_at"].head(1)).alias("known_at"),
        pl.col("p_fused").alias("p_raw"),
        column(out).alias("p_calibrated"),
        column(band[0]).alias("cumulative_lo"),
        column(band[1]).alias("cumulative_hi"),
        _named(LEAD_BLOCKS, of_block).alias("lead_block"),
        _named([b.map.family.name for b in in_force], of_block).alias("map"),
        _named([b.scope for b in in_force], of_block).alias("scope"),
        "impossible",
    )


def _by_minute(frame: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Minutes, order of the brackets, and PMFs of a frame sorted by market and minute.

    Minutes are microseconds since the epoch, PMFs have shape (minutes, brackets).
    """
    ticker = frame["market_ticker"]
    n = 1 + np.count_nonzero((ticker[1:] != ticker[:-1]).to_numpy())
    minutes = frame.height // n
    at = frame["minute"].to_physical().to_numpy()
    if frame.height % n or (at.reshape(n, -1) != at[:minutes]).any():
        raise ValueError(
            f"{ticker[0]}: brackets have different minutes; a PMF needs every "
            "bracket at every minute"
        )
    order = np.argsort(frame["bracket"].to_numpy()[::minutes])
    p = np.ascontiguousarray(frame["p_fused"].to_numpy().reshape(n, -1)[order].T)
    return at[:minutes], order, p


def _band(band: Array | None, p: Array) -> Array:
    """Bounds of the cumulative probability up to every bracket, shape (2, instants, brackets)."""
    if band is None:
        return np.full((2, *p.shape), np.nan)
    below, _ = cumulatives(p)
    ends = np.ones((2, *p.shape))
    for end, values in zip(ends, band, strict=True):
        end[:, :-1] = interpolated(values, below)
    return ends


def _named(names: Sequence[str], of_row: NDArray[np.int64]) -> pl.Expr | pl.Series:
    if len(set(names)) == 1:
        return pl.lit(names[0])
    return pl.Series(names).gather(of_row)
