"""The sensitivity page: what strategies earn as two parameters change, beside negative controls.

Here: tables and charts of the surfaces. Not here: the surfaces (`trading.sensitivity`), where the
page is stored (`library`).
"""

from collections.abc import Sequence
from typing import Any, Protocol

import polars as pl

from kalshi_assets.pages.charts import SCRIPT, Spec, embedded, heatmap
from kalshi_assets.pages.page import render
from kalshi_assets.tables.backtest import CONTROLS, DECIDING_MODEL
from kalshi_assets.units import CC_A_DOLLAR

_CONTROL_WORDS = {
    "none": "as it was",
    "market_only": "market's own PMF",
    "day_before": "forecast of the day before",
    "other_winner": "winner of another day",
}


class Varied(Protocol):
    """A surface: its name, the strategy, and the two parameters by dotted name."""

    @property
    def name(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def x(self) -> str: ...
    @property
    def y(self) -> str: ...


def render_sensitivity(rows: pl.DataFrame, surfaces: Sequence[Varied]) -> str:
    """The page, as HTML; its charts need `SCRIPT` beside it.

    Parameters
    ----------
    rows
        Sums over days, as `performance.results.sensitivity_of` reads them.
    surfaces
        The surfaces, for the names of their parameters; those without rows are left out.
    """
    shown = [each for each in surfaces if each.name in set(rows["surface"])]
    charts = {f"surface-{n}": _chart(rows, each) for n, each in enumerate(shown)}
    return render(
        "sensitivity.html.j2",
        surfaces=[
            {"id": chart, "of": each, "models": _models(rows, each)}
            for chart, each in zip(charts, shown, strict=True)
        ],
        days=rows["days"].max() or 0,
        judged=DECIDING_MODEL,
        script=SCRIPT,
        drawing=embedded(charts),
    )


def _chart(rows: pl.DataFrame, of: Varied) -> Spec:
    own = rows.filter(surface=of.name, fill_model=DECIDING_MODEL)
    words = pl.col("control").replace_strict(_CONTROL_WORDS)
    return heatmap(
        own.select(
            _axis("x"),
            _axis("y"),
            "orders",
            "contracts",
            "days",
            control=words,
            net=pl.col("net_cc") / CC_A_DOLLAR,
        ),
        x="x",
        y="y",
        value="net",
        title="net, dollars",
        panel="control",
        order=_in_order(own["x"]),
    )


def _axis(name: str) -> pl.Expr:
    return pl.col(name).map_elements(lambda value: f"{value:g}", return_dtype=pl.String)


def _in_order(values: pl.Series) -> list[str]:
    return [f"{value:g}" for value in values.unique().sort().to_list()]


def _models(rows: pl.DataFrame, of: Varied) -> list[dict[str, Any]]:
    """Per control and fill model the least, median and greatest net of the surface's points."""
    order = {name: position for position, name in enumerate(CONTROLS)}
    return (
        rows.filter(surface=of.name)
        .group_by("control", "fill_model")
        .agg(
            points=pl.len(),
            low=pl.col("net_cc").min(),
            median=pl.col("net_cc").median().round().cast(pl.Int64),
            high=pl.col("net_cc").max(),
            most_orders=pl.col("orders").max(),
        )
        .sort(pl.col("control").replace_strict(order, return_dtype=pl.Int8), "fill_model")
        .with_columns(control=pl.col("control").replace_strict(_CONTROL_WORDS))
        .to_dicts()
    )
