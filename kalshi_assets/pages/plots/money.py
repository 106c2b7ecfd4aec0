"""What the fills earned."""

import numpy as np
import polars as pl

from kalshi_assets.instants import microseconds
from kalshi_assets.pages.canvas import INK, Sheet, Size, Span, hour_ticks, panels
from kalshi_assets.pages.inputs import DayInputs, hours_since
from kalshi_assets.pages.palette import strategy_colours
from kalshi_assets.pages.plots.strokes import DIAMOND, mark_climate_day, trading_hours
from kalshi_assets.tables.backtest import DECIDING_MODEL
from kalshi_assets.units import Array


def money_figure(day: DayInputs, *, size: Size = (9.6, 2.4)) -> Sheet:
    """What the fills under `DECIDING_MODEL` earned, by strategy; the day needs such a fill.

    Before settlement it shows the contracts filled instead of money.
    """
    filled = day.fills.filter(fill_model=DECIDING_MODEL).sort("event_time", "fill")
    settled = filled["pnl_cc"].null_count() == 0
    amount = pl.col("pnl_cc") / 10_000 if settled else pl.col("contracts").cast(pl.Float64)
    colours = strategy_colours(day.strategies)
    curves = {
        strategy: (
            hours_since(microseconds(own["event_time"]), day.day_start),
            own.select(amount.cum_sum()).to_series().to_numpy(),
        )
        for strategy in day.strategies
        if len(own := filled.filter(strategy=strategy))
    }
    sheet, x = Sheet(size), trading_hours(day)
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
    mark_climate_day(panel)
    by_end = sorted(curves.items(), key=lambda item: (-item[1][1][-1], item[0]))
    for rank, (strategy, (at, values)) in enumerate(by_end):
        colour = colours[strategy]
        panel.lines([_steps(at, values, x)], colour, width=1.6)
        panel.marks(np.stack([at, values], 1), DIAMOND, colour)
        panel.write(
            x[1], values[-1], strategy, shift=(-0.05, -0.03 if rank else 0.02), colour=colour,
            across="right", up="top" if rank else "bottom",
        )  # fmt: skip
    return sheet


def _steps(at: Array, values: Array, x: Span) -> Array:
    """The corners of a step line that starts at zero and ends at the right edge."""
    times = np.repeat(np.concatenate([at, [x[1]]]), 2)[:-1]
    heights = np.repeat(np.concatenate([[0.0], values]), 2)[:-1]
    return np.stack([np.concatenate([[x[0]], times]), np.concatenate([heights, values[-1:]])], 1)


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
