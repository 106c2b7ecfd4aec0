"""The model of the day's temperature around its baseline, and the grid of its density.

Here: parameters and discretisation. Not here: estimates of parameters (`fit`), the filter
(`exact`).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.units import Array

NODES_PER_SD = 2.0
# 1.4 / sd + 2.5 nodes a panel integrate a normal over it to 1e-7 for any sd; measured.
NODES_BY_WIDTH = 1.4
NODES_AT_LEAST = 2.5
# Reach of a kernel's row, in standard deviations.
BAND_SD = 7.0
# Range in which `row_kernels.exponential` is accurate.
_GREATEST_EXPONENT = 300.0
REACH_SD = 6.0
REACH_BIAS_SD = 4.0
# Minimum reach of the grid on both sides of the baseline.
LEAST_REACH_F = 12.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualModel:
    """e[k+1] = rho[k] e[k] + sd[k] z, around a baseline, over the steps of one day.

    Attributes
    ----------
    rho, sd
        Shape (steps,): autocorrelation, and innovation standard deviation in degrees F.
    start_sd
        Standard deviation of the first residual, degrees F.
    bias_sd
        Standard deviation of the day-level bias of the baseline, degrees F; 0: none.
    bias_nodes
        Gauss-Hermite nodes of the bias mixture.
    tail_share, tail_scales
        The innovation is a mixture of two normals: probability of the wider one, and both widths
        relative to each other; normalised to unit variance. Share 0: normal.
    """

    rho: Array
    sd: Array
    start_sd: float
    bias_sd: float = 0.0
    bias_nodes: int = 7
    tail_share: float = 0.0
    tail_scales: tuple[float, float] = (0.85, 2.0)

    def __post_init__(self) -> None:
        if self.rho.shape != self.sd.shape or self.rho.ndim != 1:
            raise ValueError(
                f"rho {self.rho.shape} and sd {self.sd.shape} must both have shape (steps,)"
            )
        if not ((self.rho >= 0) & (self.rho <= 1)).all() or not (self.sd > 0).all():
            raise ValueError("rho must lie in [0, 1] and sd be positive")
        if not self.start_sd > 0 or not self.bias_sd >= 0 or not 0 <= self.tail_share < 1:
            raise ValueError(
                f"start_sd {self.start_sd} must be positive, bias_sd {self.bias_sd} not negative "
                f"and tail_share {self.tail_share} in [0, 1)"
            )

    @property
    def steps(self) -> int:
        """Steps of the day: one fewer than slots."""
        return len(self.rho)

    def components(self) -> tuple[Array, Array]:
        """Widths, relative to `sd`, and probabilities of the innovation's normal components."""
        if self.tail_share == 0:
            return np.ones(1), np.ones(1)
        shares = np.array([1 - self.tail_share, self.tail_share])
        scales = np.array(self.tail_scales)
        return scales / np.sqrt(shares @ scales**2), shares

    def biases(self) -> tuple[Array, Array]:
        """Nodes of the bias, degrees F, and their prior probabilities."""
        if self.bias_sd == 0 or self.bias_nodes == 1:
            return np.zeros(1), np.ones(1)
        nodes, weights = np.polynomial.hermite_e.hermegauss(self.bias_nodes)
        return nodes * self.bias_sd, weights / weights.sum()

    def residual_sd(self) -> Array:
        """Standard deviation of the residual at every slot, shape (steps + 1,), degrees F."""
        variance = [self.start_sd**2]
        # Plain floats: element-wise array access would take ten times as long.
        for rho, sd in zip(self.rho.tolist(), self.sd.tolist(), strict=True):
            variance.append(rho**2 * variance[-1] + sd**2)
        return np.sqrt(variance)

    def widest(self) -> Array:
        """The greatest standard deviation of every step's components, shape (steps,)."""
        scales, _ = self.components()
        return self.sd * scales.max()

    def reach(self) -> NDArray[np.int64]:
        """Number of panels on each side of every step's mean that contain its kernel, (steps,)."""
        return np.ceil(BAND_SD * self.widest()).astype(np.int64)

    def finest(self) -> Array:
        """The smallest width that the grid must resolve at every slot, shape (steps + 1,).

        A slot's quadrature multiplies the kernels of the steps before and after it.
        """
        scales, _ = self.components()
        onward = np.append(self.sd, np.inf) * scales.min()
        arriving = np.append(self.start_sd, self.sd * scales.min())
        return np.minimum(onward, arriving)


@lru_cache(maxsize=64)
def _legendre(q: int) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(q)
    return x / 2, w / 2


@lru_cache(maxsize=256)
def _nodes(lo: int, hi: int, q: int) -> tuple[Array, Array]:
    place, weight = _legendre(q)
    temp = (np.arange(lo, hi + 1)[:, None] + place).ravel()
    weights = np.tile(weight, hi - lo + 1)
    temp.flags.writeable = weights.flags.writeable = False
    return temp, weights


@dataclass(frozen=True)
class Grid:
    """Unit panels around whole degrees, with `q` Gauss-Legendre nodes at each slot.

    Edges and report intervals are at half-integers, so each of them is a union of panels. Slots
    with wide innovations need few nodes, nights need more.

    Attributes
    ----------
    lo, hi
        The day's lowest and highest whole degree.
    q
        Nodes per panel of each slot.
    held
        Lowest and highest whole degree of each slot; None: those of the day.
    band_sd
        Reach of a row in the backward sweep, in standard deviations; forward it is `BAND_SD`.
    """

    lo: int
    hi: int
    q: tuple[int, ...]
    held: tuple[tuple[int, int], ...] | None = None
    band_sd: float = BAND_SD

    @classmethod
    def of(
        cls,
        baseline: Array,
        model: ResidualModel,
        *,
        nodes_per_sd: float = NODES_PER_SD,
        nodes_at_least: float = NODES_AT_LEAST,
    ) -> "Grid":
        """A grid wide enough for the day and fine enough for its innovations.

        Six standard deviations of the residual on both sides plus four of the bias, at least 12 F;
        at least two nodes per standard deviation, below which the quadrature fails badly, and more
        if the standard deviation is close to the width of a panel.

        Parameters
        ----------
        baseline
            Shape (slots,), degrees F, or (vintages, slots) if the baseline will be replaced.
        nodes_per_sd, nodes_at_least
            Fineness of the grid; with one node less the accuracy is 3e-6.
        """
        reach = np.maximum(
            REACH_SD * model.residual_sd() + REACH_BIAS_SD * model.bias_sd, LEAST_REACH_F
        )
        return cls(
            lo=int(np.floor((baseline - reach).min())),
            hi=int(np.ceil((baseline + reach).max())),
            q=_nodes_needed(model, nodes_per_sd, nodes_at_least),
        )

    @classmethod
    def along(
        cls, low: Array, high: Array, model: ResidualModel, *, nodes_at_least: float, band_sd: float
    ) -> "Grid":
        """A grid from `low` to `high`, degrees F, at each slot; both (slots,)."""
        lowest, highest = np.floor(low).astype(int).tolist(), np.ceil(high).astype(int).tolist()
        return cls(
            lo=min(lowest),
            hi=max(highest),
            q=_nodes_needed(model, NODES_PER_SD, nodes_at_least),
            held=tuple(zip(lowest, highest, strict=True)),
            band_sd=band_sd,
        )

    @property
    def panels(self) -> int:
        """Number of panels of the day."""
        return self.hi - self.lo + 1

    @property
    def degrees(self) -> NDArray[np.int64]:
        """Lowest and highest whole degree of every slot, shape (slots, 2)."""
        return np.array(self.held or [(self.lo, self.hi)] * len(self.q), dtype=np.int64)

    @property
    def bounds(self) -> NDArray[np.int64]:
        """First panel of every slot, and the one after the last, shape (slots, 2)."""
        return self.degrees - np.array([self.lo, self.lo - 1])

    def panel_nodes(self, slot: int) -> tuple[Array, Array]:
        """Nodes relative to the middle of a panel, degrees F, and their weights; both (q,)."""
        return _legendre(self.q[slot])

    def nodes(self, slot: int) -> tuple[Array, Array]:
        """Temperatures of a slot's nodes, degrees F, and their quadrature weights; read-only."""
        q = self.q[slot]
        temp, weight = _nodes(self.lo, self.hi, q)
        if self.held is None:
            return temp, weight
        low, high = self.held[slot]
        held = slice((low - self.lo) * q, (high + 1 - self.lo) * q)
        return temp[held], weight[held]

    def cut(self, edge: float) -> int:
        """Number of panels of the day below `edge`, a half-integer."""
        return int(self.cuts(np.array([edge]))[0])

    def cuts(self, edges: Array) -> NDArray[np.int64]:
        """`cut` of several edges."""
        panels = edges + 0.5 - self.lo
        if (panels != np.rint(panels)).any():
            edge = float(edges[panels != np.rint(panels)][0])
            raise ValueError(f"edge {edge} F is not a half-integer, such as {round(edge) + 0.5}")
        return np.clip(panels, 0, self.panels).astype(np.int64)

    def must_resolve(self, model: ResidualModel) -> None:
        """Check that the grid is fine enough for the model.

        Raises
        ------
        ValueError
            It is too coarse; the message names the worst slot.
        """
        if len(self.q) != model.steps + 1:
            raise ValueError(f"the grid has {len(self.q)} slots, the model {model.steps + 1}")
        resolved = np.array(self.q) * model.finest()
        worst = int(resolved.argmin())
        if resolved[worst] < NODES_PER_SD * (1 - 1e-9):
            raise ValueError(
                f"{self.q[worst]} nodes a degree at slot {worst} are too few for a width of "
                f"{model.finest()[worst]:.3f} F; use Grid.of"
            )
        narrow = model.sd * model.components()[0].min()
        if (0.5 * (model.reach() + 0.5) / narrow**2).max() > _GREATEST_EXPONENT:
            raise ValueError(
                f"an innovation of {narrow.min():.3f} F is too narrow for the kernels; "
                "make it 0.05 F or more"
            )


def _nodes_needed(
    model: ResidualModel, nodes_per_sd: float, nodes_at_least: float
) -> tuple[int, ...]:
    finer = nodes_per_sd / NODES_PER_SD
    by_width = finer * (NODES_BY_WIDTH / model.finest() + nodes_at_least)
    nodes = np.ceil(np.maximum(nodes_per_sd / model.finest(), by_width))
    return tuple(nodes.astype(int).tolist())
