"""The step of `market.order_book` without Dagster: from recordings beside the lake, or none."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.instants import microseconds_of
from kalshi_assets.lake.files import Files
from kalshi_assets.pipeline.graph import INGESTED, MADE_BY, OF_DAYS_PAST, city_runner
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.pipeline.step import Made
from kalshi_assets.sandbox.server import running
from kalshi_assets.stream.messages import Kind, Message
from kalshi_assets.stream.order_book import books_at
from kalshi_assets.stream.recording import RecordingWriter
from kalshi_assets.tables import EVENTS, ORDER_BOOK
from kalshi_assets.units import SECOND_US
from kalshi_assets_tests.shared_work import shared_world
from kalshi_assets_tests.stream.frames import delta, opened, received, snapshot, subscribed

DAY = date(2026, 6, 25)
KEY = city_day("new_york", DAY)


@pytest.fixture
def runner(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runner]:
    """A runner over an empty data folder and a generated city-day."""
    world = shared_world(tmp_path_factory, cities=["new_york"], start=DAY, end=DAY, seed=5)
    with running(world) as sandbox:
        monkeypatch.setenv("KALSHI_API_URL", sandbox.api_url)
        monkeypatch.setenv("KALSHI_ASSETS_DATA", str(tmp_path))
        kalshi = KalshiService(unthrottled=True)
        yield city_runner(Files(tmp_path), kalshi, WeatherService(), float)
        kalshi.close()


def _said(runner: Runner) -> object:
    made = Made(KEY, runner.lake.read(ORDER_BOOK, KEY), {}, {})
    return MADE_BY[ORDER_BOOK].describe[ORDER_BOOK](made)["recording"]


def test_a_day_without_a_recording_is_made_and_says_so(runner: Runner) -> None:
    made = runner.make(KEY, {EVENTS, ORDER_BOOK})
    assert made[ORDER_BOOK].height == 0
    assert _said(runner) == "no recording"


def test_a_recorded_day_has_the_books_of_the_recording(runner: Runner, tmp_path: Path) -> None:
    ladder = runner.make(KEY, {EVENTS})[EVENTS].sort("bracket")
    market, at_us = ladder["market_ticker"][0], microseconds_of(ladder["open_time"][0])
    params = {"channels": ["orderbook_delta"], "market_tickers": [market, "OTHER"]}
    asked = {"id": 1, "cmd": "subscribe", "params": params}
    with RecordingWriter(Files(tmp_path), at_us, "a test") as recording:
        for message in (
            opened(1, at_us),
            Message(Kind.SENT, at_us, json.dumps(asked).encode()),
            received(subscribed("orderbook_delta", 1), at_us),
            received(snapshot(market, ((100, 300),), ((9_900, 200),), sid=1, seq=1), at_us + 1),
            received(delta(market, "yes", 200, 50, at_us, sid=1, seq=2), at_us + SECOND_US),
            received(snapshot("OTHER", ((100, 300),), sid=1, seq=3), at_us + 2 * SECOND_US),
        ):
            recording.write(message)
    made = runner.make(KEY, {ORDER_BOOK})[ORDER_BOOK]
    assert made["market_ticker"].unique().to_list() == [market]
    book = books_at(made, at_us + SECOND_US)[market]
    assert (book.top.bid, book.top.bid_size, book.top.ask) == (200, 50, 9_900)
    assert _said(runner) == "recorded"


def test_books_are_read_when_the_day_is_over_and_from_no_service_of_the_exchange() -> None:
    assert ORDER_BOOK in OF_DAYS_PAST
    assert ORDER_BOOK not in INGESTED
