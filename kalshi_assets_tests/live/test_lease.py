"""The lease: two sessions never trade one account."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kalshi_assets.lake.files import Files
from kalshi_assets.live.lease import Lease, LeaseError
from kalshi_assets_tests.live.desk import Clock

SECOND = 1_000_000


@pytest.fixture
def lease(tmp_path: Path) -> Callable[..., Lease]:
    def of(session: str, clock: Clock, account: str = "desk") -> Lease:
        return Lease(
            Files(tmp_path),
            account,
            session_id=session,
            clock_us=clock,
            longest_order_us=300 * SECOND,
        )

    return of


def test_an_account_is_one_sessions_at_a_time(lease: Callable[..., Lease]) -> None:
    clock = Clock()
    one, two = lease("one", clock), lease("two", clock)
    assert one.guard("M") == "account desk is not held by this session"
    one.acquire()
    assert one.guard("M") is None
    with pytest.raises(LeaseError, match=r"held by session one.*free in 330 s"):
        two.acquire()
    assert two.guard("M") is not None
    lease("three", clock, account="another").acquire()


def test_a_process_of_the_same_session_does_not_share_it(lease: Callable[..., Lease]) -> None:
    clock = Clock()
    lease("one", clock).acquire()
    with pytest.raises(LeaseError, match="held by session one"):
        lease("one", clock).acquire()


@pytest.mark.parametrize(("later", "free"), [(330, True), (329, False)])
def test_an_account_is_free_when_its_holders_last_order_has_ended(
    lease: Callable[..., Lease], later: int, free: bool
) -> None:
    clock = Clock()
    one, two = lease("one", clock), lease("two", clock)
    one.acquire()
    clock.sleep(20)
    one.renew()
    clock.sleep(later)
    if not free:
        with pytest.raises(LeaseError):
            two.acquire()
        return
    two.acquire()
    with pytest.raises(LeaseError, match="no longer held by one"):
        one.renew()
    assert "not held by this session" in str(one.guard("M"))


def test_a_session_that_hung_stops_itself_before_anybody_may_follow(
    lease: Callable[..., Lease],
) -> None:
    clock = Clock()
    one = lease("one", clock)
    one.acquire()
    clock.sleep(30)
    assert one.guard("M") is None
    clock.sleep(1)
    assert one.guard("M") == "the last heartbeat of this session was 31 s ago"
    one.renew()
    assert one.guard("M") is None


def test_a_dead_session_is_followed_at_once_by_name(lease: Callable[..., Lease]) -> None:
    clock = Clock()
    one, two = lease("one", clock), lease("two", clock)
    one.acquire()
    with pytest.raises(LeaseError):
        two.acquire(taking_over="zero")
    assert two.acquire(taking_over="one").epoch == 2
    assert one.guard("M") is not None
    one.release()
    assert two.guard("M") is None


def test_a_released_account_is_free_at_once(lease: Callable[..., Lease]) -> None:
    clock = Clock()
    with lease("one", clock) as one:
        one.acquire()
    two = lease("two", clock)
    two.acquire()
    holder = two.holder()
    assert holder is not None
    assert holder.session_id == "two"


def test_a_lease_that_cannot_be_read_allows_nothing(lease: Callable[..., Lease]) -> None:
    one = lease("one", Clock())
    one.acquire()
    with open(one.path, "r+b") as file:
        file.write(b"\0" * 4096)
    with pytest.raises(LeaseError, match="no order is sent"):
        one.guard("M")


def test_two_processes_that_ask_at_once_do_not_both_get_it(lease: Callable[..., Lease]) -> None:
    clock = Clock()
    one = lease("one", clock)
    other = sqlite3.connect(one.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(LeaseError, match="locked"):
            one.acquire()
    finally:
        other.close()


def test_the_name_of_an_account_cannot_lead_elsewhere(lease: Callable[..., Lease]) -> None:
    with pytest.raises(ValueError, match="letters"):
        lease("one", Clock(), account="../desk")
