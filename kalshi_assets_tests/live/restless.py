"""A strategy that trades at nearly every minute, whatever it costs: for drills.

Here: its wants. Not here: the drills.
"""

from dataclasses import dataclass, replace

from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.strategies import Value, Wanted

SHAMELESS = {
    "maker_min_edge_cents": -50.0,
    "taker_min_edge_cents": -2.0,
    "reduce_min_edge_cents": -50.0,
}


@dataclass(frozen=True)
class Restless:
    """Judges like `Value` and is content with a loss, so that there are orders to go wrong."""

    name: str = "restless"

    def wanted(self, day: TradingDay) -> Wanted:
        """What it wants at every row."""
        value = day.params.value.model_copy(update=SHAMELESS)
        params = day.params.model_copy(update={"value": value})
        return replace(Value().wanted(replace(day, params=params)), sized_by_kelly=False)
