"""The background reproduces what the archive recorded."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from kalshi_assets.instants import microseconds_of
from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.venue.background import (
    DEPTH,
    Print,
    Quote,
    actions_of,
    ladder,
    level_size,
)
from kalshi_assets.sandbox.world_layout import BOOK_CHANGES
from kalshi_assets.units import MINUTE_US, SECOND_US
from kalshi_assets_tests.sandbox.tiny import (
    CHI_BIN,
    CHI_EVENT,
    CHI_OPEN,
    NY_BIN,
    NY_EVENT,
    write_archive,
)
from kalshi_assets_tests.sandbox.venue.tools import START, Trader
from kalshi_assets_tests.shared import ARCHIVE, needs_archive


@needs_archive
def test_quotes_inside_a_minute_reproduce_the_recorded_candles() -> None:
    archive = Archive(ARCHIVE)
    candles = archive.candles(CHI_EVENT)
    quotes = [a for a in actions_of(archive, CHI_EVENT) if isinstance(a, Quote)]
    steps = pl.DataFrame(quotes, orient="row", schema=["us", "ticker", "bid", "ask", "oi"])
    minute = ((pl.col("us") - 1) // MINUTE_US + 1) * 60
    inside = {
        (ticker, end): rows
        for (ticker, end), rows in steps.with_columns(minute.alias("end")).group_by("ticker", "end")
    }
    standing: dict[str, tuple[int, int]] = {}
    differing = 0
    for row in candles.iter_rows(named=True):
        ticker = row["market_ticker"]
        rows = inside.get((ticker, row["end_ts"]))
        before = standing.get(ticker, (0, 10_000))
        shown = [] if rows is None else rows.sort("us").rows()
        opens = bool(shown) and shown[0][0] == (row["end_ts"] - 60) * SECOND_US + 1
        path = [(bid, ask) for _, _, bid, ask, *_ in shown]
        path = path if opens else [before, *path]
        standing[ticker] = path[-1]
        differing += _ohlc(path) != _recorded(row)
        assert standing[ticker] == (row["yes_bid_close"], row["yes_ask_close"])
    # Bid and ask are at their extremes together, which some recorded minutes were not.
    assert differing <= 0.01 * candles.height


def _ohlc(path: list[tuple[int, int]]) -> list[int]:
    sides = list(zip(*path, strict=True))
    return [v for side in sides for v in (min(side), max(side), side[-1])]


def _recorded(row: dict) -> list[int]:
    return [row[f"yes_{side}_{p}"] for side in ("bid", "ask") for p in ("low", "high", "close")]


def test_every_recorded_trade_appears_at_its_own_instant(tiny_root: Path) -> None:
    archive = Archive(tiny_root)
    prints = [a for a in actions_of(archive, CHI_EVENT) if isinstance(a, Print)]
    assert [p.trade_id for p in prints] == [f"id-{n:02d}" for n in range(5)]
    assert prints[2] == Print(
        microseconds_of(CHI_OPEN + timedelta(minutes=1, microseconds=600_000)),
        CHI_BIN,
        "id-02",
        4200,
        300,
        "no",
    )


def test_without_candles_quotes_are_inferred_from_the_sides_of_trades(tiny_root: Path) -> None:
    actions = actions_of(Archive(tiny_root), NY_EVENT)
    first, second = actions[:4:2], actions[1:4:2]
    assert [type(a) for a in (*first, *second)] == [Quote, Quote, Print, Print]
    # The first trade hit the bid at 40 cents, the second lifted the offer at 41.
    assert [(q.bid_cc, q.ask_cc) for q in first if isinstance(q, Quote)] == [
        (4000, 10_000),
        (4000, 4100),
    ]
    assert all(
        q.at_us == p.at_us and q.ticker == NY_BIN for q, p in zip(first, second, strict=True)
    )


def test_a_quote_that_would_cross_moves_the_other_side_by_a_cent(tiny_root: Path) -> None:
    quotes = [a for a in actions_of(Archive(tiny_root), NY_EVENT) if isinstance(a, Quote)]
    assert (quotes[-1].bid_cc, quotes[-1].ask_cc) == (6400, 6500)
    assert all(q.bid_cc < q.ask_cc for q in quotes)


def _with_depth(root: Path, rows: list[tuple]) -> Path:
    write_archive(root)
    folder = root / "book_changes" / "series=KXHIGHCHI" / "event_date=2025-05-05"
    folder.mkdir(parents=True)
    frame = pl.DataFrame(rows, schema=BOOK_CHANGES, orient="row")
    frame.write_parquet(folder / "part.parquet")
    return root


def test_recorded_depth_is_replayed_as_it_was(tmp_path: Path) -> None:
    at = [START + timedelta(seconds=s) for s in (-10, -10, -5, 5, 5, 6)]
    root = _with_depth(
        tmp_path,
        [
            (CHI_BIN, at[0], "bid", 3000, 1000),
            (CHI_BIN, at[1], "ask", 3500, 2050),
            (CHI_BIN, at[2], "bid", 3000, 700),
            (CHI_BIN, at[3], "ask", 3500, 0),
            (CHI_BIN, at[4], "ask", 3300, 400),
            (CHI_BIN, at[5], "bid", 3100, 125),
        ],
    )
    trader = Trader(root)
    book = trader.venue.book(CHI_BIN)
    assert (book.depth("bid"), book.depth("ask")) == ([(3000, 700)], [(3500, 2050)])
    trader.create(price="0.3300", count="1.00")
    trader.run(seconds=10)

    assert book.depth("bid") == [(3000, 700), (3100, 125)]
    assert book.depth("ask") == [(3300, 300)]
    assert [f.size for f in trader.venue.fills] == [100]


def test_the_ladder_has_a_size_at_every_cent_from_the_best_price() -> None:
    bids, asks = ladder("T", "bid", 300, 0), ladder("T", "ask", 9800, 0)
    assert list(bids) == [300, 200, 100]
    assert list(asks) == [9800, 9900]
    assert len(ladder("T", "bid", 5000, 0)) == DEPTH
    assert ladder("T", "bid", 0, 0) == ladder("T", "ask", 10_000, 0) == {}


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_sizes_depend_on_market_price_and_quarter_of_an_hour_alone(side) -> None:
    sizes = {level_size("T", side, price, 7) for price in range(100, 10_000, 100)}
    assert len(sizes) > 50
    assert all(500 <= size <= 30_500 and size % 100 == 0 for size in sizes)
    assert ladder("T", side, 5000, 0) == ladder("T", side, 5000, 14 * 60 * SECOND_US)
    assert ladder("T", side, 5000, 0) != ladder("T", side, 5000, 15 * 60 * SECOND_US)
