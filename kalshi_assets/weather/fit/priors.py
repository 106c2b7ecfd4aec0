"""What is taken for true of a station before its own days speak: config/hazard.toml.

Here: reading and validating the packaged values. Not here: estimates (`estimation`), how they are
weighed against these (`parameters`).
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kalshi_assets.config import load_toml
from kalshi_assets.weather.climate_day import SLOTS
from kalshi_assets.weather.fit.estimation import (
    BLOCKS,
    GREATEST_RHO,
    LEAST_RHO,
    LEAST_SD,
    MISSED_DEGREES,
)

Array = NDArray[np.float64]

CONFIG_NAME = "hazard.toml"
_LENGTHS = {
    "sd": BLOCKS,
    "missed_peak": MISSED_DEGREES,
    "whole_c_evidence": MISSED_DEGREES,
    "diurnal": 24,
    "shape": 24,
}


@dataclass(frozen=True, kw_only=True)
class Priors:
    """Values of [priors] in hazard.toml, where each is explained."""

    rho: float
    sd: tuple[float, ...]
    start_sd: float
    tail_share: float
    bias_sd: float
    missed_peak: tuple[float, ...]
    whole_c_evidence: tuple[float, ...]
    missed_days: float
    rho_spread: float
    sd_spread: float
    level_spread: float
    bias_days: float
    bias_half_life_days: float
    min_days: int
    diurnal: tuple[float, ...]
    shape: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, length in _LENGTHS.items():
            if len(getattr(self, name)) != length:
                raise ValueError(
                    f"{CONFIG_NAME}: {name} has {len(getattr(self, name))} values, not {length}"
                )
        if not LEAST_RHO <= self.rho <= GREATEST_RHO or min(self.sd) < LEAST_SD:
            raise ValueError(
                f"{CONFIG_NAME}: rho {self.rho} must lie in [{LEAST_RHO}, {GREATEST_RHO}] and "
                f"every sd be at least {LEAST_SD}"
            )
        for name in ("missed_peak", "whole_c_evidence"):
            if not np.isclose(sum(getattr(self, name)), 1.0):
                raise ValueError(f"{CONFIG_NAME}: {name} must sum to 1")

    def by_slot(self, name: str) -> Array:
        """`diurnal` or `shape`, hours interpolated to slots, shape (288,)."""
        return np.interp(
            np.arange(SLOTS), np.arange(24) * (SLOTS // 24), getattr(self, name), period=SLOTS
        )


def load_priors() -> Priors:
    """The priors in force.

    Raises
    ------
    ValueError
        A key that is missing or that nobody knows, or a value out of range; the message names it.
    """
    document = load_toml(CONFIG_NAME)
    known = {field.name for field in fields(Priors)}
    values = document.get("priors", {})
    if wrong := sorted((set(document) - {"priors"}) | (set(values) ^ known)):
        raise ValueError(
            f"{CONFIG_NAME}: missing or unknown {wrong}; [priors] takes {', '.join(sorted(known))}"
        )
    fields_: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return Priors(**fields_)
