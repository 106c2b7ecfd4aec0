"""The exact hazard: a forward-backward filter for the maximum of the climate day.

The residual of the temperature around a baseline is an autoregression of order one; a report is
an interval. The filter carries the mass of all paths below each bracket edge, the backward sweep
the probability of staying below it for the rest of the day; their product is exact, doubt about
the maximum so far included. Source: methods, section 3.3.

Here: the engine on slots of five minutes. Not here: which report was known when (`hazard`), the
baseline, the fit of the parameters.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BAND_SD = 8.0
NODES_PER_SD = 2.0


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True)
class Grid:
    """Unit panels around whole degrees, each with `q` Gauss-Legendre nodes.

    Edges and report intervals lie on half-integers, so each of them is a union of panels.
    """

    lo: int
    hi: int
    q: int

    @classmethod
    def of(cls, baseline: Array, model: ResidualModel) -> "Grid":
        """A grid wide enough for the day and fine enough for its smallest innovation.

        Six standard deviations of the residual to both sides; q * sd >= 2, below which the
        quadrature fails badly.
        """
        scales, _ = model.components()
        finest = float(model.sd.min() * scales.min())
        variance = model.start_sd**2
        spread = model.start_sd
        for rho, sd in zip(model.rho, model.sd, strict=True):
            variance = rho**2 * variance + sd**2
            spread = max(spread, variance**0.5)
        reach = 6 * spread + 4 * model.bias_sd
        return cls(
            lo=int(np.floor(baseline.min() - reach)),
            hi=int(np.ceil(baseline.max() + reach)),
            q=max(int(np.ceil(NODES_PER_SD / finest)), 4),
        )

    @property
    def size(self) -> int:
        """Number of nodes."""
        return (self.hi - self.lo + 1) * self.q

    def nodes(self) -> tuple[Array, Array]:
        """Temperatures of the nodes, degrees F, and their quadrature weights."""
        x, w = np.polynomial.legendre.leggauss(self.q)
        degrees = np.arange(self.lo, self.hi + 1)
        temp = (degrees[:, None] + x / 2).ravel()
        return temp, np.tile(w / 2, len(degrees))

    def index(self, edge: float) -> int:
        """Number of nodes below `edge`, a half-integer."""
        return int(np.clip(round(edge + 0.5 - self.lo), 0, self.hi - self.lo + 1)) * self.q

    def covers(self, lo: int, hi: int) -> bool:
        """Whether the whole degrees `lo` to `hi` lie on the grid."""
        return self.lo <= lo and hi <= self.hi


@dataclass
class Workspace:
    """Memory of the kernels, kept between days of the same shape."""

    _arrays: dict[str, NDArray] = field(default_factory=dict)

    def array(self, name: str, shape: tuple[int, ...], dtype: type = np.float64) -> NDArray:
        """An array of that shape, whatever is in it."""
        kept = self._arrays.get(name)
        size = int(np.prod(shape))
        if kept is None or kept.size < size or kept.dtype != dtype:
            kept = self._arrays[name] = np.empty(size, dtype)
        return kept[:size].reshape(shape)


class BarrierFilter:
    """The filter of one day around one baseline, for some edges.

    Parameters
    ----------
    grid, baseline, model
        Baseline of shape (steps + 1,), degrees F.
    edges
        Half-integers, ascending; a barrier without edge is added behind them.
    workspace
        Shared between filters that are used one after the other; the transition kernels in it
        belong to the last one made.
    """

    def __init__(
        self,
        grid: Grid,
        baseline: Array,
        model: ResidualModel,
        edges: Array,
        workspace: Workspace | None = None,
    ) -> None:
        from kalshi_assets.weather import exact_kernels

        if baseline.shape != (model.steps + 1,):
            raise ValueError(f"baseline has shape {baseline.shape}, not ({model.steps + 1},)")
        scales, shares = model.components()
        if grid.q * float(model.sd.min() * scales.min()) < NODES_PER_SD:
            raise ValueError(
                f"{grid.q} nodes a degree are too few for an innovation of {model.sd.min():.3f} F"
            )
        self.grid = grid
        self._kernels = exact_kernels
        self._temp, weight = grid.nodes()
        self._cut = np.array([grid.index(edge) for edge in edges] + [grid.size], dtype=np.int64)
        panels = 2 * int(np.ceil(BAND_SD * float(model.sd.max() * scales.max()))) + 1
        band = min(panels, grid.hi - grid.lo + 1) * grid.q
        work = workspace or Workspace()
        self._transition = work.array("transition", (model.steps, grid.size, band))
        self._first = work.array("first", (model.steps, grid.size), np.int64)
        exact_kernels.fill_transition(
            self._temp,
            weight,
            baseline,
            model.rho,
            model.sd,
            scales,
            shares,
            grid.q,
            self._transition,
            self._first,
        )
        shape = (model.steps + 1, len(self._cut), grid.size)
        self._value = np.empty(shape)
        exact_kernels.sweep_back(self._transition, self._first, self._cut, self._value)
        self._states = np.empty(shape)
        self._log_mass = np.zeros(model.steps + 1)
        self._likelihood = np.ones((model.steps + 1, grid.size))
        density = np.exp(-0.5 * ((self._temp - baseline[0]) / model.start_sd) ** 2) * weight
        self._prior = density / density.sum()
        self.head = -1
        self.advance(0)

    def report(self, slot: int, likelihood: Array) -> None:
        """Weigh the temperature of `slot` with a report; late reports rewind the filter."""
        self._likelihood[slot] *= likelihood
        if slot <= self.head:
            head, self.head = self.head, slot - 1
            self.advance(head)

    def advance(self, slot: int) -> None:
        """Bring the filter to `slot`; does nothing where it is there already."""
        kernels = self._kernels
        while self.head < slot:
            k = self.head + 1
            out = self._states[k]
            if k == 0:
                for a, cut in enumerate(self._cut):
                    out[a, :cut] = self._prior[:cut]
                    out[a, cut:] = 0.0
                self._log_mass[0] = kernels.weigh(self._likelihood[0], out)
            else:
                self._log_mass[k] = kernels.step_forward(
                    self._transition[k - 1],
                    self._first[k - 1],
                    self._cut,
                    self._likelihood[k],
                    self._states[k - 1],
                    out,
                )
            self.head = k

    @property
    def log_likelihood(self) -> float:
        """Log probability of all reports up to the head."""
        return float(self._log_mass[: self.head + 1].sum())

    def cdf(self) -> Array:
        """P(maximum of the day below each edge | reports so far), shape (edges,)."""
        state, value = self._states[self.head], self._value[self.head]
        return np.einsum("an,an->a", state[:-1], value[:-1])

    def running_cdf(self) -> Array:
        """P(maximum so far below each edge | reports so far), shape (edges,)."""
        return self._states[self.head][:-1].sum(axis=1)

    def hazard(self, edge: float, lead: int, horizon: int) -> float:
        """P(a temperature at or above `edge` in the `horizon` steps after `lead` more steps)."""
        below = self._kernels.staying_below(
            self._transition,
            self._first,
            self._states[self.head][-1],
            self.head,
            lead,
            horizon,
            self.grid.index(edge),
        )
        return float(np.clip(1 - below, 0.0, 1.0))
