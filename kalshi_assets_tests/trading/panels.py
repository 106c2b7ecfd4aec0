"""Handmade panels: a quiet, liquid market that agrees with itself, to be bent by each test."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.tables import MINUTE_PANEL_FULL
from kalshi_assets.trading.params import TradingParams

START = datetime(2025, 5, 5, 14, 0, tzinfo=UTC)
TICKERS = tuple(f"KXHIGHCHI-25MAY05-{name}" for name in ("T80", "B81", "B83", "B85", "B87", "T88"))


def minute(number: int) -> datetime:
    """The instant of row `number` of a panel."""
    return START + timedelta(minutes=number)


def params(**changes: Any) -> TradingParams:
    """The shipped defaults with `changes`."""
    return TradingParams(**{**load_toml("trading.toml")["defaults"], **changes})


def panel(
    minutes: int = 60, brackets: int = 6, minutes_to_close: int | None = None, **columns: Any
) -> pl.DataFrame:
    """A panel of `minutes` rows for each of `brackets` brackets.

    By default every bracket is quoted 48/50, the market says 0.49, the fused PMF the same: no
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
        "p_fused": 0.49,
        "market_valid": True,
        "hazard_next_5m": 0.0,
        "dead": False,
        "flow_1m": 0.0,
        "flow_15m": 0.0,
        "weather_status": "ok",
        "weather_weight": 1.0,
    }
    values = {**defaults, **columns}
    shape = (minutes, brackets)
    frame = pl.DataFrame(
        {
            "market_ticker": np.broadcast_to(np.array(TICKERS[:brackets], dtype=object), shape).ravel(),
            "bracket": np.broadcast_to(np.arange(brackets), shape).ravel(),
            "minute": [minute(number) for number in range(minutes) for _ in range(brackets)],
            **{name: _spread(value, shape) for name, value in values.items()},
        }
    )
    frame = frame.with_columns(known_at=pl.col("minute"))
    return MINUTE_PANEL_FULL.conform(
        frame.select(
            _typed(frame, name, dtype).alias(name) for name, dtype in MINUTE_PANEL_FULL.dtypes.items()
        )
    )


def _spread(value: Any, shape: tuple[int, int]) -> list[Any]:
    return np.broadcast_to(np.asarray(value, dtype=object), shape).ravel().tolist()


def _typed(frame: pl.DataFrame, name: str, dtype: Any) -> pl.Expr:
    if name not in frame.columns:
        return pl.lit(None, dtype=dtype)
    column = pl.col(name).cast(dtype)
    return column.fill_nan(None) if dtype.is_float() else column


def at(shape: tuple[int, int], default: Any, **_: Any) -> np.ndarray:
    """An array of `default`, to be changed in places and given to `panel`."""
    return np.full(shape, default, dtype=object)
