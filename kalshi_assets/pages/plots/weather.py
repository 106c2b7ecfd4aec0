"""Station reports and the weather PMF of a city-day.

Here: temperatures on one time axis with the weather PMF, the probability of a new high and the
likelihood of the reports. Not here: the fused probabilities (`beliefs`).
"""

from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.evidence import temperatures
from kalshi_assets.families.temperature.providers import one_forecast_each
from kalshi_assets.instants import microseconds
from kalshi_assets.pages.canvas import INK, Panel, Sheet, Size, Span, hour_ticks, panels
from kalshi_assets.pages.inputs import DayInputs, HazardGrid, hours_since, runs
from kalshi_assets.pages.palette import ALARM, SOURCE_COLOURS, bracket_colours
from kalshi_assets.pages.plots.strokes import (
    LEGEND_TOP,
    PERCENT,
    bands,
    bracket_legend,
    line,
    mark_deaths,
)
from kalshi_assets.pages.words import SHORT_WEATHER_WORDS

_OFFICIAL = "#dc2626"
_CLIMATE_DAY: Span = (0.0, 24.0)
_LETTER = 0.06  # inches


def hazard_figure(day: DayInputs, *, size: Size | None = None, legend: bool = False) -> Sheet:
    """Temperatures of the climate day, and below them the weather PMF as stacked bands.

    Above: reports as intervals, the running maximum as known, forecasts, bracket edges, the
    official maximum. Below, if there was a weather PMF: its bands, dimmed where withheld; and,
    without `legend`, the probability of a new high within the hour and the likelihood of
    reports.

    `size` is in inches; None: a page's width and the height that the panels need.
    """
    degrees, grid = _degrees_range(day), day.hazard
    weather = bool(grid.known.any())
    detail = weather and not legend
    sheet = Sheet(size or (9.6, 6.4 if weather else 3.0))
    floor = min(float(np.nanmin(grid.log_likelihood, initial=-1.0)), -1.0) - 0.4
    ys = [degrees, (0.0, 1.0)] if weather else [degrees]
    ys += [(0.0, 1.0), (floor, 0.0)] if detail else []
    shares = [3.4, 2.2, 0.7, 0.7] if detail else [1.2, 1.0] if weather else [1.0]
    top = LEGEND_TOP if legend else 0.12
    made = panels(sheet, x=_CLIMATE_DAY, ys=ys, shares=shares, top=top)
    _temperatures(made[0], day, labels=not weather)
    if weather:
        _weather_bands(made[1], day, labels=not detail)
    if detail:
        _new_high(made[2], day)
        _likelihood(made[3], day)
    if legend:
        bracket_legend(sheet, day)
    return sheet


def _temperatures(panel: Panel, day: DayInputs, *, labels: bool) -> None:
    panel.scales(
        y_ticks=[(float(mark), f"{mark}°") for mark in _degree_marks(panel)],
        x_ticks=hour_ticks(day.date, panel.x, labels=labels),
    )
    _bracket_zones(panel, day)
    if len(day.observations):
        _report_intervals(panel, day)
    else:
        panel.remark("no station observations for this climate day", height=0.12)
    line(panel, day.hazard.hours, day.hazard.running_max_lo_f, INK, width=1.8)
    within = (day.grid.hours >= panel.x[0]) & (day.grid.hours <= panel.x[1])
    line(
        panel, day.grid.hours[within], day.grid.forecast_max_f[within],
        SOURCE_COLOURS["weather"], dashes=(4, 2),
    )  # fmt: skip
    _forecast_curve(panel, day)
    for tmax in sorted({row["value"] for row in day.final_words} - {None}):
        panel.lines([[(panel.x[0], tmax), (panel.x[1], tmax)]], _OFFICIAL, width=1.2, zorder=2.4)
        panel.write(
            panel.x[0], tmax, f"official maximum {tmax} °F", shift=(0.05, -0.02),
            colour=_OFFICIAL, up="top",
        )  # fmt: skip


def _weather_bands(panel: Panel, day: DayInputs, *, labels: bool) -> None:
    panel.scales(
        y_ticks=PERCENT,
        x_ticks=hour_ticks(day.date, panel.x, labels=labels),
        title="" if labels else "weather probabilities, the coldest bracket at the bottom",
    )
    _withheld(panel, day.hazard, words=True)
    bands(panel, day.hazard.hours, day.hazard.p_wx, day.winner)
    mark_deaths(panel, day, day.hazard)


def _withheld(panel: Panel, grid: HazardGrid, *, words: bool = False) -> None:
    """Times without a PMF are dimmed; red for a feed alarm."""
    for start, stop, status in runs(grid.reasons):
        if status is not None:
            span = (float(grid.hours[start]), float(grid.hours[min(stop, len(grid) - 1)]))
            alarm = status == "feed_alarm"
            panel.box(span, panel.y, ALARM if alarm else INK, alpha=0.3 if alarm else 0.12)
            said, inches = SHORT_WEATHER_WORDS[status], panel.place([(at, 0.0) for at in span])
            if words and inches[1, 0] - inches[0, 0] > _LETTER * len(said):
                middle = sum(span) / 2, sum(panel.y) / 2
                panel.write(*middle, said, across="center", italic=True)


def _new_high(panel: Panel, day: DayInputs) -> None:
    panel.scales(
        y_ticks=((0.0, "0"), (1.0, "100 %")),
        x_ticks=hour_ticks(day.date, panel.x, labels=False),
        title="probability of a new high within 60 minutes",
    )
    _withheld(panel, day.hazard)
    line(panel, day.hazard.hours, day.hazard.hazard_next_60m, SOURCE_COLOURS["weather"])


def _likelihood(panel: Panel, day: DayInputs) -> None:
    marks = [float(mark) for mark in range(0, int(panel.y[0]) - 1, -2) if mark >= panel.y[0]]
    panel.scales(
        y_ticks=[(mark, f"{mark:.0f}".replace("-", "−")) for mark in marks],
        x_ticks=hour_ticks(day.date, panel.x, labels=True),
        title="mean log likelihood of the last twelve reports",
    )
    _withheld(panel, day.hazard)
    line(panel, day.hazard.hours, day.hazard.log_likelihood, INK, width=1.0)


def _bracket_zones(panel: Panel, day: DayInputs) -> None:
    colours = bracket_colours(len(day.ladder))
    (left, right), (bottom, top) = panel.x, panel.y
    for rung in day.ladder:
        lo = bottom if rung.lo is None else max(rung.lo - 0.5, bottom)
        hi = top if rung.hi is None else min(rung.hi + 0.5, top)
        colour = colours[rung.bracket]
        panel.box((right - 0.45, right), (lo, hi), colour)
        if rung.bracket == day.winner:
            panel.box((left, right), (lo, hi), colour, zorder=0.4, alpha=0.2)
        if rung.hi is not None:
            panel.lines([[(left, hi), (right, hi)]], colour, width=0.8, dashes=(1, 2), zorder=1)


def _report_intervals(panel: Panel, day: DayInputs) -> None:
    # Select first: most columns are hashes and strings.
    drawn = ["event_time", "lo_f", "hi_f", "kind", "max_since"]
    reports = temperatures(day.observations[drawn])
    at = hours_since(microseconds(reports["event_time"]), day.day_start)
    lo = reports["lo_f"].to_numpy() - 0.5
    hi = reports["hi_f"].to_numpy() + 0.5
    # One path with gaps: an element per report takes twice as long.
    times = np.stack([at, at, np.full_like(at, np.nan)], 1).ravel()
    degrees = np.stack([lo, hi, np.full_like(at, np.nan)], 1).ravel()
    panel.lines([np.stack([times, degrees], 1)], INK, width=1.3, alpha=0.5)


def _forecast_curve(panel: Panel, day: DayInputs) -> None:
    curve = one_forecast_each(day.forecasts).filter(pl.col("variable") == "temp")
    if len(curve):
        latest = curve.filter(pl.col("event_time") == pl.col("event_time").max()).sort("valid_time")
        at = hours_since(microseconds(latest["valid_time"]), day.day_start)
        points = np.stack([at, latest["value_f"].to_numpy()], 1)
        within = (at >= panel.x[0]) & (at <= panel.x[1])
        panel.lines([points[within]], SOURCE_COLOURS["weather"], width=1.2)


def _degrees_range(day: DayInputs) -> Span:
    edges = [f for r in day.ladder for f in (r.lo, r.hi) if f is not None]
    columns = [
        day.observations["lo_f"],
        day.observations["hi_f"],
        day.settlements["value"],
        day.forecasts["value_f"],
    ]
    seen: list[Any] = [end for column in columns for end in (column.min(), column.max())]
    values = [float(v) for v in [*edges, *seen] if v is not None]
    return (min(values) - 1.5, max(values) + 2.5) if values else (0.0, 100.0)


def _degree_marks(panel: Panel) -> range:
    """Round degrees, at most eight and at least a line of text apart."""
    y = panel.y
    most = min(8.0, panel.height / 0.16)
    step = next(s for s in (2, 5, 10, 20, 50, 100) if (y[1] - y[0]) / s <= most)
    return range(int(np.ceil(y[0] / step)) * step, int(y[1]) + 1, step)
