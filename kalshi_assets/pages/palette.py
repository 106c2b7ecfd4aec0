"""Colours with a meaning: brackets from cold to hot, reasons, sources, strategies.

Here: every such colour, for figures and pages. Not here: text and background colours of the pages
(templates/style.css).
"""

from collections.abc import Sequence
from itertools import cycle

import numpy as np

# Dark blue to yellow, each colour lighter than the one before (there is a test), so that the order
# is visible to the colour-blind and in greyscale.
_COLD_TO_HOT = ("#3512a6", "#6a00a8", "#9d189d", "#c5407e", "#e36c5c", "#f89840", "#fbd524")

REASON_COLOURS = {
    "trade": "#16a34a",
    "order_working": "#8fd19e",
    "edge_too_small": "#eab308",
    "move_too_small": "#facc15",
    "signal_too_weak": "#fde68a",
    "signal_unknown": "#e7d3c4",
    "no_prediction": "#d6c7b8",
    "no_set": "#fef3c7",
    "not_wanted": "#f5f5f4",
    "no_quote": "#d4d4d8",
    "inferred_quote": "#a1a1aa",
    "stale_quote": "#71717a",
    "market_invalid": "#c4b5fd",
    "extreme_probability": "#bae6fd",
    "wide_spread": "#60a5fa",
    "low_volume": "#2f6fe4",
    "too_late": "#3b4fa8",
    "hazard": "#fb923c",
    "hazard_unknown": "#fed7aa",
    "quiet_time": "#c4a484",
    "input_unknown": "#52525b",
    "dead_bracket": "#7c5a44",
    "size_zero": "#fecdd3",
    "position_limit": "#f87171",
    "open_orders_limit": "#e879f9",
    "order_rate_limit": "#c026d3",
    "price_collar": "#86198f",
    "loss_limit": "#b91c1c",
}
SOURCE_COLOURS = {"market": "#3b82f6", "weather": "#0d9488", "fused": "#d9480f"}
FILL_MODEL_COLOURS = {"touch": "#3b82f6", "through": "#d9480f", "queue": "#9d189d"}
ALARM = "#dc2626"
_STRATEGIES = ("#d9480f", "#3b82f6", "#0d9488", "#9d189d", "#71717a")


def bracket_colours(count: int) -> tuple[str, ...]:
    """`count` colours from cold to hot, as hex."""
    anchors = np.array([list(bytes.fromhex(colour[1:])) for colour in _COLD_TO_HOT])
    where = np.linspace(0, len(anchors) - 1, count)
    channels = [np.interp(where, range(len(anchors)), channel) for channel in anchors.T]
    return tuple(f"#{bytes(map(round, rgb)).hex()}" for rgb in zip(*channels, strict=True))


def strategy_colours(strategies: Sequence[str]) -> dict[str, str]:
    """A colour by strategy, in the order given."""
    return dict(zip(strategies, cycle(_STRATEGIES)))
