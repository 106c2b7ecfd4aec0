"""Requests are counted by provider and UTC day, whichever process sends them."""

import multiprocessing
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from kalshi_assets.lake.files import Files
from kalshi_assets.lake.requests import CountedTransport, RequestCounts, sent_by_this_process

DAY = date(2026, 11, 28)


def _add(root: Path, times: int) -> None:
    for _ in range(times):
        RequestCounts(Files(root)).add("kalshi", DAY)


def test_four_processes_count_together_and_nothing_is_lost(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_add, args=(tmp_path, 250)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert RequestCounts(Files(tmp_path)).of(DAY) == {"kalshi": 1000}


def test_a_day_begins_at_midnight_utc_and_providers_are_counted_apart(tmp_path: Path) -> None:
    now = [datetime(2026, 11, 28, 23, 59, tzinfo=UTC)]
    counts = RequestCounts(Files(tmp_path))
    inner = httpx.MockTransport(lambda request: httpx.Response(200))
    for provider in ("kalshi", "visual_crossing"):
        transport = CountedTransport(inner, counts, provider, lambda: now[0])
        transport.handle_request(httpx.Request("GET", "https://one.test"))
        now[0] = datetime(2026, 11, 29, tzinfo=UTC)
    assert counts.of(DAY) == {"kalshi": 1}
    assert counts.of(date(2026, 11, 29)) == {"visual_crossing": 1}
    assert counts.of(date(2026, 11, 30)) == {}


def test_a_request_without_an_answer_counts_too(tmp_path: Path) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("timed out")

    before = sent_by_this_process()
    transport = CountedTransport(
        httpx.MockTransport(fail), RequestCounts(Files(tmp_path)), "kalshi"
    )
    with pytest.raises(httpx.ReadTimeout):
        transport.handle_request(httpx.Request("GET", "https://one.test"))
    assert (sent_by_this_process() - before)["kalshi"] == 1
