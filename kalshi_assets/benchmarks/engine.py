"""Speed of the engine: bracket-minutes per second on one core, decisions included.

Generated ladder-days are backtested under three fill models side by side. Here: the days, the
measurements, and that a plain second engine gives the same orders and fills of a day. Not here:
whether the engine is right in every case (its tests hold the same engine against it).
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from rich.console import Console

from kalshi_assets.benchmarks import print_figures
from kalshi_assets.benchmarks.trading_reference import reference
from kalshi_assets.config import load_toml
from kalshi_assets.instants import NEVER, as_times, microseconds_of
from kalshi_assets.ladder.brackets import Ladder
from kalshi_assets.ladder.legs import Leg
from kalshi_assets.tables import TRADES
from kalshi_assets.trading import records
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.engine import backtest
from kalshi_assets.trading.params import CONFIG_NAME, TradingParams
from kalshi_assets.trading.sensitivity import points_of, surface
from kalshi_assets.trading.strategies import Minute, Quote, Value
from kalshi_assets.trading.terms import WHOLE_CENTS, EventTerms
from kalshi_assets.units import CC_A_DOLLAR, MINUTE_US

BRACKETS, MINUTES, TRADES_A_DAY = 6, 2400, 2000
START = datetime(2026, 6, 1, 14, tzinfo=UTC)
# Least edges at which about 400 and 4,000 orders a day are sent.
QUIET_EDGE, BUSY_EDGE = 3.7, 0.45
DAYS, REPEATS = 20, 5
GRID_POINTS, GRID_DAYS, CORES = 100, 100, 2


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Files of one generated day, as the lake has them: sorted columns of a panel and of a tape."""

    panel: Path
    trades: Path


def run_engine_bench(console: Console, *, as_json: bool) -> None:
    """Measure and print a table, or one JSON object."""
    progress = Console(stderr=True, quiet=as_json)
    progress.print("generating days ...")
    quiet = [generated_day(seed, QUIET_EDGE) for seed in range(DAYS)]
    busy = [generated_day(seed, BUSY_EDGE) for seed in range(DAYS)]
    progress.print("the second engine ...")
    reference_s = _reference_seconds(quiet[0])
    progress.print("engine ...")
    rows = BRACKETS * MINUTES
    figures = {
        "orders_a_day": _orders(quiet[0]),
        "orders_a_day_busy": _orders(busy[0]),
        "bracket_minutes_per_s": rows / _seconds(_engine, quiet),
        "bracket_minutes_per_s_busy": rows / _seconds(_engine, busy),
        "speedup_vs_reference": reference_s / _seconds(_engine, quiet[:1]),
        "columns_only_per_s": rows / _seconds(_columns_only, quiet),
    }
    figures["times_columns_only"] = figures["columns_only_per_s"] / figures["bracket_minutes_per_s"]
    with tempfile.TemporaryDirectory(prefix="kalshi-engine-") as folder:
        stored = [_stored(Path(folder), number, day) for number, day in enumerate(quiet)]
        figures["from_parquet_to_frames_per_s"] = rows / _seconds(_frames, stored)
    progress.print("a strategy in plain Python ...")
    figures["python_strategy_per_s"] = rows / _seconds(_by_minute, quiet)
    progress.print(f"{GRID_POINTS} points x {GRID_DAYS} days on {CORES} cores ...")
    for name, edge in (("", QUIET_EDGE), ("_busy", BUSY_EDGE)):
        figures[f"sensitivity_grid{name}_s"] = _grid_seconds(edge)
    progress.print("kernels from the cache, in a new process ...")
    figures["first_run_s"] = _first_run_seconds()
    rounded = {name: round(value, 2) for name, value in figures.items()}
    print_figures(console, "engine: three fill models, one core", rounded, as_json=as_json)


def _orders(day: TradingDay) -> float:
    return float(len(backtest(day, (Value(),))[0].desk.orders))


Day = TypeVar("Day")


def _seconds(run: Callable[[Day], object], days: Sequence[Day]) -> float:
    """Least time of a day over repetitions; the first run compiles or loads."""
    run(days[0])
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for day in days:
            run(day)
        times.append((time.perf_counter() - began) / len(days))
    return min(times)


def _engine(day: TradingDay) -> object:
    return backtest(day, (Value(),))


def _reference_seconds(day: TradingDay) -> float:
    """What the second engine takes for a day.

    Raises
    ------
    RuntimeError
        It does not give the same orders and fills.
    """
    began = time.perf_counter()
    expected = reference(day, ("value",))
    took = time.perf_counter() - began
    runs = backtest(day, (Value(),))
    found = {"orders": records.orders(day, runs), "fills": records.fills(day, runs, None)}
    for name, frame in found.items():
        columns = expected[name].columns
        if not frame.select(columns).sort(columns).equals(expected[name].sort(columns)):
            raise RuntimeError(f"the engines disagree on the {name}: see test_reference.py")
    return took


def _by_minute(day: TradingDay) -> object:
    return backtest(day, (EveryMinute(),))


def _columns_only(day: TradingDay) -> object:
    """Read every input column and write every output column, once."""
    size = day.panel.height
    return [column.copy() for column in day.rows] + [np.ones(size, np.int32) for _ in range(5)]


def _stored(folder: Path, number: int, day: TradingDay) -> tuple[Inputs, TradingDay]:
    files = Inputs(panel=folder / f"{number}.parquet", trades=folder / f"{number}-trades.parquet")
    day.panel.write_parquet(files.panel)
    tickers = pl.Series(day.markets)
    pl.DataFrame(
        {
            "trade_id": pl.Series(range(len(day.tape.at))).cast(pl.String),
            "market_ticker": tickers.gather(day.tape.bracket.astype(np.int64)),
            "event_time": as_times(day.tape.at),
            "yes_price_cc": day.tape.price,
            "count": day.tape.quantity / 100,
            "taker_side": pl.Series(["no", "yes"]).gather((day.tape.sign > 0).astype(np.int64)),
            "is_block_trade": pl.Series([False]).new_from_index(0, len(day.tape.at)),
        }
    ).write_parquet(files.trades)
    return files, day


def _frames(stored: tuple[Inputs, TradingDay]) -> object:
    files, day = stored
    read = TradingDay.of(
        pl.read_parquet(files.panel), pl.read_parquet(files.trades), day.terms, day.params
    )
    runs = backtest(read, (Value(),))
    return (
        records.decisions(read, runs),
        records.orders(read, runs),
        records.fills(read, runs, None),
    )


def _grid_seconds(edge: float) -> float:
    """Seconds of a sensitivity grid, without the generation of days."""
    points = points_of(
        {
            "value.reduce_min_edge_cents": [edge + 0.1 * step for step in range(GRID_POINTS // 10)],
            "latency_s": [0, 5, 15, 30, 60, 90, 120, 180, 300, 600],
        }
    )
    seeds = [range(core, GRID_DAYS, CORES) for core in range(CORES)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(CORES, mp_context=context) as pool:
        return max(pool.map(_surfaces, seeds, [edge] * CORES, [points] * CORES))


def _surfaces(seeds: Iterable[int], edge: float, points: Sequence[dict[str, Any]]) -> float:
    days = [generated_day(seed, edge) for seed in seeds]
    surface(days[0], None, points[:1], (Value(),))
    began = time.perf_counter()
    for day in days:
        surface(day, None, points, (Value(),))
    return time.perf_counter() - began


def _first_run_seconds() -> float:
    """What a new process takes for its first day more than for its second, kernels cached."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_first_less_second).result()


def _first_less_second() -> float:
    day = generated_day(0, QUIET_EDGE)
    times = []
    for _ in range(2):
        began = time.perf_counter()
        _engine(day)
        times.append(time.perf_counter() - began)
    return times[0] - times[1]


class EveryMinute:
    """A strategy in plain Python: bids a cent of edge where the gates allow it."""

    name = "every_minute"

    def quotes(self, now: Minute) -> Iterable[Quote]:
        """At most one order, in the bracket of the greatest edge."""
        best, edge = -1, 0.01
        for bracket, allowed in enumerate(now.allowed):
            if allowed:
                gain = now.p_used[bracket] - now.ask_cc[bracket] / CC_A_DOLLAR
                if gain > edge:
                    best, edge = bracket, gain
        return (Quote(best, "bid", int(now.bid_cc[best])),) if best >= 0 else ()


def minute_of(minute: int) -> datetime:
    """The instant of a minute of a generated day."""
    return START + timedelta(minutes=minute)


def generated_day(seed: int, edge_cents: float, *, minutes: int = MINUTES) -> TradingDay:
    """A day of six brackets whose quotes follow a random walk.

    Parameters
    ----------
    seed
        Of the random numbers.
    edge_cents
        Least edge of a maker's order: the lower, the more orders.
    minutes
        Length of the day.
    """
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, 0.02, (BRACKETS, minutes)), axis=1)
    walk += random.normal(0, 1, (BRACKETS, 1))
    p = np.exp(walk) / np.exp(walk).sum(axis=0)
    believed = walk + 0.15 * _autoregressive(random, (BRACKETS, minutes))
    calibrated = np.exp(believed) / np.exp(believed).sum(axis=0)
    bid = np.clip(np.floor(100 * p - 0.5), 1, 97) * 100
    ask = bid + 100 * random.integers(1, 4, bid.shape)
    instants = microseconds_of(START) + MINUTE_US * np.arange(minutes)
    tickers = [f"GENERATED-B{bracket}" for bracket in range(BRACKETS)]
    size = BRACKETS * minutes
    panel = pl.DataFrame(
        {
            "market_ticker": np.repeat(tickers, minutes),
            "bracket": pl.Series(np.repeat(np.arange(BRACKETS), minutes), dtype=pl.Int8),
            "minute": as_times(np.tile(instants, BRACKETS)),
            "known_at": as_times(np.tile(instants, BRACKETS)),
            "bid_cc": pl.Series(bid.ravel(), dtype=pl.Int32),
            "ask_cc": pl.Series(ask.ravel(), dtype=pl.Int32),
            "quote_source": ["recorded"] * size,
            "quote_age_s": np.zeros(size),
            "volume_1m": random.integers(0, 60, size).astype(np.float64),
            "volume_15m": np.full(size, 400.0),
            "low_1m_cc": pl.Series(bid.ravel(), dtype=pl.Int32),
            "high_1m_cc": pl.Series(ask.ravel(), dtype=pl.Int32),
            "minutes_to_close": np.tile(np.arange(minutes)[::-1], BRACKETS),
            "p_mkt": p.ravel(),
            "market_valid": [True] * size,
            "p_calibrated": calibrated.ravel(),
            "impossible": [False] * size,
            "veto": [""] * size,
            "relative_acceleration": random.normal(0, 1, size),
            "velocity_5m": random.normal(0, 0.01, size),
            "flow_percentile": random.random(size),
            "pressure": [None] * size,
            **{f"p_{way}_{h}m": random.random(size) / 2 for way in ("up", "down") for h in (1, 5)},
        },
        schema_overrides={"pressure": pl.Float64},
    )
    params = _params()
    value = params.value.model_copy(
        update={
            "maker_min_edge_cents": edge_cents,
            "taker_min_edge_cents": edge_cents + 1.0,
            "reduce_min_edge_cents": edge_cents,
        }
    )
    params = params.model_copy(
        update={
            "value": value,
            "move": params.move.model_copy(
                update={"min_signal": 0.5, "maker_min_move_cents": 0.2, "taker_min_move_cents": 0.4}
            ),
            "max_position_contracts": 100_000,
            "max_ladder_loss_cc": 10**10,
            "max_daily_loss_cc": 10**10,
        }
    )
    terms = EventTerms(
        event="GENERATED",
        ladder=Ladder(tuple(_legs(tickers))),
        fee_type="quadratic",
        fee_multiplier=1.0,
        close=int(instants[-1]),
        fee_from=(NEVER,) * BRACKETS,
        tick_grids=(WHOLE_CENTS,) * BRACKETS,
    )
    trades = _trades(random, tickers, instants, bid, ask)
    return TradingDay.of(panel, trades, terms, params)


def _autoregressive(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    noise = random.normal(0, 1, shape)
    for minute in range(1, shape[1]):
        noise[:, minute] = 0.95 * noise[:, minute - 1] + 0.31 * noise[:, minute]
    return noise


def _legs(tickers: Sequence[str]) -> Iterable[Leg]:
    for bracket, ticker in enumerate(tickers):
        lo = None if bracket == 0 else 60 + 2 * bracket
        hi = None if bracket == len(tickers) - 1 else 61 + 2 * bracket
        yield Leg(market_ticker=ticker, lo=lo, hi=hi)


def _trades(
    random: np.random.Generator,
    tickers: Sequence[str],
    instants: np.ndarray,
    bid: np.ndarray,
    ask: np.ndarray,
) -> pl.DataFrame:
    bracket = random.integers(0, BRACKETS, TRADES_A_DAY)
    at = np.sort(random.integers(instants[0], instants[-1], TRADES_A_DAY))
    minute = (at - instants[0]) // MINUTE_US
    buys = random.random(TRADES_A_DAY) < 0.5
    price = np.where(buys, ask[bracket, minute], bid[bracket, minute])
    price += 100 * random.integers(-1, 2, TRADES_A_DAY)
    return pl.DataFrame(
        {
            "trade_id": [f"{n:06}" for n in range(TRADES_A_DAY)],
            "market_ticker": np.array(tickers)[bracket],
            "event_time": as_times(at),
            "known_at": as_times(at),
            "yes_price_cc": np.clip(price, 100, 9900),
            "count": random.integers(1, 200, TRADES_A_DAY).astype(np.float64),
            "taker_side": np.where(buys, "yes", "no"),
            "is_block_trade": [False] * TRADES_A_DAY,
            "raw_sha256": [""] * TRADES_A_DAY,
        },
        schema_overrides=TRADES.dtypes,
    )


@cache
def _params() -> TradingParams:
    defaults = load_toml(CONFIG_NAME)["defaults"]
    return TradingParams(**{name: defaults[name] for name in TradingParams.model_fields})
