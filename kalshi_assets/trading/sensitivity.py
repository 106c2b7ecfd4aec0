"""What a day earns under other parameters: a row per point of a grid, strategy and fill model.

Here: one day. Not here: which days, or on how many cores. Surfaces are read as a whole: the best of
many points is the luckiest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.desk_kernels import CASH, FEES, FILLED_SO_FAR
from kalshi_assets.trading.engine import FILL_MODELS, backtest
from kalshi_assets.trading.params import TradingParams, overridden
from kalshi_assets.trading.records import Outcome
from kalshi_assets.trading.strategies import SHIPPED, MinuteStrategy, Strategy

SCHEMA = pl.Schema(
    {
        "point": pl.Int32(),
        "strategy": pl.String(),
        "fill_model": pl.String(),
        "orders": pl.Int64(),
        "contracts": pl.Int64(),
        "fees_cc": pl.Int64(),
        "net_cc": pl.Int64(),
    }
)

CONFIG_NAME = "sensitivity.toml"

Grid = Mapping[str, Sequence[Any]]
"""Values by dotted name of a parameter, such as ``value.maker_min_edge_cents``."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Two parameters that are varied together, for one strategy.

    Attributes
    ----------
    name
        Of the surface.
    strategy
        Name of a strategy that ships.
    x, y
        Dotted names of parameters.
    x_values, y_values
        Their values.
    """

    name: str
    strategy: str
    x: str
    x_values: tuple[float, ...]
    y: str
    y_values: tuple[float, ...]

    @property
    def points(self) -> list[dict[str, Any]]:
        """Every pair of values, those of `y` changing fastest."""
        return points_of({self.x: self.x_values, self.y: self.y_values})


def surfaces_of(document: Mapping[str, Any]) -> list[Surface]:
    """The surfaces of sensitivity.toml.

    Parameters
    ----------
    document
        The parsed file: a table per surface.

    Raises
    ------
    ValueError
        A surface lacks a key or has an unknown one, or names no strategy that ships.
    """
    names = [each.name for each in SHIPPED]
    found = []
    for name, values in document.items():
        keys = {"strategy", "x", "x_values", "y", "y_values"}
        if wrong := keys.symmetric_difference(values):
            raise ValueError(f"{CONFIG_NAME}, [{name}]: missing or unknown: {sorted(wrong)}")
        if values["strategy"] not in names:
            raise ValueError(f"{CONFIG_NAME}, [{name}]: strategy is one of {', '.join(names)}")
        lists = {key: tuple(values[key]) for key in ("x_values", "y_values")}
        found.append(Surface(**{"name": name, **values, **lists}))
    return found


def points_of(grid: Grid) -> list[dict[str, Any]]:
    """Every combination of a grid's values, the last name's changing fastest."""
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def with_changes(params: TradingParams, changes: Mapping[str, Any]) -> TradingParams:
    """Parameters with some of them changed, validated again.

    Parameters
    ----------
    params
        The parameters.
    changes
        Values by dotted name.

    Raises
    ------
    ValueError
        An unknown name, with the nearest right one, or a value out of range.
    """
    values: dict[str, Any] = params.model_dump()
    known = _dotted(values)
    for name, value in changes.items():
        if name not in known:
            (nearest,) = get_close_matches(name, known, n=1, cutoff=0)
            raise ValueError(f"there is no parameter {name!r}; the nearest is {nearest!r}")
        nested: Any = value
        for part in reversed(name.split(".")):
            nested = {part: nested}
        values = overridden(values, nested)
    return type(params)(**values)


def _dotted(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The names of parameters, those of strategies after the name of their table."""
    return [
        name
        for key, value in values.items()
        for name in (
            _dotted(value, f"{key}.") if isinstance(value, Mapping) else [f"{prefix}{key}"]
        )
    ]


def surface(
    day: TradingDay,
    outcome: Outcome | None,
    points: Sequence[Mapping[str, Any]],
    strategies: Sequence[Strategy | MinuteStrategy] = SHIPPED,
    fill_models: Sequence[str] = FILL_MODELS,
) -> pl.DataFrame:
    """The day's result at every point: `SCHEMA`.

    Parameters
    ----------
    day
        The event's day.
    outcome
        Its settlement; None: gains are null.
    points
        Changes of parameters by dotted name. Parameters of the family's veto are not changed here.
    strategies, fill_models
        As in `backtest`.
    """
    rows = [
        (number, *row)
        for number, changes in enumerate(points)
        for row in _results(
            day.with_params(with_changes(day.params, changes)), outcome, strategies, fill_models
        )
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def swept(day: TradingDay, outcome: Outcome | None, of: Surface) -> pl.DataFrame:
    """A day's results over a surface: `surface`, `x`, `y`, and `SCHEMA` without `point`.

    Parameters
    ----------
    day
        The event's day.
    outcome
        Its settlement; None: gains are null.
    of
        The surface.
    """
    strategies = [each for each in SHIPPED if each.name == of.strategy]
    values = pl.DataFrame(
        {
            "point": range(len(of.points)),
            "x": [float(point[of.x]) for point in of.points],
            "y": [float(point[of.y]) for point in of.points],
        },
        schema_overrides={"point": pl.Int32},
    )
    found = surface(day, outcome, of.points, strategies)
    return found.join(values, on="point", maintain_order="left").select(
        pl.all().exclude("point"), surface=pl.lit(of.name)
    )


def _results(
    day: TradingDay,
    outcome: Outcome | None,
    strategies: Sequence[Strategy | MinuteStrategy],
    fill_models: Sequence[str],
) -> Iterator[tuple[Any, ...]]:
    paid = None if outcome is None else np.array(outcome.payoffs_cc, np.int64)
    for run in backtest(day, strategies, fill_models):
        desk = run.desk
        net = None if paid is None else int(desk.counts[CASH] + desk.position @ paid)
        yield (
            run.strategy,
            run.fill_model,
            len(desk.orders),
            int(desk.orders[:, FILLED_SO_FAR].sum()),
            int(desk.counts[FEES]),
            net,
        )
