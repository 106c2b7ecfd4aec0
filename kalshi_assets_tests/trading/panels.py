"""Handmade panels: a quiet, liquid market that agrees with itself, to be bent by each test."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.trading import TemperatureTradingParams, veto
from kalshi_assets.tables import MINUTE_PANEL_FULL
from kalshi_assets.trading.signal import priced

START = datetime(2025, 5, 5, 14, 0, tzinfo=UTC)
TICKERS = tuple(f"KXHIGHCHI-25MAY05-{name}" for name in ("T80", "B81", "B83", "B85", "B87", "T88"))


def tickers(brackets: int) -> tuple[str, ...]:
    """Markets of a ladder of so many brackets."""
    if brackets <= len(TICKERS):
        return TICKERS[:brackets]
    return tuple(f"KXHIGHCHI-25MAY05-L{bracket:03d}" for bracket in range(brackets))


def minute(number: int) -> datetime:
    """The instant of row `number` of a panel."""
    return START + timedelta(minutes=number)


def params(**changes: Any) -> TemperatureTradingParams:
    """The shipped defaults with `changes`."""
    defaults = load_toml("trading.toml")["defaults"]
    return TemperatureTradingParams(**{**defaults, **changes})


def panel(
    minutes: int = 60, brackets: int = 6, minutes_to_close: int | None = None, **columns: Any
) -> pl.DataFrame:
    """A priced panel of `minutes` rows for each of `brackets` brackets.

    By default every bracket is quoted 48/50, the market says 0.49, the calibrated PMF the same: no
    edge. `columns` overrides: a value for all, or an array that broadcasts to [minutes, brackets].
    The PMFs are not made to sum to one: nothing in trading reads them across brackets.
    """
    last = minutes_to_close if minutes_to_close is not None else 600
    defaults: dict[str, Any] = {
        "bid": 0.48,
        "ask": 0.50,
        "quote_source": "recorded",
        "quote_age_s": 5.0,
        "high_1m": np.nan,
        "low_1m": np.nan,
        "volume_1m": 0.0,
        "volume_15m": 500.0,
        "minutes_to_close": (last + minutes - 1 - np.arange(minutes))[:, None],
        "p_mkt": 0.49,
        "p_calibrated": 0.49,
        "market_valid": True,
        "hazard_next_5m": 0.0,
        "dead": False,
        "flow_1m": 0.0,
        "flow_15m": 0.0,
        "weather_status": "ok",
        "weather_weight": 1.0,
        "hour_lst": 12.0,
        "activity_days": 0,
        "hazard_status": "ok",
        "regime": "quiet",
        "p_fused": 0.49,
    }
    values = {**defaults, **columns}
    for name in ("bid", "ask", "low_1m", "high_1m"):
        values[f"{name}_cc"] = _in_cc(values.pop(name))
    shape = (minutes, brackets)
    frame = pl.DataFrame(
        {
            "market_ticker": np.broadcast_to(
                np.array(tickers(brackets), dtype=object), shape
            ).ravel(),
            "bracket": np.broadcast_to(np.arange(brackets), shape).ravel(),
            "minute": [minute(number) for number in range(minutes) for _ in range(brackets)],
            **{name: _spread(value, shape) for name, value in values.items()},
        }
    )
    frame = frame.with_columns(known_at=pl.col("minute"))
    calibrated = frame.select(
        "market_ticker", "minute", "known_at", "p_calibrated", pl.col("dead").alias("impossible")
    )
    full = MINUTE_PANEL_FULL.conform(
        frame.select(
            _typed(frame, name, dtype).alias(name)
            for name, dtype in MINUTE_PANEL_FULL.dtypes.items()
        )
    )
    types = {"p_calibrated": pl.Float64, "impossible": pl.Boolean}
    return priced(full, calibrated.cast(types), veto(full, params()))


def _in_cc(dollars: Any) -> np.ndarray:
    """Whole cc; None for what is no number."""
    values = np.asarray(dollars, dtype=object)
    cc = [None if x is None or np.isnan(x) else round(x * 10_000) for x in values.ravel()]
    return np.array(cc, dtype=object).reshape(values.shape)


def _spread(value: Any, shape: tuple[int, int]) -> list[Any]:
    return np.broadcast_to(np.asarray(value, dtype=object), shape).ravel().tolist()


def _typed(frame: pl.DataFrame, name: str, dtype: Any) -> pl.Expr:
    if name not in frame.columns:
        return pl.lit(None, dtype=dtype)
    column = pl.col(name).cast(dtype)
    return column.fill_nan(None) if dtype.is_float() else column


def column(minutes: int, default: Any, changes: dict[int, Any], brackets: int = 6) -> np.ndarray:
    """[minutes, brackets] of `default` but for bracket 0, which has `changes` by minute."""
    values = np.full((minutes, brackets), default, dtype=object)
    for number, value in changes.items():
        values[number, 0] = value
    return values


def random_panel(
    seed: int, minutes: int = 120, brackets: int = 6, edge: float = 0.04
) -> pl.DataFrame:
    """Quotes that wander, trades around them, a calibrated PMF that disagrees by about `edge`."""
    rng = np.random.default_rng(seed)
    shape = (minutes, brackets)
    mid = np.clip(0.5 + np.cumsum(rng.normal(0, 0.008, shape), axis=0), 0.05, 0.95)
    bid = np.round(mid - rng.choice([0.005, 0.01, 0.02], shape), 2)
    ask = np.round(bid + rng.choice([0.01, 0.02, 0.04], shape), 2)
    traded = rng.random(shape) < 0.6
    centre = np.round(mid + rng.normal(0, 0.02, shape), 2)
    return panel(
        minutes,
        brackets,
        minutes_to_close=0,
        bid=bid,
        ask=ask,
        quote_source=np.where(rng.random(shape) < 0.8, "recorded", "inferred"),
        p_mkt=(bid + ask) / 2,
        p_calibrated=np.clip(mid + rng.normal(0, edge, shape), 0, 1),
        hazard_next_5m=np.where(rng.random((minutes, 1)) < 0.05, 0.2, 0.001),
        low_1m=np.where(traded, centre - 0.01, np.nan),
        high_1m=np.where(traded, centre + 0.01, np.nan),
        volume_1m=np.where(traded, rng.integers(1, 200, shape), 0).astype(float),
    )
