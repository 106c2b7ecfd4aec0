"""The loop of a session at an exchange: what the stream, the clock and the switch make it do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from kalshi_assets.live.exchange_session import CannotStartError, ExchangeSession, Trading
from kalshi_assets.live.gateway import Gateway
from kalshi_assets.live.lease import Lease
from kalshi_assets.live.reconciliation import Reconciler
from kalshi_assets.live.status import Board
from kalshi_assets.stream.events import Closed, Event, Lifecycle, Missed
from kalshi_assets.tables.live import TRADING_ENDED
from kalshi_assets.units import DAY_US, MINUTE_US
from kalshi_assets_tests.live.desk import ACCOUNT, EVENT, MARKETS, SESSION, START_US, Desk, intent
from kalshi_assets_tests.live.worlds import DAY

ORDER = intent()


@dataclass
class Facts:
    """Counts how often the contract is to be read again."""

    rereads: int = 0

    def reread_contract(self) -> None:
        self.rereads += 1


@dataclass
class Ladder:
    """A ladder that sends one order at its first minute and ends after some."""

    minutes: int = 3
    facts: Facts = field(default_factory=Facts)
    markets: Sequence[str] = MARKETS
    event_ticker: str = EVENT
    fails: bool = False
    deadline_us: int = START_US + DAY_US

    @property
    def is_over(self) -> bool:
        return self.minutes == 0

    def advance(self, now_us: int, gateway: Gateway) -> None:
        self.minutes -= 1
        gateway.place(ORDER)
        if self.fails:
            raise ValueError("a formula")


class Moved:
    """The desk's clock as a session's."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def now_us(self) -> int:
        return self._desk.clock.us

    def wait_until(self, at_us: int) -> None:
        self._desk.clock.us = max(self._desk.clock.us, at_us)


Run = Callable[..., str]


@pytest.fixture
def run(desk: Desk) -> Run:
    """Runs a session to which the stream says something once."""

    def session(ladder: Ladder, *said: Event, **changes: Any) -> str:
        left = list(said)
        both = Reconciler(
            desk.journal,
            desk.reader,
            clock_us=desk.clock,
            sleep=desk.clock.sleep,
            in_flight=desk.gateway.in_flight,
        )

        def events() -> Sequence[Event]:
            heard, left[:] = tuple(left), []
            return heard

        with Lease(
            desk.files,
            ACCOUNT,
            session_id=SESSION,
            clock_us=desk.clock,
            longest_order_us=0,
        ) as lease:
            lease.acquire()
            parts: dict[str, Any] = {
                "journal": desk.journal,
                "gateway": desk.gateway,
                "reconciler": both,
                "lease": lease,
                "events": events,
                "skew_us": lambda: None,
                "switched_on": lambda: None,
                "sleep": desk.clock.sleep,
                "elapsed_us": desk.clock,
            }
            trading = Trading(**parts | changes)
            board = Board(SESSION, "demo", START_US)
            ladders: Any = {DAY: ladder}
            return ExchangeSession(ladders, trading, Moved(desk), board).run()

    return session


def test_a_session_ends_with_its_ladders_and_leaves_nothing(desk: Desk, run: Run) -> None:
    assert run(Ladder()) == TRADING_ENDED
    assert desk.exchange.resting() == []
    assert len(desk.exchange.orders) == 1


def test_a_contract_that_changed_is_read_again(run: Run) -> None:
    ladder = Ladder()
    run(
        ladder,
        Lifecycle(START_US, "market_lifecycle_v2", {"market_ticker": MARKETS[1]}),
        Lifecycle(START_US, "market_lifecycle_v2", {"market_ticker": "ANOTHER"}),
    )
    assert ladder.facts.rereads == 1


def test_a_lost_stream_cancels_what_rests_and_is_journaled(desk: Desk, run: Run) -> None:
    run(Ladder(), Closed(START_US, "gone", None))
    deletes = [path for method, path, _ in desk.exchange.requests if method == "DELETE"]
    assert deletes == ["/portfolio/events/orders/order-1", "/portfolio/events/orders"]
    assert desk.journal.events("stream_lost") == [{"cause": "gone"}]
    occasions = [each["occasion"] for each in desk.journal.events("reconciliation")]
    assert "reconnect" in occasions


def test_missed_messages_make_the_account_be_read_and_are_journaled(desk: Desk, run: Run) -> None:
    run(Ladder(), Missed(START_US, "fill", "a gap"))
    assert desk.journal.events("stream_missed") == [{"channel": "fill", "cause": "a gap"}]
    occasions = [each["occasion"] for each in desk.journal.events("reconciliation")]
    assert "reconnect" in occasions


def test_a_clock_that_is_off_ends_the_session(desk: Desk, run: Run) -> None:
    assert "clock is +2.0 s off" in run(Ladder(), skew_us=lambda: 2_000_000)
    assert desk.exchange.resting() == []


def test_the_kill_switch_keeps_a_session_from_starting(desk: Desk, run: Run) -> None:
    with pytest.raises(CannotStartError, match="it is on"):
        run(Ladder(), switched_on=lambda: "it is on")
    assert desk.exchange.orders == {}


def test_the_kill_switch_ends_a_session(desk: Desk, run: Run) -> None:
    def switched_on() -> str | None:
        return "it is on" if desk.clock.us >= START_US + MINUTE_US else None

    assert run(Ladder(), switched_on=switched_on) == "stopped: it is on"
    assert desk.exchange.resting() == []


def test_a_ladder_that_fails_loses_its_orders_and_the_session_goes_on(desk: Desk, run: Run) -> None:
    assert run(Ladder(fails=True)) == TRADING_ENDED
    (first, *_) = desk.journal.events("ladder_failed")
    assert first["error"] == "ValueError: a formula"
    assert desk.exchange.resting() == []
