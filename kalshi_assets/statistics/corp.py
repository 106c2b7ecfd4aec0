"""The reliability curve without bins, and the decomposition of the Brier score.

Here: CORP by Dimitriadis, Gneiting and Jordan (2021, Proceedings of the National Academy of
Sciences 118, e2016191118): probabilities recalibrated by isotonic regression on their own outcomes.
Not here: binned diagrams (`reliability`), errors with null bands (`calibration_error`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import Array


@dataclass(frozen=True, kw_only=True)
class Corp:
    """A reliability curve and the components of the mean Brier score of binary forecasts.

    Attributes
    ----------
    curve
        Ends of the curve's flat segments, shape (n, 2): probability, recalibrated probability.
    miscalibration
        Improvement by recalibration, at least 0; optimistic, since the fit knows the outcomes.
    discrimination, uncertainty
        Improvement of the recalibrated forecasts over the overall frequency, at least 0, and the
        score of that frequency: score = miscalibration - discrimination + uncertainty.
    """

    curve: Array
    miscalibration: float
    discrimination: float
    uncertainty: float


def corp(probability: Array, outcome: NDArray[np.bool_]) -> Corp:
    """Recalibrate by isotonic regression and decompose the mean of (p - o)^2.

    Parameters
    ----------
    probability, outcome
        Forecasts and whether the event occurred, shape (forecasts,), at least one.
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
