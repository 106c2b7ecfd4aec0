"""Colours with a meaning: brackets from cold to hot, reasons, sources, fill models.

Here: every such colour, for figures and pages. Not here: text and background colours of the pages
(templates/style.css).
"""

import numpy as np

# Dark blue to yellow, each colour lighter than the one before (there is a test), so that the order
# is visible to the colour-blind and in greyscale.
_COLD_TO_HOT = ("#3512a6", "#6a00a8", "#9d189d", "#c5407e", "#e36c5c", "#f89840", "#fbd524")

REASON_COLOURS = {
    "trade": "#16a34a",
    "order_working": "#8fd19e",
    "edge_too_small": "#eab308",
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
    "input_unknown": "#52525b",
    "dead_bracket": "#7c5a44",
    "position_limit": "#f87171",
    "loss_limit": "#b91c1c",
}
SOURCE_COLOURS = {"market": "#3b82f6", "weather": "#0d9488", "fused": "#d9480f"}
ALARM = "#dc2626"
FILL_MODEL_COLOURS = {"conservative": "#d9480f", "touch": "#3b82f6"}


def bracket_colours(count: int) -> tuple[str, ...]:
    """`count` colours from cold to hot, as hex."""
    anchors = np.array([list(bytes.fromhex(colour[1:])) for colour in _COLD_TO_HOT])
    where = np.linspace(0, len(anchors) - 1, count)
    channels = [np.interp(where, range(len(anchors)), channel) for channel in anchors.T]
    return tuple(f"#{bytes(map(round, rgb)).hex()}" for rgb in zip(*channels, strict=True))
