"""A session at the sandbox exchange: journal, books and limits agree, and no secret is kept."""

import logging
import re
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import httpx
import pytest

from kalshi_assets.families.temperature.cities import TEMPERATURE
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.live.journal import Journal, journal_name
from kalshi_assets.live.opening import PagePlace, session_name
from kalshi_assets.live.telemetry import Telemetry
from kalshi_assets.sandbox.faults import Fault, Faults
from kalshi_assets.sandbox.server import KEY_ID
from kalshi_assets.stream.events import Event
from kalshi_assets.stream.feed import Feed
from kalshi_assets_tests.live.drills import ACCOUNT, QUICKLY, SLICE_US, forget
from kalshi_assets_tests.live.invariants import must_agree
from kalshi_assets_tests.live.restless import Restless
from kalshi_assets_tests.live.worlds import DAY, at_the_sandbox

NAME = session_name([DAY], ACCOUNT)
MINUTES, MINUTES_LEFT = 12, 9 * 60
PATHS = ("", "state.json", "metrics")


@dataclass(frozen=True, kw_only=True)
class Traded:
    """What a session left: its lake and books, what it logged and showed, and its secrets."""

    archive: Path
    lake: Lake
    books: Path
    ended: str
    logged: str
    shown: tuple[str, ...]
    key_id: str
    pem: str


@pytest.fixture(scope="module")
def traded(archive: Path, filled: Lake, tmp_path_factory: pytest.TempPathFactory) -> Traded:
    """A session whose every third order and every second read of the account fails."""
    folder = tmp_path_factory.mktemp("traded")
    shutil.copytree(filled.files.address("."), folder / "data")
    lake, logs = Lake(Files(folder / "data"), TEMPERATURE), StringIO()
    forget(lake)
    handler, addresses, shown = logging.StreamHandler(logs), list[str](), list[str]()
    logging.getLogger().addHandler(handler)
    faults = Faults(
        [
            Fault(kind="error_after", path="/trade-api/v2/portfolio/events", every=3),
            Fault(kind="http_500", path="/trade-api/v2/portfolio/", every=2, method="GET"),
        ]
    )

    def look(feed: Feed, events: Sequence[Event]) -> None:
        if len(shown) < 2 * len(PATHS):
            shown.extend(
                httpx.get(f"{addresses[0]}{path}").raise_for_status().text for path in PATHS
            )

    telemetry = Telemetry(lake.files, session_id=NAME, mode="demo", random=bytes, key_id=KEY_ID)
    try:
        with (
            redirect_stdout(logs),
            redirect_stderr(logs),
            at_the_sandbox(
                archive,
                lake,
                minutes=MINUTES,
                minutes_left=MINUTES_LEFT,
                books=folder / "books.sqlite",
                faults=faults,
                strategy=Restless(),
                page=PagePlace(tell=addresses.append),
                seen=look,
                emit=telemetry.emit,
                retry=QUICKLY,
                slice_us=SLICE_US,
            ) as (opening, venue, sandbox),
        ):
            ended = opening.run_exchange([DAY], venue, "demo")
    finally:
        logging.getLogger().removeHandler(handler)
    return Traded(
        archive=archive,
        lake=lake,
        books=folder / "books.sqlite",
        ended=ended,
        logged=logs.getvalue(),
        shown=tuple(shown),
        key_id=sandbox.key_id,
        pem=sandbox.private_key_pem.decode("ascii"),
    )


def test_a_session_trades_and_journal_books_and_limits_agree(traded: Traded) -> None:
    outcome = must_agree(traded.lake, traded.archive, traded.books, DAY, ACCOUNT)
    assert traded.ended == outcome.ended == "stopped: the end"
    assert outcome.orders > 5
    assert outcome.fills > 0
    with Journal.of(traded.lake.files, NAME, clock_us=lambda: 0) as journal:
        assert journal.events("ladder_failed") == []


def test_no_secret_is_in_what_a_session_leaves_logs_or_shows(traded: Traded) -> None:
    body = traded.pem.splitlines()[1:-1]
    secrets = [traded.key_id, *body, "PRIVATE KEY", "KALSHI-ACCESS"]
    folder = Path(traded.lake.files.address("."))
    kept = [
        p
        for top in ("live", "telemetry", "reports")
        for p in (folder / top).rglob("*")
        if p.is_file()
    ]
    assert {p.name for p in kept} > {f"{NAME}.journal.sqlite", f"lease-{ACCOUNT}.sqlite"}
    assert {path.suffix for path in kept} >= {".jsonl", ".html"}
    assert traded.logged
    assert len(traded.shown) == 2 * len(PATHS)
    texts = [path.read_bytes() for path in kept]
    texts += [text.encode() for text in (traded.logged, *traded.shown)]
    assert [s for s in secrets if any(s.encode() in text for text in texts)] == []


def in_journal(statement: str) -> Callable[[Path, Path], None]:
    """Changes a copied journal."""

    def change(journal: Path, books: Path) -> None:
        with closing(sqlite3.connect(journal)) as db, db:
            assert db.execute(statement).rowcount > 0

    return change


def in_books(statement: str) -> Callable[[Path, Path], None]:
    """Changes copied books."""

    def change(journal: Path, books: Path) -> None:
        with closing(sqlite3.connect(books)) as db, db:
            assert db.execute(statement).rowcount > 0

    return change


ONE_ORDER = "kind = 'order' AND number = (SELECT max(number) FROM kept WHERE kind = 'order')"


@pytest.mark.parametrize(
    "change",
    [
        in_journal("DELETE FROM fills WHERE rowid = (SELECT max(rowid) FROM fills)"),
        in_journal("UPDATE holdings SET cash_millionths = cash_millionths + 1"),
        in_journal("UPDATE holdings SET size = size + 100"),
        in_journal("DELETE FROM orders WHERE order_id IS NOT NULL"),
        in_books(
            "INSERT INTO kept SELECT kind, 'again', number + 1, "
            f"json_set(body, '$.order_id', 'again') FROM kept WHERE {ONE_ORDER}"
        ),
        in_books(
            "UPDATE kept SET body = json_set(body, '$.status', 'resting', '$.remaining', 100) "
            f"WHERE {ONE_ORDER}"
        ),
        in_books("UPDATE kept SET body = json_set(body, '$.cash', 5) WHERE kind = 'state'"),
    ],
    ids=[
        "a fill is missing",
        "cash differs by a millionth",
        "a position differs",
        "orders are not known",
        "an order was sent twice",
        "an order rests",
        "money vanished",
    ],
)
def test_the_comparison_finds(
    traded: Traded, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    shutil.copytree(traded.lake.files.address("."), tmp_path / "data")
    shutil.copy(traded.books, tmp_path / "books.sqlite")
    lake = Lake(Files(tmp_path / "data"), TEMPERATURE)
    change(Path(lake.files.address(journal_name(NAME))), tmp_path / "books.sqlite")
    with pytest.raises(AssertionError):
        must_agree(lake, traded.archive, tmp_path / "books.sqlite", DAY, ACCOUNT)


@pytest.mark.parametrize(
    ("name", "limit", "said"),
    [
        ("order_contracts", 1, "max_order_contracts|<= "),
        ("max_position_contracts", 1, "at"),
        ("max_open_orders", 1, "open at"),
        ("max_ladder_loss_cc", 100, "could lose"),
    ],
)
def test_the_comparison_finds_what_is_above_a_limit(
    traded: Traded, tmp_path: Path, name: str, limit: int, said: str
) -> None:
    text = (traded.archive / "trading.toml").read_text("utf-8")
    text, found = re.subn(rf"(?m)^{name} = .*$", f"{name} = {limit}", text)
    assert found == 1
    (tmp_path / "trading.toml").write_text(text, "utf-8")
    with pytest.raises(AssertionError, match=said):
        must_agree(traded.lake, tmp_path, traded.books, DAY, ACCOUNT)
