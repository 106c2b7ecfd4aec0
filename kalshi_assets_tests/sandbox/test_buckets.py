from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.sandbox.account_routes import request_cost
from kalshi_assets.sandbox.buckets import Buckets, BucketSize
from kalshi_assets.sandbox.server import running


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_gives_its_capacity_and_then_refuses() -> None:
    buckets = Buckets(BucketSize(refill_rate=200, capacity=200), clock=Clock())
    assert [buckets.take("key", 10) for _ in range(21)] == [True] * 20 + [False]
    assert buckets.take("another key", 10)


def test_a_refusal_takes_nothing_and_time_refills() -> None:
    clock = Clock()
    buckets = Buckets(BucketSize(refill_rate=100, capacity=10), clock=clock)
    assert buckets.take("key", 10)
    clock.now = 0.09
    assert not buckets.take("key", 10)
    clock.now = 0.1
    assert buckets.take("key", 10)


@given(
    steps=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40)), min_size=1, max_size=60),
    rate=st.integers(1, 300),
    capacity=st.integers(10, 300),
)
def test_no_caller_gets_more_than_capacity_plus_refill(
    steps: list[tuple[float, int]], rate: int, capacity: int
) -> None:
    clock = Clock()
    buckets = Buckets(BucketSize(refill_rate=rate, capacity=capacity), clock=clock)
    given_out = 0.0
    for wait, cost in steps:
        clock.now += wait
        given_out += cost if buckets.take("key", cost) else 0
    assert given_out <= capacity + rate * clock.now + 1e-6


@pytest.mark.parametrize(
    ("method", "path", "cost"),
    [
        ("GET", "/trade-api/v2/markets", 10),
        ("GET", "/trade-api/v2/portfolio/orders/abc", 2),
        ("GET", "/trade-api/v2/portfolio/orders", 10),
        ("GET", "/trade-api/v2/cfbenchmarks/x", 150),
    ],
)
def test_costs_follow_the_table(method: str, path: str, cost: int) -> None:
    assert request_cost(method, path) == cost


def test_a_bucket_must_hold_something() -> None:
    with pytest.raises(ValueError, match="positive"):
        BucketSize(refill_rate=0, capacity=1)


def test_anonymous_callers_are_refused_when_they_ask_too_often(tiny_root: Path) -> None:
    size = BucketSize(refill_rate=0.001, capacity=30)
    with running(tiny_root, anonymous_bucket=size) as sandbox:
        answers = [httpx.get(f"{sandbox.api_url}/exchange/status") for _ in range(4)]
        weather = httpx.get(f"{sandbox.url}/json/cli.py", params={"station": "K", "year": 2025})

    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[3].json() == {"error": "too many requests"}
    assert "retry-after" not in answers[3].headers
    assert weather.status_code == 200
