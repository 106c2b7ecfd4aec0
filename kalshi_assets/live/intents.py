"""What a session wants of the exchange: an order, by an ID that follows from the decision.

Here: the intent and its client order ID. Not here: decisions (trading), sending (gateway).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID, uuid5

from kalshi_assets.units import HUNDREDTHS

_NAMESPACE = UUID("6b1d0f4e-7a54-5d0e-9c3e-2f8f3a5b7c10")

Side = Literal["bid", "ask"]
Execution = Literal["maker", "taker"]


@dataclass(frozen=True, kw_only=True)
class OrderIntent:
    """An order that the engine wants.

    Attributes
    ----------
    account, event_ticker, strategy, decided_at_us, bracket, side
        What its client order ID stands for: the same decision has the same ID, so that a session
        that starts again cannot send it twice. Instants are microseconds since the epoch.
    market_ticker
        The market of the bracket.
    execution
        maker: rests, post-only; taker: immediate or cancel.
    price_cc, contracts
        Limit price in YES terms, 1/10,000 dollar; whole contracts.
    evidence
        What the decision rests on, for telemetry: p_used, p_mkt, edge_cc, book.
    """

    account: str
    event_ticker: str
    strategy: str
    decided_at_us: int
    bracket: int
    market_ticker: str
    side: Side
    execution: Execution
    price_cc: int
    contracts: int
    evidence: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def client_order_id(self) -> str:
        """UUID5 of what the order stands for."""
        parts = (
            self.account,
            self.event_ticker,
            self.strategy,
            self.decided_at_us,
            self.bracket,
            self.side,
        )
        return str(uuid5(_NAMESPACE, "\0".join(map(str, parts))))

    @property
    def size(self) -> int:
        """Size in 1/100 contract."""
        return self.contracts * HUNDREDTHS
