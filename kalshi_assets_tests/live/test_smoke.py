"""The first touch of an exchange, against the sandbox: what is sound, and a bit per fault."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from kalshi_assets.benchmarks.session_day import DAY, write_world
from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.live import smoke as asked
from kalshi_assets.live.smoke import Reached, Target, exit_code, smoke
from kalshi_assets.sandbox.app import Trading
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets.stream.connection import wall_us
from kalshi_assets.stream.feed import Feed
from kalshi_assets_tests.live.worlds import ENDLESS
from kalshi_assets_tests.shared_work import of_this_run, once

START = datetime(2026, 6, 30, 15, tzinfo=UTC)
TARGET = Target(event="KXHIGHNY-26JUN30", series="KXHIGHNY", fees=("quadratic", 1.0))
Ask = Callable[..., int]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    archive: Path = once(of_this_run(tmp_path_factory) / "live-world", write_world)
    trading = Trading(start=START, read_lag_s=0.0)
    with running(archive, trading=trading, read_bucket=ENDLESS, anonymous_bucket=ENDLESS) as served:
        yield served


@pytest.fixture
def ask(sandbox: Sandbox) -> Iterator[Ask]:
    """Asks the sandbox; the exit code."""
    signer = Signer.from_pem(sandbox.key_id, sandbox.private_key_pem)
    once_only = RetryPolicy(attempts=1)
    with ExitStack() as stack:
        market = stack.enter_context(KalshiClient(sandbox.api_url, signer=signer, retry=once_only))
        account = stack.enter_context(
            AccountReader(sandbox.api_url, signer=signer, retry=once_only)
        )

        def asks(target: Target = TARGET, **other: Any) -> int:
            reached = {
                "market": market,
                "account": account,
                "feed": lambda: Feed(sandbox.ws_url, signer),
                "now_us": wall_us,
            }
            return exit_code(smoke(Reached(**reached | other), [target]))

        yield asks


def test_a_sound_exchange_is_zero(ask: Ask) -> None:
    assert DAY.ladder == "new_york"
    assert ask() == 0


def test_an_event_that_is_not_listed_and_changed_fees_have_their_bits(ask: Ask) -> None:
    other = Target(event="KXHIGHNY-26JUL30", series="KXHIGHNY", fees=("quadratic", 0.5))
    assert ask(other) == asked.EVENTS | asked.FEES | asked.STREAM


def test_a_clock_that_is_wrong_has_its_bit(ask: Ask) -> None:
    assert ask(now_us=lambda: wall_us() + 4_000_000) == asked.CLOCK


def test_a_wrong_key_fails_what_is_signed_and_nothing_else(ask: Ask, sandbox: Sandbox) -> None:
    stranger = Signer("5a9d0b0c-0000-4000-8000-00000000ffff", _private_key(sandbox))
    with AccountReader(sandbox.api_url, signer=stranger, retry=RetryPolicy(attempts=1)) as reader:
        code = ask(account=reader, feed=lambda: Feed(sandbox.ws_url, stranger))
    assert code == asked.AUTH | asked.ACCOUNT | asked.RESTING | asked.STREAM


def _private_key(sandbox: Sandbox) -> Any:
    return Signer.from_pem(sandbox.key_id, sandbox.private_key_pem).private_key


def test_a_pause_of_trading_has_its_bit(ask: Ask, sandbox: Sandbox) -> None:
    for kind, code in (("trading_pause", asked.STATUS), ("trading_resume", 0)):
        entries = {"entries": [{"kind": kind}]}
        httpx.post(f"{sandbox.url}/sandbox/script", json=entries).raise_for_status()
        assert ask() == code
