"""Figures of a verification study, and a sheet as an SVG file that stands by itself.

Here: scores by hour, paired differences, reliability. Not here: the numbers (`verification`), the
page around the figures (`verification_page`).
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from kalshi_assets.pages.canvas import FONT, INK, Panel, Sheet, panels
from kalshi_assets.pages.inputs import Floats
from kalshi_assets.pages.palette import SOURCE_COLOURS
from kalshi_assets.studies.scoring import ALL_HOURS, NOTHING

METHOD_COLOURS = {
    "mixed": "#b45309",
    "exact": SOURCE_COLOURS["weather"],
    "analogue": "#db2777",
    "persistence": "#7c3aed",
    "climatology": "#71717a",
    "market": SOURCE_COLOURS["market"],
}
_DOT = ((-3.0, 0.0), (0.0, -3.0), (3.0, 0.0), (0.0, 3.0))
_STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


def score_figure(titled: Mapping[str, pl.DataFrame]) -> Sheet:
    """Mean score by hour of every method, with its interval as a band.

    Parameters
    ----------
    titled
        Rows of schema `scoring.SUMMARY`, one score of one set of days, per panel by its title.
    """
    means = {title: rows.filter(pl.col("against") == NOTHING) for title, rows in titled.items()}
    return _by_hour(means, "method", height=2.9)


def difference_figure(titled: Mapping[str, pl.DataFrame]) -> Sheet:
    """Paired differences by hour, with intervals; below the line at 0 is better.

    Parameters
    ----------
    titled
        Rows of schema `scoring.SUMMARY`, differences of one method and one score on one set of
        days, per panel by its title.
    """
    return _by_hour(titled, "against", height=2.4)


def reliability_figure(table: pl.DataFrame) -> Sheet:
    """Frequencies over forecast probabilities, a panel per method; bars are consistency bands.

    Parameters
    ----------
    table
        Of schema `reliability.RELIABILITY`, with a column method.
    """
    methods = table["method"].unique(maintain_order=True).to_list()
    size = 9.6, 9.6 / max(len(methods), 1) + 0.1
    sheet = Sheet(size)
    width = (size[0] - 0.5) / max(len(methods), 1)
    ticks = [(k / 4, f"{k * 25} %") for k in range(5)]
    for place, method in enumerate(methods):
        panel = Panel(
            sheet=sheet,
            left=0.5 + place * width,
            bottom=0.45,
            width=width - 0.45,
            height=size[1] - 0.8,
            x=(-0.03, 1.03),
            y=(-0.03, 1.03),
        )
        panel.scales(x_ticks=ticks, y_ticks=ticks, title=f"{method}: new high within 60 minutes")
        panel.lines([[(0, 0), (1, 1)]], INK, width=0.8, dashes=(3, 3))
        rows = table.filter(pl.col("method") == method)
        colour = METHOD_COLOURS[method]
        for row in rows.to_dicts():
            at = row["probability"]
            panel.box((at - 0.012, at + 0.012), (row["lo"], row["hi"]), colour, alpha=0.25)
            panel.write(
                at, row["frequency"], f"{row['n']}", shift=(0.09, -0.1), size=FONT - 1, up="top"
            )
        points = rows.select("probability", "frequency").to_numpy()
        panel.lines([points], colour, width=1.2)
        panel.marks(points, _DOT, colour)
        panel.write(0.5, -0.03, "forecast probability", shift=(0, -0.26), across="center")
    return sheet


def _by_hour(titled: Mapping[str, pl.DataFrame], by: str, *, height: float) -> Sheet:
    known = {
        title: found
        for title, rows in titled.items()
        if (found := rows.filter(pl.col("lst_hour") != ALL_HOURS)).height
    }
    sheet = Sheet((9.6, height * max(len(known), 1) + 0.3))
    if not known:
        return sheet
    hours = sorted({hour for rows in known.values() for hour in rows["lst_hour"]})
    x = hours[0] - 0.3, hours[-1] + 1.7
    ranges = [_range(rows) for rows in known.values()]
    made = panels(sheet, x=x, ys=ranges, shares=[1.0] * len(known), top=0.3)
    for panel, (title, rows) in zip(made, known.items(), strict=True):
        last = panel is made[-1]
        panel.scales(
            x_ticks=[(float(hour), f"{hour}:00" if last else "") for hour in hours],
            y_ticks=_ticks(panel.y),
            title=title,
        )
        if panel.y[0] < 0:
            panel.lines([[(x[0], 0.0), (x[1], 0.0)]], INK, width=0.9)
        _curves(panel, rows, by)
    return sheet


def _curves(panel: Panel, rows: pl.DataFrame, by: str) -> None:
    ends = {}
    for (name,), curve in rows.sort("lst_hour").group_by(by, maintain_order=True):
        colour = METHOD_COLOURS[str(name)]
        at, value, lo, hi = curve.select("lst_hour", "value", "lo", "hi").to_numpy().T
        band = np.concatenate([np.stack([at, lo], 1), np.stack([at, hi], 1)[::-1]])
        panel.areas([band], colour, alpha=0.13)
        panel.lines([np.stack([at, value], 1)], colour, width=1.7)
        panel.marks(np.stack([at, value], 1), _DOT, colour)
        ends[str(name)] = (float(at[-1]), float(value[-1]))
    for name, (x, y) in _spread(ends, 0.16 * (panel.y[1] - panel.y[0]) / panel.height).items():
        panel.write(x, y, name, shift=(0.08, 0), colour=METHOD_COLOURS[name], bold=True)


def _spread(
    ends: Mapping[str, tuple[float, float]], least: float
) -> dict[str, tuple[float, float]]:
    """Labels moved up where they would lie closer than `least` to the one below."""
    placed: dict[str, tuple[float, float]] = {}
    floor = -np.inf
    for name, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        floor = max(y, floor + least)
        placed[name] = (x, floor)
    return placed


def _range(rows: pl.DataFrame) -> tuple[float, float]:
    lo, hi = float(rows["lo"].to_numpy().min()), float(rows["hi"].to_numpy().max())
    pad = 0.06 * (hi - lo)
    return (lo - pad if lo < 0 else 0.0), hi + pad


def _ticks(y: tuple[float, float]) -> list[tuple[float, str]]:
    step = next((s for s in _STEPS if (y[1] - y[0]) / s <= 6), _STEPS[-1])
    marks: Floats = np.arange(np.ceil(y[0] / step), np.floor(y[1] / step) + 1) * step
    return [(float(mark), f"{mark:.2f}".replace("-", "−")) for mark in marks]
