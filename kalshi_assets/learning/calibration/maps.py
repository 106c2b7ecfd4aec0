"""Maps from a PMF over a ladder to a better calibrated one.

Here: the families, their fits on sufficient statistics, and their application. Not here: which
days are fitted (`rolling`), which map is adopted (`selection`).

Every family has a vector theta, shrunk linearly: theta of the parent plus a share of the
difference. For families without parameters theta holds the map's values at fixed knots, so the same
formula mixes their output with the parent's.

All but the temperature act on the cumulative probabilities P(V <= u_k) of the ladder with one
monotone map for all k, and take differences: the order is kept and the sum stays one. Cumulative
probabilities of exactly 0 and 1 are not changed, since they come from evidence only.

Formulas: methods, section 6. A per-position bias on top of the temperature has six parameters and
was left out: beta, with three, already loses to the temperature below 160 days.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import Array

# Cells of log odds for the fits. Rounding to .1 adds a variance of .0008 to log odds that spread
# over several units; pools are floored at .0005, so that few lie outside.
CELL_WIDTH = 0.1
CELLS = np.arange(-80.0, 81.0) * CELL_WIDTH
# Log of the exponents at which a day's log loss is stored; the fit is the vertex of the parabola
# through three.
LOG_EXPONENTS = np.arange(-24, 25) * 0.05
EXPONENTS = np.exp(LOG_EXPONENTS)
# Equally spaced in arcsin sqrt p, where a frequency has the same standard error everywhere.
_STEPS = 32
KNOTS = np.sin(np.pi / 2 * np.arange(1, _STEPS) / _STEPS) ** 2
LEAST = 1e-3
# Of the penalty towards identity: about half a day's information, which keeps fits finite on
# separable days.
RIDGE = 1.0


@dataclass(frozen=True)
class Statistics:
    """Sufficient statistics of several fits: sums over days, each with weight one per threshold.

    Attributes
    ----------
    weight, hits
        Per cell of log odds of P(V <= u_k): number of thresholds in the cell, and of those at or
        above the outcome; shape (fits, cells).
    losses
        Log loss of p^T / sum p^T at `EXPONENTS`, shape (fits, exponents).
    """

    weight: Array
    hits: Array
    losses: Array

    def take(self, fits: Sequence[int]) -> "Statistics":
        """The statistics of some of the fits."""
        kept = list(fits)
        return Statistics(weight=self.weight[kept], hits=self.hits[kept], losses=self.losses[kept])


@dataclass(frozen=True)
class Family:
    """One kind of map.

    Attributes
    ----------
    name
        As the tables write it.
    parameters
        Names of the entries of theta; one name, "value", for values at `KNOTS`.
    identity
        The theta that changes nothing.
    fit
        From the statistics of many fits to theta, shape (fits, len(identity)).
    apply
        From theta of shape (..., len(identity)) and PMFs (..., brackets) to PMFs.
    city_only
        Whether it is offered to the whole city only: isotonic maps lose to doing nothing below 160
        days (methods, section 6), and a lead block has fewer instants still.
    """

    name: str
    parameters: tuple[str, ...]
    identity: Array
    fit: Callable[[Statistics], Array]
    apply: Callable[[Array, Array], Array]
    city_only: bool = False

    @property
    def knots(self) -> Array:
        """Cumulative probabilities of theta's entries, or 0 where they have none."""
        return KNOTS if self.parameters == ("value",) else np.zeros(len(self.identity))


def cumulatives(p: Array) -> tuple[Array, Array]:
    """P(V <= u_k) and P(V > u_k) of every PMF, shape (..., brackets - 1).

    Each is summed from its own end, so that tails keep their digits.
    """
    # Brackets are few and rows many: cumsum along the short axis costs ten times as much.
    below, above = p[..., :-1].copy(), p[..., 1:].copy()
    for k in range(1, below.shape[-1]):
        below[..., k] += below[..., k - 1]
        above[..., -1 - k] += above[..., -k]
    return below, above


def log_odds(below: Array, above: Array) -> Array:
    """Log odds ln P(V <= u_k) / P(V > u_k); infinite where one of them is zero.

    Parameters
    ----------
    below, above
        From `cumulatives`.
    """
    with np.errstate(divide="ignore"):
        return np.log(below) - np.log(above)


def _differences(mapped: Array, below: Array, above: Array) -> Array:
    """PMFs of mapped cumulative probabilities; 0 and 1 stay what they were."""
    steps = np.empty((*mapped.shape[:-1], mapped.shape[-1] + 1))
    steps[..., :-1] = np.where(below <= 0, 0.0, np.where(above <= 0, 1.0, mapped))
    steps[..., -1] = 1.0
    steps[..., 1:] -= steps[..., :-1].copy()
    return np.maximum(steps, 0.0)


def _sigmoid(eta: Array) -> Array:
    tail = np.exp(-np.abs(eta))
    return np.where(eta >= 0, 1.0, tail) / (1.0 + tail)


def _logs(p: Array) -> tuple[Array, Array, Array, Array]:
    below, above = cumulatives(p)
    # Zeros are put back by `_differences`.
    safe_below, safe_above = np.maximum(below, 1e-300), np.maximum(above, 1e-300)
    return below, above, np.log(safe_below), np.log(safe_above)


def temperature(theta: Array, p: Array) -> Array:
    """p_i^T / sum p^T, with theta = log T; zero stays zero.

    Parameters
    ----------
    theta
        Shape (..., 1).
    p
        PMFs, shape (..., brackets).
    """
    powered = np.where(p > 0, np.exp(np.exp(theta) * np.log(np.maximum(p, 1e-300))), 0.0)
    return powered / powered.sum(axis=-1, keepdims=True)


def platt(theta: Array, p: Array) -> Array:
    """Cumulative probabilities to sigmoid(a + b logit P), theta = (a, b).

    Parameters
    ----------
    theta, p
        As in `temperature`, theta of shape (..., 2).
    """
    below, above, log_below, log_above = _logs(p)
    eta = theta[..., :1] + theta[..., 1:] * (log_below - log_above)
    return _differences(_sigmoid(eta), below, above)


def beta(theta: Array, p: Array) -> Array:
    """Cumulative probabilities to sigmoid(c + a ln P - b ln(1 - P)), theta = (a, b, c).

    Parameters
    ----------
    theta, p
        As in `temperature`, theta of shape (..., 3).
    """
    below, above, log_below, log_above = _logs(p)
    eta = theta[..., 2:] + theta[..., :1] * log_below - theta[..., 1:2] * log_above
    return _differences(_sigmoid(eta), below, above)


def at_knots(theta: Array, p: Array) -> Array:
    """Cumulative probabilities by linear interpolation of theta between 0, `KNOTS` and 1.

    Parameters
    ----------
    theta, p
        As in `temperature`, theta of shape (..., knots).
    """
    below, above = cumulatives(p)
    return _differences(interpolated(theta, below), below, above)


def interpolated(values: Array, below: Array) -> Array:
    """The map with given values at `KNOTS`, 0 at 0 and 1 at 1, of cumulative probabilities.

    Parameters
    ----------
    values
        Shape (..., knots).
    below
        Cumulative probabilities, shape (..., brackets - 1).
    """
    inside = np.concatenate([[0.0], KNOTS, [1.0]])
    heights = np.zeros((*below.shape[:-1], len(inside)))
    heights[..., 1:-1], heights[..., -1] = values, 1.0
    left = np.clip(np.searchsorted(inside, below, side="right") - 1, 0, len(inside) - 2)
    share = np.minimum((below - inside[left]) / np.diff(inside)[left], 1.0)
    low = np.take_along_axis(heights, left, axis=-1)
    return low + share * (np.take_along_axis(heights, left + 1, axis=-1) - low)


def _fit_temperature(statistics: Statistics) -> Array:
    losses = statistics.losses
    middle = np.clip(losses.argmin(axis=1), 1, len(EXPONENTS) - 2)
    rows = np.arange(len(losses))
    left, centre, right = (losses[rows, middle + k] for k in (-1, 0, 1))
    bend = left - 2 * centre + right
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(bend > 0, 0.5 * (left - right) / bend, 0.0)
    width = LOG_EXPONENTS[1] - LOG_EXPONENTS[0]
    return (LOG_EXPONENTS[middle] + width * np.clip(shift, -1, 1))[:, None]


def _fit_platt(statistics: Statistics) -> Array:
    features = np.stack([np.ones_like(CELLS), CELLS], axis=1)
    return _fit_logistic(features, statistics, PLATT.identity, np.array([-np.inf, 0.0]))


def _fit_beta(statistics: Statistics) -> Array:
    log_below, log_above = -np.logaddexp(0, -CELLS), -np.logaddexp(0, CELLS)
    features = np.stack([log_below, -log_above, np.ones_like(CELLS)], axis=1)
    return _fit_logistic(features, statistics, BETA.identity, np.array([0.0, 0.0, -np.inf]))


def _fit_logistic(x: Array, statistics: Statistics, identity: Array, least: Array) -> Array:
    from kalshi_assets.learning.calibration.kernels import logistic

    return logistic(x, statistics.weight, statistics.hits, identity, RIDGE, least)


def _first_cells() -> NDArray[np.int64]:
    """The first of the cells nearest to each knot."""
    nearest = np.rint(np.arcsin(np.sqrt(_sigmoid(CELLS))) * 2 / np.pi * _STEPS).astype(np.int64)
    return np.searchsorted(np.clip(nearest, 1, _STEPS - 1) - 1, range(len(KNOTS)))


_FIRST_CELLS = _first_cells()


def _of_knots(per_cell: Array) -> Array:
    """Sums over the cells nearest to each knot, shape (fits, knots)."""
    return np.add.reduceat(per_cell, _FIRST_CELLS, axis=1)


def _fit_isotonic(statistics: Statistics) -> Array:
    from kalshi_assets.learning.calibration.kernels import isotonics

    fitted = isotonics(KNOTS, _of_knots(statistics.weight), _of_knots(statistics.hits))
    return np.clip(fitted, LEAST, 1 - LEAST)


def venn_abers_band(statistics: Statistics) -> tuple[Array, Array]:
    """p0 and p1 at `KNOTS`, shape (fits, knots): isotonic twice, with the point labelled 0 and 1.

    The point that is added weighs a whole day, because a day's instants share one outcome.
    """
    from kalshi_assets.learning.calibration.kernels import venn_abers

    return venn_abers(_of_knots(statistics.weight), _of_knots(statistics.hits))


def _fit_venn_abers(statistics: Statistics) -> Array:
    lower, upper = venn_abers_band(statistics)
    return upper / (1 - lower + upper)


NOTHING = Family(
    "identity", (), np.zeros(0), lambda s: np.zeros((len(s.weight), 0)), lambda _, p: p
)
TEMPERATURE = Family("temperature", ("log_exponent",), np.zeros(1), _fit_temperature, temperature)
PLATT = Family("platt", ("intercept", "slope"), np.array([0.0, 1.0]), _fit_platt, platt)
BETA = Family(
    "beta", ("slope_below", "slope_above", "intercept"), np.array([1.0, 1.0, 0.0]), _fit_beta, beta
)
ISOTONIC = Family("isotonic", ("value",), KNOTS, _fit_isotonic, at_knots, city_only=True)
VENN_ABERS = Family("venn_abers", ("value",), KNOTS, _fit_venn_abers, at_knots, city_only=True)
FAMILIES = {f.name: f for f in (TEMPERATURE, PLATT, BETA, ISOTONIC, VENN_ABERS)}


@dataclass(frozen=True, kw_only=True)
class CalibrationMap:
    """A family with its theta.

    Raises
    ------
    ValueError
        theta does not have the family's length.
    """

    family: Family
    theta: Array

    def __post_init__(self) -> None:
        if self.theta.shape != self.family.identity.shape:
            raise ValueError(
                f"{self.family.name} takes {len(self.family.identity)} values, "
                f"not {self.theta.shape}"
            )

    def __call__(self, p: Array) -> Array:
        """Calibrate PMFs of shape (..., brackets); the identity returns the same bits."""
        return self.family.apply(self.theta, p)


IDENTITY = CalibrationMap(family=NOTHING, theta=NOTHING.identity)
