"""The sheet that figures are drawn on: panels with light axes, and shapes on them.

Here: a sheet's shapes in inches, panels with their own scales, ticks in local standard hours.
Not here: what a figure shows (`plots`), the conversion to SVG (`svg`).

A sheet is a list of shapes instead of a matplotlib figure: pages and Dagster need only SVG, and
matplotlib took nine tenths of a page's rendering time.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kalshi_assets.units import Array

Size = tuple[float, float]
Span = tuple[float, float]
Ticks = Sequence[tuple[float, str]]

FONT = 8.0
# In a page these three colours are replaced by the page's own.
INK = "#3d4451"
GRID = "#d3d7de"
PAPER = "#fffffe"

_LEFT, _RIGHT, _BOTTOM, _GAP = 0.72, 0.06, 0.20, 0.22  # inches


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Open lines, points of shape (n, 2) in inches; a non-finite point is a gap."""

    points: Array
    colour: str
    width: float
    dashes: Span | None
    alpha: float
    zorder: float


@dataclass(frozen=True, kw_only=True)
class Areas:
    """Filled polygons, corners of shape (n, 2) in inches, with gaps as in `Lines`.

    `rim` is the colour of the outline.
    """

    points: Array
    colour: str
    rim: str | None
    alpha: float
    zorder: float


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """Colours of shape (rows, columns, 4), the first row at the bottom, in a box of inches."""

    colours: npt.NDArray[np.uint8]
    left: float
    bottom: float
    width: float
    height: float
    zorder: float


Shape = Lines | Areas | Pixels


@dataclass(frozen=True, kw_only=True)
class Label:
    """One line of text at a point in inches."""

    x: float
    y: float
    words: str
    size: float = FONT
    colour: str = INK
    across: Literal["left", "center", "right"] = "left"
    up: Literal["bottom", "center", "top"] = "center"
    bold: bool = False
    italic: bool = False


@dataclass(frozen=True)
class Sheet:
    """A drawing: `size` in inches, shapes in the order they were added."""

    size: Size
    shapes: list[Shape] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def in_depth(self) -> list[Shape]:
        """The shapes from the back to the front."""
        return sorted(self.shapes, key=lambda shape: shape.zorder)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A rectangle of a sheet with its own scales; points outside are moved to its edge.

    Attributes
    ----------
    left, bottom, width, height
        The rectangle, inches from the sheet's lower left corner.
    x, y
        Values at the left and right, bottom and top edge.
    """

    sheet: Sheet
    left: float
    bottom: float
    width: float
    height: float
    x: Span
    y: Span

    def place(self, points: npt.ArrayLike) -> Array:
        """Positions on the sheet, in inches, of `points`; both of shape (n, 2)."""
        origin, span, size, corner = self._scale
        share = (np.asarray(points, dtype=np.float64) - origin) / span
        return np.minimum(np.maximum(share, 0.0), 1.0) * size + corner

    @cached_property
    def _scale(self) -> Array:
        (x0, x1), (y0, y1) = self.x, self.y
        return np.array(
            [(x0, y0), (x1 - x0, y1 - y0), (self.width, self.height), (self.left, self.bottom)]
        )

    def lines(
        self,
        lines: Sequence[npt.ArrayLike],
        colour: str,
        *,
        width: float = 1.0,
        zorder: float = 2,
        dashes: Span | None = None,
        alpha: float = 1.0,
    ) -> None:
        """Lines, each of shape (n, 2); `width` and `dashes` in points (1/72 inch)."""
        self.sheet.shapes.append(
            Lines(
                points=self.place(joined(lines)),
                colour=colour,
                width=width,
                dashes=dashes,
                alpha=alpha,
                zorder=zorder,
            )
        )

    def areas(
        self,
        rings: Sequence[npt.ArrayLike],
        colour: str,
        *,
        zorder: float = 1,
        alpha: float = 1.0,
    ) -> None:
        """Filled polygons, each of shape (n, 2)."""
        points = self.place(joined(rings))
        self.sheet.shapes.append(
            Areas(points=points, colour=colour, rim=None, alpha=alpha, zorder=zorder)
        )

    def box(self, x: Span, y: Span, colour: str, **style: Any) -> None:
        """A filled rectangle."""
        corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
        self.areas([corners], colour, **style)

    def marks(self, points: npt.ArrayLike, shape: Sequence[Span], colour: str) -> None:
        """A small shape, given in points (1/72 inch) around its centre, at each of `points`."""
        outline = np.asarray(shape, dtype=np.float64) / 72
        rings = joined(self.place(points)[:, None] + outline)
        self.sheet.shapes.append(Areas(points=rings, colour=colour, rim=PAPER, alpha=1.0, zorder=4))

    def image(self, colours: npt.NDArray[np.uint8]) -> None:
        """Pixels of shape (rows, columns, 4) that fill the panel, the first row at the bottom."""
        self.sheet.shapes.append(
            Pixels(
                colours=colours,
                left=self.left,
                bottom=self.bottom,
                width=self.width,
                height=self.height,
                zorder=1,
            )
        )

    def write(
        self, x: float, y: float, words: str, *, shift: Span = (0.0, 0.0), **style: Any
    ) -> None:
        """Text at a point, `shift` inches away; `style` as the fields of `Label`."""
        if words:
            # A label is one point: arrays would take ten times as long.
            across = min(max((x - self.x[0]) / (self.x[1] - self.x[0]), 0.0), 1.0)
            up = min(max((y - self.y[0]) / (self.y[1] - self.y[0]), 0.0), 1.0)
            self.sheet.labels.append(
                Label(
                    x=float(across * self.width + self.left + shift[0]),
                    y=float(up * self.height + self.bottom + shift[1]),
                    words=words,
                    **style,
                )
            )

    def remark(self, words: str, *, height: float = 0.5) -> None:
        """Text in the middle of an empty panel."""
        middle = self.y[0] + height * (self.y[1] - self.y[0])
        self.write(sum(self.x) / 2, middle, words, across="center", italic=True, size=FONT + 3)

    def scales(self, *, x_ticks: Ticks = (), y_ticks: Ticks = (), title: str = "") -> None:
        """Grid lines, their labels, and the title."""
        rules: list[npt.ArrayLike] = [[(self.x[0], at), (self.x[1], at)] for at, _ in y_ticks]
        rules += [[(at, self.y[0]), (at, self.y[1])] for at, _ in x_ticks]
        if rules:
            self.lines(rules, GRID, width=0.7, zorder=0.5)
        for at, label in y_ticks:
            self.write(self.x[0], at, label, shift=(-0.06, 0), across="right")
        for at, label in x_ticks:
            near_end = at > self.x[1] - 0.04 * (self.x[1] - self.x[0])
            side = "right" if near_end else "center"
            self.write(at, self.y[0], label, shift=(0, -0.05), across=side, up="top")
        self.write(self.x[0], self.y[1], title, shift=(0, 0.05), up="bottom", bold=True)


def joined(lines: Iterable[npt.ArrayLike]) -> Array:
    """Lines, each of shape (n, 2), as one array with a gap after each."""
    gap = np.full((1, 2), np.nan)
    parts = [part for line in lines for part in (np.asarray(line, dtype=np.float64), gap)]
    return np.concatenate(parts) if parts else gap


def panels(
    sheet: Sheet,
    *,
    x: Span,
    ys: Sequence[Span],
    shares: Sequence[float],
    top: float = 0.2,
) -> list[Panel]:
    """Panels above each other that share `x`.

    Parameters
    ----------
    x
        Values at the left and right edge.
    ys
        Values at the bottom and top edge, per panel, top panel first.
    shares
        Relative heights, in the same order.
    top
        Margin above the first panel, inches.
    """
    width, height = sheet.size
    free = height - top - _BOTTOM - _GAP * (len(shares) - 1)
    made, ceiling = [], height - top
    for y, share in zip(ys, shares, strict=True):
        inches = free * share / sum(shares)
        ceiling -= inches
        made.append(
            Panel(
                sheet=sheet,
                left=_LEFT,
                bottom=ceiling,
                width=width - _LEFT - _RIGHT,
                height=inches,
                x=x,
                y=y,
            )
        )
        ceiling -= _GAP
    return made


def hour_ticks(day: dt.date, x: Span, *, labels: bool) -> Ticks:
    """Ticks every three local standard hours, labelled every six; midnights carry the date."""
    marks = range(int(np.ceil(x[0] / 3)) * 3, int(x[1]) + 1, 3)
    return [(float(hour), _hour_label(day, hour) if labels else "") for hour in marks]


def _hour_label(day: dt.date, hour: int) -> str:
    if hour % 24:
        return f"{hour % 24:02d}:00" if hour % 6 == 0 else ""
    midnight = day + dt.timedelta(days=hour // 24)
    return f"{midnight:%a} {midnight.day} {midnight:%b}"


def thin_out(values: Array, columns: int) -> npt.NDArray[np.int64]:
    """Indices of the columns of `values`, shape (B, N), to draw: at most about `columns`.

    They are increasing and include the first and last; of a run of equal columns only the ends.
    """
    count = values.shape[1]
    if count <= 2:
        return np.arange(count)
    index = np.arange(0, count, max(1, -(-count // columns)))
    if index[-1] < count - 1:
        index = np.append(index, count - 1)
    kept = values[:, index]
    moved = np.abs(np.diff(kept, axis=1)).max(axis=0) > 1e-3
    keep = np.ones(len(index), dtype=bool)
    keep[1:-1] = moved[:-1] | moved[1:]
    return index[keep]
