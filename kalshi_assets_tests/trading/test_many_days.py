"""Many days: the same bytes from any number of workers, in any order, and no memory that grows."""

import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from kalshi_assets.benchmarks.engine import BUSY_EDGE, generated_day
from kalshi_assets.trading import records
from kalshi_assets.trading.engine import backtest

MINUTES = 300
DAYS = range(6)
# Days until caches and allocators have what they keep, days after that, and what may be added.
WARM, COUNTED, MOST_MIB = 300, 1000, 16


def digest(seed: int) -> str:
    """The hash of a day's decisions, orders and fills, as Arrow bytes."""
    day = generated_day(seed, BUSY_EDGE, minutes=MINUTES)
    runs = backtest(day)
    found = hashlib.sha256()
    for frame in (
        records.decisions(day, runs),
        records.orders(day, runs),
        records.fills(day, runs, None),
        records.daily_pnl(day, runs, None),
    ):
        found.update(frame.write_ipc(None).getvalue())
    return found.hexdigest()


def test_workers_and_their_number_and_the_order_of_days_change_no_byte() -> None:
    here = [digest(seed) for seed in DAYS]
    assert len(set(here)) == len(DAYS)
    assert [digest(seed) for seed in reversed(DAYS)] == here[::-1]
    context = multiprocessing.get_context("spawn")
    for workers in (1, 2):
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            assert list(pool.map(digest, DAYS)) == here, f"{workers} workers"


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * 4096 / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_a_thousand_days_need_no_more_memory_than_a_few() -> None:
    for seed in range(WARM):
        digest(seed % 10)
    before = _resident_mib()
    for seed in range(COUNTED):
        digest(seed % 10)
    assert _resident_mib() - before < MOST_MIB
