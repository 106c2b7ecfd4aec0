"""What every pool is: something that learns from settled days and then joins two PMFs."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.pooling.inputs import PoolInputs, Training

Array = NDArray[np.float64]


class FittedPool(Protocol):
    """A pool whose parameters stand."""

    def pool(self, inputs: PoolInputs) -> Array:
        """The pooled PMF of every row, shape (rows, brackets)."""
        ...


class Pool(Protocol):
    """A way to pool."""

    def fit(self, training: Training) -> FittedPool:
        """Learn from settled days; with too few of them, the prior."""
        ...
