"""Speed of a session's minute: from the minute's facts in memory to its decisions.

A generated day with a new observation every five minutes is told to sessions as it became known,
without services: asking them is not measured. Decisions are compared with the backtest's before
any figure is given. Here: the measurements. Not here: the day (`session_day`), printing
(`bench live`).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
from prometheus_client.process_collector import ProcessCollector

from kalshi_assets.benchmarks.session_day import DAY, fill_lake, write_world
from kalshi_assets.commands.services import environment
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.wire_orders import Refused
from kalshi_assets.instants import as_times, microseconds_of
from kalshi_assets.lake.store import Lake
from kalshi_assets.learning.classifiers.store import ModelStore
from kalshi_assets.live.clock import MovedClock
from kalshi_assets.live.day_so_far import DaySoFar, session_steps
from kalshi_assets.live.exchange_ladder import ExchangeLadder
from kalshi_assets.live.facts import LadderFacts
from kalshi_assets.live.gateway import Gateway
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.ladder_session import LadderSession, Said
from kalshi_assets.live.session import SETTLE_US, ShadowSession
from kalshi_assets.live.status import Board
from kalshi_assets.pipeline.graph import FAMILIES
from kalshi_assets.tables import (
    CANDLES,
    DECISIONS,
    EVENTS,
    FILLS,
    LIVE_DECISIONS,
    ORDERS,
    TRADES,
    Table,
)
from kalshi_assets.trading.parity import parity
from kalshi_assets.trading.strategies import SHIPPED, Value
from kalshi_assets.units import MINUTE_US

BUSY = 15 * 60
"""Minutes before the close at which the day is busiest."""
AT_AN_EXCHANGE = 3 * 60
CITIES, ROUNDS = 24, 11
"""Ladders side by side, and their minutes: at least two have a new observation."""
WARM_UP = 60
"""Minutes before memory is read first."""
_FAMILY, _STEPS = FAMILIES[DAY.family]
_PLAN = session_steps(_FAMILY, _STEPS)


@dataclass(frozen=True, kw_only=True)
class Length:
    """How much is measured: minutes in shadow, of an account, ladders and their minutes.

    Those in shadow are the last of the day; a session catches up on all before at its first.
    """

    shadow: int = BUSY
    exchange: int = AT_AN_EXCHANGE
    ladders: int = CITIES
    rounds: int = ROUNDS


def minute_figures(folder: Path) -> dict[str, float]:
    """Generate a day in a folder and measure its minutes; see `figures_of`."""
    write_world(folder / "world")
    return figures_of(fill_lake(folder / "world", folder / "data"), folder / "world", Length())


def figures_of(lake: Lake, world: Path, length: Length) -> dict[str, float]:
    """Measure the minutes of the day of `session_day`.

    Parameters
    ----------
    lake, world
        The day's lake, and the folder of its trading parameters.
    length
        How much is measured.

    Returns
    -------
    dict
        Seconds of a minute in shadow (every strategy under every fill model) and of an account
        (one strategy), of 24 ladders one after another, and growth of memory.

    Raises
    ------
    RuntimeError
        A decision is not the backtest's.
    """
    with environment({"KALSHI_ASSETS_CONFIG": str(world)}):
        return _in_shadow(lake, length) | _of_an_account(lake, length) | _side_by_side(lake, length)


class KnownFacts:
    """The facts of the day as they became known; it answers as the exchange's client does."""

    def __init__(self, lake: Lake) -> None:
        closes: datetime = lake.read(EVENTS, DAY).select(pl.max("close_time")).item()
        self.closes_us = microseconds_of(closes)
        tables = [table for step in _PLAN.fetched for table in step.makes]
        self._told = {table: lake.read(table, DAY) for table in tables}
        self._candles, self._trades = (lake.read(table, DAY) for table in (CANDLES, TRADES))
        self.asked_s = 0.0

    def of_services(self, now_us: int) -> Mapping[Table, pl.DataFrame]:
        """What steps that read services would have found."""
        at = as_times(np.array([now_us]))[0]
        return {t: frame.filter(pl.col("known_at") <= at) for t, frame in self._told.items()}

    def batch_candles(self, tickers: list[str], start: datetime, end: datetime) -> pl.DataFrame:
        """As of the client."""
        return self._window(self._candles, start, end)

    def event_trades(self, tickers: list[str], start: datetime, end: datetime) -> pl.DataFrame:
        """As of the client."""
        return self._window(self._trades, start, end)

    def _window(self, frame: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
        began = time.perf_counter()
        found = frame.filter((pl.col("event_time") >= start) & (pl.col("known_at") <= end))
        self.asked_s += time.perf_counter() - began
        return found

    def seconds(self, began: float) -> float:
        """Seconds since `began` that were not spent here, and none from now on."""
        spent, self.asked_s = time.perf_counter() - began - self.asked_s, 0.0
        return spent


def _ladder(lake: Lake, known: KnownFacts) -> tuple[DaySoFar, LadderFacts]:
    services = {"models": ModelStore(lake.files)}
    day = DaySoFar(DAY, _FAMILY, _STEPS, lake, services, lambda text: None)
    facts = LadderFacts(
        day,
        (),
        {},
        cast(KalshiClient, known),
        weather_every_us=0,
        failed=_fail,
        errors=(),
    )
    return day, facts


def _fail(name: str, error: Exception) -> None:
    raise RuntimeError(f"{name} was not read: {error}") from error


class TimedLadder(LadderSession):
    """A ladder in shadow that notes what its minutes take, seconds, and those of the processor."""

    def __init__(self, lake: Lake, known: KnownFacts) -> None:
        super().__init__(*_ladder(lake, known), SHIPPED)
        self._known = known
        self.took_s: list[float] = []
        self.cpu_s: list[float] = []

    def advance(self, now_us: int) -> Said | None:
        facts, worked = self._known.of_services(now_us), time.process_time()
        self._known.asked_s, began = 0.0, time.perf_counter()
        for table, frame in facts.items():
            self.day.tell(table, frame)
        said = super().advance(now_us)
        self.took_s.append(self._known.seconds(began))
        self.cpu_s.append(time.process_time() - worked)
        return said


def _in_shadow(lake: Lake, length: Length) -> dict[str, float]:
    """The last hours of the day, with journal and board, against the backtest."""
    known = KnownFacts(lake)
    ladder = TimedLadder(lake, known)
    clock = MovedClock(known.closes_us - length.shadow * MINUTE_US + SETTLE_US)
    memory_mb: list[float] = []
    with Journal.of(lake.files, "bench-shadow", clock_us=clock.now_us) as journal:
        journal.begin("bench-shadow", account="bench", mode="shadow", versions={})
        board = Board("bench-shadow", "shadow", clock.now_us())
        began = time.perf_counter()
        ShadowSession(
            {DAY: ladder}, journal, clock, board, lambda *_: memory_mb.append(_resident_mb())
        ).run()
        took_s = time.perf_counter() - began
        if failed := journal.events("ladder_failed"):
            raise RuntimeError(f"a minute failed: {failed[0]}")
        _compare(lake, journal)
    minutes, at = ladder.took_s[1:], min(WARM_UP, len(memory_mb) - 1)
    return {
        "minutes": len(minutes),
        **_figures("minute_decision", minutes),
        **_figures("minute_decision_cpu", ladder.cpu_s[1:]),
        "catch_up_s": round(ladder.took_s[0], 4),
        "session_minutes_per_s": round(len(memory_mb) / took_s, 2),
        "rss_minutes": len(memory_mb) - 1 - at,
        "rss_growth_mb": round(memory_mb[-1] - memory_mb[at], 1),
        "rss_growth_second_half_mb": round(memory_mb[-1] - memory_mb[len(memory_mb) // 2], 1),
    }


def _compare(lake: Lake, journal: Journal) -> None:
    """Every decision, order and fill is the backtest's, else a RuntimeError."""
    decided = journal.frame("decisions").with_columns(session_id=pl.lit("bench"))
    causes = parity(decided.select(list(LIVE_DECISIONS.dtypes)), lake.read(DECISIONS, DAY))
    if causes["cause"].to_list() != ["equal"] * len(SHIPPED):
        raise RuntimeError(f"decisions are not the backtest's: {causes.to_dicts()}")
    for table, name in ((ORDERS, "simulated_orders"), (FILLS, "simulated_fills")):
        expected = lake.read(table, DAY).drop("pnl_cc", strict=False)
        if not journal.frame(name).select(expected.columns).sort(table.key).equals(expected):
            raise RuntimeError(f"the {name} are not the backtest's")


class Refusing:
    """In place of the gateway: it sends nothing."""

    def place(self, intent: object) -> Refused:
        """Refuse an order."""
        return Refused(code="not_sent", message="a benchmark")

    def cancel(self, client_order_id: str, reason: str) -> None:
        """Nothing rests."""


def _of_an_account(lake: Lake, length: Length) -> dict[str, float]:
    """One strategy whose orders go to a gateway."""
    known = KnownFacts(lake)
    began_us = known.closes_us - BUSY * MINUTE_US + SETTLE_US
    seconds: list[float] = []
    found: list[pl.DataFrame] = []
    with Journal.of(lake.files, "bench-account", clock_us=lambda: began_us) as journal:
        journal.begin("bench-account", account="bench", mode="demo", versions={})
        day, facts = _ladder(lake, known)
        ladder = ExchangeLadder(day, facts, Value(), journal, "bench")
        for minute in range(length.exchange):
            now_us = began_us + minute * MINUTE_US
            told = known.of_services(now_us)
            known.asked_s, began = 0.0, time.perf_counter()
            for table, frame in told.items():
                day.tell(table, frame)
            decided = ladder.advance(now_us, cast(Gateway, Refusing()))
            seconds.append(known.seconds(began))
            assert decided is not None, "a minute was not decided"
            found.append(decided)
    _must_rest_on_the_same(pl.concat(found), lake.read(DECISIONS, DAY))
    return _figures("minute_decision_account", seconds[1:])


def _must_rest_on_the_same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """What was known is the backtest's: without fills decisions differ, probabilities do not."""
    key = ["strategy", "market_ticker", "minute"]
    columns = [*key, "known_at", "p_mkt", "p_used"]
    same = expected.join(found.select(key), on=key, how="semi").select(columns).sort(key)
    if not found.select(columns).sort(key).equals(same):
        raise RuntimeError("what an account's decisions rest on is not what the backtest's do")


def _side_by_side(lake: Lake, length: Length) -> dict[str, float]:
    """Many ladders' minute, one after another; the day of each is the same."""
    known = KnownFacts(lake)
    ladders = [TimedLadder(lake, known) for _ in range(length.ladders)]
    now_us = known.closes_us - BUSY * MINUTE_US + SETTLE_US
    for ladder in ladders:
        ladder.advance(now_us)
    rounds = []
    for _ in range(length.rounds):
        now_us += MINUTE_US
        for ladder in ladders:
            ladder.advance(now_us)
        rounds.append(sum(ladder.took_s[-1] for ladder in ladders))
    return {
        f"ladders_{length.ladders}_p50_s": round(float(np.median(rounds)), 4),
        f"ladders_{length.ladders}_s": round(max(rounds), 4),
    }


def _figures(name: str, seconds: list[float]) -> dict[str, float]:
    return {
        f"{name}_p{percent}_s": round(float(np.percentile(seconds, percent)), 5)
        for percent in (50, 99)
    }


def _resident_mb() -> float:
    """Memory of this process in MB; NaN where the system does not tell."""
    for metric in ProcessCollector(registry=None).collect():
        if metric.name == "process_resident_memory_bytes":
            return float(metric.samples[0].value) / 1e6
    return float("nan")
