"""A shadow session decides what the backtest of the same day decides."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.benchmarks.session_day import DAY
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake, MissingPartitionError
from kalshi_assets.live.clock import MovedClock
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.journals import SessionJournals, last_beat_us
from kalshi_assets.live.kill_switch import Switch, write_switch
from kalshi_assets.live.ladder_session import LadderSession
from kalshi_assets.live.opening import page_name, session_name
from kalshi_assets.performance.promotion import may_trade_live
from kalshi_assets.pipeline.live import LIVE_STEPS
from kalshi_assets.pipeline.promotion import judge_shadow
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.tables import (
    CALIBRATORS,
    DECISIONS,
    EVENTS,
    FILLS,
    LIVE_DECISIONS,
    LIVE_FILLS,
    LIVE_ORDERS,
    LIVE_SESSIONS,
    OF_SESSIONS,
    ORDERS,
)
from kalshi_assets.tables.live import TRADING_ENDED
from kalshi_assets.trading.parity import parity
from kalshi_assets_tests.live.worlds import BUSY, opened

NAME = session_name([DAY])


def event_of(lake: Lake) -> str:
    return str(lake.read(EVENTS, DAY)["event_ticker"][0])


def must_be_the_backtest(lake: Lake) -> None:
    found = SessionJournals(lake.files).of_event(event_of(lake))
    compared = parity(found[LIVE_DECISIONS], lake.read(DECISIONS, DAY))
    assert compared["cause"].to_list() == ["equal"] * 3
    for live, backtest in ((LIVE_ORDERS, ORDERS), (LIVE_FILLS, FILLS)):
        # Gains are known with the settlement alone.
        expected = lake.read(backtest, DAY).drop("pnl_cc", strict=False)
        assert_frame_equal(found[live].select(expected.columns), expected)


def test_a_session_decides_orders_and_fills_as_the_backtest_does(archive: Path, lake: Lake) -> None:
    with opened(archive, lake, minutes_left=12) as opening:
        assert opening.run_shadow([DAY]) == TRADING_ENDED
    assert lake.read(ORDERS, DAY).height > 50
    must_be_the_backtest(lake)


def test_the_journal_says_what_was_loaded_and_how_it_ended(archive: Path, lake: Lake) -> None:
    with opened(archive, lake, minutes_left=3) as opening:
        opening.run_shadow([DAY])
    row = SessionJournals(lake.files).of_event(event_of(lake))[LIVE_SESSIONS].row(0, named=True)
    assert row["end_reason"] == TRADING_ENDED
    assert row["failures"] == 0
    for loaded in ("probability.mc_params", "learning.calibrators", "trading.toml"):
        assert loaded in row["versions"]
    assert last_beat_us(lake.files, NAME) is not None


class StoppedClock(MovedClock):
    """It is stopped after five minutes, as by a signal."""

    def wait_until(self, at_us: int) -> None:
        self.waits = getattr(self, "waits", 0) + 1
        if self.waits == 5:
            self.stop("SIGTERM")
        super().wait_until(at_us)


def test_a_session_that_was_stopped_goes_on_where_it_ended(archive: Path, lake: Lake) -> None:
    with opened(archive, lake, minutes_left=12, clock=StoppedClock) as opening:
        assert opening.run_shadow([DAY]) == "stopped: SIGTERM"
    with Journal.of(lake.files, NAME, clock_us=lambda: 0) as journal:
        before = journal.decisions().height
        assert journal.session().end_reason == "stopped: SIGTERM"
    with opened(archive, lake, minutes_left=6) as opening:
        assert opening.run_shadow([DAY]) == TRADING_ENDED
    with Journal.of(lake.files, NAME, clock_us=lambda: 0) as journal:
        assert journal.decisions().height > before
    must_be_the_backtest(lake)


def test_a_killed_session_leaves_a_journal_that_is_whole_and_goes_on(
    archive: Path, lake: Lake, tmp_path: Path
) -> None:
    with opened(archive, lake, minutes_left=12, clock=StoppedClock) as opening:
        opening.run_shadow([DAY])
    # What kill -9 leaves: the files as they were between two writes, and no end of the session.
    with sqlite3.connect(lake.files.address(f"live/{NAME}.journal.sqlite")) as db:
        db.execute("UPDATE session SET ended_at_us = NULL, end_reason = NULL")
    db.close()
    with opened(archive, lake, minutes_left=4) as opening:
        assert opening.run_shadow([DAY]) == TRADING_ENDED
    must_be_the_backtest(lake)


def test_a_failing_weather_service_closes_the_gates_and_not_the_session(
    archive: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(archive, lake, minutes_left=60 * 6) as opening:
        monkeypatch.setenv("VISUAL_CROSSING_URL", "http://127.0.0.1:9")
        opening.clock.stop("enough")
        assert opening.run_shadow([DAY]) == "stopped: enough"
    with Journal.of(lake.files, NAME, clock_us=lambda: 0) as journal:
        decisions = journal.decisions()
        unread = journal.events("not_read")
    assert {each["table"] for each in unread} == {"weather.observations", "weather.forecasts"}
    assert decisions.height > 0
    assert decisions.filter(reason="trade").is_empty()
    allowed = decisions.filter(strategy="value", reason="hazard_unknown")
    assert allowed.height > 0


def test_a_ladder_that_fails_is_journaled_and_the_others_go_on(
    archive: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance, calls = LadderSession.advance, []

    def fails_once(self: LadderSession, now_us: int) -> object:
        calls.append(now_us)
        if len(calls) == 2:
            raise ZeroDivisionError("of this test")
        return advance(self, now_us)

    monkeypatch.setattr(LadderSession, "advance", fails_once)
    with opened(archive, lake, minutes_left=6) as opening:
        assert opening.run_shadow([DAY]) == TRADING_ENDED
    with Journal.of(lake.files, NAME, clock_us=lambda: 0) as journal:
        (failed,) = journal.events("ladder_failed")
    assert failed["error"] == "ZeroDivisionError: of this test"
    must_be_the_backtest(lake)


def test_a_ladder_that_never_ends_is_given_up_some_hours_after_its_day(
    archive: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: LadderSession, now_us: int) -> object:
        raise ZeroDivisionError("of this test")

    monkeypatch.setattr(LadderSession, "advance", fails)
    with opened(archive, lake, minutes_left=1) as opening:
        assert opening.run_shadow([DAY]) == f"given up: {DAY}"
    with Journal.of(lake.files, NAME, clock_us=lambda: 0) as journal:
        assert 300 < len(journal.events("ladder_failed")) < 400


def test_the_page_shows_the_kill_switch_as_it_is(archive: Path, lake: Lake) -> None:
    for on in (True, False):
        write_switch(lake.files, Switch(on=on))
        with opened(archive, lake, minutes_left=1) as opening:
            opening.run_shadow([DAY])
        page = lake.files.read(page_name(NAME)).decode()
        assert f'"kill_switch": "{"on" if on else "off"}"' in page


def test_a_missing_fit_refuses_the_session_and_says_how_to_make_it(
    archive: Path, filled: Lake, tmp_path: Path
) -> None:
    lake = Lake(Files(tmp_path), filled.family)
    lake.write(EVENTS, DAY, filled.read(EVENTS, DAY))
    with (
        opened(archive, lake, minutes_left=3) as opening,
        pytest.raises(MissingPartitionError, match="kalshi-assets backfill --city new_york"),
    ):
        opening.run_shadow([DAY])
    assert not lake.has(CALIBRATORS, DAY)


@pytest.mark.slow
def test_hours_minute_by_minute_are_the_backtest(archive: Path, lake: Lake) -> None:
    with opened(archive, lake, minutes_left=300) as opening:
        assert opening.run_shadow([DAY]) == TRADING_ENDED
    must_be_the_backtest(lake)
    decisions = SessionJournals(lake.files).of_event(event_of(lake))[LIVE_DECISIONS]
    late = decisions["recorded_at"] - decisions["minute"]
    recent = decisions["minute"] > decisions["minute"].max() - timedelta(hours=4)
    assert late.filter(recent).max() < timedelta(minutes=3)


class HourClock(MovedClock):
    """It is stopped after an hour."""

    def wait_until(self, at_us: int) -> None:
        self.waits = getattr(self, "waits", 0) + 1
        if self.waits == 60:
            self.stop("an hour")
        super().wait_until(at_us)


def test_promotion_counts_fills_of_orders_that_were_decided_in_time(
    archive: Path, lake: Lake
) -> None:
    with opened(archive, lake, minutes_left=BUSY - 60, clock=HourClock) as opening:
        opening.run_shadow([DAY])
    journals = {"journals": SessionJournals(lake.files)}
    Runner(lake, LIVE_STEPS, journals, lambda: 0.0).make(DAY, OF_SESSIONS)
    rows = judge_shadow(lake, strategy="value", end=DAY.date)
    found = dict(rows.select("test", "found").iter_rows())
    began = lake.read(LIVE_SESSIONS, DAY)["started_at"].item() - timedelta(minutes=6)
    of_run = {"strategy": "value", "fill_model": "through"}
    timely = lake.read(LIVE_ORDERS, DAY).filter(**of_run).filter(pl.col("decided_at") > began)
    every = lake.read(LIVE_FILLS, DAY).filter(**of_run)
    fills = every.join(timely.select("order_id"), on="order_id", how="semi")
    assert 0 < fills.height < every.height
    assert found["fills"] == fills.height
    assert found["days"] == found["ladder_days"] == 1
    # The same fills, with what they paid, are in the backtest.
    paid = lake.read(FILLS, DAY).filter(**of_run)
    paid = paid.join(fills.select("order_id", "fill"), on=["order_id", "fill"], how="semi")
    price = pl.when(pl.col("side") == "bid").then("price_cc").otherwise(10_000 - pl.col("price_cc"))
    cost = paid.select((price * pl.col("contracts")).sum()).item()
    assert found["net_bps"] == pytest.approx(10_000 * paid["pnl_cc"].sum() / cost)
    assert found["realised_share"] is not None
    assert not may_trade_live(rows)
