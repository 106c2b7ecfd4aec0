"""The standard normal distribution; SciPy is imported on first use."""

import numpy as np

from kalshi_assets.units import Array


def normal_cdf(z: Array) -> Array:
    """P(Z <= z)."""
    from scipy.special import ndtr

    return ndtr(z)


def normal_density(z: Array) -> Array:
    """exp(-z^2 / 2) / sqrt(2 pi)."""
    return np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
