"""The sheet that figures are drawn on, and how it becomes SVG for a page or PNG for Dagster.

Here: panels with light axes in local standard hours, theme colours, encoding. Not here: what a
figure shows (`plots`).

Matplotlib is imported inside the functions (its import takes about a second), `pyplot` never: it
keeps figures alive in a global. A panel is a rectangle of the figure and not matplotlib's `Axes`:
artists are placed in inches, and axes, ticks and limits took three quarters of a figure's time
(measured: 110 ms against 30 ms for three panels).
"""

import base64
import datetime as dt
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kalshi_assets.reports.inputs import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

Size = tuple[float, float]
Span = tuple[float, float]
Ticks = Sequence[tuple[float, str]]

FONT = 8.0
# Ink, grid and paper are ordinary colours in a PNG; in a page's SVG they become the page's.
INK = "#3d4451"
GRID = "#d3d7de"
PAPER = "#fffffe"
_THEME = {INK: "currentColor", GRID: "var(--grid)", PAPER: "var(--paper)"}

_LEFT, _RIGHT, _BOTTOM, _GAP = 0.72, 0.06, 0.20, 0.22  # inches


def new_figure(size: Size) -> "Figure":
    """An empty figure of `size` inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, dpi=100, facecolor=PAPER)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A rectangle of a figure with its own scales; what lies outside is drawn on its edge.

    Attributes
    ----------
    figure
        Where it is drawn.
    left, bottom, width, height
        The rectangle, inches from the figure's lower left corner.
    x, y
        Values at the left and right, bottom and top edge.
    """

    figure: "Figure"
    left: float
    bottom: float
    width: float
    height: float
    x: Span
    y: Span

    def place(self, points: npt.ArrayLike) -> Floats:
        """Inches on the figure of `points`, both of shape (n, 2)."""
        share = (np.asarray(points, dtype=np.float64) - (self.x[0], self.y[0])) / (
            self.x[1] - self.x[0],
            self.y[1] - self.y[0],
        )
        return np.clip(share, 0, 1) * (self.width, self.height) + (self.left, self.bottom)

    def lines(
        self,
        lines: Sequence[npt.ArrayLike],
        colour: str,
        *,
        width: float = 1.0,
        zorder: float = 2,
        dashes: Span | None = None,
        alpha: float | None = None,
    ) -> None:
        """Lines, each of shape (n, 2), as one artist."""
        from matplotlib.collections import LineCollection

        artist = LineCollection(
            [self.place(line) for line in lines],
            colors=colour,
            linewidths=width,
            linestyles=(0, dashes) if dashes else "solid",
            alpha=alpha,
            zorder=zorder,
        )
        self._add(artist)

    def areas(
        self,
        rings: Sequence[npt.ArrayLike],
        colour: str,
        *,
        zorder: float = 1,
        alpha: float | None = None,
    ) -> None:
        """Filled polygons, each of shape (n, 2), as one artist."""
        from matplotlib.collections import PolyCollection

        self._add(
            PolyCollection(
                [self.place(ring) for ring in rings],
                facecolors=colour,
                linewidths=0,
                alpha=alpha,
                zorder=zorder,
            )
        )

    def box(self, x: Span, y: Span, colour: str, **style: Any) -> None:
        """A filled rectangle."""
        corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
        self.areas([corners], colour, **style)

    def marks(self, points: npt.ArrayLike, shape: Sequence[Span], colour: str) -> None:
        """A small shape, given in points (1/72 inch) around its centre, at each of `points`."""
        from matplotlib.collections import PolyCollection

        outline = np.asarray(shape, dtype=np.float64) / 72
        self._add(
            PolyCollection(
                [at + outline for at in self.place(points)],
                facecolors=colour,
                edgecolors=PAPER,
                linewidths=0.8,
                zorder=4,
            )
        )

    def image(self, colours: npt.NDArray[np.uint8]) -> None:
        """Pixels of shape (rows, columns, 4) that fill the panel, the first row at the bottom."""
        from matplotlib.image import BboxImage
        from matplotlib.transforms import Bbox, TransformedBbox

        box = Bbox.from_bounds(self.left, self.bottom, self.width, self.height)
        image = BboxImage(
            TransformedBbox(box, self.figure.dpi_scale_trans),
            interpolation="nearest",
            origin="lower",
            zorder=1,
        )
        image.set_data(colours)
        self.figure.add_artist(image)

    def write(
        self, x: float, y: float, words: str, *, shift: Span = (0.0, 0.0), **style: Any
    ) -> None:
        """Text at a point, `shift` inches away; a dollar sign never starts a formula."""
        if not words:
            return
        at = self.place([(x, y)])[0] + shift
        defaults = {"fontsize": FONT, "color": INK, "va": "center", "parse_math": False}
        self.figure.text(
            at[0], at[1], words, transform=self.figure.dpi_scale_trans, **{**defaults, **style}
        )

    def say(self, words: str, *, height: float = 0.5) -> None:
        """A remark in the middle of an empty panel."""
        middle = self.y[0] + height * (self.y[1] - self.y[0])
        self.write(sum(self.x) / 2, middle, words, ha="center", style="italic", fontsize=FONT + 3)

    def scales(self, *, x_ticks: Ticks = (), y_ticks: Ticks = (), title: str = "") -> None:
        """Hairlines and their labels."""
        rules: list[npt.ArrayLike] = [[(self.x[0], at), (self.x[1], at)] for at, _ in y_ticks]
        rules += [[(at, self.y[0]), (at, self.y[1])] for at, _ in x_ticks]
        if rules:
            self.lines(rules, GRID, width=0.7, zorder=0.5)
        for at, label in y_ticks:
            self.write(self.x[0], at, label, shift=(-0.06, 0), ha="right")
        for at, label in x_ticks:
            near_end = at > self.x[1] - 0.04 * (self.x[1] - self.x[0])
            side = "right" if near_end else "center"
            self.write(at, self.y[0], label, shift=(0, -0.05), ha=side, va="top")
        self.write(self.x[0], self.y[1], title, shift=(0, 0.05), va="bottom", weight="bold")

    def _add(self, artist: Any) -> None:
        artist.set_transform(self.figure.dpi_scale_trans)
        self.figure.add_artist(artist)


def panels(
    figure: "Figure",
    *,
    x: Span,
    ys: Sequence[Span],
    shares: Sequence[float],
    top: float = 0.2,
    left: float = _LEFT,
) -> list[Panel]:
    """Panels above each other that share `x`.

    Parameters
    ----------
    figure
        Where they are drawn.
    x
        Values at the left and right edge.
    ys
        Values at the bottom and top edge, per panel, top panel first.
    shares
        Relative heights, in the same order.
    top, left
        Inches kept free above the first panel and to the left of all.
    """
    width, height = figure.get_size_inches()
    free = height - top - _BOTTOM - _GAP * (len(shares) - 1)
    made, ceiling = [], height - top
    for y, share in zip(ys, shares, strict=True):
        inches = free * share / sum(shares)
        ceiling -= inches
        made.append(
            Panel(
                figure=figure,
                left=left,
                bottom=ceiling,
                width=width - left - _RIGHT,
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


def thin_out(values: Floats, columns: int) -> npt.NDArray[np.int64]:
    """Indices of the columns of `values` worth drawing.

    Parameters
    ----------
    values
        Shape (B, N).
    columns
        Most columns that the width can show.

    Returns
    -------
    Increasing indices, first and last included; within a run of equal columns only the ends.
    """
    count = values.shape[1]
    if count <= 2:
        return np.arange(count)
    stride = max(1, -(-count // columns))
    index = np.unique(np.append(np.arange(0, count, stride), count - 1))
    kept = values[:, index]
    moved = np.abs(np.diff(kept, axis=1)).max(axis=0) > 1e-3
    keep = np.ones(len(index), dtype=bool)
    keep[1:-1] = moved[:-1] | moved[1:]
    return index[keep]


_GROUP_ID = re.compile(r'<g id="[^"]*">')
_PATH = re.compile(r' d="[^"]*"')
_DECIMALS = re.compile(r"(?<=\.\d)\d+")


def svg_markup(figure: "Figure", words: str) -> str:
    """The figure as an SVG element to stand in a page: theme colours, no addresses, no names.

    Parameters
    ----------
    figure
        Drawn with INK, GRID and PAPER where the page's colours belong.
    words
        What a screen reader says instead of the picture; must be safe as an attribute.
    """
    import matplotlib as mpl

    labels = [_text_element(label, figure.get_size_inches()[1]) for label in figure.texts]
    for label in list(figure.texts):  # matplotlib's layout of a label is what costs
        label.remove()
    buffer = io.StringIO()
    # The salt makes names of clip paths depend on nothing but the drawing.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kalshi_assets"}):
        figure.savefig(buffer, format="svg", facecolor="none")
    text = buffer.getvalue()
    body = text[text.index("<defs>") :].replace("xlink:href", "href")
    body = _PATH.sub(lambda path: _DECIMALS.sub("", path.group()), _GROUP_ID.sub("<g>", body))
    for colour, role in _THEME.items():
        body = body.replace(colour, role)
    width, height = figure.get_size_inches() * 72
    body = body.replace("</svg>", "".join(labels) + "</svg>")
    return f'<svg viewBox="0 0 {width:.1f} {height:.1f}" role="img" aria-label="{words}">{body}'


_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_BASELINES = {"center": "central", "top": "hanging", "bottom": "auto", "baseline": "auto"}


def _text_element(text: "Text", height: float) -> str:
    """A text of the figure as an SVG element; `height` of the figure in inches."""
    x, y = text.get_position()
    colour = str(text.get_color())
    style = {
        "x": f"{x * 72:.1f}",
        "y": f"{(height - y) * 72:.1f}",
        "font-size": f"{text.get_fontsize():g}",
        "fill": _THEME.get(colour, colour),
        "text-anchor": _ANCHORS[text.get_horizontalalignment()],
        "dominant-baseline": _BASELINES[text.get_verticalalignment()],
    }
    if text.get_fontweight() == "bold":
        style["font-weight"] = "bold"
    if text.get_fontstyle() == "italic":
        style["font-style"] = "italic"
    attributes = " ".join(f'{name}="{value}"' for name, value in style.items())
    return f"<text {attributes}>{html.escape(text.get_text(), quote=False)}</text>"


def png_data_uri(figure: "Figure", *, colours: int = 96) -> str:
    """The figure as a small PNG in a data URI, for markdown that carries its own picture.

    Parameters
    ----------
    figure
        At 100 pixels an inch.
    colours
        Size of the palette: few, so that 640 x 220 pixels stay below 40 kB.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    image = Image.frombuffer("RGBA", (width, height), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    small = image.convert("RGB").quantize(
        colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    buffer = io.BytesIO()
    small.save(buffer, "png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
