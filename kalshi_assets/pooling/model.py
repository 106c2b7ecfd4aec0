"""The model that a pool mixes with the market: names of its columns, and its conditions.

Here: the value that a family declares. Not here: any family's model (`families`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kalshi_assets.units import Array

MARKET_CONDITIONS = ("constant", "flow", "volatility", "tightness")

Column = Callable[[str], Array]
"""The values of a column by name, shape (brackets, rows), of nested legs (atoms, rows); NaN: not
known."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition that the weight of the model depends on.

    Attributes
    ----------
    name
        Name of the condition; its coefficient is named after it.
    value
        Its values from the columns, shape (rows,), between 0 and 1.
    of_panel, of_model
        The columns that it reads from the panel and from the model's PMF. Of nested thresholds it
        gets numbers averaged over the legs.
    """

    name: str
    value: Callable[[Column], Array]
    of_panel: tuple[str, ...] = ()
    of_model: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PooledModel:
    """A family's model as the pool sees it.

    Attributes
    ----------
    name
        Such as ``weather``; coefficients and scores are named after it.
    p, impossible, status
        Names in the table of the model's PMF: the probability, whether the leg can no longer pay,
        and ``ok`` or why there is no probability or it does not count.
    status_in_features
        Name of the status in the family's table of features.
    before
        The status before the model's first row.
    conditions
        Conditions of its weight, besides a constant.
    prior_weight
        Its exponent until there are days to fit; the market's is 1 less that.
    """

    name: str
    p: str = "p_model"
    impossible: str = "impossible"
    status: str = "status"
    status_in_features: str = "model_status"
    before: str = "not_yet"
    conditions: tuple[Condition, ...] = field(default=())
    prior_weight: float

    def __post_init__(self) -> None:
        if not 0 <= self.prior_weight <= 1:
            raise ValueError(f"prior_weight of {self.name} lies between 0 and 1: {self}")

    @cached_property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the pool's coefficients, the market's first."""
        own = ("constant", *(each.name for each in self.conditions))
        market = (f"market_{name}" for name in MARKET_CONDITIONS)
        return (*market, *(f"{self.name}_{name}" for name in own))

    @cached_property
    def prior(self) -> Array:
        """The coefficients in force without days to fit, shape (coefficients,)."""
        prior = np.zeros(len(self.coefficients))
        prior[0], prior[len(MARKET_CONDITIONS)] = 1 - self.prior_weight, self.prior_weight
        return prior

    @cached_property
    def of_panel(self) -> tuple[str, ...]:
        """Columns of the panel that the conditions read."""
        return tuple(dict.fromkeys(name for each in self.conditions for name in each.of_panel))

    @cached_property
    def of_model(self) -> tuple[str, ...]:
        """Columns of the model's PMF that the conditions read."""
        return tuple(dict.fromkeys(name for each in self.conditions for name in each.of_model))
