"""What was fetched once is made again from the raw answers, refusals and refused days included."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
import stamina
from polars.testing import assert_frame_equal

from kalshi_assets.exchange.contract import EventContract
from kalshi_assets.exchange.ingest import (
    EventNotFoundError,
    IngestError,
    fetch_candles,
    fetch_event,
    fetch_settlement,
    fetch_trades,
)
from kalshi_assets.families.temperature import services
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.families.temperature.sources.errors import (
    ConcurrencyExceededError,
    DailyCostExceededError,
    RequestRefusedError,
)
from kalshi_assets.families.temperature.sources.visual_crossing import fetch_forecasts
from kalshi_assets.families.temperature.sources.weather_company import fetch_weather_company
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.tables import SETTLEMENTS
from kalshi_assets_tests.exchange.fake_exchange import (
    CITY,
    CLOSE,
    DAY,
    EVENT,
    OPEN,
    STRIKES,
    FakeExchange,
    candle,
    exchange,
    settled,
    trade,
)

KEY = city_day("chicago", DAY)
AFTERWARDS = CLOSE + timedelta(days=9)
CANDLE_S = int(OPEN.timestamp()) + 36_000


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(tmp_path / "data"))


@pytest.fixture
def without_waits() -> Iterator[None]:
    stamina.set_testing(True, attempts=3, cap=True)
    yield
    stamina.set_testing(False)


def _kalshi(fake: FakeExchange, now: datetime = AFTERWARDS) -> KalshiService:
    """Asks `fake` at the given time, without a budget."""
    resource = KalshiService(unthrottled=True)
    resource._transport = httpx.MockTransport(fake.handle)
    resource._clock = lambda: now
    return resource


def _weather(
    handle: Callable[[httpx.Request], httpx.Response], now: datetime = AFTERWARDS
) -> WeatherService:
    resource = WeatherService()
    resource._transport = httpx.MockTransport(handle)
    resource._clock = lambda: now
    return resource


def _fetched(kalshi: KalshiService) -> dict[str, pl.DataFrame]:
    """What a run makes of a day, purpose by purpose."""
    with kalshi.client(KEY, "events") as client:
        events = fetch_event(client, listing_of(CITY, DAY)).to_frame()
    contract = EventContract.from_frame(KEY, events)
    frames = {"events": events}
    with kalshi.client(KEY, "candles") as client:
        frames["candles"] = fetch_candles(client, contract)
    with kalshi.client(KEY, "trades") as client:
        frames["trades"] = fetch_trades(client, contract)
    with kalshi.client(KEY, "settlement") as client:
        frames["settlement"] = fetch_settlement(client, contract, SETTLEMENTS)
    return frames


def _day() -> FakeExchange:
    """The event, settled and in the historical tier, with a candle and a trade."""
    fake = exchange(settled(), archived=True)
    for name, *_ in STRIKES:
        fake.routes[f"/historical/markets/{EVENT}-{name}/candlesticks"] = {
            "candlesticks": [candle(CANDLE_S, live=False)]
        }
    fake.routes["/historical/trades"] = {"trades": [trade(1)], "cursor": ""}
    return fake


def _assert_replays_to(frames: dict[str, pl.DataFrame], later: datetime) -> None:
    replay = KalshiService(replay=True)
    replay._clock = lambda: later
    again = _fetched(replay)
    assert again.keys() == frames.keys()
    for name, frame in frames.items():
        assert_frame_equal(again[name], frame, check_exact=True)


def test_a_day_whose_ingest_met_a_404_is_replayed_bit_for_bit() -> None:
    fake = _day()
    del fake.routes["/markets"]  # the live tier has moved the event: 404
    frames = _fetched(_kalshi(fake))
    assert [frame.is_empty() for frame in frames.values()] == [False] * 4
    _assert_replays_to(frames, AFTERWARDS)


def test_a_day_that_needed_a_second_try_is_replayed_bit_for_bit(without_waits: None) -> None:
    fake = _day()
    page = fake.routes["/historical/markets"]
    fake.routes["/historical/markets"] = [httpx.Response(503, text="no"), page]
    frames = _fetched(_kalshi(fake))
    _assert_replays_to(frames, AFTERWARDS)


def test_a_day_fetched_while_it_was_open_is_replayed_as_of_then() -> None:
    fake = _day()
    of_two = {"candlesticks": [candle(CANDLE_S, live=False), candle(CANDLE_S + 60, live=False)]}
    for path in fake.routes:
        if path.endswith("/candlesticks"):
            fake.routes[path] = of_two
    between = datetime.fromtimestamp(CANDLE_S + 30, UTC)
    frames = _fetched(_kalshi(fake, between))
    assert frames["candles"].height == 6
    _assert_replays_to(frames, between + timedelta(days=3))


def test_a_day_refused_for_a_404_is_refused_again_for_the_same() -> None:
    fake = _day()
    del fake.routes[f"/events/{EVENT}"]
    with pytest.raises(EventNotFoundError) as asked:
        _fetched(_kalshi(fake))
    with pytest.raises(EventNotFoundError) as replayed:
        _fetched(KalshiService(replay=True))
    assert str(replayed.value) == str(asked.value)


def test_a_day_refused_for_an_odd_answer_is_refused_again_for_it_until_it_is_made_good() -> None:
    fake = _day()
    odd = {"markets": [{"ticker": "odd"}], "cursor": ""}
    good, fake.routes["/historical/markets"] = fake.routes["/historical/markets"], odd
    with pytest.raises(IngestError) as asked:
        _fetched(_kalshi(fake))
    with pytest.raises(IngestError) as replayed:
        _fetched(KalshiService(replay=True))
    assert str(replayed.value) == str(asked.value)
    fake.routes["/historical/markets"] = good
    frames = _fetched(_kalshi(fake))
    _assert_replays_to(frames, AFTERWARDS)


def test_a_portal_s_404_is_replayed_as_one() -> None:
    recent = datetime(2026, 9, 1, tzinfo=UTC)
    weather = _weather(lambda request: httpx.Response(404, text="Not Found"), recent)
    said = []
    for resource in (weather, WeatherService(replay=True)):
        with (
            pytest.raises(RequestRefusedError) as error,
            resource.weather_company(KEY, "settlement") as client,
        ):
            fetch_weather_company(client, CITY, recent.date())
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (429, "Maximum concurrent jobs has been exceeded", ConcurrencyExceededError),
        (429, "Maximum daily cost exceeded", DailyCostExceededError),
    ],
)
def test_a_replay_of_a_refused_plan_waits_for_nobody_and_spends_no_other_day(
    monkeypatch: pytest.MonkeyPatch, status: int, text: str, kind: type[Exception]
) -> None:
    monkeypatch.setattr(services.time, "sleep", lambda seconds: None)

    def handle(request: httpx.Request) -> httpx.Response:
        if f"/{DAY}/" in request.url.path:
            return httpx.Response(status, text=text)
        return httpx.Response(200, json={"queryCost": 1, "days": [], "stations": {}})

    before = city_day("chicago", DAY - timedelta(days=3))
    for key in (before, KEY):
        with _weather(handle).visual_crossing(key, "forecasts") as client:
            if key == KEY:
                with pytest.raises(kind):
                    fetch_forecasts(client, CITY, key.date)
            else:
                fetch_forecasts(client, CITY, key.date)

    def never(seconds: float) -> None:
        raise AssertionError(f"slept {seconds} s")

    monkeypatch.setattr(services.time, "sleep", never)
    replay = WeatherService(replay=True)
    with pytest.raises(kind), replay.visual_crossing(KEY, "forecasts") as client:
        fetch_forecasts(client, CITY, KEY.date)
    with replay.visual_crossing(before, "forecasts") as client:
        assert fetch_forecasts(client, CITY, before.date).is_empty()


def test_a_forecast_that_had_not_been_issued_is_not_missed_by_a_later_replay() -> None:
    eve = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) - timedelta(hours=6)
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["forecastBasisDate"])
        return httpx.Response(200, json={"queryCost": 1, "days": [], "stations": {}})

    with _weather(handle, eve).visual_crossing(KEY, "forecasts") as client:
        frame = fetch_forecasts(client, CITY, DAY)
    assert asked == [f"{DAY - timedelta(days=1)}"]
    replay = WeatherService(replay=True)
    replay._clock = lambda: eve + timedelta(days=3)
    with replay.visual_crossing(KEY, "forecasts") as client:
        assert_frame_equal(fetch_forecasts(client, CITY, DAY), frame, check_exact=True)
