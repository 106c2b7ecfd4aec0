"""Charts that people zoom into, as Vega-Lite specifications made with Altair.

Here: one function per kind of chart, from a frame. Pages draw them in the browser with one shared
script beside them (`SCRIPT`), so that they need no network; `svg_of` draws a still picture. Not
here: small pictures of the day page and of Dagster (`plots`), which must be drawn in milliseconds.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
from markupsafe import Markup

from kalshi_assets.package_cache import cached_text

if TYPE_CHECKING:
    import altair as alt

SCRIPT = "vega.js"
"""The file with Vega, Vega-Lite and their embedding, in the folder `reports`."""

WIDTH = 900
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
# Readable on light and on dark paper.
_INK, _GRID = "#7a8290", "#9aa3b233"
CONFIG = {
    "background": "transparent",
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "gridColor": _GRID,
        "domainColor": _GRID,
        "tickColor": _GRID,
        "titleFontWeight": "normal",
    },
    "header": {"labelColor": _INK, "titleColor": _INK, "labelFontWeight": "bold"},
    "legend": {"labelColor": _INK, "titleColor": _INK, "titleFontWeight": "normal"},
    "title": {"color": _INK},
}

Spec = dict[str, Any]


@cache
def script() -> str:
    """The text of `SCRIPT`: defines `vegaEmbed` in the window."""
    return cached_text(f"vega-{version('vl-convert-python')}.js", _bundled)


def _bundled() -> str:
    import vl_convert

    # Its signature asks for a snippet; None bundles the libraries and their embedding alone.
    return str(vl_convert.javascript_bundle(None))  # type: ignore[arg-type]


def embedded(specs: Mapping[str, Spec]) -> Markup:
    """The script element that draws charts into the page's elements of these ids.

    Parameters
    ----------
    specs
        Specifications by the id of their element.
    """
    text = in_script(json.dumps(specs, default=str, separators=(",", ":")))
    drawn = "vegaEmbed('#' + id, spec, {actions: false, renderer: 'svg'})"
    return Markup("<script>for (const [id, spec] of Object.entries({})) {};</script>").format(
        text, Markup(drawn)
    )


def in_script(text: str) -> Markup:
    """JSON as part of a script element.

    Parameters
    ----------
    text
        The JSON.
    """
    # A closing tag inside a string would end the script.
    return Markup(text.replace("</", "<\\/"))


def svg_of(spec: Spec) -> str:
    """A still picture of a chart.

    Parameters
    ----------
    spec
        Its specification.
    """
    import vl_convert

    return str(vl_convert.vegalite_to_svg(json.dumps(spec, default=str)))


def lines(
    rows: pl.DataFrame,
    *,
    x: str,
    y: str,
    colours: Mapping[str, str],
    colour: str,
    y_title: str,
    x_title: str | None = None,
    panel: str | None = None,
    step: bool = False,
    height: int = 170,
) -> Spec:
    """Lines over time or a number, to zoom and pan, with a tooltip at every point.

    Parameters
    ----------
    rows
        A row per point.
    x, y
        Columns of the axes; `x` a date, a time or a number.
    colours
        Colour by value of the column `colour`, in the legend's order.
    colour, panel
        Columns that tell lines apart, and panels from left to right; None: one panel.
    y_title, x_title
        What the axes show, with the unit.
    step
        Whether a value holds until the next point.
    height
        Of the panel, pixels.
    """
    import altair as alt

    kind: Literal["quantitative", "temporal"] = (
        "quantitative" if rows[x].dtype.is_numeric() else "temporal"
    )
    panels = 1 if panel is None else max(rows[panel].n_unique(), 1)
    chart = (
        alt.Chart(_values(rows), width=_panel_width(panels), height=height)
        .mark_line(point={"size": 12}, interpolate="step-after" if step else "linear")
        .encode(
            x=alt.X(field=x, type=kind, title=x_title),
            y=alt.Y(field=y, type="quantitative", title=y_title),
            color=_colour(colour, colours),
            tooltip=_tooltips(rows),
        )
    )
    chart = chart.interactive(bind_y=False)
    if panel is not None:
        chart = chart.facet(column=alt.Column(field=panel, type="nominal", title=None))
    return _spec(chart)


def bars(
    rows: pl.DataFrame,
    *,
    x: str,
    y: str,
    colours: Mapping[str, str],
    colour: str,
    y_title: str,
    panel: str | None = None,
    stacked: bool = False,
    order: Sequence[str] | None = None,
    height: int = 170,
) -> Spec:
    """Bars per value of `x`, side by side or stacked by colour.

    Parameters
    ----------
    rows
        A row per bar.
    x, y
        Columns of the bars and of their heights.
    colours
        Colour by value of the column `colour`, in the legend's order.
    colour, panel
        Columns that tell bars apart, and panels from left to right; None: one panel.
    y_title
        What the height shows, with the unit.
    stacked
        Whether bars of one `x` are stacked.
    order
        Values of `x` from left to right; None: sorted.
    height
        Of the panel, pixels.
    """
    import altair as alt

    panels = 1 if panel is None else max(rows[panel].n_unique(), 1)
    encoding: dict[str, Any] = {
        "x": alt.X(field=x, type="nominal", title=None, sort=list(order) if order else None).axis(
            labelAngle=-40
        ),
        "y": alt.Y(field=y, type="quantitative", title=y_title, stack="zero" if stacked else None),
        "color": _colour(colour, colours),
        "tooltip": _tooltips(rows),
    }
    if not stacked and colour != x:
        encoding["xOffset"] = alt.XOffset(field=colour, type="nominal", sort=list(colours))
    chart = (
        alt.Chart(_values(rows), width=_panel_width(panels), height=height)
        .mark_bar()
        .encode(**encoding)
    )
    if panel is not None:
        chart = chart.facet(column=alt.Column(field=panel, type="nominal", title=None))
    return _spec(chart)


def heatmap(
    rows: pl.DataFrame,
    *,
    x: str,
    y: str,
    value: str,
    title: str,
    panel: str,
    order: Sequence[str],
) -> Spec:
    """A cell per `x` and `y`, red below zero and green above.

    Parameters
    ----------
    rows
        A row per cell, those of `y` from top to bottom.
    x, y, panel
        Columns of the axes, and of panels from left to right.
    value
        Column of the value; 0 is neutral.
    title
        What the value is, with the unit.
    order
        Values of `x` from left to right.
    """
    import altair as alt

    panels = max(rows[panel].n_unique(), 1)
    most = max(float(rows[value].abs().max() or 0), 0.01)  # type: ignore[arg-type]
    chart = (
        alt.Chart(_values(rows), width=_panel_width(panels), height=alt.Step(22))
        .mark_rect()
        .encode(
            x=alt.X(field=x, type="ordinal", title=None, sort=list(order)).axis(labelAngle=0),
            y=alt.Y(field=y, type="ordinal", title=None, sort=None),
            color=alt.Color(field=value, type="quantitative", title=title).scale(
                domain=[-most, 0, most],
                range=["#b91c1c", "#eceef1", "#15803d"],
                interpolate="rgb",
            ),
            tooltip=_tooltips(rows),
        )
        .facet(column=alt.Column(field=panel, type="nominal", title=None))
    )
    return _spec(chart)


def _panel_width(panels: int) -> int:
    return max(170, WIDTH // panels - 60)


def _colour(name: str, colours: Mapping[str, str]) -> "alt.Color":
    import altair as alt

    return alt.Color(field=name, type="nominal", title=None).scale(
        domain=list(colours), range=list(colours.values())
    )


def _tooltips(rows: pl.DataFrame) -> list[Any]:
    import altair as alt

    def of(name: str, dtype: pl.DataType) -> Any:
        words = name.replace("_", " ")
        if dtype.is_float():
            return alt.Tooltip(field=name, type="quantitative", title=words, format=",.2f")
        if dtype.is_temporal():
            form = "%Y-%m-%d" if dtype == pl.Date else "%Y-%m-%d %H:%M"
            return alt.Tooltip(field=name, type="temporal", title=words, format=form)
        return alt.Tooltip(
            field=name, type="quantitative" if dtype.is_numeric() else "nominal", title=words
        )

    return [of(name, dtype) for name, dtype in rows.schema.items()]


def _values(rows: pl.DataFrame) -> Any:
    import altair as alt

    # Without an hour a date is midnight UTC, which is the day before in America.
    dates = [name for name, dtype in rows.schema.items() if dtype == pl.Date]
    times = [name for name, dtype in rows.schema.items() if dtype == pl.Datetime]
    shown = rows.with_columns(
        pl.col(dates).dt.strftime("%Y-%m-%dT00:00:00"),
        pl.col(times).dt.strftime("%Y-%m-%dT%H:%M:%S"),
    )
    return alt.Data(values=shown.to_dicts())


def _spec(chart: Any) -> Spec:
    return dict(chart.configure(**CONFIG).to_dict())
