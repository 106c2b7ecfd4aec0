"""Order groups: a limit of contracts matched within fifteen seconds.

Here: the groups and when one is triggered. Not here: cancelling its orders (`order_entry`).

A group is triggered when the contracts matched within the last fifteen seconds reach its limit; it
then accepts no order until it is reset.
"""

from dataclasses import dataclass, field

from kalshi_assets.units import SECOND_US

WINDOW_US = 15 * SECOND_US


@dataclass(kw_only=True)
class Group:
    """A group; limit and matches in hundredths of contracts, matches as [instant, size]."""

    group_id: str
    number: int
    limit: int
    triggered: bool = False
    deleted: bool = False
    matches: list[list[int]] = field(default_factory=list)

    def count(self, size: int, at_us: int) -> bool:
        """Count a match; whether the limit is reached by it."""
        self.matches = [m for m in self.matches if m[0] > at_us - WINDOW_US]
        self.matches.append([at_us, size])
        return not self.triggered and sum(m[1] for m in self.matches) >= self.limit

    def reset(self) -> None:
        """Accept orders again, with nothing matched."""
        self.triggered, self.matches = False, []
