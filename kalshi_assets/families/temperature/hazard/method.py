"""Which method makes the hazard, as methods.toml says.

Here: the choice and its checks. Not here: the methods.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from kalshi_assets.config import METHODS, method_section

Engine = Literal["exact", "analogue"]
BLOCKS = 8


@dataclass(frozen=True, kw_only=True)
class HazardMethod:
    """What methods.toml says about the hazard; its comments say what each key means."""

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
    """The choice in force, or of another parsed document.

    Raises
    ------
    ValueError
        A key that is missing or that nobody knows, or a value out of range; the message names it.
    """
    values = method_section("hazard", HazardMethod, document)
    return HazardMethod(**{**values, "analogue_share": tuple(values["analogue_share"])})
