"""A sheet as SVG: an element in a page's colours, a document of its own, or a data URI.

Here: shapes and labels as markup. Not here: what is drawn (`plots`, `canvas`).

The picture's unit is a tenth of a point, so that every coordinate is an integer: integers print
several times faster than decimals, and differences between neighbours keep the page small. Pictures
in Dagster's markdown are SVG too: matplotlib took forty milliseconds for what takes six here.
"""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np

from kalshi_assets.reports.canvas import (
    GRID,
    INK,
    PAPER,
    Areas,
    Label,
    Lines,
    Pixels,
    Sheet,
)
from kalshi_assets.reports.inputs import Floats

_UNITS_PER_INCH = 720
_UNITS_PER_POINT = 10
_RIM = 0.8  # points
_THEME = {INK: "currentColor", GRID: "var(--grid)", PAPER: "var(--paper)"}
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_BASELINES = {"center": "central", "top": "hanging", "bottom": "auto"}


def svg_markup(sheet: Sheet, words: str) -> str:
    """The sheet as an SVG element.

    Parameters
    ----------
    sheet
        Drawn with INK, GRID and PAPER where the page's colours belong.
    words
        What a screen reader says instead of the picture.
    """
    width, height = (round(side * _UNITS_PER_INCH) for side in sheet.size)
    shapes = [_element(shape, sheet.size[1]) for shape in sheet.in_depth()]
    labels = [_text(label, sheet.size[1]) for label in sheet.labels]
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(words)}">'
        f"{''.join(shapes)}{''.join(labels)}</svg>"
    )


def svg_file(sheet: Sheet, words: str) -> str:
    """The sheet as an SVG document of its own: on paper, in the ink of printed figures.

    Parameters
    ----------
    words
        What a screen reader says instead of the picture.
    """
    markup = svg_markup(sheet, words)
    for colour, of_page in _THEME.items():
        markup = markup.replace(f'"{of_page}"', f'"{colour}"')
    width, height = (round(side * 100) for side in sheet.size)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif" style="background:{PAPER}" '
    )
    return head + markup.removeprefix("<svg ") + "\n"


def svg_data_uri(sheet: Sheet, words: str) -> str:
    """The document in a data URI, for markdown that carries its own picture."""
    data = base64.b64encode(svg_file(sheet, words).encode()).decode("ascii")
    return f"data:image/svg+xml;base64,{data}"


def _element(shape: Lines | Areas | Pixels, height: float) -> str:
    if isinstance(shape, Pixels):
        return _image(shape, height)
    opacity = f' opacity="{shape.alpha:g}"' if shape.alpha < 1 else ""
    if isinstance(shape, Areas):
        rim = "" if shape.rim is None else _stroke(shape.rim, _RIM)
        return (
            f'<path fill="{_colour(shape.colour)}"{rim}{opacity} '
            f'd="{_path(shape.points, height, close=True)}"/>'
        )
    dashes = " ".join(f"{length * _UNITS_PER_POINT:g}" for length in shape.dashes or ())
    pattern = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<path fill="none"{_stroke(shape.colour, shape.width)}{pattern}{opacity} '
        f'd="{_path(shape.points, height, close=False)}"/>'
    )


def _stroke(colour: str, width: float) -> str:
    return f' stroke="{_colour(colour)}" stroke-width="{width * _UNITS_PER_POINT:g}"'


def _colour(colour: str) -> str:
    return _THEME.get(colour, colour)


def _path(lines: Sequence[Floats], height: float, *, close: bool) -> str:
    """Each run of finite points as a move and the steps from it."""
    gap = np.full((1, 2), np.nan)
    points = np.concatenate([part for line in lines for part in (line, gap)])
    known = np.isfinite(points).all(axis=1).reshape(-1)
    place = np.where(known[:, None], points * (1.0, -1.0) + (0.0, height), 0.0)
    corners = np.rint(place * _UNITS_PER_INCH).astype(np.int64)
    starts = known & ~np.concatenate([[False], known[:-1]])
    steps = np.where(starts[:, None], corners, np.diff(corners, axis=0, prepend=0))
    move = "zM" if close else "M"
    text = "".join(
        f"{move if first else 'l'}{x} {y}"
        for (x, y), first in zip(steps[known].tolist(), starts[known].tolist(), strict=True)
    )
    return f"{text.removeprefix('z')}z" if close else text


def _image(shape: Pixels, height: float) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(shape.colours[::-1])).save(buffer, "png")
    box = {
        "x": shape.left,
        "y": height - shape.bottom - shape.height,
        "width": shape.width,
        "height": shape.height,
    }
    place = " ".join(f'{name}="{round(side * _UNITS_PER_INCH)}"' for name, side in box.items())
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<image {place} preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{data}"/>'
    )


def _text(label: Label, height: float) -> str:
    style = {
        "x": round(label.x * _UNITS_PER_INCH),
        "y": round((height - label.y) * _UNITS_PER_INCH),
        "font-size": f"{label.size * _UNITS_PER_POINT:g}",
        "fill": _colour(label.colour),
        "text-anchor": _ANCHORS[label.across],
        "dominant-baseline": _BASELINES[label.up],
    }
    if label.bold:
        style["font-weight"] = "bold"
    if label.italic:
        style["font-style"] = "italic"
    attributes = " ".join(f'{name}="{value}"' for name, value in style.items())
    return f"<text {attributes}>{html.escape(label.words, quote=False)}</text>"
