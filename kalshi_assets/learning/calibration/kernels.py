"""Compiled recursions of the fits; imported only by the functions that run them."""

import numpy as np

from kalshi_assets.kernel_cache import njit
from kalshi_assets.units import Array

_ITERATIONS = 60
_HALVINGS = 40
_CONVERGED = 1e-8


@njit(cache=True)
def pava(value: Array, weight: Array) -> Array:
    """Non-decreasing least squares by pooling adjacent violators.

    Parameters
    ----------
    value, weight
        Shape (n,); weights are positive.
    """
    n = value.size
    level, mass = np.empty(n), np.empty(n)
    length = np.empty(n, dtype=np.int64)
    blocks = 0
    for i in range(n):
        level[blocks], mass[blocks], length[blocks] = value[i], weight[i], 1
        blocks += 1
        while blocks > 1 and level[blocks - 2] > level[blocks - 1]:
            total = mass[blocks - 2] + mass[blocks - 1]
            level[blocks - 2] = (
                mass[blocks - 2] * level[blocks - 2] + mass[blocks - 1] * level[blocks - 1]
            ) / total
            mass[blocks - 2] = total
            length[blocks - 2] += length[blocks - 1]
            blocks -= 1
    out = np.empty(n)
    at = 0
    for b in range(blocks):
        out[at : at + length[b]] = level[b]
        at += length[b]
    return out


@njit(cache=True)
def isotonics(knots: Array, weight: Array, hits: Array) -> Array:
    """PAVA of frequencies at knots; linear between knots that have data, constant beyond them.

    Parameters
    ----------
    knots
        Ascending, shape (knots,).
    weight, hits
        Weight at every knot, and of the events that happened, shape (fits, knots). A fit without
        data is the identity.
    """
    out = np.empty_like(weight)
    for f in range(len(weight)):
        known = np.flatnonzero(weight[f] > 0.0)
        if known.size == 0:
            out[f] = knots
            continue
        level = pava(hits[f][known] / weight[f][known], weight[f][known])
        right = 0
        for k in range(knots.size):
            while right < known.size and known[right] < k:
                right += 1
            if right == known.size:
                out[f, k] = level[-1]
            elif known[right] == k or right == 0:
                out[f, k] = level[right]
            else:
                low, high = knots[known[right - 1]], knots[known[right]]
                share = (knots[k] - low) / (high - low)
                out[f, k] = level[right - 1] + share * (level[right] - level[right - 1])
    return out


@njit(cache=True)
def _level_with(weight: Array, hits: Array, k: int, label: float) -> float:
    """PAVA's level at knot k with one more day there; knots without weight are skipped."""
    mass, hit = np.empty(weight.size), np.empty(weight.size)
    blocks, at = 0, 0
    for i in range(weight.size):
        more = 1.0 if i == k else 0.0
        if weight[i] + more == 0.0:
            continue
        mass[blocks], hit[blocks] = weight[i] + more, hits[i] + more * label
        blocks += 1
        while (
            blocks > 1 and hit[blocks - 2] * mass[blocks - 1] > hit[blocks - 1] * mass[blocks - 2]
        ):
            mass[blocks - 2] += mass[blocks - 1]
            hit[blocks - 2] += hit[blocks - 1]
            blocks -= 1
        if i <= k:
            at = blocks - 1
        at = min(at, blocks - 1)
    return hit[at] / mass[at]


@njit(cache=True)
def venn_abers(weight: Array, hits: Array) -> tuple[Array, Array]:
    """p0 and p1 at every knot of every fit: PAVA with one more day there, labelled 0 or 1.

    Parameters
    ----------
    weight, hits
        As in `isotonics`.
    """
    lower, upper = np.empty_like(weight), np.empty_like(weight)
    for f in range(len(weight)):
        for k in range(weight.shape[1]):
            lower[f, k] = _level_with(weight[f], hits[f], k, 0.0)
            upper[f, k] = _level_with(weight[f], hits[f], k, 1.0)
    return lower, upper


@njit(cache=True)
def _loss(x: Array, weight: Array, hits: Array, theta: Array, centre: Array, ridge: float) -> float:
    total = 0.0
    for i in range(len(x)):
        if weight[i] > 0.0:
            eta = 0.0
            for j in range(theta.size):
                eta += x[i, j] * theta[j]
            total += weight[i] * (max(eta, 0.0) + np.log1p(np.exp(-abs(eta)))) - hits[i] * eta
    for j in range(theta.size):
        total += 0.5 * ridge * (theta[j] - centre[j]) ** 2
    return total


@njit(cache=True)
def _solved(matrix: Array, right: Array) -> Array:
    """Elimination in place; positive definite, so that no pivot is zero."""
    k = right.size
    for j in range(k):
        for m in range(j + 1, k):
            factor = matrix[m, j] / matrix[j, j]
            right[m] -= factor * right[j]
            for i in range(j, k):
                matrix[m, i] -= factor * matrix[j, i]
    for j in range(k - 1, -1, -1):
        for m in range(j + 1, k):
            right[j] -= matrix[j, m] * right[m]
        right[j] /= matrix[j, j]
    return right


@njit(cache=True)
def _newton_step(
    x: Array, weight: Array, hits: Array, theta: Array, centre: Array, ridge: float, least: Array
) -> Array:
    """Newton's step in the coordinates that are not held at a bound."""
    k = theta.size
    gradient = ridge * (theta - centre)
    curvature = ridge * np.eye(k)
    for i in range(len(x)):
        if weight[i] > 0.0:
            eta = 0.0
            for j in range(k):
                eta += x[i, j] * theta[j]
            p = 1.0 / (1.0 + np.exp(-eta))
            for j in range(k):
                gradient[j] += (weight[i] * p - hits[i]) * x[i, j]
                for m in range(k):
                    curvature[j, m] += weight[i] * p * (1.0 - p) * x[i, j] * x[i, m]
    for j in range(k):
        if theta[j] <= least[j] and gradient[j] > 0.0:
            gradient[j] = 0.0
            curvature[j, :] = 0.0
            curvature[:, j] = 0.0
            curvature[j, j] = 1.0
    return _solved(curvature, gradient)


@njit(cache=True)
def logistic(
    x: Array, weight: Array, hits: Array, centre: Array, ridge: float, least: Array
) -> Array:
    """Weighted logistic regressions by projected Newton with halved steps, shape (fits, k).

    Parameters
    ----------
    x
        Features of every cell, shape (cells, k).
    weight, hits
        Weight of every cell, and of the events that happened, shape (fits, cells).
    centre, ridge
        Centre and strength of the penalty ridge / 2 |theta - centre|^2; the fit starts at the
        centre.
    least
        Lower bounds, shape (k,).
    """
    out = np.empty((len(weight), centre.size))
    for f in range(len(weight)):
        theta = centre.copy()
        loss = _loss(x, weight[f], hits[f], theta, centre, ridge)
        for _ in range(_ITERATIONS):
            step = _newton_step(x, weight[f], hits[f], theta, centre, ridge, least)
            scale, better = 1.0, loss
            trial = theta
            for _ in range(_HALVINGS):
                trial = np.maximum(theta - scale * step, least)
                better = _loss(x, weight[f], hits[f], trial, centre, ridge)
                if better <= loss:
                    break
                scale *= 0.5
            if better > loss:
                break
            moved = np.abs(trial - theta).max()
            theta, loss = trial, better
            if moved < _CONVERGED:
                break
        out[f] = theta
    return out
