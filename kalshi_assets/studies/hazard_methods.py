"""The hazard methods that the weather study compares: the configured one, and its parts alone."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from kalshi_assets.families.temperature.hazard.method import BLOCKS, HazardMethod

IN_FORCE = "mixed"
EXACT = "exact"
ANALOGUE = "analogue"
HAZARD_METHODS = (IN_FORCE, EXACT, ANALOGUE)


def variants(in_force: HazardMethod) -> Mapping[str, HazardMethod]:
    """The compared methods by name: the one configured in methods.toml, and its two parts alone."""
    return MappingProxyType(
        {
            IN_FORCE: in_force,
            EXACT: replace(in_force, method="exact", analogue_share=(0.0,) * BLOCKS),
            ANALOGUE: replace(in_force, method="analogue"),
        }
    )
