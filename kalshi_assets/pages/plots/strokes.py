"""Elements that several figures of a city-day share: bands of a PMF, lines, time marks.

Here: shapes on a panel. Not here: whole figures.
"""

import numpy as np

from kalshi_assets.pages.canvas import (
    FONT,
    INK,
    Panel,
    Sheet,
    Size,
    Span,
    Ticks,
    thin_out,
)
from kalshi_assets.pages.inputs import DayInputs, HazardGrid, MinuteGrid, runs
from kalshi_assets.pages.palette import bracket_colours
from kalshi_assets.units import Array

INLINE_SIZE: Size = (6.4, 2.2)
"""Inches of a figure for Dagster's inline markdown: 640 x 220 pixels."""

PERCENT: Ticks = ((0.0, "0"), (0.5, "50 %"), (1.0, "100 %"))
LEGEND_TOP = 0.34
"""Height of a legend at the top of a sheet, inches."""

DIAMOND = ((-3.2, 0.0), (0.0, -3.2), (3.2, 0.0), (0.0, 3.2))
_TRIANGLE = ((-4.5, 0.0), (4.5, 0.0), (0.0, 8.0))
_COLUMNS = 360  # horizontal detail of stacked bands: about 3 pixels of a page


def bands(panel: Panel, hours: Array, pmf: Array, winner: int | None) -> None:
    """A PMF as stacked bands, the coldest at the bottom; times without a PMF stay empty.

    Parameters
    ----------
    hours
        Shape (N,).
    pmf
        Shape (B, N); each PMF holds until the next of `hours`.
    winner
        The bracket that paid; its band is outlined.
    """
    upper = np.cumsum(pmf, axis=0)
    spans = []
    for start, stop, known in runs(np.asarray(np.isfinite(pmf).all(axis=0))):
        if known:
            kept = start + thin_out(upper[:, start:stop], _COLUMNS)
            end = [min(stop, len(hours) - 1)]
            at = np.concatenate([hours[kept], hours[end]])
            spans.append((at, upper[:, np.concatenate([kept, kept[-1:]])]))
    colours = bracket_colours(len(pmf))
    # From the top down: each polygon hides the lower part of the one above it.
    for bracket in reversed(range(len(pmf))):
        rings = [
            np.concatenate([[[at[0], 0.0]], np.stack([at, tops[bracket]], 1), [[at[-1], 0.0]]])
            for at, tops in spans
        ]
        if rings:
            panel.areas(rings, colours[bracket])
    if winner is not None:
        for at, tops in spans:
            lower = tops[winner - 1] if winner else np.zeros_like(at)
            edges = [np.stack([at, edge], 1) for edge in (lower, tops[winner])]
            panel.lines(edges, INK, width=1.4)


def line(
    panel: Panel, hours: Array, values: Array, colour: str, *,
    width: float = 1.3, dashes: Span | None = None,
) -> None:  # fmt: skip
    """Values over the hours, both of shape (N,); non-finite values are gaps."""
    if not np.isfinite(values).any():
        return
    index = thin_out(np.nan_to_num(values, nan=-99.0)[None, :], 2 * _COLUMNS)
    points = np.stack([hours[index], values[index]], 1)
    known = np.isfinite(points[:, 1])
    runs = np.split(points, np.flatnonzero(np.diff(known)) + 1)
    panel.lines(
        [run for run in runs if np.isfinite(run[0, 1])], colour, width=width, dashes=dashes,
        zorder=2.5,
    )  # fmt: skip


def mark_climate_day(panel: Panel) -> None:
    """Dotted lines at the start and end of the climate day."""
    ends = [hour for hour in (0.0, 24.0) if panel.x[0] < hour <= panel.x[1]]
    panel.lines(
        [[(hour, panel.y[0]), (hour, panel.y[1])] for hour in ends], INK, dashes=(1, 2), zorder=2.2
    )


def mark_deaths(panel: Panel, day: DayInputs, grid: MinuteGrid | HazardGrid) -> None:
    """A triangle at the time from which a bracket was dead."""
    colours = bracket_colours(len(day.ladder))
    for rung in day.ladder:
        died = grid.died_at(rung.bracket)
        if died is not None:
            panel.marks([(died, 0.0)], _TRIANGLE, colours[rung.bracket])


def bracket_legend(sheet: Sheet, day: DayInputs) -> None:
    """The brackets and their colours, along the top of the sheet."""
    colours = bracket_colours(len(day.ladder))
    paid = {day.winner: " paid"}
    words = [rung.label[:14] + paid.get(rung.bracket, "") for rung in day.ladder]
    width, height = sheet.size
    # Width in letters: the name, two for the swatch, three for the gap.
    ends = np.cumsum([len(said) + 5 for said in words])
    strip = Panel(
        sheet=sheet, left=0.2, bottom=height - 0.24, width=width - 0.2, height=0.2,
        x=(0, float(ends[-1]) if len(ends) else 1.0), y=(0, 1),
    )  # fmt: skip
    for rung, said, end in zip(day.ladder, words, ends.tolist(), strict=True):
        start = end - len(said) - 5
        strip.box((start, start + 1.5), (0.25, 0.75), colours[rung.bracket])
        strip.write(start + 2, 0.5, said, size=FONT - 0.5, bold=rung.bracket == day.winner)


def trading_hours(day: DayInputs) -> Span:
    """The hours of the minute panel and of the climate day together."""
    if not len(day.grid):
        return -12.0, 24.0
    return float(min(day.grid.hours[0], 0.0)), float(max(day.grid.hours[-1], 24.0))
