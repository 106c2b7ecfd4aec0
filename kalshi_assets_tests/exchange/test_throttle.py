import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from kalshi_assets.exchange.throttle import MAX_DEBT_S, TokenBucket
from kalshi_assets.sandbox.buckets import BASIC_READ
from kalshi_assets.sandbox.server import running
from kalshi_assets.shared_files import STALE_S, shared_file
from kalshi_assets_tests.chain.backfills import service_settings
from kalshi_assets_tests.sandbox.tiny import write_archive


class FakeTime:
    def __init__(self):
        self.now = 0.0
        self.waits = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def file(tmp_path):
    return tmp_path / "shared" / "bucket"


def bucket_of(file, time, rate=10, capacity=20):
    return TokenBucket(file, rate=rate, capacity=capacity, clock=time.clock, sleep=time.sleep)


def test_a_burst_is_free_until_the_bucket_is_empty_then_it_waits_for_the_refill(file):
    time = FakeTime()
    bucket = bucket_of(file, time, rate=200, capacity=30)
    for _ in range(5):
        bucket.take(10)
    assert time.waits == [pytest.approx(0.05), pytest.approx(0.05)]


def test_a_long_pause_refills_no_more_than_the_capacity(file):
    time = FakeTime()
    bucket = bucket_of(file, time)
    time.now = 1000.0
    for _ in range(3):
        bucket.take(10)
    assert time.waits == [pytest.approx(1.0)]


def test_threads_share_one_budget(file):
    time = FakeTime()
    waits = []
    bucket = TokenBucket(file, rate=10, capacity=10, clock=time.clock, sleep=waits.append)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bucket.take, [10] * 8))
    assert sorted(waits) == [pytest.approx(float(n)) for n in range(1, 8)]


def test_buckets_of_one_file_are_one_bucket_and_of_two_files_two(file):
    time = FakeTime()
    first, second = bucket_of(file, time), bucket_of(file, time)
    first.take(20)
    bucket_of(file.with_name("another"), time).take(20)
    assert time.waits == []
    second.take(10)
    assert time.waits == [pytest.approx(1.0)]


def test_what_never_fits_is_refused(file):
    with pytest.raises(ValueError, match="exceed the bucket"):
        TokenBucket(file, rate=1, capacity=5).take(6)
    with pytest.raises(ValueError, match="positive"):
        TokenBucket(file, rate=0, capacity=5)


@pytest.mark.parametrize(
    "content",
    [
        b"\0",
        b"x" * 15,
        b"x" * 17,
        struct.pack("<dd", float("nan"), 0.0),
        struct.pack("<dd", float("inf"), 0.0),
        struct.pack("<dd", 0.0, float("nan")),
    ],
    ids=repr,
)
def test_a_file_that_makes_no_sense_is_an_empty_bucket_not_an_open_gate(file, content):
    file.parent.mkdir()
    file.write_bytes(content)
    time = FakeTime()
    bucket_of(file, time).take(10)
    assert time.waits == [pytest.approx(1.0)]
    bucket_of(file, time).take(10)
    assert time.waits == [pytest.approx(1.0)] * 2


def test_a_clock_that_falls_back_gives_nothing_away_and_blocks_nobody(file):
    time = FakeTime()
    time.now = 1e9
    bucket = bucket_of(file, time)
    bucket.take(20)
    time.now = 5.0
    bucket.take(10)
    bucket.take(10)
    assert time.waits == [pytest.approx(1.0)] * 2


def test_what_killed_callers_owe_is_forgiven_but_for_a_minute(file):
    file.parent.mkdir()
    file.write_bytes(struct.pack("<dd", -1e12, 0.0))
    time = FakeTime()
    bucket_of(file, time).take(10)
    assert time.waits == [pytest.approx(MAX_DEBT_S + 1)]


HOLDS = """
import sys, time
from pathlib import Path
from kalshi_assets.shared_files import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_holder_that_is_killed_lets_go_of_the_file(file):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
        bucket_of(file, FakeTime()).take(10)


def test_files_that_nobody_used_for_a_day_go(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stale, used = shared_file("bucket", "old"), shared_file("bucket", "new")
    for file in (stale, used):
        bucket_of(file, FakeTime()).take(10)
    old = time.time() - 2 * STALE_S
    os.utime(stale, (old, old))
    shared_file("bucket", "another")
    assert not stale.exists()
    assert used.exists()


def test_a_folder_that_cannot_be_written_is_said_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="set TMPDIR"):
        bucket_of(tmp_path / "file" / "bucket", FakeTime()).take(10)


def test_each_account_has_its_own_file_and_no_name_shows_it():
    one = shared_file("kalshi-read", "https://one.example", "key-1")
    assert one == shared_file("kalshi-read", "https://one.example", "key-1")
    others = [
        shared_file("kalshi-read", "https://one.example", "key-2"),
        shared_file("kalshi-read", "https://two.example", "key-1"),
        shared_file("kalshi-read", "https://one.example"),
    ]
    assert len({one, *others}) == 4
    assert "key-1" not in str(one)


READS = """
import sys, time
from datetime import date
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.pipeline.services import KalshiService

resource = KalshiService()
run = resource.client(city_day("new_york", date(2025, 4, 25)), sys.argv[1])
with resource.watcher() if sys.argv[1] == "watcher" else run as client:
    print("ready", flush=True)
    sys.stdin.readline()
    asked = []
    for _ in range(int(sys.argv[2])):
        client.get("/exchange/status")
        asked.append(time.monotonic())
    print(asked[0], asked[-1], flush=True)
"""
STATUS = "/trade-api/v2/exchange/status"


def test_runs_and_watchers_of_four_processes_stay_within_the_limit_of_the_account(tmp_path):
    each, readers = 36, ("one run", "another run", "a third", "watcher")
    with running(write_archive(tmp_path / "archive")) as sandbox, ExitStack() as stack:
        settings = service_settings(sandbox, tmp_path)
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", READS, reader, str(each)],
                    env=os.environ | settings,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for reader in readers
        ]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=120) for process in processes]
        asked = sandbox.faults.requests[STATUS]
    assert [process.returncode for process in processes] == [0] * len(readers), said
    # Whoever is refused asks again: nobody was.
    assert asked == each * len(readers)
    times = [tuple(map(float, out.split())) for out, _ in said]
    took_s = max(last for _, last in times) - min(first for first, _ in times)
    assert asked * 10 / took_s >= 0.8 * BASIC_READ.refill_rate
