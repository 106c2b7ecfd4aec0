from concurrent.futures import ThreadPoolExecutor

import pytest

from kalshi_assets.exchange.throttle import TokenBucket


class FakeTime:
    def __init__(self):
        self.now = 0.0
        self.waits = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


def test_a_burst_is_free_until_the_bucket_is_empty_then_it_waits_for_the_refill():
    time = FakeTime()
    bucket = TokenBucket(rate=200, capacity=30, clock=time.clock, sleep=time.sleep)
    for _ in range(5):
        bucket.take(10)
    assert time.waits == [pytest.approx(0.05), pytest.approx(0.05)]


def test_a_long_pause_refills_no_more_than_the_capacity():
    time = FakeTime()
    bucket = TokenBucket(rate=10, capacity=20, clock=time.clock, sleep=time.sleep)
    time.now = 1000.0
    for _ in range(3):
        bucket.take(10)
    assert time.waits == [pytest.approx(1.0)]


def test_threads_share_one_budget():
    time = FakeTime()
    waits = []
    bucket = TokenBucket(rate=10, capacity=10, clock=time.clock, sleep=waits.append)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bucket.take, [10] * 8))
    assert sorted(waits) == [pytest.approx(float(n)) for n in range(1, 8)]


def test_what_never_fits_is_refused():
    with pytest.raises(ValueError, match="never fit"):
        TokenBucket(rate=1, capacity=5).take(6)
    with pytest.raises(ValueError, match="positive"):
        TokenBucket(rate=0, capacity=5)
