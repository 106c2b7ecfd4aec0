"""The log probability of a day's reports, compiled: forward only, no barriers, many days.

After a report the temperature is within one or two panels of a whole degree; unless the report is
surprising, only these are kept, a hundredth of the filter in `exact`. Slots without a report are
crossed in one step, which is exact for normal innovations; a mixture of two widths is replaced by a
normal with its variance there.

Here: the recursion. Not here: parameters, and which days are used (`fit.likelihood`).
"""

from typing import NamedTuple

import numpy as np

from kalshi_assets.families.temperature.filter.row_kernels import FAST, mass_of
from kalshi_assets.kernel_cache import njit
from kalshi_assets.units import Array, Ints

_ROOT_2PI = np.sqrt(2.0 * np.pi)
# Mass outside a report below this share of the total is dropped. More mass is kept, as in the
# filter: near the report if it may be correct, far from it if that is unlikely.
_GIVEN_UP = 2e-2
_NEAR_SD, _NEAR_MASS = 6.0, 1e-6
_FAR_SD, _FAR_MASS = 12.0, 1e-40
_MOST_PANELS = 512


class Kernels(NamedTuple):
    """The parameters of a step, and the parts of its kernels that do not depend on the panels.

    With d the distance of one or two panels from the mean of the middle of others, and x and y
    their nodes, the exponent -(d + y[j] - rho x[i])^2 / 2v is that of `table`, less d^2 / 2v, less
    d y[j] / v, plus rho d x[i] / v.

    Attributes
    ----------
    place, weight
        Nodes relative to the middle of one panel and of two, degrees F, and their weights; shape
        (2, 2 q), the first row half filled.
    rho
        Autocorrelation of one step.
    sd
        Standard deviation of the innovation before each slot, shape (slots,).
    scales, shares
        Components of the innovation.
    law
        Row of `table` of each slot, shape (slots,).
    table
        exp(-(y[j] - rho x[i])^2 / 2v) by law, component, panels before, panels after, i and j.
    """

    place: Array
    weight: Array
    rho: float
    sd: Array
    scales: Array
    shares: Array
    law: Ints
    table: Array


@njit(cache=True)
def kernels_of(
    place: Array, weight: Array, rho: float, sd: Array, scales: Array, shares: Array
) -> Kernels:
    """The kernels of the parameters; `place` and `weight` of one panel, shape (q,)."""
    q = place.size
    places, weights = np.zeros((2, 2 * q)), np.zeros((2, 2 * q))
    places[0, :q], weights[0, :q] = place, weight
    places[1, :q], places[1, q:] = place - 0.5, place + 0.5
    weights[1, :q], weights[1, q:] = weight, weight
    law = np.zeros(sd.size, np.int64)
    for k in range(1, sd.size):
        law[k] = law[k - 1] + (1 if sd[k] != sd[k - 1] else 0)
    table = np.zeros((law[-1] + 1, scales.size, 2, 2, 2 * q, 2 * q))
    for k in range(sd.size):
        if k > 0 and law[k] == law[k - 1]:
            continue
        for c in range(scales.size):
            for a in range(2):
                for b in range(2):
                    for i in range((a + 1) * q):
                        for j in range((b + 1) * q):
                            z = (places[b, j] - rho * places[a, i]) / (sd[k] * scales[c])
                            table[law[k], c, a, b, i, j] = np.exp(-0.5 * z * z)
    return Kernels(places, weights, rho, sd, scales, shares, law, table)


@njit(cache=True, fastmath=FAST, inline="always")
def move_by_step(
    kernels: Kernels, slot: int, shift: float,
    first: int, panels: int, mass: Array, target: int, targets: int, out: Array, part: Array,
) -> float:  # fmt: skip
    """`move` by one step, two panels at a time: an exponential per node, not per pair of nodes."""
    rho, q = kernels.rho, kernels.place.shape[1] // 2
    total = 0.0
    for t in range(0, targets, 2):
        after = min(2, targets - t)
        y, n, reached = kernels.place[after - 1], after * q, out[t * q : (t + after) * q]
        reached[:] = 0.0
        for p in range(0, panels, 2):
            before = min(2, panels - p)
            x, m, left = kernels.place[before - 1], before * q, mass[p * q : (p + before) * q]
            offset = (target + t + 0.5 * (after - 1)) - shift
            offset -= rho * (first + p + 0.5 * (before - 1))
            for c in range(kernels.scales.size):
                sd = kernels.sd[slot] * kernels.scales[c]
                slope = offset / (sd * sd)
                if abs(offset) > _FAR_SD * sd + 2.0:
                    continue
                table = kernels.table[kernels.law[slot], c, before - 1, after - 1]
                height = kernels.shares[c] / (sd * _ROOT_2PI) * np.exp(-0.5 * offset * slope)
                part[:n] = 0.0
                # The nodes are symmetric, so every second factor is the inverse of another one.
                for i in range(m // 2):
                    lift = np.exp(rho * x[i] * slope)
                    a, b = left[i] * lift, left[m - 1 - i] / lift
                    for j in range(n):
                        part[j] += a * table[i, j] + b * table[m - 1 - i, j]
                for j in range(n // 2):
                    lift = np.exp(-y[j] * slope)
                    reached[j] += height * lift * part[j]
                    reached[n - 1 - j] += height / lift * part[n - 1 - j]
        for j in range(n):
            reached[j] *= kernels.weight[after - 1, j]
            total += reached[j]
    return total


@njit(cache=True, fastmath=FAST, inline="always")
def move(
    kernels: Kernels, rho: float, sd: float, shift: float,
    first: int, panels: int, mass: Array, target: int, targets: int, out: Array,
) -> float:  # fmt: skip
    """The mass on the panels from `target` on, from that on the panels from `first` on; its sum.

    Parameters
    ----------
    rho, sd, shift
        Of the steps: T' ~ N(shift + rho T, sd).
    """
    q = kernels.place.shape[1] // 2
    place, weight = kernels.place[0], kernels.weight[0]
    height, total = 1.0 / (sd * _ROOT_2PI), 0.0
    for t in range(targets):
        for j in range(q):
            density = 0.0
            for p in range(panels):
                offset = target + t - shift - rho * (first + p)
                if abs(offset) > _FAR_SD * sd + 1.0:
                    continue
                for i in range(q):
                    z = (offset + place[j] - rho * place[i]) / sd
                    density += height * mass[p * q + i] * np.exp(-0.5 * z * z)
            out[t * q + j] = weight[j] * density
            total += out[t * q + j]
    return total


@njit(cache=True, fastmath=FAST, inline="always")
def begin(kernels: Kernels, mean: float, sd: float, low: int, panels: int, out: Array) -> float:
    """The mass on the panels of a day's first report; its sum."""
    q = kernels.place.shape[1] // 2
    total = 0.0
    for p in range(panels):
        for j in range(q):
            z = (low + p + kernels.place[0, j] - mean) / sd
            out[p * q + j] = kernels.weight[0, j] * np.exp(-0.5 * z * z) / (sd * _ROOT_2PI)
            total += out[p * q + j]
    return total


@njit(cache=True)
def trimmed(
    q: int, panels: int, least: float, out: Array, total: float, mass: Array
) -> tuple[int, int]:
    """First and end of the panels with more than `least`, whose shares of `total` go to `mass`."""
    a, b = 0, panels
    while a < b - 1 and out[a * q : (a + 1) * q].sum() < least:
        a += 1
    while a < b - 1 and out[(b - 1) * q : b * q].sum() < least:
        b -= 1
    for i in range((b - a) * q):
        mass[i] = out[a * q + i] / total
    return a, b


@njit(cache=True, fastmath=FAST)
def log_likelihoods(
    lowest: Array, width: Array, eps: Array, baseline: Array, start_sd: float, kernels: Kernels
) -> Array:
    """Log probability of each report, given those before it of its day; NaN: no report.

    Parameters
    ----------
    lowest, width, eps
        Shape (days, slots): least whole degree of the report, number of degrees, one or two, and
        probability that it is wrong; NaN: no report. The first report of a day is trusted.
    baseline
        Shape (days, slots), degrees F.
    start_sd
        Of the residual at slot 0, degrees F.
    """
    days, slots = lowest.shape
    q = kernels.place.shape[1] // 2
    rho, widest = kernels.rho, kernels.scales.max()
    found = np.full((days, slots), np.nan)
    mass, out, part = np.empty(_MOST_PANELS * q), np.empty(_MOST_PANELS * q), np.empty(2 * q)
    for d in range(days):
        first, panels, before = 0, 0, -1
        of, variance = 1.0, start_sd**2
        for k in range(slots):
            if k > 0:
                of *= rho
                variance = rho**2 * variance + kernels.sd[k] ** 2
            if np.isnan(lowest[d, k]):
                continue
            low, n, wrong = int(lowest[d, k]), int(width[d, k]), eps[d, k]
            sd, mixed = np.sqrt(variance), before == k - 1
            shift = baseline[d, k] - of * baseline[d, before]
            if before < 0:
                inside = begin(kernels, baseline[d, k], sd, low, n, out)
            elif mixed:
                inside = move_by_step(kernels, k, shift, first, panels, mass, low, n, out, part)
            else:
                inside = move(kernels, of, sd, shift, first, panels, mass, low, n, out)
            outside = max(1 - inside, 0.0) * wrong
            total = (1 - wrong) * inside + outside
            if before < 0 or outside < _GIVEN_UP * total:
                found[d, k] = np.log(total)
                first, panels = low, n
                for i in range(n * q):
                    mass[i] = out[i] / inside
            else:
                far = outside > 0.5 * total
                reach = (_FAR_SD if far else _NEAR_SD) * sd * (widest if mixed else 1.0)
                target = int(np.floor(shift + of * (first - 0.5) - reach))
                targets = int(np.ceil(shift + of * (first + panels - 0.5) + reach)) + 1 - target
                targets = min(targets, _MOST_PANELS)
                if mixed:
                    move_by_step(kernels, k, shift, first, panels, mass, target, targets, out, part)
                else:
                    move(kernels, of, sd, shift, first, panels, mass, target, targets, out)
                for p in range(targets):
                    right = low <= target + p < low + n
                    out[p * q : (p + 1) * q] *= 1 - wrong if right else wrong
                total = mass_of(out, 0, targets * q)
                found[d, k] = np.log(total)
                least = (_FAR_MASS if far else _NEAR_MASS) * total
                a, b = trimmed(q, targets, least, out, total, mass)
                first, panels = target + a, b - a
            before, of, variance = k, 1.0, 0.0
    return found
