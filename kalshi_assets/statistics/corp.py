"""The reliability curve without bins, and what it says of a Brier score.

Here: CORP of Dimitriadis, Gneiting and Jordan (2021, Proceedings of the National Academy of
Sciences 118, e2016191118): probabilities recalibrated by isotonic regression on their own outcomes.
Not here: binned diagrams (`reliability`), errors with null bands (`calibration_error`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Corp:
    """A reliability curve and the parts of the mean Brier score of yes-or-no forecasts.

    Attributes
    ----------
    curve
        Ends of the curve's flat pieces, shape (n, 2): probability, recalibrated probability.
    miscalibration
        What recalibration would gain, at least 0; optimistic, as the fit knows the outcomes.
    discrimination
        What the recalibrated forecasts gain over the frequency of all, at least 0.
    uncertainty
        Score of that frequency: score = miscalibration - discrimination + uncertainty.
    """

    curve: Array
    miscalibration: float
    discrimination: float
    uncertainty: float


def corp(probability: Array, outcome: NDArray[np.bool_]) -> Corp:
    """Recalibrate by isotonic regression and split the mean of (p - o)^2.

    Parameters
    ----------
    probability, outcome
        Forecast probabilities and what happened, shape (forecasts,), at least one.
    """
    from sklearn.isotonic import IsotonicRegression

    happened = outcome.astype(np.float64)
    recalibrated = IsotonicRegression().fit_transform(probability, happened)
    frequency = happened.mean()
    score = float(((probability - happened) ** 2).mean())
    best = float(((recalibrated - happened) ** 2).mean())
    uncertainty = float(frequency * (1 - frequency))
    order = np.argsort(probability, kind="stable")
    curve = np.stack([probability[order], recalibrated[order]], axis=1)
    steps = np.flatnonzero(np.diff(curve[:, 1])) + 1
    ends = np.unique(np.concatenate([[0], steps - 1, steps, [len(curve) - 1]]))
    return Corp(
        curve=curve[ends],
        miscalibration=score - best,
        discrimination=uncertainty - best,
        uncertainty=uncertainty,
    )
