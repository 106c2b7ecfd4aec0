"""Figures of the scoreboard: scores by hour, differences by slice, reliability.

Here: what is drawn. Not here: the numbers (`verification`), the page around the figures
(`scoreboard_page`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from kalshi_assets.pages.canvas import FONT, INK, Panel, Sheet, Span, panels
from kalshi_assets.pages.inputs import Floats
from kalshi_assets.pages.palette import SOURCE_COLOURS
from kalshi_assets.statistics.ladder_reliability import Diagram

COLOURS = {
    **SOURCE_COLOURS,
    "calibrated": "#7c3aed",
    "market_alive": "#60a5fa",
    "prior_pool": "#71717a",
    "weather_lagged": "#a8a29e",
    "fused_lagged": "#a8a29e",
}
_DOT = ((-2.6, 0.0), (0.0, -2.6), (2.6, 0.0), (0.0, 2.6))
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_TICK_HOURS = 3
_LEGEND_INCHES = 1.05
_ROW_INCHES = 0.2


def hourly_figure(titled: Mapping[str, pl.DataFrame], *, height: float = 2.7) -> Sheet:
    """A score of every source by local standard hour, with its interval as a band.

    Parameters
    ----------
    titled
        Rows of `learning.scoreboard` of slice lst_hour and one score, per panel by its title.
    height
        Inches of a panel.
    """
    known = {title: _by_hour(rows) for title, rows in titled.items() if rows.height}
    sheet = Sheet((9.6, height * max(len(known), 1) + 0.5))
    if not known:
        return sheet
    every = pl.concat(list(known.values()))
    hours = every["hour"].to_numpy()
    x = float(hours.min()) - 0.4, float(hours.max()) + 0.4
    ranges = [_range(rows) for rows in known.values()]
    made = panels(sheet, x=x, ys=ranges, shares=[1.0] * len(known), top=0.5)
    _legend(sheet, every["source"].unique(maintain_order=True).to_list())
    for panel, (title, rows) in zip(made, known.items(), strict=True):
        panel.scales(
            x_ticks=_hour_ticks(x, labels=panel is made[-1]),
            y_ticks=_ticks(panel.y),
            title=title,
        )
        if panel.y[0] < 0:
            panel.lines([[(x[0], 0.0), (x[1], 0.0)]], INK, width=0.9)
        if x[0] < 0 < x[1]:
            panel.lines([[(0.0, panel.y[0]), (0.0, panel.y[1])]], INK, width=0.9, dashes=(1, 2))
        for (source,), curve in rows.group_by("source", maintain_order=True):
            _curve(panel, curve, COLOURS[str(source)])
    return sheet


def slice_figure(rows: pl.DataFrame, *, title: str) -> Sheet:
    """Differences from the market slice by slice, a dot with its interval each.

    Parameters
    ----------
    rows
        Rows of `learning.scoreboard` against the market, of one source and score, in the order in
        which they are shown.
    title
        Of the figure.
    """
    kinds = rows["slice"].unique(maintain_order=True).to_list()
    height = _ROW_INCHES * (rows.height + 0.6 * len(kinds))
    sheet = Sheet((9.6, height + 0.8))
    if rows.is_empty():
        return sheet
    lo, hi = _range(rows, around_zero=True)
    panel = Panel(
        sheet=sheet, left=2.5, bottom=0.35, width=5.3, height=height, x=(lo, hi),
        y=(height / _ROW_INCHES, 0.0),
    )  # fmt: skip
    panel.scales(x_ticks=_ticks((lo, hi)), title=title)
    panel.lines([[(0.0, panel.y[0]), (0.0, panel.y[1])]], INK, width=1.0)
    at = 0.0
    for kind in kinds:
        at += 0.6
        for row in rows.filter(pl.col("slice") == kind).to_dicts():
            _slice_row(panel, at + 0.5, row)
            at += 1.0
    return sheet


def _slice_row(panel: Panel, at: float, row: dict) -> None:
    colour = {"better": "#15803d", "worse": "#b91c1c"}.get(row["verdict"], "#71717a")
    name = row["slice_value"].replace("_", " ")
    kind = row["slice"].replace("_", " ")
    label = name if kind in ("city", "all") else f"{kind} {name}"
    panel.write(panel.x[0], at, label, shift=(-0.1, 0), across="right", size=FONT + 0.5)
    panel.lines([[(row["lo"], at), (row["hi"], at)]], colour, width=2.0)
    panel.marks([(row["value"], at)], _DOT, colour)
    star = " *" if row["discovery"] else ""
    said = f"{row['value']:+.3f}{star}".replace("-", "−")
    panel.write(panel.x[1], at, said, shift=(0.12, 0), colour=colour, size=FONT + 0.5)
    panel.write(panel.x[1], at, f"{row['n_days']} days", shift=(1.3, 0), across="right")


def reliability_figure(diagrams: Mapping[str, Diagram]) -> Sheet:
    """Frequency over probability, a panel per source: bins with bars and counts, and the curve.

    Parameters
    ----------
    diagrams
        By source.
    """
    columns = min(len(diagrams), 2)
    lines = -(-len(diagrams) // 2)
    side = 4.1
    sheet = Sheet((4.8 * max(columns, 1), (side + 0.75) * max(lines, 1)))
    ticks = [(k / 5, f"{k * 20} %") for k in range(6)]
    for place, (source, diagram) in enumerate(diagrams.items()):
        panel = Panel(
            sheet=sheet,
            left=0.55 + 4.8 * (place % 2),
            bottom=0.42 + (side + 0.75) * (lines - 1 - place // 2),
            width=side,
            height=side,
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
        panel.write(0.5, -0.03, "probability given", shift=(0, -0.24), across="center")
        panel.lines([[(0, 0), (1, 1)]], INK, width=0.8, dashes=(3, 3))
        _diagram(panel, diagram, COLOURS[source])
    return sheet


def _diagram(panel: Panel, diagram: Diagram, colour: str) -> None:
    panel.lines([diagram.curve.curve], colour, width=1.4, alpha=0.6)
    bars = [
        [(row["probability"], row["lo"]), (row["probability"], row["hi"])]
        for row in diagram.bins.to_dicts()
    ]
    panel.lines(bars, colour, width=3.0, alpha=0.35)
    panel.marks(diagram.bins.select("probability", "frequency").to_numpy(), _DOT, colour)
    for row in diagram.bins.to_dicts():
        low = row["probability"] < 0.5
        panel.write(
            row["probability"], row["frequency"], f"{row['n']:,}", size=FONT - 0.5,
            shift=(0.08, -0.09) if low else (-0.08, 0.09), across="left" if low else "right",
        )  # fmt: skip


def _by_hour(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(hour=pl.col("slice_value").cast(pl.Int8)).sort("source", "hour")


def _curve(panel: Panel, curve: pl.DataFrame, colour: str) -> None:
    at, value, lo, hi = curve.select("hour", "value", "lo", "hi").to_numpy().T
    band = np.concatenate([np.stack([at, lo], 1), np.stack([at, hi], 1)[::-1]])
    panel.areas([band], colour, alpha=0.12)
    panel.lines([np.stack([at, value], 1)], colour, width=1.6)
    panel.marks(np.stack([at, value], 1), _DOT, colour)


def _legend(sheet: Sheet, sources: Sequence[str]) -> None:
    width, height = sheet.size
    strip = Panel(
        sheet=sheet, left=0.72, bottom=height - 0.24, width=width - 0.72, height=0.2,
        x=(0.0, (width - 0.72) / _LEGEND_INCHES), y=(0.0, 1.0),
    )  # fmt: skip
    known = [source for source in COLOURS if source in sources]
    for place, source in enumerate(known):
        strip.lines([[(place, 0.5), (place + 0.2, 0.5)]], COLOURS[source], width=2.5)
        strip.write(place + 0.25, 0.5, source.replace("_", " "), size=FONT + 0.5)


def _hour_ticks(x: Span, *, labels: bool) -> list[tuple[float, str]]:
    marks = range(int(np.ceil(x[0] / _TICK_HOURS)) * _TICK_HOURS, int(x[1]) + 1, _TICK_HOURS)
    return [(float(hour), _hour_label(hour) if labels else "") for hour in marks]


def _hour_label(hour: int) -> str:
    return f"{hour % 24}:00" + (" eve" if hour < 0 else "")


def _range(rows: pl.DataFrame, *, around_zero: bool = False) -> Span:
    lo, hi = float(rows["lo"].to_numpy().min()), float(rows["hi"].to_numpy().max())
    if around_zero:
        lo, hi = min(lo, 0.0), max(hi, 0.0)
    # Where nothing differs a panel still needs a height.
    pad = max(0.06 * (hi - lo), 1e-3)
    return (lo - pad if lo < 0 or around_zero else 0.0), hi + pad


def _ticks(y: Span) -> list[tuple[float, str]]:
    step = next((s for s in _STEPS if (y[1] - y[0]) / s <= 6), _STEPS[-1])
    marks: Floats = np.arange(np.ceil(y[0] / step), np.floor(y[1] / step) + 1) * step
    return [(float(mark), f"{mark + 0.0:.2f}".replace("-", "−")) for mark in marks]
