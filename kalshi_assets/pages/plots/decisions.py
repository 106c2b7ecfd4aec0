"""Why there was or was not an order: a reason for every bracket and minute."""

import numpy as np
import polars as pl

from kalshi_assets.instants import microseconds
from kalshi_assets.pages.canvas import INK, PAPER, Sheet, Size, Span, hour_ticks, panels
from kalshi_assets.pages.inputs import DayInputs, hours_since
from kalshi_assets.pages.palette import REASON_COLOURS
from kalshi_assets.pages.plots.strokes import DIAMOND, mark_climate_day, trading_hours
from kalshi_assets.tables.backtest import DECIDING_MODEL
from kalshi_assets.units import Array


def reason_figure(day: DayInputs, strategy: str, *, size: Size = (9.6, 1.7)) -> Sheet:
    """The reason of every bracket and minute as a colour; orders and fills as diamonds.

    Parameters
    ----------
    day
        The day.
    strategy
        One of `day.strategies`; orders and fills are those under `DECIDING_MODEL`.
    size
        Inches.
    """
    sheet, x = Sheet(size), trading_hours(day)
    count = len(day.ladder)
    y = (-0.5, max(count, 1) - 0.5)
    (panel,) = panels(sheet, x=x, ys=[y], shares=[1.0], top=0.08)
    decisions = day.decisions_by_strategy[strategy]
    at = hours_since(microseconds(decisions["minute"]), day.day_start)
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
        panel.remark("no decisions recorded")
    elif traded.any():
        points = np.stack([at[traded], decisions["bracket"].to_numpy()[traded]], 1)
        panel.marks(points, DIAMOND, REASON_COLOURS["trade"])
    filled = day.fills.filter(strategy=strategy, fill_model=DECIDING_MODEL)
    if len(filled):
        panel.marks(_fill_points(day, filled), DIAMOND, INK)
    mark_climate_day(panel)
    return sheet


def _fill_points(day: DayInputs, filled: pl.DataFrame) -> Array:
    brackets = {rung.market_ticker: rung.bracket for rung in day.ladder}
    known = filled.filter(pl.col("market_ticker").is_in(list(brackets)))
    at = hours_since(microseconds(known["event_time"]), day.day_start)
    bracket = np.array([brackets[ticker] for ticker in known["market_ticker"]], dtype=float)
    return np.stack([at, bracket], 1)


def _reason_image(decisions: pl.DataFrame, at: Array, x: Span, count: int) -> np.ndarray:
    """Colours of shape (brackets, pixels, 4); transparent where nothing was decided."""
    columns = 960
    column = np.clip(((at - x[0]) / (x[1] - x[0]) * columns).astype(int), 0, columns - 1)
    image = np.full((count, columns), len(REASON_COLOURS))
    image[decisions["bracket"].to_numpy(), column] = _codes(decisions["reason"])
    lookup = [bytes.fromhex(colour[1:] + "ff") for colour in REASON_COLOURS.values()]
    rgba = np.frombuffer(b"".join([*lookup, bytes(4)]), dtype=np.uint8).reshape(-1, 4)
    return rgba[_fill_gaps(image, empty=len(REASON_COLOURS))]


def _codes(reasons: pl.Series) -> np.ndarray:
    """Positions in `REASON_COLOURS`; the 14,000 rows of a day have about a hundred runs."""
    codes = {reason: code for code, reason in enumerate(REASON_COLOURS)}
    stretches = reasons.rle().struct
    of_each = [codes[reason] for reason in stretches.field("value")]
    return np.repeat(np.array(of_each, dtype=np.int64), stretches.field("len").to_numpy())


def _fill_gaps(image: np.ndarray, *, empty: int) -> np.ndarray:
    """Each empty pixel between two decisions takes its left neighbour's colour."""
    seen = image != empty
    last = np.maximum.accumulate(np.where(seen, np.arange(image.shape[1]), -1), axis=1)
    later = np.maximum.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
    filled = np.take_along_axis(image, np.maximum(last, 0), axis=1)
    return np.where((last >= 0) & later, filled, empty)


def _short(label: str) -> str:
    words = label.replace(" or below", "−").replace(" or above", "+").replace(" to ", "–")
    return words if len(words) <= 9 else words[:8] + "…"
