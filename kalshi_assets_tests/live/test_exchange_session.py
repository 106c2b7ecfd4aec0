"""A session that trades at the sandbox exchange: journal, books and limits agree."""

from pathlib import Path

from kalshi_assets.lake.store import Lake
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.journal_schema import OPEN
from kalshi_assets.live.opening import session_name
from kalshi_assets_tests.live.worlds import DAY, at_the_sandbox, books_of

NAME = session_name([DAY], "demo")


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
