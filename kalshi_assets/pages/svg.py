"""A sheet as SVG: an element in a page's colours, a standalone document, or a data URI.

Here: shapes and labels as markup. Not here: what is drawn (`plots`, `canvas`).

The unit is a tenth of a point, so that all coordinates are integers: these are formatted several
times faster than decimals, and relative coordinates keep the page small. Dagster's Markdown gets
SVG too: a figure takes six milliseconds, with matplotlib it took forty.
"""

import base64
import html
import io
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from kalshi_assets.pages.canvas import (
    GRID,
    INK,
    PAPER,
    Areas,
    Label,
    Pixels,
    Shape,
    Sheet,
)

_UNITS_PER_INCH = 720
_UNITS_PER_POINT = 10
_RIM = 0.8  # points
_THEME = {INK: "currentColor", GRID: "var(--grid)", PAPER: "var(--paper)"}
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_BASELINES = {"center": "central", "top": "hanging", "bottom": "auto"}


def svg_markup(sheet: Sheet, words: str) -> str:
    """The sheet as an SVG element; `words` is the text alternative for screen readers.

    The colours INK, GRID and PAPER are replaced by the page's colours.
    """
    width, height = (round(side * _UNITS_PER_INCH) for side in sheet.size)
    in_depth = sheet.in_depth()
    paths = _paths(in_depth, sheet.size[1])
    shapes = [
        _element(shape, path, sheet.size[1]) for shape, path in zip(in_depth, paths, strict=True)
    ]
    labels = [_text(label, sheet.size[1]) for label in sheet.labels]
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(words)}">'
        f"{''.join(shapes)}{''.join(labels)}</svg>"
    )


def svg_file(sheet: Sheet, words: str) -> str:
    """The sheet as a standalone SVG document in the colours INK, GRID and PAPER."""
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
    """The document as a data URI, for Markdown."""
    data = base64.b64encode(svg_file(sheet, words).encode()).decode("ascii")
    return f"data:image/svg+xml;base64,{data}"


def _element(shape: Shape, path: str, height: float) -> str:
    if isinstance(shape, Pixels):
        return _image(shape, height)
    opacity = f' opacity="{shape.alpha:g}"' if shape.alpha < 1 else ""
    if isinstance(shape, Areas):
        rim = "" if shape.rim is None else _stroke(shape.rim, _RIM)
        return f'<path fill="{_colour(shape.colour)}"{rim}{opacity} d="{path}"/>'
    dashes = " ".join(f"{length * _UNITS_PER_POINT:g}" for length in shape.dashes or ())
    pattern = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path fill="none"{_stroke(shape.colour, shape.width)}{pattern}{opacity} d="{path}"/>'


def _stroke(colour: str, width: float) -> str:
    return f' stroke="{_colour(colour)}" stroke-width="{width * _UNITS_PER_POINT:g}"'


def _colour(colour: str) -> str:
    return _THEME.get(colour, colour)


class _Written(dict[int, str]):
    """Whole numbers formatted with a leading letter, each once per process."""

    def __init__(self, letter: str) -> None:
        super().__init__()
        self._letter = letter

    def __missing__(self, number: int) -> str:
        word = self[number] = f"{self._letter}{number}"
        return word


_MOVES, _CLOSED_MOVES, _ACROSS, _DOWN = (_Written(letter) for letter in ("M", "zM", "l", " "))


def _paths(shapes: Sequence[Shape], height: float) -> Iterator[str]:
    """The path of every shape: a move to each run of finite points, then relative steps.

    All shapes are processed at once: most have two points, too few for array operations to pay.
    """
    gap, none = np.full((1, 2), np.nan), np.empty((0, 2))
    lines = [none if isinstance(shape, Pixels) else shape.points for shape in shapes]
    points = np.concatenate([gap, *(part for line in lines for part in (line, gap))])
    known = np.isfinite(points[:, 0] + points[:, 1])
    place = np.where(known[:, None], points * (1.0, -1.0) + (0.0, height), 0.0)
    corners = np.rint(place * _UNITS_PER_INCH).astype(np.int64)
    starts = known & ~np.concatenate([[False], known[:-1]])
    steps = np.where(starts[:, None], corners, np.diff(corners, axis=0, prepend=0))[known]
    across = steps[:, 0].tolist()
    words = [""] * (2 * len(across))
    words[::2] = map(_ACROSS.__getitem__, across)
    words[1::2] = map(_DOWN.__getitem__, steps[:, 1].tolist())
    bounds = np.cumsum(known)[np.cumsum([0, *(len(line) + 1 for line in lines)])]
    moves = np.flatnonzero(starts[known])
    firsts = np.searchsorted(moves, bounds).tolist()
    of_shapes = zip(shapes, pairwise(bounds.tolist()), pairwise(firsts), strict=True)
    for shape, (start, stop), (first, last) in of_shapes:
        close = isinstance(shape, Areas)
        written = _CLOSED_MOVES if close else _MOVES
        for at in moves[first:last].tolist():
            words[2 * at] = written[across[at]]
        path = "".join(words[2 * start : 2 * stop])
        yield f"{path.removeprefix('z')}z" if close else path


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
