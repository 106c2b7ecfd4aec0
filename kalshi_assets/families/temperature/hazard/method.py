"""The method of the hazard, from methods.toml.

Here: the setting and its validation. Not here: the methods.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from kalshi_assets.config import METHODS, method_section

Engine = Literal["exact", "analogue"]
BLOCKS = 8


@dataclass(frozen=True, kw_only=True)
class HazardMethod:
    """The section [hazard] of methods.toml; the file explains each key."""

    method: Engine
    analogue_share: tuple[float, ...]
    shape_nodes: int
    feed_alarm: float

    def __post_init__(self) -> None:
        if self.method not in get_args(Engine):
            raise ValueError(
                f"{METHODS}: method {self.method!r} must be one of {', '.join(get_args(Engine))}"
            )
        shares = self.analogue_share
        if len(shares) != BLOCKS or not all(0 <= share <= 1 for share in shares):
            raise ValueError(
                f"{METHODS}: analogue_share {shares} must be {BLOCKS} shares from 0 to 1"
            )
        if self.shape_nodes < 1:
            raise ValueError(f"{METHODS}: shape_nodes must be at least 1")


def load_method(document: Mapping[str, Any] | None = None) -> HazardMethod:
    """The configured method, or that of another parsed document.

    Raises
    ------
    ValueError
        A key is missing or unknown, or a value is out of range; the message names it.
    """
    values = method_section("hazard", HazardMethod, document)
    return HazardMethod(**{**values, "analogue_share": tuple(values["analogue_share"])})
