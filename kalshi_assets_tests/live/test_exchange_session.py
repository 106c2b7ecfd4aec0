"""A session that trades at the sandbox exchange: journal, books and limits agree."""

from pathlib import Path

import pytest

from kalshi_assets.benchmarks.session_day import DAY, fill_lake, write_world
from kalshi_assets.lake.store import Lake
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.journal_schema import OPEN
from kalshi_assets.live.opening import session_name
from kalshi_assets_tests.live.worlds import at_the_sandbox, books_of
from kalshi_assets_tests.shared_work import of_this_run, once

NAME = session_name([DAY], "demo")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(of_this_run(tmp_path_factory) / "live-world", write_world)


@pytest.fixture(scope="module")
def filled(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return fill_lake(archive, tmp_path_factory.mktemp("filled") / "data")


@pytest.fixture
def lake(filled: Lake) -> Lake:
    for name in filled.files.names("live"):
        filled.files.delete(f"live/{name}")
    return filled


def test_orders_reach_the_exchange_and_nothing_rests_at_the_end(archive: Path, lake: Lake) -> None:
    with at_the_sandbox(archive, lake, minutes=40) as (opening, venue, sandbox):
        ended = opening.run_exchange([DAY], venue, "demo")
        books = books_of(sandbox)
    with Journal.of(lake.files, NAME, clock_us=lambda: 0) as journal:
        orders, fills, events = journal.orders(), journal.fills(), journal.events("ladder_failed")
        refused = journal.events("gate_refused")
        print(ended, len(orders), len(fills), events, books, [r["why"] for r in refused][:5])
        assert journal.orders(OPEN) == []
    assert ended == "stopped: the end"
    assert len(orders) > 5
