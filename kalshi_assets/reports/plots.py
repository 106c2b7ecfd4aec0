"""Figures of one city-day: beliefs, temperatures, decisions, money.

Here: what is drawn. Not here: legends and captions of pages (the page writes them as text, where
a reader can search and a screen reader can read them), or any number that is not in a frame.
`legend=True` writes the brackets into the figure, for places without a page around it.
"""

import numpy as np
import polars as pl

from kalshi_assets.ladder.settlement import final
from kalshi_assets.reports.canvas import (
    FONT,
    INK,
    PAPER,
    Panel,
    Sheet,
    Size,
    Span,
    Ticks,
    hour_ticks,
    panels,
    thin_out,
)
from kalshi_assets.reports.inputs import DayInputs, Floats, hours_since
from kalshi_assets.reports.palette import (
    FILL_MODEL_COLOURS,
    REASON_COLOURS,
    SOURCE_COLOURS,
    bracket_colours,
)
from kalshi_assets.weather.evidence import temperatures

__all__ = [
    "INLINE_SIZE",
    "belief_figure",
    "money_figure",
    "reason_figure",
    "temperature_figure",
]

INLINE_SIZE: Size = (6.4, 2.2)
"""Inches of a figure for Dagster's inline markdown: 640 x 220 pixels."""

_COLUMNS = 360  # horizontal detail of stacked bands: about 3 pixels of a page
_PERCENT: Ticks = ((0.0, "0"), (0.5, "50 %"), (1.0, "100 %"))
_OFFICIAL = "#dc2626"
_TRIANGLE = ((-4.5, 0.0), (4.5, 0.0), (0.0, 8.0))
_DIAMOND = ((-3.2, 0.0), (0.0, -3.2), (3.2, 0.0), (0.0, 3.2))


def belief_figure(day: DayInputs, *, size: Size = (9.6, 4.4), legend: bool = False) -> Sheet:
    """The fused PMF as stacked bands, the market's below it, and who favoured the winner.

    Without a weather PMF the market's panel is left out: it would repeat the fused one. With
    `legend` there is one panel, the fused one.
    """
    sheet, x, grid = Sheet(size), _x_range(day), day.grid
    stacks = [("fused probabilities, the coldest bracket at the bottom", grid.p_fused)]
    if grid.has_weather and not legend:
        stacks.append(("the market's alone", grid.p_mkt))
    shares = [1.0] if legend else [1.6] + [0.9] * len(stacks)
    made = panels(
        sheet, x=x, ys=[(0.0, 1.0)] * len(shares), shares=shares, top=0.34 if legend else 0.2
    )
    for panel, (title, pmf) in zip(made, stacks, strict=False):
        panel.scales(
            y_ticks=_PERCENT,
            x_ticks=hour_ticks(day.date, x, labels=legend),
            title="" if legend else title,
        )
        _stack(panel, grid.hours, pmf, day.winner)
        _mark_climate_day(panel)
    _mark_deaths(made[0], day)
    if legend:
        _bracket_legend(sheet, day)
    else:
        _winner_panel(made[-1], day)
    return sheet


def temperature_figure(day: DayInputs, *, size: Size = (9.6, 3.7), legend: bool = False) -> Sheet:
    """Reports as intervals, the running maximum as known, forecasts, edges, official maximum.

    Below, where there is one, the hazard: the probability of a new high within the hour.
    """
    sheet, x, y = Sheet(size), _x_range(day), _degrees_range(day)
    hazard = bool(np.isfinite(day.grid.hazard_next_60m).any()) and not legend
    panel, *below = panels(
        sheet,
        x=x,
        ys=[y, (0.0, 1.0)] if hazard else [y],
        shares=[4.0, 1.0] if hazard else [1.0],
        top=0.34 if legend else 0.12,
    )
    panel.scales(
        y_ticks=[(float(mark), f"{mark}°") for mark in _degree_marks(y)],
        x_ticks=hour_ticks(day.date, x, labels=not hazard),
    )
    for lower in below:
        _hazard_panel(lower, day)
    _bracket_zones(panel, day)
    _mark_climate_day(panel)
    if len(day.observations):
        _report_intervals(panel, day)
    else:
        panel.say("no station observations for this climate day", height=0.12)
    grid = day.grid
    _line(panel, grid.hours, grid.running_max_lo_f, INK, width=1.8)
    _line(panel, grid.hours, grid.forecast_max_f, SOURCE_COLOURS["weather"], dashes=(4, 2))
    _forecast_curve(panel, day)
    for tmax in sorted(set(final(day.settlements)["tmax_f"].drop_nulls().to_list())):
        panel.lines([[(x[0], tmax), (x[1], tmax)]], _OFFICIAL, width=1.2, zorder=2.4)
        panel.write(
            x[0], tmax, f"official maximum {tmax} °F", shift=(0.05, -0.02), colour=_OFFICIAL,
            up="top",
        )  # fmt: skip
    if legend:
        _bracket_legend(sheet, day)
    return sheet


def reason_figure(day: DayInputs, *, size: Size = (9.6, 1.7)) -> Sheet:
    """For every bracket and minute the reason why there was, or was not, an order."""
    sheet, x = Sheet(size), _x_range(day)
    count = len(day.ladder)
    y = (-0.5, max(count, 1) - 0.5)
    (panel,) = panels(sheet, x=x, ys=[y], shares=[1.0], top=0.08)
    decisions = day.decisions
    at = hours_since(decisions["minute"], day.climate_start)
    if len(decisions):
        panel.image(_reason_image(decisions, at, x, count))
        between = [[(x[0], i + 0.5), (x[1], i + 0.5)] for i in range(count - 1)]
        panel.lines(between, PAPER, width=1.2, zorder=1.5)
    panel.scales(
        y_ticks=[(r.bracket, _short(r.label)) for r in day.ladder],
        x_ticks=hour_ticks(day.date, x, labels=True),
    )
    traded = (decisions["reason"] == "trade").to_numpy()
    if not len(decisions):
        panel.say("no decisions recorded")
    elif traded.any():
        points = np.stack([at[traded], decisions["bracket"].to_numpy()[traded]], 1)
        panel.marks(points, _DIAMOND, REASON_COLOURS["trade"])
    _mark_climate_day(panel)
    return sheet


def money_figure(day: DayInputs, *, size: Size = (9.6, 2.4)) -> Sheet:
    """What the fills earned under each fill model, or the bar of reasons why there are none.

    Before settlement it shows the contracts filled instead of money.
    """
    filled = day.fills.filter(pl.col("filled") > 0).sort("event_time")
    if not len(filled):
        return _reason_bars(day, size)
    settled = filled["pnl_cc"].null_count() == 0
    amount = pl.col("pnl_cc") / 10_000 if settled else pl.col("filled").cast(pl.Float64)
    curves = {
        str(model): (
            hours_since(orders["event_time"], day.climate_start),
            orders.select(amount.cum_sum()).to_series().to_numpy(),
        )
        for (model,), orders in filled.group_by(["fill_model"])
    }
    sheet, x = Sheet(size), _x_range(day)
    y = _padded([0.0, *(float(v) for _, values in curves.values() for v in values)])
    (panel,) = panels(sheet, x=x, ys=[y], shares=[1.0])
    panel.scales(
        y_ticks=[(mark, _signed(mark, "$" if settled else "")) for mark in _round_marks(y)],
        x_ticks=hour_ticks(day.date, x, labels=True),
        title="gain at settlement of the fills so far, after fees"
        if settled
        else "contracts filled so far; the day is not settled",
    )
    panel.lines([[(x[0], 0.0), (x[1], 0.0)]], INK, width=0.8)
    _mark_climate_day(panel)
    by_end = sorted(curves.items(), key=lambda item: (-item[1][1][-1], item[0]))
    for rank, (model, (at, values)) in enumerate(by_end):
        colour = FILL_MODEL_COLOURS[model]
        panel.lines([_steps(at, values, x)], colour, width=1.6)
        panel.marks(np.stack([at, values], 1), _DIAMOND, colour)
        panel.write(
            x[1], values[-1], model, shift=(-0.05, -0.03 if rank else 0.02), colour=colour,
            across="right", up="top" if rank else "bottom",
        )  # fmt: skip
    return sheet


def _reason_bars(day: DayInputs, size: Size) -> Sheet:
    counts = day.decisions["reason"].value_counts(sort=True).head(6).rows()
    sheet = Sheet(size)
    (panel,) = panels(
        sheet, x=(0.0, 1.0), ys=[(max(len(counts), 1) - 0.4, -0.6)], shares=[1.0], left=1.4
    )
    panel.scales(title="no trades: the first gate that said no, by bracket-minutes")
    for i, (reason, count) in enumerate(counts):
        share = count / len(day.decisions)
        panel.box((0, share * 0.8), (i - 0.32, i + 0.32), REASON_COLOURS[reason])
        panel.write(0, i, reason.replace("_", " "), shift=(-0.06, 0), across="right")
        panel.write(share * 0.8, i, f"{count:,} ({share:.0%})", shift=(0.06, 0))
    if not counts:
        panel.say("no decisions recorded")
    return sheet


def _stack(panel: Panel, hours: Floats, pmf: Floats, winner: int | None) -> None:
    """Bands from the top down: each polygon hides the lower part of the one above it."""
    if not len(hours):
        panel.say("no minute panel")
        return
    whole = np.isfinite(pmf).all(axis=0)
    upper = np.cumsum(np.where(whole, pmf, 0.0), axis=0)
    index = thin_out(upper, _COLUMNS)
    at, upper = hours[index], upper[:, index]
    colours = bracket_colours(len(pmf))
    for bracket in reversed(range(len(pmf))):
        top = np.stack([at, upper[bracket]], 1)
        panel.areas([np.concatenate([[[at[0], 0.0]], top, [[at[-1], 0.0]]])], colours[bracket])
    if winner is not None:
        lower = upper[winner - 1] if winner else np.zeros_like(at)
        edges = [np.stack([at, edge], 1) for edge in (lower, upper[winner])]
        panel.lines(edges, INK, width=1.4)


def _winner_panel(panel: Panel, day: DayInputs) -> None:
    grid = day.grid
    followed, title = day.winner, "probability given to the bracket that paid"
    if followed is None and len(grid):
        followed = int(np.nan_to_num(grid.p_fused[:, -1]).argmax())
        title = "not settled: probability of the present favourite"
    panel.scales(y_ticks=_PERCENT, x_ticks=hour_ticks(day.date, panel.x, labels=True), title=title)
    _mark_climate_day(panel)
    if followed is None or not len(grid):
        return
    _line(panel, grid.hours, grid.p_wx[followed], SOURCE_COLOURS["weather"], width=1.0)
    _line(panel, grid.hours, grid.p_fused[followed], SOURCE_COLOURS["fused"], width=2.2)
    _line(panel, grid.hours, grid.p_mkt[followed], SOURCE_COLOURS["market"], width=1.0)


def _line(
    panel: Panel, hours: Floats, values: Floats, colour: str, *,
    width: float = 1.3, dashes: Span | None = None,
) -> None:  # fmt: skip
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


def _mark_climate_day(panel: Panel) -> None:
    """Its first and last instant, as dotted lines."""
    ends = [hour for hour in (0.0, 24.0) if panel.x[0] < hour <= panel.x[1]]
    panel.lines(
        [[(hour, panel.y[0]), (hour, panel.y[1])] for hour in ends], INK, dashes=(1, 2), zorder=2.2
    )


def _mark_deaths(panel: Panel, day: DayInputs) -> None:
    colours = bracket_colours(len(day.ladder))
    for rung in day.ladder:
        died = day.grid.died_at(rung.bracket)
        if died is not None:
            panel.marks([(died, 0.0)], _TRIANGLE, colours[rung.bracket])


def _bracket_zones(panel: Panel, day: DayInputs) -> None:
    colours = bracket_colours(len(day.ladder))
    (left, right), (bottom, top) = panel.x, panel.y
    for rung in day.ladder:
        lo = bottom if rung.lo_f is None else max(rung.lo_f - 0.5, bottom)
        hi = top if rung.hi_f is None else min(rung.hi_f + 0.5, top)
        colour = colours[rung.bracket]
        panel.box((right - 0.45, right), (lo, hi), colour)
        if rung.bracket == day.winner:
            panel.box((left, right), (lo, hi), colour, zorder=0.4, alpha=0.2)
        if rung.hi_f is not None:
            panel.lines([[(left, hi), (right, hi)]], colour, width=0.8, dashes=(1, 2), zorder=1)


def _hazard_panel(panel: Panel, day: DayInputs) -> None:
    panel.scales(
        y_ticks=((0.0, "0"), (1.0, "100 %")),
        x_ticks=hour_ticks(day.date, panel.x, labels=True),
        title="probability of a new high within 60 minutes",
    )
    _mark_climate_day(panel)
    _line(panel, day.grid.hours, day.grid.hazard_next_60m, SOURCE_COLOURS["weather"])


def _report_intervals(panel: Panel, day: DayInputs) -> None:
    reports = temperatures(day.observations)
    at = hours_since(reports["event_time"], day.climate_start)
    lo = reports["lo_f"].to_numpy() - 0.5
    hi = reports["hi_f"].to_numpy() + 0.5
    # One path with gaps: an element per report doubled the figure's time.
    times = np.stack([at, at, np.full_like(at, np.nan)], 1).ravel()
    degrees = np.stack([lo, hi, np.full_like(at, np.nan)], 1).ravel()
    panel.lines([np.stack([times, degrees], 1)], INK, width=1.3, alpha=0.5)


def _forecast_curve(panel: Panel, day: DayInputs) -> None:
    curve = day.forecasts.filter(pl.col("variable") == "temp")
    if len(curve):
        latest = curve.filter(pl.col("event_time") == pl.col("event_time").max()).sort("valid_time")
        at = hours_since(latest["valid_time"], day.climate_start)
        points = np.stack([at, latest["value_f"].to_numpy()], 1)
        panel.lines([points], SOURCE_COLOURS["weather"], width=1.2)


def _bracket_legend(sheet: Sheet, day: DayInputs) -> None:
    colours = bracket_colours(len(day.ladder))
    width, height = sheet.size
    strip = Panel(
        sheet=sheet, left=0.2, bottom=height - 0.24, width=width - 0.3, height=0.2,
        x=(0, max(len(day.ladder), 1)), y=(0, 1),
    )  # fmt: skip
    for rung in day.ladder:
        paid = " paid" if rung.bracket == day.winner else ""
        strip.box((rung.bracket, rung.bracket + 0.1), (0.25, 0.75), colours[rung.bracket])
        strip.write(
            rung.bracket + 0.14, 0.5, rung.label[:14] + paid, size=FONT - 0.5,
            bold=bool(paid),
        )  # fmt: skip


def _reason_image(decisions: pl.DataFrame, at: Floats, x: Span, count: int) -> np.ndarray:
    """Colours of shape (brackets, pixels, 4); transparent where nothing was decided."""
    columns = 960
    names = list(REASON_COLOURS)
    codes = decisions["reason"].replace_strict(names, range(len(names)), return_dtype=pl.Int8)
    column = np.clip(((at - x[0]) / (x[1] - x[0]) * columns).astype(int), 0, columns - 1)
    image = np.full((count, columns), len(names))
    image[decisions["bracket"].to_numpy(), column] = codes.to_numpy()
    lookup = [bytes.fromhex(colour[1:] + "ff") for colour in REASON_COLOURS.values()]
    rgba = np.frombuffer(b"".join([*lookup, bytes(4)]), dtype=np.uint8).reshape(-1, 4)
    return rgba[_fill_gaps(image, empty=len(names))]


def _fill_gaps(image: np.ndarray, *, empty: int) -> np.ndarray:
    """Each empty pixel between two decisions takes its left neighbour's colour."""
    seen = image != empty
    last = np.maximum.accumulate(np.where(seen, np.arange(image.shape[1]), -1), axis=1)
    later = np.maximum.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    filled = np.take_along_axis(image, np.maximum(last, 0), axis=1)
    return np.where((last >= 0) & later, filled, empty)


def _steps(at: Floats, values: Floats, x: Span) -> Floats:
    """The corners of a step line that starts at nought and ends at the right edge."""
    times = np.repeat(np.concatenate([at, [x[1]]]), 2)[:-1]
    heights = np.repeat(np.concatenate([[0.0], values]), 2)[:-1]
    return np.stack([np.concatenate([[x[0]], times]), np.concatenate([heights, values[-1:]])], 1)


def _short(label: str) -> str:
    words = label.replace(" or below", "−").replace(" or above", "+").replace(" to ", "–")
    return words if len(words) <= 9 else words[:8] + "…"


def _x_range(day: DayInputs) -> Span:
    if not len(day.grid):
        return -12.0, 24.0
    return float(min(day.grid.hours[0], 0.0)), float(max(day.grid.hours[-1], 24.0))


def _degrees_range(day: DayInputs) -> Span:
    edges = [f for r in day.ladder for f in (r.lo_f, r.hi_f) if f is not None]
    seen = [*day.observations["lo_f"], *day.observations["hi_f"]]
    seen += [*day.settlements["tmax_f"], *day.forecasts["value_f"]]
    values = [float(v) for v in [*edges, *seen] if v is not None]
    return (min(values) - 1.5, max(values) + 2.5) if values else (0.0, 100.0)


def _degree_marks(y: Span) -> range:
    step = next(s for s in (2, 5, 10, 20, 50) if (y[1] - y[0]) / s <= 8)
    return range(int(np.ceil(y[0] / step)) * step, int(y[1]) + 1, step)


def _padded(values: list[float]) -> Span:
    lo, hi = min(values), max(values)
    pad = max((hi - lo) * 0.18, 0.01)
    return lo - pad, hi + pad


def _round_marks(y: Span) -> list[float]:
    span = y[1] - y[0]
    unit = 10.0 ** np.floor(np.log10(span))
    step = next(s * unit for s in (0.2, 0.5, 1.0, 2.0, 5.0) if span / (s * unit) <= 6)
    first, last = int(np.ceil(y[0] / step)), int(y[1] // step)
    return [float(round(k * step, 6)) for k in range(first, last + 1)]


def _signed(value: float, unit: str) -> str:
    sign = "−" if value < 0 else ""
    return f"{sign}{unit}{abs(value):g}"
