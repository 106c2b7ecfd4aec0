"""Figures of the two studies: scores by hour, differences by slice, reliability.

Here: the figures. Not here: the numbers (`studies`), the documents that contain the figures
(`scoreboard_page`, `verification_page`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from kalshi_assets.pages.canvas import FONT, INK, Panel, Sheet, Span, panels
from kalshi_assets.pages.palette import SOURCE_COLOURS
from kalshi_assets.statistics.reliability import Diagram
from kalshi_assets.units import Array

COLOURS = {
    **SOURCE_COLOURS,
    "calibrated": "#7c3aed",
    "market_alive": "#60a5fa",
    "prior_pool": "#71717a",
    "weather_lagged": "#a8a29e",
    "fused_lagged": "#a8a29e",
    "mixed": "#b45309",
    "exact": SOURCE_COLOURS["weather"],
    "analogue": "#db2777",
    "persistence": "#7c3aed",
    "climatology": "#71717a",
}
_DOT = ((-2.6, 0.0), (0.0, -2.6), (2.6, 0.0), (0.0, 2.6))
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_LEGEND_INCHES = 1.05
_ROW_INCHES = 0.2
_PANEL_INCHES = 2.7
_SIDE = 4.1


def hourly_figure(titled: Mapping[str, pl.DataFrame]) -> Sheet:
    """A score by local standard hour with intervals as bands; one panel per title.

    Parameters
    ----------
    titled
        Frames by title, with the columns name (of the curve), hour, value, lo and hi.
    """
    known = {title: rows.sort("name", "hour") for title, rows in titled.items() if rows.height}
    sheet = Sheet((9.6, _PANEL_INCHES * max(len(known), 1) + 0.5))
    if not known:
        return sheet
    hours = sorted({hour for rows in known.values() for hour in rows["hour"]})
    x = hours[0] - 0.4, hours[-1] + 0.4
    ranges = [_range(rows) for rows in known.values()]
    made = panels(sheet, x=x, ys=ranges, shares=[1.0] * len(known), top=0.5)
    _legend(sheet, {name for rows in known.values() for name in rows["name"]})
    shown = [hour for hour in hours if len(hours) <= 12 or hour % 3 == 0]
    for panel, (title, rows) in zip(made, known.items(), strict=True):
        labels = [hour_words(hour) if panel is made[-1] else "" for hour in shown]
        panel.scales(
            x_ticks=list(zip(map(float, shown), labels, strict=True)),
            y_ticks=_ticks(panel.y),
            title=title,
        )
        if panel.y[0] < 0:
            panel.lines([[(x[0], 0.0), (x[1], 0.0)]], INK, width=0.9)
        if x[0] < 0 < x[1]:
            panel.lines([[(0.0, panel.y[0]), (0.0, panel.y[1])]], INK, width=0.9, dashes=(1, 2))
        for (name,), curve in rows.group_by("name", maintain_order=True):
            _curve(panel, curve, COLOURS[str(name)])
    return sheet


def hour_words(hour: int) -> str:
    """An hour since the start of the climate day as clock time; "eve" for the day before."""
    return f"{hour % 24}:00" + (" eve" if hour < 0 else "")


def slice_figure(rows: Sequence[Mapping], *, title: str) -> Sheet:
    """Differences from the market by slice, each as a dot with its interval.

    Parameters
    ----------
    rows
        Rows of `learning.scoreboard` against the market, of one source and score, in the order
        shown.
    """
    kinds = len({row["slice"] for row in rows})
    height = _ROW_INCHES * (len(rows) + 0.6 * kinds)
    sheet = Sheet((9.6, height + 0.8))
    if not rows:
        return sheet
    lo, hi = _range(pl.DataFrame(rows).select("lo", "hi"), around_zero=True)
    panel = Panel(
        sheet=sheet, left=2.5, bottom=0.35, width=5.3, height=height, x=(lo, hi),
        y=(height / _ROW_INCHES, 0.0),
    )  # fmt: skip
    panel.scales(x_ticks=_ticks((lo, hi)), title=title)
    panel.lines([[(0.0, panel.y[0]), (0.0, panel.y[1])]], INK, width=1.0)
    at, kind = 0.5, None
    for row in rows:
        at += 0.6 * (row["slice"] != kind)
        kind = row["slice"]
        _slice_row(panel, at, row)
        at += 1.0
    return sheet


def _slice_row(panel: Panel, at: float, row: Mapping) -> None:
    colour = {"better": "#15803d", "worse": "#b91c1c"}.get(row["verdict"], "#71717a")
    kind, name = (row[part].replace("_", " ") for part in ("slice", "slice_value"))
    label = name if kind in ("city", "all") else f"{kind} {name}"
    panel.write(panel.x[0], at, label, shift=(-0.1, 0), across="right", size=FONT + 0.5)
    panel.lines([[(row["lo"], at), (row["hi"], at)]], colour, width=2.0)
    panel.marks([(row["value"], at)], _DOT, colour)
    star = " *" if row["discovery"] else ""
    said = f"{row['value']:+.3f}{star}".replace("-", "−")
    panel.write(panel.x[1], at, said, shift=(0.12, 0), colour=colour, size=FONT + 0.5)
    panel.write(panel.x[1], at, f"{row['n_days']} days", shift=(1.3, 0), across="right")


def reliability_figure(diagrams: Mapping[str, Diagram]) -> Sheet:
    """Reliability diagrams by source: bins with bars and counts, and the isotonic curve."""
    lines = max(-(-len(diagrams) // 2), 1)
    sheet = Sheet((4.8 * max(min(len(diagrams), 2), 1), (_SIDE + 0.75) * lines))
    ticks = [(k / 5, f"{k * 20} %") for k in range(6)]
    for place, (source, diagram) in enumerate(diagrams.items()):
        panel = Panel(
            sheet=sheet,
            left=0.55 + 4.8 * (place % 2),
            bottom=0.42 + (_SIDE + 0.75) * (lines - 1 - place // 2),
            width=_SIDE,
            height=_SIDE,
            x=(-0.03, 1.03),
            y=(-0.03, 1.03),
        )
        parts = diagram.curve
        panel.scales(
            x_ticks=ticks,
            y_ticks=ticks,
            title=f"{source}: MCB {parts.miscalibration:.4f}, DSC {parts.discrimination:.4f}, "
            f"UNC {parts.uncertainty:.4f}",
        )
        panel.write(0.5, -0.03, "forecast probability", shift=(0, -0.24), across="center")
        panel.lines([[(0, 0), (1, 1)]], INK, width=0.8, dashes=(3, 3))
        panel.lines([parts.curve], COLOURS[source], width=1.4, alpha=0.6)
        _bins(panel, diagram.bins, COLOURS[source])
    return sheet


def _bins(panel: Panel, bins: pl.DataFrame, colour: str) -> None:
    for row in bins.to_dicts():
        at, low = row["probability"], row["probability"] < 0.5
        panel.lines([[(at, row["lo"]), (at, row["hi"])]], colour, width=3.0, alpha=0.35)
        panel.write(
            at, row["frequency"], f"{row['n']:,}", size=FONT - 0.5,
            shift=(0.08, -0.09) if low else (-0.08, 0.09), across="left" if low else "right",
        )  # fmt: skip
    panel.marks(bins.select("probability", "frequency").to_numpy(), _DOT, colour)


def _curve(panel: Panel, curve: pl.DataFrame, colour: str) -> None:
    at, value, lo, hi = curve.select("hour", "value", "lo", "hi").to_numpy().T
    band = np.concatenate([np.stack([at, lo], 1), np.stack([at, hi], 1)[::-1]])
    panel.areas([band], colour, alpha=0.12)
    panel.lines([np.stack([at, value], 1)], colour, width=1.6)
    panel.marks(np.stack([at, value], 1), _DOT, colour)


def _legend(sheet: Sheet, names: set[str]) -> None:
    width, height = sheet.size
    strip = Panel(
        sheet=sheet, left=0.72, bottom=height - 0.24, width=width - 0.72, height=0.2,
        x=(0.0, (width - 0.72) / _LEGEND_INCHES), y=(0.0, 1.0),
    )  # fmt: skip
    for place, name in enumerate(name for name in COLOURS if name in names):
        strip.lines([[(place, 0.5), (place + 0.2, 0.5)]], COLOURS[name], width=2.5)
        strip.write(place + 0.25, 0.5, name.replace("_", " "), size=FONT + 0.5)


def _range(rows: pl.DataFrame, *, around_zero: bool = False) -> Span:
    lo, hi = float(rows["lo"].to_numpy().min()), float(rows["hi"].to_numpy().max())
    if around_zero:
        lo, hi = min(lo, 0.0), max(hi, 0.0)
    # A panel needs a height even if all values are equal.
    pad = max(0.06 * (hi - lo), 1e-3)
    return (lo - pad if lo < 0 or around_zero else 0.0), hi + pad


def _ticks(y: Span) -> list[tuple[float, str]]:
    step = next((s for s in _STEPS if (y[1] - y[0]) / s <= 6), _STEPS[-1])
    marks: Array = np.arange(np.ceil(y[0] / step), np.floor(y[1] / step) + 1) * step
    return [(float(mark), f"{mark + 0.0:.2f}".replace("-", "−")) for mark in marks]
