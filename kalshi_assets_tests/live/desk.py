"""A small desk for tests: journal, gateway and reader over a fake exchange, with a clock to set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.orders import OrderWriter
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.lake.files import Files
from kalshi_assets.live.gate import GateLimits, Ladder
from kalshi_assets.live.gateway import Gateway, GatewayParams, Guard
from kalshi_assets.live.intents import OrderIntent
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.telemetry import Emit, silent
from kalshi_assets_tests.live.fake_exchange import (
    BASE_URL,
    KEY_ID,
    SIGNER,
    FakeExchange,
    FakeTransport,
)

START_US = 1_790_000_000_000_000
EVENT = "KXHIGHCHI-26NOV20"
MARKETS = tuple(f"{EVENT}-B{n}.5" for n in range(50, 62, 2))
ACCOUNT = "test"
SESSION = "session-1"
AT_ONCE = RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, wait_jitter_s=0)

LIMITS = GateLimits(
    ladders={EVENT: Ladder.partition(MARKETS)},
    max_open_orders=6,
    max_order_contracts=10,
    max_position_contracts=50,
    max_event_loss_cc=500_000,
    max_account_loss_cc=1_500_000,
)


@dataclass
class Clock:
    """Microseconds that move only when told."""

    us: int = START_US

    def __call__(self) -> int:
        return self.us

    def s(self) -> float:
        return self.us / 1e6

    def sleep(self, seconds: float) -> None:
        self.us += round(seconds * 1e6)


def intent(bracket: int = 2, **changes: Any) -> OrderIntent:
    """A bid of ten contracts at 42 cents, decided at the start."""
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "event_ticker": EVENT,
        "strategy": "value",
        "decided_at_us": START_US,
        "bracket": bracket,
        "market_ticker": MARKETS[bracket],
        "side": "bid",
        "execution": "maker",
        "price_cc": 4200,
        "contracts": 10,
    }
    return OrderIntent(**fields | changes)


@dataclass
class Desk:
    """Everything that a session has of the live room, over one exchange."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    limits: GateLimits = LIMITS
    guards: Sequence[Guard] = ()
    emit: Emit = silent
    on_write: Callable[[str], None] = lambda name: None

    def __post_init__(self) -> None:
        self.files = Files(self.folder)
        self.exchange = FakeExchange(clock_us=self.clock)
        self.exchange.quotes = dict.fromkeys(MARKETS, (4000, 4400))
        self.exchange.groups["group-1"] = True
        transport = FakeTransport(self.exchange)
        self.writer = OrderWriter(BASE_URL, signer=SIGNER, transport=transport, clock=self.clock.s)
        self.reader = AccountReader(
            BASE_URL, signer=SIGNER, transport=transport, clock=self.clock.s, retry=AT_ONCE
        )
        self.open()

    def open(self) -> None:
        """Open the journal, as a session does when it starts or starts again."""
        self.journal = Journal.of(
            self.files, SESSION, clock_us=self.clock, on_write=self.on_write, key_id=KEY_ID
        )
        self.journal.begin(SESSION, account=ACCOUNT, mode="demo", versions={"code": "1"})
        params = GatewayParams(
            limits=self.limits,
            order_group_id="group-1",
            exchange_index=0,
            lifetime_us=300_000_000,
        )
        self.gateway = Gateway(
            self.journal,
            self.writer,
            params,
            clock_us=self.clock,
            guards=self.guards,
            emit=self.emit,
        )

    def close(self) -> None:
        self.journal.__exit__(None, None, None)
