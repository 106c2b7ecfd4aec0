"""Days of dice as recordings that the sandbox serves: twelve throws, a market that lags behind."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from kalshi_assets.keys import days_between
from kalshi_assets.units import Array

SERIES = "KXDICE"
THROWS = 12
EVERY = timedelta(minutes=30)
STRIKES = tuple(range(22, 62))
"""Sums from which on each of the forty markets pays."""

FIRST, LAST = date(2025, 3, 1), date(2025, 3, 16)
LAG = 40
"""Minutes by which the market learns of a throw after everybody could."""


def start_of(day: date) -> datetime:
    """When the dice begin to roll; the market opens then."""
    return datetime.combine(day, time(12), UTC)


def close_of(day: date) -> datetime:
    """When the market closes: half an hour after the last throw."""
    return start_of(day) + (THROWS + 1) * EVERY


def throws_of(day: date) -> list[tuple[datetime, int]]:
    """Times and pips of the day."""
    pips = np.random.default_rng(day.toordinal()).integers(1, 7, THROWS)
    return [(start_of(day) + (n + 1) * EVERY, int(pip)) for n, pip in enumerate(pips)]


def remaining(throws: int) -> Array:
    """P(sum of so many dice = k) for k from 0 on."""
    pmf = np.ones(1)
    for _ in range(throws):
        pmf = np.convolve(pmf, np.concatenate([[0.0], np.full(6, 1 / 6)]))
    return pmf


def survival(thrown: int, total: int) -> Array:
    """P(the sum is at least the strike) after `thrown` dice with `total` pips, shape (40,)."""
    left = remaining(THROWS - thrown)
    return np.array([left[max(strike - total, 0) :].sum() for strike in STRIKES])


def event_of(day: date) -> str:
    return f"{SERIES}-{day:%y%b%d}".upper()


def ticker_of(day: date, strike: int) -> str:
    return f"{event_of(day)}-T{strike}"


def write_archive(root: Path) -> Path:
    """Write the recordings of all days into `root` and return it."""
    days = list(days_between(FIRST, LAST))
    _write(root / "markets.parquet", pl.concat(_markets(day) for day in days))
    for day in days:
        _write(_path(root, "candles", day), _candles(day))
        _write(_path(root, "trades", day), _trades(day))
    none = {"station": pl.String, "date": pl.Date, "tmax_f": pl.Int64}
    _write(root / "settlements.parquet", pl.DataFrame(schema=none))
    forecasts = dict.fromkeys(("station", "model", "variable"), pl.String) | {
        "issued_utc": pl.Datetime("us", "UTC"),
        "target_date": pl.Date,
        "value_f": pl.Float64,
    }
    _write(root / "forecasts.parquet", pl.DataFrame(schema=forecasts))
    return root


def _write(path: Path, frame: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)


def _path(root: Path, kind: str, day: date) -> Path:
    return root / kind / f"series={SERIES}" / f"event_date={day}" / "part.parquet"


def _markets(day: date) -> pl.DataFrame:
    total = sum(pips for _, pips in throws_of(day))
    return pl.DataFrame(
        {
            "series_ticker": SERIES,
            "event_ticker": event_of(day),
            "market_ticker": [ticker_of(day, strike) for strike in STRIKES],
            "event_date": day,
            "strike_type": "greater_or_equal",
            "floor_strike": [float(strike) for strike in STRIKES],
            "cap_strike": None,
            "yes_sub_title": [f"{strike} or above" for strike in STRIKES],
            "open_time": start_of(day),
            "close_time": close_of(day),
            "result": ["yes" if total >= strike else "no" for strike in STRIKES],
            "expiration_value": float(total),
            "volume": 1000,
            "open_interest": 100,
            "rules_primary": "The sum of twelve dice.",
            "result_source": "exchange",
        }
    ).with_columns(
        pl.col("open_time", "close_time").cast(pl.Datetime("us", "UTC")),
        pl.col("cap_strike").cast(pl.Float64),
    )


def _believed(day: date) -> Array:
    """What the market believes at the end of every minute, cents, shape (40, minutes)."""
    minutes = int((close_of(day) - start_of(day)) / timedelta(minutes=1))
    throws = throws_of(day)
    found = []
    for minute in range(1, minutes + 1):
        now = start_of(day) + timedelta(minutes=minute - LAG)
        seen = [pips for at, pips in throws if at <= now]
        found.append(survival(len(seen), sum(seen)))
    return np.stack(found, axis=1) * 100


def _candles(day: date) -> pl.DataFrame:
    cents = np.clip(np.floor(_believed(day)), 1, 98).astype(np.int64)
    legs, minutes = cents.shape
    bid, ask = np.maximum(cents - 1, 0).ravel(), (cents + 1).ravel()
    prices = dict.fromkeys(("open", "low", "high", "close", "mean"), cents.ravel().astype(float))
    ends = [start_of(day) + timedelta(minutes=minute + 1) for minute in range(minutes)]
    return pl.DataFrame(
        {
            "market_ticker": np.repeat([ticker_of(day, strike) for strike in STRIKES], minutes),
            "end_period_ts": ends * legs,
            **{f"yes_bid_{point}": bid for point in ("open", "low", "high", "close")},
            **{f"yes_ask_{point}": ask for point in ("open", "low", "high", "close")},
            **{f"price_{point}": values for point, values in prices.items()},
            "price_previous": cents.ravel().astype(float),
            "volume": 20,
            "open_interest": 100,
        }
    ).with_columns(pl.col("end_period_ts").cast(pl.Datetime("ns", "UTC")))


def _trades(day: date) -> pl.DataFrame:
    cents = np.clip(np.floor(_believed(day)), 1, 98).astype(np.int64)[:, ::10]
    legs, times = np.meshgrid(range(len(STRIKES)), range(cents.shape[1]), indexing="ij")
    return pl.DataFrame(
        {
            "trade_id": [f"{day}-{leg}-{n}" for leg, n in zip(legs.flat, times.flat, strict=True)],
            "market_ticker": [ticker_of(day, STRIKES[leg]) for leg in legs.flat],
            "created_time": [
                start_of(day) + timedelta(minutes=10 * int(n), seconds=20) for n in times.flat
            ],
            "yes_price": cents.ravel(),
            "count": 40,
            "taker_side": "yes",
        }
    )
