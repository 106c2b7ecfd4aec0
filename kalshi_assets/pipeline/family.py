"""What the pipeline asks of a family: its tables, its model, and what it tells the engine.

Here: the value that each family gives. Not here: any family (`families`), or the steps that are
made of it (`market`, `beliefs`, `backtest`).
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
    """What a family's classifiers see.

    Attributes
    ----------
    features
        Columns of the family's features.
    targets
        What is learnt, with the constraints on these columns.
    """

    features: tuple[str, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True, kw_only=True)
class LadderFamily:
    """A family as the pipeline sees it.

    Attributes
    ----------
    family
        Its name and the dimension of its partitions.
    day_start
        When a ladder's day begins, UTC.
    settlements
        Table of the words on the number.
    model, model_pmf
        What the pool mixes with the market, and the table that it is in.
    panel
        Table of the panel with what the weights of the pool depend on.
    features, examples
        Tables of what models see, on any day, and what they learn from.
    full
        Table, or view, of what the engine reads.
    trading_params
        What a trader tunes, of a ladder, from the parsed trading.toml.
    veto
        Why nothing may rest or be sent, of every row of `full`; see `trading.signal.priced`.
    classified
        What its classifiers see; None: it has none.
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
    classified: Classified | None = None
