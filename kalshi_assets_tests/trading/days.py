"""Generated days that reach every gate, every limit and every end of an order."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.instants import NEVER, as_times
from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.ladder.brackets import Ladder
from kalshi_assets.ladder.legs import Leg
from kalshi_assets.tables import TRADES
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.params import TradingParams, overridden
from kalshi_assets.trading.terms import WHOLE_CENTS, EventTerms
from kalshi_assets.units import MINUTE_US, SECOND_US

START = 1_780_322_400_000_000
"""A full hour."""

DECI_CENTS = "[[0, 1000, 10], [1000, 9000, 100], [9000, 10000, 10]]"
_DEFAULTS = load_toml("trading.toml")["defaults"]
_SHIPPED = {name: _DEFAULTS[name] for name in TradingParams.model_fields}
_LIVELY: dict[str, Any] = {
    "min_volume_15m": 5,
    "max_ladder_loss_cc": 10**9,
    "max_daily_loss_cc": 10**9,
    "value": {
        "adverse_selection_cents": 0.1,
        "maker_min_edge_cents": 0.3,
        "taker_min_edge_cents": 1.5,
        "reduce_min_edge_cents": 0.5,
    },
    "move": {
        "weight_pressure": 0.0,
        "min_signal": 0.3,
        "maker_min_move_cents": 0.1,
        "taker_min_move_cents": 0.2,
    },
    "sets": {"set_min_edge_cents": 0.0},
}


def params(**changes: Any) -> TradingParams:
    """The shipped defaults with changes; those of strategies are changed key by key."""
    return TradingParams(**overridden(_SHIPPED, changes))


def lively(**changes: Any) -> TradingParams:
    """Parameters under which much is sent, with changes."""
    return TradingParams(**overridden(overridden(_SHIPPED, _LIVELY), changes))


def drawn_params(random: np.random.Generator) -> TradingParams:
    """Parameters drawn from those that matter: limits that bind, every latency."""

    def one(*values: Any) -> Any:
        return values[random.integers(len(values))]

    least = float(one(0.2, 0.6))
    return lively(
        min_probability=one(0.02, 0.1),
        max_spread_cents=one(3.0, 4.1, 8.0),
        honesty=one(0.4, 0.9, 1.0),
        order_contracts=one(1, 7, 25, 300),
        max_position_contracts=one(5, 40, 1000),
        bankroll_cc=one(200_000, 5_000_000, 10**9),
        kelly_fraction=one(0.1, 0.25, 1.0),
        max_open_orders=one(1, 3, 50),
        max_orders_a_bracket=one(1, 2, 5),
        max_orders_a_minute=one(1, 4, 100),
        collar_cents=one(0.4, 2.0, 10.0),
        max_ladder_loss_cc=one(20_000, 300_000, 10**9),
        max_daily_loss_cc=one(50_000, 10**9),
        order_lifetime_s=one(45, 120, 300, 3600),
        latency_s=one(0, 1, 30, 60, 90),
        last_minutes_without_orders=one(2, 5),
        volume_share=one("0.07", "0.29", "1"),
        displayed_contracts=one(0, 3, 50),
        touch_share=one("0.1", "0.57", "1"),
        queue_ahead_contracts=one(0, 3.5, 200),
        value={
            "adverse_selection_cents": one(0.0, 0.3),
            "slippage_cents": one(0, 0.5, 1, 40),
            "maker_min_edge_cents": least,
            "taker_min_edge_cents": least + one(0.3, 2.0),
            "reduce_min_edge_cents": one(-0.7, 0.1, 1.0),
        },
        move={
            "weight_ras": one(0.0, 1.0),
            "weight_velocity": one(0.5, 1.0),
            "weight_flow": one(0.0, 0.7),
            "weight_pressure": one(0.0, 0.0, 0.5),
            "min_signal": one(0.0, 0.5),
            "horizon_minutes": one(1, 5),
            "maker_min_move_cents": one(0.05, 0.3),
            "taker_min_move_cents": one(0.01, 0.5),
            "maker_offset_ticks": one(-2, 0, 1, 3),
            "slippage_cents": one(0, 1, 40),
        },
        sets={"set_min_edge_cents": one(0.0, 1.0)},
    )


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a generated day is like.

    Attributes
    ----------
    minutes, brackets
        Its size.
    nested
        Whether the legs are thresholds.
    trades
        Length of the tape; 0: none, so that it is made of the minutes.
    spoilt
        Share of rows with a value that is not known or forbids orders.
    fee_type, schedule
        Terms of fees.
    """

    minutes: int = 150
    brackets: int = 5
    nested: bool = False
    trades: int = 1500
    spoilt: float = 0.04
    fee_type: str = "quadratic"
    schedule: str = "direct"


def drawn_shape(random: np.random.Generator) -> Shape:
    """One of all the kinds of days."""
    types = ["quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees"]
    return Shape(
        minutes=int(random.choice([40, 120, 170])),
        brackets=int(random.integers(2, 7)),
        nested=bool(random.random() < 0.3),
        trades=int(random.choice([0, 200, 2500])),
        spoilt=float(random.choice([0.0, 0.02, 0.15])),
        fee_type=str(random.choice(types)),
        schedule=str(random.choice(["direct", "direct", "broker", "conservative"])),
    )


def generated_day(
    seed: int, of: TradingParams | None = None, shape: Shape | None = None
) -> TradingDay:
    """A day of quotes that follow a random walk.

    Parameters
    ----------
    seed
        Of the random numbers.
    of, shape
        Parameters and kind of the day; None: drawn, too.
    """
    random = np.random.default_rng(seed)
    of = drawn_params(random) if of is None else of
    shape = drawn_shape(random) if shape is None else shape
    tickers = [f"MADE-B{bracket}" for bracket in range(shape.brackets)]
    deci = random.random(shape.brackets) < 0.3
    panel = _panel(random, shape, tickers, deci)
    close = START + MINUTE_US * (shape.minutes - 1 - int(random.integers(0, 3)))
    waived = random.integers(0, shape.minutes, shape.brackets) * MINUTE_US + START
    terms = EventTerms(
        event="MADE",
        ladder=_ladder(tickers, nested=shape.nested),
        fee_type=shape.fee_type,
        fee_multiplier=float(random.choice([1.0, 0.5])),
        close=close,
        schedule=shape.schedule,  # type: ignore[arg-type]
        fee_from=tuple(np.where(random.random(shape.brackets) < 0.3, waived, NEVER).tolist()),
        tick_grids=tuple(DECI_CENTS if fine else WHOLE_CENTS for fine in deci),
    )
    panel = panel.with_columns(
        minutes_to_close=((close - pl.col("minute").dt.epoch("us")) // MINUTE_US)
        .clip(lower_bound=0)
        .cast(pl.Int32)
    )
    panel = _spoilt(random, panel, shape.spoilt)
    return TradingDay.of(panel, _trades(random, panel, shape, tickers), terms, of)


def _ladder(tickers: list[str], *, nested: bool) -> Atoms:
    last = len(tickers) - 1
    if nested:
        return Atoms(
            tuple(Leg(market_ticker=t, lo=60 + 2 * b, hi=None) for b, t in enumerate(tickers))
        )
    return Ladder(
        tuple(
            Leg(
                market_ticker=t,
                lo=None if b == 0 else 60 + 2 * b,
                hi=None if b == last else 61 + 2 * b,
            )
            for b, t in enumerate(tickers)
        )
    )


def _panel(
    random: np.random.Generator, shape: Shape, tickers: list[str], deci: np.ndarray
) -> pl.DataFrame:
    size = (shape.brackets, shape.minutes)
    p = _probabilities(random, shape)
    believed = np.clip(p + 0.03 * _slow(random, size), 0.001, 0.999)
    tick = np.where(deci, 10, 100)[:, None]
    fair = 10_000 * p + 150 * _slow(random, (1, shape.minutes))
    # Calm stretches: a mid that never moves predicts nothing.
    still = np.maximum.accumulate(
        np.where(random.random(size) < 0.5, np.arange(size[1]), 0), axis=1
    )
    fair = np.take_along_axis(fair, still, axis=1)
    tick = np.where((fair > 800) & (fair < 9200), 100, tick)
    bid = np.floor(fair / tick - random.random(size)) * tick
    ask = bid + tick * random.choice(
        [0, 1, 1, 2, 3, 5, -1], size, p=[0.02, 0.4, 0.2, 0.2, 0.1, 0.07, 0.01]
    )
    bid, ask = np.clip(bid, 0, 10_000), np.clip(ask, 0, 10_000)
    count = size[0] * size[1]
    volume = np.round(random.gamma(0.5, 40, count) * (random.random(count) < 0.7), 2)
    instants = as_times(np.tile(START + MINUTE_US * np.arange(shape.minutes), shape.brackets))
    low = np.clip(bid.ravel() - 100 * random.integers(0, 3, count), 0, 10_000)
    high = np.clip(ask.ravel() + 100 * random.integers(-1, 2, count), low, 10_000)
    traded = volume > 0
    return pl.DataFrame(
        {
            "market_ticker": np.repeat(tickers, shape.minutes),
            "bracket": pl.Series(
                np.repeat(np.arange(shape.brackets), shape.minutes), dtype=pl.Int8
            ),
            "minute": instants,
            "known_at": instants,
            "bid_cc": pl.Series(bid.ravel(), dtype=pl.Int32),
            "ask_cc": pl.Series(ask.ravel(), dtype=pl.Int32),
            "quote_source": np.where(random.random(count) < 0.8, "recorded", "inferred"),
            "quote_age_s": random.choice(
                [0.0, 20.0, 60.0, 5000.0], count, p=[0.4, 0.3, 0.28, 0.02]
            ),
            "volume_1m": volume,
            "volume_15m": random.choice([500.0, 50.0, 1.0], count, p=[0.6, 0.37, 0.03]),
            "low_1m_cc": _where(traded, low),
            "high_1m_cc": _where(traded, high),
            "p_mkt": np.clip(p + random.normal(0, 0.003, size), 0, 1).ravel(),
            "market_valid": random.random(count) < 0.99,
            "p_calibrated": believed.ravel(),
            "impossible": random.random(count) < 0.005,
            "veto": random.choice(["", "hazard", "late_feed"], count, p=[0.98, 0.01, 0.01]),
            "relative_acceleration": random.normal(0, 1, count),
            "velocity_5m": random.normal(0, 0.01, count),
            "flow_percentile": random.random(count),
            "pressure": random.normal(0, 0.1, count),
            **{f"p_{way}_{h}m": random.random(count) / 2 for way in ("up", "down") for h in (1, 5)},
        }
    )


def _probabilities(random: np.random.Generator, shape: Shape) -> np.ndarray:
    """Of the legs, shape (brackets, minutes)."""
    atoms = shape.brackets + shape.nested
    walk = np.cumsum(random.normal(0, 0.04, (atoms, shape.minutes)), axis=1)
    walk += random.normal(0, 0.8, (atoms, 1))
    p = np.exp(walk) / np.exp(walk).sum(axis=0)
    return 1 - np.cumsum(p, axis=0)[:-1] if shape.nested else p


def _slow(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    noise = random.normal(0, 1, shape)
    for minute in range(1, shape[1]):
        noise[:, minute] = 0.9 * noise[:, minute - 1] + 0.43 * noise[:, minute]
    return noise


def _where(known: np.ndarray, values: np.ndarray) -> pl.Series:
    return pl.Series(
        [int(v) if k else None for k, v in zip(known, values, strict=True)], dtype=pl.Int32
    )


_BAD: dict[str, tuple[Any, ...]] = {
    "bid_cc": (None, 0, -1, 10_001, 9_950),
    "ask_cc": (None, 10_000, 50),
    "quote_source": (None,),
    "quote_age_s": (None, float("nan"), float("inf"), -1.0),
    "volume_15m": (None, float("nan"), -0.01),
    "volume_1m": (None, float("nan"), float("inf")),
    "low_1m_cc": (None, -5),
    "p_mkt": (None, float("nan"), 1.01, -0.01),
    "p_calibrated": (None, float("nan"), 1.01),
    "market_valid": (None, False),
    "impossible": (None, True),
    "known_at": (None,),
    "minutes_to_close": (None,),
    "veto": (None,),
    "relative_acceleration": (None, float("nan"), float("inf")),
    "velocity_5m": (None, 0.0),
    "flow_percentile": (None, 0.5),
    "pressure": (None, float("nan")),
    "p_up_1m": (None, 2.0),
    "p_up_5m": (None, float("nan")),
}


def _spoilt(random: np.random.Generator, panel: pl.DataFrame, share: float) -> pl.DataFrame:
    """The panel with values that nobody knows, or that cannot be."""
    for name, values in _BAD.items():
        hit = pl.Series(random.random(panel.height) < share / len(_BAD) * 4)
        bad = values[random.integers(len(values))]
        new = pl.when(hit).then(pl.lit(bad, panel.schema[name])).otherwise(name)
        panel = panel.with_columns(new.alias(name))
    return panel


def _trades(
    random: np.random.Generator, panel: pl.DataFrame, shape: Shape, tickers: list[str]
) -> pl.DataFrame:
    count = shape.trades
    bracket = random.integers(0, shape.brackets, count)
    # Many at one instant, many at full minutes and at those an order arrives or ends at.
    step = random.choice([MINUTE_US, 15 * SECOND_US, SECOND_US, 1], count)
    at = START + np.sort(random.integers(0, shape.minutes * MINUTE_US, count) // step * step)
    minute = np.minimum((at - START) // MINUTE_US, shape.minutes - 1)
    quotes = (panel[name].fill_null(5000).to_numpy() for name in ("bid_cc", "ask_cc"))
    bid, ask = (q.reshape(shape.brackets, shape.minutes)[bracket, minute] for q in quotes)
    buys = random.random(count) < 0.5
    price = np.where(buys, ask, bid) + 100 * random.integers(-2, 3, count)
    return pl.DataFrame(
        {
            "trade_id": [f"{n:06}" for n in random.permutation(count)],
            "market_ticker": np.array(tickers)[bracket],
            "event_time": as_times(at),
            "known_at": as_times(at),
            "yes_price_cc": np.clip(price, 10, 9990),
            "count": np.round(random.gamma(0.5, 30, count) + 0.01, 2),
            "taker_side": np.where(buys, "yes", "no"),
            "is_block_trade": random.random(count) < 0.02,
            "raw_sha256": [""] * count,
        },
        schema_overrides=TRADES.dtypes,
    )
