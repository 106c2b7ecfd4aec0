"""Whether features still look as they did when a model learnt from them."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BINS = 10


def stability_index(reference: Array, recent: Array) -> Array:
    """Population stability index of each feature: sum over bins of (q - p) ln(q / p).

    Bins are tenths of the known reference values, and one for unknown. Half a row is added to
    every bin, so that an empty one stays finite. The customary alarm at 0.25 is for independent
    rows; five days share five days' weather, and slow features exceed it often.

    Parameters
    ----------
    reference, recent
        Shape (rows, features), NaN where unknown; at least one row each.

    Returns
    -------
    Array
        Shape (features,), 0 where nothing moved.
    """
    return np.array(
        [_index(before, now) for before, now in zip(reference.T, recent.T, strict=True)]
    )


def _index(reference: Array, recent: Array) -> float:
    known = reference[~np.isnan(reference)]
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, inner)) if len(known) else np.empty(0)
    p, q = (_shares(values, edges) for values in (reference, recent))
    return float(np.sum((q - p) * np.log(q / p)))


def _shares(values: Array, edges: Array) -> Array:
    unknown = np.isnan(values)
    # Right: a value that equals an edge belongs above it, so that a mass at one value is a bin.
    bins = np.where(unknown, len(edges) + 1, np.searchsorted(edges, values, side="right"))
    counts = np.bincount(bins, minlength=len(edges) + 2) + 0.5
    return counts / counts.sum()
