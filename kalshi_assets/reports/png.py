"""A sheet as a small PNG, for markdown that carries its own picture.

Here: drawing a sheet's shapes with matplotlib. Not here: what is drawn (`plots`, `canvas`).

Matplotlib is imported inside the functions (its import takes about a second), `pyplot` never: it
keeps figures alive in a global.
"""

import base64
import io
from typing import TYPE_CHECKING, Any

from kalshi_assets.reports.canvas import PAPER, Areas, Label, Lines, Pixels, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RIM = 0.8  # points


def png_data_uri(sheet: Sheet, *, colours: int = 96) -> str:
    """The sheet as a PNG of 100 pixels an inch, in a data URI.

    Parameters
    ----------
    sheet
        What is drawn.
    colours
        Size of the palette: few, so that 640 x 220 pixels stay below 40 kB.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(_figure(sheet))
    canvas.draw()
    width, height = canvas.get_width_height()
    image = Image.frombuffer("RGBA", (width, height), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    small = image.convert("RGB").quantize(
        colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    buffer = io.BytesIO()
    small.save(buffer, "png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _figure(sheet: Sheet) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=sheet.size, dpi=100, facecolor=PAPER)
    for shape in sheet.in_depth():
        if isinstance(shape, Pixels):
            figure.add_artist(_image(shape, figure))
        else:
            artist = _lines(shape) if isinstance(shape, Lines) else _areas(shape)
            artist.set_transform(figure.dpi_scale_trans)
            figure.add_artist(artist)
    for label in sheet.labels:
        _write(label, figure)
    return figure


def _lines(shape: Lines) -> Any:
    from matplotlib.collections import LineCollection

    return LineCollection(
        list(shape.points),
        colors=shape.colour,
        linewidths=shape.width,
        linestyles=(0, shape.dashes) if shape.dashes else "solid",
        alpha=shape.alpha,
        zorder=shape.zorder,
    )


def _areas(shape: Areas) -> Any:
    from matplotlib.collections import PolyCollection

    return PolyCollection(
        list(shape.points),
        facecolors=shape.colour,
        edgecolors=shape.rim or "none",
        linewidths=_RIM if shape.rim else 0,
        alpha=shape.alpha,
        zorder=shape.zorder,
    )


def _image(shape: Pixels, figure: "Figure") -> Any:
    from matplotlib.image import BboxImage
    from matplotlib.transforms import Bbox, TransformedBbox

    box = Bbox.from_bounds(shape.left, shape.bottom, shape.width, shape.height)
    image = BboxImage(
        TransformedBbox(box, figure.dpi_scale_trans),
        interpolation="nearest",
        origin="lower",
        zorder=shape.zorder,
    )
    image.set_data(shape.colours)
    return image


def _write(label: Label, figure: "Figure") -> None:
    """A dollar sign never starts a formula."""
    figure.text(
        label.x,
        label.y,
        label.words,
        transform=figure.dpi_scale_trans,
        parse_math=False,
        fontsize=label.size,
        color=label.colour,
        ha=label.across,
        va=label.up,
        weight="bold" if label.bold else "normal",
        style="italic" if label.italic else "normal",
    )
