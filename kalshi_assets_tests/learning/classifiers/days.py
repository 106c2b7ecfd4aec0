"""Days of a made-up event: three brackets, few instants, a feature that may know something."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl

from kalshi_assets.learning.classifiers.schedule import fold_of

FEATURES = ("signal", "noise", "p_mkt", "hour_lst", "impossible")
BRACKETS = 3
DAY = fold_of(date(2025, 4, 1)).start


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(5), UTC)


def example_day(day: date, *, skill: float = 0.0, minutes: int = 24, seed: int = 0) -> pl.DataFrame:
    """A day's examples, every hour; `skill` is how much `signal` tells of all labels.

    Prices are honest: without skill nothing beats them.
    """
    rng = np.random.default_rng([seed, day.toordinal()])
    shape = (minutes, BRACKETS)
    signal, noise = rng.normal(size=(2, *shape))
    market = rng.dirichlet(np.full(BRACKETS, 2.0), size=minutes)
    truth = market * np.exp(skill * signal)
    truth /= truth.sum(axis=1, keepdims=True)
    winners = (rng.random((minutes, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    wins = winners[:, None] == np.arange(BRACKETS)
    moved = rng.random(shape) < 1 / (1 + np.exp(1 - skill * signal))
    rises = rng.random(shape) < 1 / (1 + np.exp(-skill * signal))
    hours = np.arange(minutes) * 24 / minutes
    at = [start_of(day) + timedelta(hours=float(hour)) for hour in hours]
    direction = np.where(moved, np.where(rises, 1, -1), 0)
    return pl.DataFrame(
        {
            "market_ticker": [f"T{bracket}" for _ in at for bracket in range(BRACKETS)],
            "bracket": np.tile(np.arange(BRACKETS, dtype=np.int8), minutes),
            "minute": pl.Series([m for m in at for _ in range(BRACKETS)], dtype=UTC_TIME),
            "hour_lst": hours.repeat(BRACKETS),
            "p_mkt": market.ravel(),
            "bid_cc": np.maximum(market.ravel() - 0.01, 0) * 10_000,
            "ask_cc": (market.ravel() + 0.01) * 10_000,
            "signal": signal.ravel(),
            "noise": noise.ravel(),
            "impossible": np.zeros(minutes * BRACKETS, dtype=np.bool_),
            **{name: direction.ravel().astype(np.int8) for name in ("y_dir_1m", "y_dir_5m")},
            **{name: wins.ravel() for name in ("y_win_1m", "y_win_5m", "pays")},
        }
    ).with_columns(
        features_known_at=pl.col("minute"),
        known_at=pl.col("minute") + pl.duration(minutes=6),
        outcome_known_at=pl.lit([start_of(day) + SETTLED_AFTER], pl.List(UTC_TIME)),
        outcome_pays=pl.concat_list("pays"),
    )


UTC_TIME = pl.Datetime("us", "UTC")
SETTLED_AFTER = timedelta(hours=33)
LATER = datetime(2030, 1, 1, tzinfo=UTC)
"""When everything is known."""


def history(
    before: date, *, n: int = 75, skill: float = 0.0, minutes: int = 24
) -> Mapping[date, pl.DataFrame]:
    """The `n` days before `before`."""
    days = [before - timedelta(days=k) for k in range(n, 0, -1)]
    return {day: example_day(day, skill=skill, minutes=minutes) for day in days}


def features_of(day: pl.DataFrame) -> pl.DataFrame:
    """As a live day has it: features without labels, with an instant of the eve."""
    labels = ("y_dir_1m", "y_dir_5m", "y_win_1m", "y_win_5m", "pays", "known_at")
    today = day.drop(*labels, "outcome_known_at", "outcome_pays").rename(
        {"features_known_at": "known_at"}
    )
    eve = today.filter(pl.col("minute") == pl.col("minute").min()).with_columns(
        pl.col("minute", "known_at") - pl.duration(hours=3), hour_lst=-3.0
    )
    return pl.concat([eve, today])
