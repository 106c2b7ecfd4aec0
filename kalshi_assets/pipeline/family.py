"""What the pipeline needs from a family: its tables, its model, its trading parameters and veto.

Here: the declaration that every family provides. Not here: the families (`families`), or the steps
derived from the declaration (`beliefs`, `backtest`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from kalshi_assets.keys import Family, LadderDay
from kalshi_assets.learning.classifiers.targets import Target
from kalshi_assets.pooling.model import PooledModel
from kalshi_assets.tables import Table
from kalshi_assets.trading.params import TradingParams


@dataclass(frozen=True, kw_only=True)
class Classified:
    """Inputs and targets of a family's classifiers; its ladders are partitions.

    Attributes
    ----------
    features
        Columns of the family's table of features.
    targets
        The targets, with monotone constraints on these columns.
    """

    features: tuple[str, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True, kw_only=True)
class Stress:
    """How days that test a trader are told, after they are over.

    Attributes
    ----------
    tables
        Tables of the family that it reads, by the names of `judge`'s parameters.
    judge
        Called with key, events and settlements of a day (None: not settled) and the tables; returns
        the names of what tested.
    """

    tables: Mapping[str, Table]
    judge: Callable[..., tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class LadderFamily:
    """The declaration of a family.

    Attributes
    ----------
    family
        Its name and the dimension of its partitions.
    day_start
        When a ladder's day begins, UTC.
    settlements
        Table of the statements about the outcome.
    model, model_pmf
        The model that is pooled with the market, and the table of its PMF.
    panel
        Table of the minute panel with the columns on which the weights of the pool depend.
    features, examples
        Table of the inputs of models, and the same rows with labels to learn from.
    full
        Table, or view, that the engine reads.
    trading_params
        Trading parameters of a ladder, from the parsed trading.toml.
    veto
        For every row of `full`, why no order may rest or be sent; see `trading.day.priced`.
    pressure
        For every row of `full` the family's component of the signal of `move`; None: it has none.
    classified
        Inputs and targets of its classifiers; None: it has none.
    stress
        Which days test a trader; None: none are told apart.
    errors
        What its own services raise when they cannot answer.
    """

    family: Family
    day_start: Callable[[LadderDay], datetime]
    settlements: Table
    model: PooledModel
    model_pmf: Table
    panel: Table
    features: Table
    examples: Table
    full: Table
    trading_params: Callable[[Mapping[str, Any], str], TradingParams]
    veto: Callable[[pl.DataFrame, Any], pl.Series]
    pressure: Callable[[pl.DataFrame], pl.Series] | None = None
    classified: Classified | None = None
    stress: Stress | None = None
    errors: tuple[type[Exception], ...] = ()
