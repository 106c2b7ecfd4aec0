"""The packaged priors of the hazard's parameters: config/hazard.toml.

Here: reading and validating them. Not here: estimates (`estimation`), weighing them against priors
(`weighing`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.fit.estimation import (
    BLOCKS,
    GREATEST_RHO,
    LEAST_RHO,
    LEAST_SD,
    MISSED_DEGREES,
)
from kalshi_assets.units import Array

CONFIG_NAME = "hazard.toml"
SEASONS = ("djf", "mam", "jja", "son")
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
    sd_of_season: Mapping[str, tuple[float, ...]]
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
    likelihood_days: int
    min_days: int
    diurnal: tuple[float, ...]
    shape: tuple[float, ...]

    def __post_init__(self) -> None:
        for name, length in _LENGTHS.items():
            if len(getattr(self, name)) != length:
                raise ValueError(
                    f"{CONFIG_NAME}: {name} has {len(getattr(self, name))} values, not {length}"
                )
        if wrong := sorted(set(self.sd_of_season) - set(SEASONS)):
            raise ValueError(
                f"{CONFIG_NAME}: sd_of_season has unknown {wrong}; known: {', '.join(SEASONS)}"
            )
        if wrong := sorted(k for k, sd in self.sd_of_season.items() if len(sd) != BLOCKS):
            raise ValueError(f"{CONFIG_NAME}: sd_of_season {wrong} must have {BLOCKS} values each")
        least = min(map(min, (self.sd, *self.sd_of_season.values())))
        if not LEAST_RHO <= self.rho <= GREATEST_RHO or least < LEAST_SD:
            raise ValueError(
                f"{CONFIG_NAME}: rho {self.rho} must lie in [{LEAST_RHO}, {GREATEST_RHO}] and "
                f"every sd be at least {LEAST_SD}"
            )
        for name in ("missed_peak", "whole_c_evidence"):
            if not np.isclose(sum(getattr(self, name)), 1.0):
                raise ValueError(f"{CONFIG_NAME}: {name} must sum to 1")

    def sd_at(self, as_of: datetime) -> Array:
        """Innovation sds of the day's season, otherwise `sd`; shape (8,)."""
        season = SEASONS[as_of.month % 12 // 3]
        return np.array(self.sd_of_season.get(season, self.sd))

    def sd_parent_at(self, as_of: datetime) -> Literal["season", "block"]:
        """Whether `sd_at` is specific to the season."""
        return "season" if SEASONS[as_of.month % 12 // 3] in self.sd_of_season else "block"

    def by_slot(self, name: str) -> Array:
        """`diurnal` or `shape`, hours interpolated to slots, shape (288,)."""
        return np.interp(
            np.arange(SLOTS), np.arange(24) * (SLOTS // 24), getattr(self, name), period=SLOTS
        )


def load_priors() -> Priors:
    """The configured priors.

    Raises
    ------
    ValueError
        A key is missing or unknown, or a value is out of range; the message names it.
    """
    document = load_toml(CONFIG_NAME)
    known = {field.name for field in fields(Priors)}
    values = document.get("priors", {})
    if wrong := sorted((set(document) - {"priors"}) | (set(values) ^ known)):
        raise ValueError(
            f"{CONFIG_NAME}: missing or unknown {wrong}; [priors] has {', '.join(sorted(known))}"
        )
    fields_: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    seasons = {season: tuple(sd) for season, sd in values["sd_of_season"].items()}
    return Priors(**fields_ | {"sd_of_season": MappingProxyType(seasons)})
