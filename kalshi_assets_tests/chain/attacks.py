"""Attacks on the future: cut it off, or replace it by noise, and look whether the past moves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from kalshi_assets.ladder.terms import latest_terms
from kalshi_assets.tables import DECISIONS, EVENTS, Table
from kalshi_assets_tests.chain.inputs import Chain, Inputs

NOISE_ROWS = 400
NOISE_REACHES_US = int(timedelta(hours=40) / timedelta(microseconds=1))

FILLS_ARE_CERTAIN_AFTER = timedelta(minutes=2)
WANTED = frozenset({"strategy", "market_ticker", "bracket", "minute", "edge_cents", "p_used"})

WORDS = {
    "taker_side": ["yes", "no"],
    "kind": ["whole_c", "tgroup", "interp", "filled", "max_6h", "max_so_far"],
}

Attack = Callable[[Inputs, datetime], Inputs]


def cut(inputs: Inputs, instant: datetime) -> Inputs:
    """The day as it was known at `instant`."""
    return inputs.after(lambda _, frame: frame.filter(pl.col("known_at") <= instant))


def noise(inputs: Inputs, instant: datetime, seed: int = 0) -> Inputs:
    """The day with all that was known after `instant` replaced by nonsense.

    Rows are missing, repeated and added; prices, sides, sizes and temperatures are random; and
    what becomes known late may claim to have happened at any time, the past included.
    """
    rng = np.random.default_rng(seed)
    return inputs.after(
        lambda table, frame: _with_noise(frame, instant, rng).sort(table.key, maintain_order=True)
    )


def told(
    events: pl.DataFrame,
    since: Sequence[datetime],
    closes: Sequence[datetime],
    grids: Sequence[str],
) -> pl.DataFrame:
    """The event with more versions: since when each is known, its close and its price grid."""
    versions = [
        latest_terms(events).with_columns(
            known_at=pl.lit(at).cast(events.schema["known_at"]),
            close_time=pl.lit(close).cast(events.schema["close_time"]),
            tick_grid=pl.lit(grid),
        )
        for at, close, grid in zip(since, closes, grids, strict=True)
    ]
    return EVENTS.conform(pl.concat([events, *versions]))


def terms_cut(inputs: Inputs, instant: datetime) -> Inputs:
    """The day with the event's terms as they were known at `instant`."""
    return replace(inputs, events=inputs.events.filter(pl.col("known_at") <= instant))


def terms_noise(inputs: Inputs, instant: datetime, seed: int = 0) -> Inputs:
    """The day with random terms told after `instant`: closes at any time, other grids, strikes.

    A close may lie before it was told.
    """
    rng = np.random.default_rng(seed)
    known = terms_cut(inputs, instant).events
    later_min, close_h = rng.permutation(300)[:4], rng.integers(1, 40, 4)
    noisy = told(
        known,
        [instant + timedelta(minutes=int(n) + 1) for n in sorted(later_min)],
        [known["open_time"][0] + timedelta(hours=int(n)) for n in close_h],
        [f"[[0, 10000, {step}]]" for step in (10, 50, 200, 1000)],
    )
    late = pl.col("known_at") > instant
    return replace(
        inputs,
        events=noisy.with_columns(
            pl.when(late).then(pl.col(name) + 7).otherwise(name).alias(name)
            for name in ("lo", "hi", "fee_multiplier")
        ),
    )


def _with_noise(frame: pl.DataFrame, instant: datetime, rng: np.random.Generator) -> pl.DataFrame:
    past = frame.filter(pl.col("known_at") <= instant)
    if frame.is_empty():
        return past
    rows = frame.sample(NOISE_ROWS, with_replacement=True, shuffle=True, seed=int(rng.integers(99)))
    late_us = pl.Series(rng.integers(1, NOISE_REACHES_US, NOISE_ROWS)).cast(pl.Duration("us"))
    known_at = pl.lit(instant).cast(frame.schema["known_at"]) + late_us
    happened_us = pl.Series(rng.integers(0, NOISE_REACHES_US, NOISE_ROWS)).cast(pl.Duration("us"))
    spoilt = rows.with_columns(
        *(_random(name, dtype, rng) for name, dtype in frame.schema.items() if _is_fact(name)),
        known_at=known_at,
        event_time=known_at - happened_us,
    )
    if "lo_f" in frame.columns:
        window = pl.col("event_time") - pl.duration(hours=6)
        # A maximum of six hours costs the filter twice those hours: a few a day are enough.
        is_maximum = pl.col("kind").str.starts_with("max") & (pl.int_range(pl.len()) % 10 == 0)
        claimed = pl.col("kind").str.starts_with("max") & ~is_maximum
        spoilt = spoilt.with_columns(
            hi_f=pl.col("lo_f") + 1,
            max_since=pl.when(is_maximum).then(window),
            kind=pl.when(claimed).then(pl.lit("interp")).otherwise("kind"),
        )
    return pl.concat([spoilt.select(frame.columns), past])


def _is_fact(name: str) -> bool:
    return name not in {
        "market_ticker",
        "event_time",
        "known_at",
        "max_since",
        "station",
        "source",
        "raw_sha256",
        "valid_time",
        "variable",
    }


def _random(name: str, dtype: pl.DataType, rng: np.random.Generator) -> pl.Series:
    if name == "trade_id":
        return pl.Series(name, [f"noise-{n}" for n in rng.integers(0, 2**62, NOISE_ROWS)])
    if name in WORDS:
        return pl.Series(name, rng.choice(WORDS[name], NOISE_ROWS))
    if dtype == pl.Boolean:
        return pl.Series(name, rng.random(NOISE_ROWS) < 0.1)
    top = 10_001 if name.endswith("_cc") else 120
    return pl.Series(name, rng.integers(0, top, NOISE_ROWS)).cast(dtype)


def assert_past_is_untouched(whole: Chain, attacked: Chain, instant: datetime) -> None:
    """Every row up to `instant` is bit for bit the same, and there are such rows."""
    for table, frame in whole.items():
        _assert_same_until(table, frame, attacked[table], instant)


def _assert_same_until(
    table: Table, whole: pl.DataFrame, attacked: pl.DataFrame, instant: datetime
) -> None:
    until = pl.col("minute") <= instant
    past, of_attacked = whole.filter(until), attacked.filter(until)
    if table is DECISIONS:
        # Orders and positions follow fills, which follow the quotes after an order's arrival.
        settled = pl.col("minute") <= instant - FILLS_ARE_CERTAIN_AFTER
        unsure = [name for name in past.columns if name not in WANTED]
        past, of_attacked = (
            frame.with_columns(pl.when(settled).then(pl.col(unsure)))
            for frame in (past, of_attacked)
        )
    try:
        assert_frame_equal(past, of_attacked, check_exact=True)
    except AssertionError as error:
        error.add_note(f"{table.full_name} of rows up to {instant:%Y-%m-%dT%H:%M:%SZ}")
        raise
