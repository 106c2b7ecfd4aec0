"""Whether features are still distributed as when a model was fitted to them."""

import numpy as np

from kalshi_assets.units import Array

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
    cuts = _cuts(known) if len(known) else np.empty(0)
    p, q = (_shares(values, cuts) for values in (reference, recent))
    return float(np.sum((q - p) * np.log(q / p)))


def _cuts(known: Array) -> Array:
    """Lower ends of the bins but the first; a value that fills two tenths is a bin of its own."""
    inner, times = np.unique(np.quantile(known, np.arange(1, BINS) / BINS), return_counts=True)
    return np.sort(np.concatenate([inner, np.nextafter(inner[times > 1], np.inf)]))


def _shares(values: Array, cuts: Array) -> Array:
    bins = np.searchsorted(cuts, values, side="right")
    bins = np.where(np.isnan(values), len(cuts) + 1, bins)
    counts = np.bincount(bins, minlength=len(cuts) + 2) + 0.5
    return counts / counts.sum()
