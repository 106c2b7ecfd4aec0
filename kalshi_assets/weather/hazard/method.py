"""Which method makes the hazard, as methods.toml says.

Here: the choice and its checks. Not here: the methods.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from kalshi_assets.config import load_toml
from kalshi_assets.weather.filter.monte_carlo import Draws

CONFIG_NAME = "methods.toml"
Engine = Literal["exact", "monte_carlo", "analogue"]
BLOCKS = 8


@dataclass(frozen=True, kw_only=True)
class HazardMethod:
    """What methods.toml says about the hazard; its comments say what each key means."""

    method: Engine
    analogue_share: tuple[float, ...]
    shape_nodes: int
    feed_alarm: float
    paths: int
    draws: Draws

    def __post_init__(self) -> None:
        for name, allowed in (("method", get_args(Engine)), ("draws", get_args(Draws))):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{CONFIG_NAME}: {name} {getattr(self, name)!r} must be one of "
                    f"{', '.join(allowed)}"
                )
        shares = self.analogue_share
        if len(shares) != BLOCKS or not all(0 <= share <= 1 for share in shares):
            raise ValueError(
                f"{CONFIG_NAME}: analogue_share {shares} must be {BLOCKS} shares from 0 to 1"
            )
        if self.shape_nodes < 1 or self.paths < 2:
            raise ValueError(f"{CONFIG_NAME}: shape_nodes must be at least 1, paths at least 2")


def load_method() -> HazardMethod:
    """The choice in force.

    Raises
    ------
    ValueError
        A key that is missing or that nobody knows, or a value out of range; the message names it.
    """
    return method_of(load_toml(CONFIG_NAME))


def method_of(document: Mapping[str, Any]) -> HazardMethod:
    """`load_method` on a parsed document."""
    known = {field.name for field in fields(HazardMethod)}
    values = document.get("hazard", {})
    if wrong := sorted((set(document) - {"hazard"}) | (set(values) ^ known)):
        raise ValueError(
            f"{CONFIG_NAME}: missing or unknown {wrong}; [hazard] takes {', '.join(sorted(known))}"
        )
    shares = tuple(values["analogue_share"])
    return HazardMethod(**{**values, "analogue_share": shares})
