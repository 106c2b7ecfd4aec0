"""A plain implementation of the minute panel, as a reference for benchmark and tests.

Here: joins, group-bys and time windows step by step, as in a notebook, in Polars because pandas is
not a dependency. Not here: anything shared with `features`, so that the comparison is independent.
"""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from kalshi_assets.ladder.terms import terms_at, trading_end
from kalshi_assets.tables import MINUTE_PANEL

_MARKET = "market_ticker"


def reference_panel(
    events: pl.DataFrame, candles: pl.DataFrame, trades: pl.DataFrame
) -> pl.DataFrame:
    """`panel.minute_panel` of one event; see `features.panel.minute_panel`.

    Floats agree with that function to 1e-9, everything else exactly.
    """
    # The first version is valid from the first minute on, even if known some seconds later.
    told = events.select(_MARKET, "close_time", terms_known_at="known_at")
    grid = _as_of(_grid(events), told, "terms_known_at")
    panel = _with_quotes(grid, candles, trades.filter(~pl.col("is_block_trade")))
    panel = _with_trades(panel, candles, trades.filter(~pl.col("is_block_trade")))
    panel = panel.with_columns(
        mid=((pl.col("bid") + pl.col("ask")) / 2).round(6),
        spread_cents=((pl.col("ask") - pl.col("bid")) * 100).round(4),
        known_at=pl.max_horizontal("quote_known_at", "trade_known_at", "terms_known_at"),
        minutes_to_close=(pl.col("close_time") - pl.col("minute"))
        .dt.total_minutes()
        .clip(lower_bound=0)
        .cast(pl.Int32),
    )
    odds = pl.col("mid").clip(0.005, 0.995)
    panel = panel.with_columns(log_odds=(odds / (1 - odds)).log())
    panel = _with_changes(panel)
    panel = _with_windows(panel)
    panel = _with_relative_acceleration(panel)
    panel = _with_lead_lag(panel)
    prices = ("bid", "ask", "last_price", "high_1m", "low_1m")
    panel = panel.with_columns(
        (pl.col(name) * 10_000).round().cast(pl.Int32).alias(f"{name}_cc") for name in prices
    )
    return MINUTE_PANEL.arranged(panel)


def _grid(events: pl.DataFrame) -> pl.DataFrame:
    opened = pl.lit(terms_at(events)["open_time"]).min()
    seconds = pl.select(minute=pl.datetime_range(opened, trading_end(events), "1s"))
    whole = seconds.filter(pl.col("minute").dt.truncate("1m") == pl.col("minute"))
    return terms_at(events).select(_MARKET, "bracket").join(whole, how="cross")


def _as_of(panel: pl.DataFrame, facts: pl.DataFrame, known_at: str) -> pl.DataFrame:
    """Join the latest fact known at each row."""
    return panel.sort("minute").join_asof(
        facts.sort(known_at, maintain_order=True),
        left_on="minute",
        right_on=known_at,
        by=_MARKET,
        coalesce=False,
        check_sortedness=False,
    )


def _with_quotes(grid: pl.DataFrame, candles: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    recorded = candles.select(
        _MARKET,
        recorded_bid=pl.col("yes_bid_close_cc").replace(0, None) / 10_000,
        recorded_ask=pl.col("yes_ask_close_cc").replace(10_000, None) / 10_000,
        recorded_at="event_time",
        recorded_known_at="known_at",
    )
    panel = _as_of(grid, recorded, "recorded_known_at")
    tape = trades.sort("known_at", "event_time", "trade_id")
    for side, taker in (("ask", "yes"), ("bid", "no")):
        shown = tape.filter(pl.col("taker_side") == taker).select(
            _MARKET,
            (pl.col("yes_price_cc") / 10_000).alias(side),
            pl.col("event_time").alias(f"{side}_at"),
            pl.col("known_at").alias(f"{side}_known_at"),
        )
        panel = _as_of(panel, shown, f"{side}_known_at")
    crossed = (pl.col("bid") >= pl.col("ask")).fill_null(value=False)
    older = pl.col("bid_at") <= pl.col("ask_at")
    panel = panel.with_columns(
        bid=pl.when(crossed & older).then(None).otherwise("bid"),
        ask=pl.when(crossed & ~older).then(None).otherwise("ask"),
    )
    has_recorded = pl.col("recorded_known_at").is_not_null()
    has_bid, has_ask = pl.col("bid").is_not_null(), pl.col("ask").is_not_null()
    inferred_at = pl.min_horizontal(
        pl.when(has_bid).then("bid_at"), pl.when(has_ask).then("ask_at")
    )
    quoted_at = pl.when(has_recorded).then("recorded_at").otherwise(inferred_at)
    return panel.with_columns(
        bid=pl.when(has_recorded).then("recorded_bid").otherwise("bid"),
        ask=pl.when(has_recorded).then("recorded_ask").otherwise("ask"),
        quote_source=pl.when(has_recorded)
        .then(pl.lit("recorded"))
        .when(has_bid | has_ask)
        .then(pl.lit("inferred"))
        .otherwise(pl.lit("none")),
        quote_age_s=(pl.col("minute") - quoted_at).dt.total_microseconds() / 1e6,
        quote_known_at=pl.when(has_recorded)
        .then("recorded_known_at")
        .otherwise(pl.max_horizontal("bid_known_at", "ask_known_at")),
    )


def _with_trades(panel: pl.DataFrame, candles: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    shown = (pl.col("known_at") - timedelta(microseconds=1)).dt.truncate("1m").dt.offset_by("1m")
    tape = trades.sort("known_at", "event_time", "trade_id").select(
        _MARKET,
        "event_time",
        "known_at",
        minute=shown,
        high=pl.col("yes_price_cc"),
        low=pl.col("yes_price_cc"),
        last=pl.col("yes_price_cc"),
        volume="count",
        flow=pl.when(pl.col("taker_side") == "yes").then("count").otherwise(-pl.col("count")),
    )
    before = candles.filter(
        pl.col("price_close_cc").is_not_null(),
        True if tape.is_empty() else pl.col("known_at") < tape["known_at"].min(),
    ).sort("known_at")
    bars = before.select(
        _MARKET,
        "event_time",
        "known_at",
        minute=shown,
        high="price_high_cc",
        low="price_low_cc",
        last="price_close_cc",
        volume="volume",
        flow=(pl.col("price_close_cc") - pl.col("price_open_cc")).sign() * pl.col("volume"),
    )
    taped = tape.select(_MARKET, "minute").unique()
    alone = bars.join(taped, on=[_MARKET, "minute"], how="anti", maintain_order="left")
    by_minute = (
        pl.concat([alone, tape])
        .group_by(_MARKET, "minute", maintain_order=True)
        .agg(
            volume_1m=pl.col("volume").sum(),
            flow_1m=pl.col("flow").sum(),
            high_1m=pl.col("high").max() / 10_000,
            low_1m=pl.col("low").min() / 10_000,
            last_price=pl.col("last").last() / 10_000,
            traded_at=pl.col("event_time").max(),
            trade_known_at=pl.col("known_at").max(),
        )
    )
    return (
        panel.join(by_minute, on=[_MARKET, "minute"], how="left")
        .sort("bracket", "minute")
        .with_columns(
            pl.col("volume_1m", "flow_1m").fill_null(0.0),
            pl.col("last_price", "traded_at", "trade_known_at").forward_fill().over("bracket"),
        )
        .with_columns(
            last_trade_age_s=(pl.col("minute") - pl.col("traded_at")).dt.total_microseconds() / 1e6
        )
    )


def _with_changes(panel: pl.DataFrame) -> pl.DataFrame:
    def velocity(name: str, minutes: int) -> pl.Expr:
        return (pl.col(name) - pl.col(name).shift(minutes)).over("bracket") / minutes

    panel = panel.with_columns(
        velocity_1m=velocity("mid", 1),
        velocity_5m=velocity("mid", 5),
        velocity_15m=velocity("mid", 15),
        logit_velocity_1m=velocity("log_odds", 1),
        logit_velocity_5m=velocity("log_odds", 5),
    )
    return panel.with_columns(
        acceleration_5m=velocity("velocity_5m", 5) * 5,
        logit_acceleration_5m=velocity("logit_velocity_5m", 5) * 5,
    )


def _windowed(panel: pl.DataFrame, minutes: int, **what: pl.Expr) -> pl.DataFrame:
    """Join aggregates of each row's trailing window."""
    windows = panel.rolling("minute", period=f"{minutes}m", group_by="bracket").agg(**what)
    return panel.join(windows, on=["bracket", "minute"], how="left", maintain_order="left")


def _with_windows(panel: pl.DataFrame) -> pl.DataFrame:
    panel = _windowed(
        panel,
        15,
        volume_15m=pl.col("volume_1m").sum().round(2),
        flow_15m=pl.col("flow_1m").sum().round(2),
        low=pl.col("mid").min(),
        high=pl.col("mid").max(),
    )
    # Rolling sums are updated incrementally, which is exact only for integers.
    squares = (pl.col("logit_velocity_1m") ** 2 * 1e12).round().cast(pl.Int64)
    panel = _windowed(panel, 30, realised_volatility_30m=(squares.sum() / 1e12).sqrt())
    span = pl.col("high_1m") - pl.col("low_1m")
    panel = _windowed(panel, 60, mean_range=span.filter(span > 1e-9).mean())
    low, high = pl.col("low"), pl.col("high")
    location = ((2 * pl.col("mid") - low - high) / (high - low)).clip(-1, 1)
    return panel.with_columns(
        close_location=pl.when(pl.col("mid").is_not_null()).then(
            pl.when(high > low).then(location).otherwise(0.0)
        ),
        spread_proxy_cents=(pl.col("mean_range") * 100).round(6),
    )


def _with_relative_acceleration(panel: pl.DataFrame) -> pl.DataFrame:
    a = pl.col("acceleration_5m")
    brackets = panel["bracket"].n_unique()
    by_position = panel.sort("minute", "bracket")
    neighbours = (
        pl.when(pl.col("bracket") == 0)
        .then(a.shift(-1))
        .when(pl.col("bracket") == brackets - 1)
        .then(a.shift(1))
        .otherwise((a.shift(1) + a.shift(-1)) / 2)
    )
    by_position = by_position.with_columns(excess=a - neighbours.over("minute"))
    panel = _windowed(
        by_position.sort("bracket", "minute"), 60, scale=pl.col("excess").abs().mean()
    )
    return panel.with_columns(
        relative_acceleration=pl.when(pl.col("scale").round(12) > 1e-4).then(
            pl.col("excess") / pl.col("scale")
        )
    )


def _with_lead_lag(panel: pl.DataFrame) -> pl.DataFrame:
    """The lag of the strongest correlation of a bracket with a neighbour, for each minute."""
    changes = panel.select("bracket", "minute", change=(pl.col("logit_velocity_1m") * 1000).round())
    candidates = [
        _correlations(changes, lag, towards).with_columns(
            minutes=pl.lit(sign * lag, pl.Int8), order=pl.lit(order, pl.Int8)
        )
        for order, (lag, sign, towards) in enumerate(
            (lag, sign, towards) for lag in range(1, 6) for sign, towards in _WAYS
        )
    ]
    strongest = (
        pl.concat(candidates)
        .filter(pl.col("strength").is_not_null())
        .sort("order")
        .sort("strength", descending=True, maintain_order=True)
        .group_by("bracket", "minute", maintain_order=True)
        .first()
        .with_columns(
            lead_lag_min=pl.when(pl.col("strength") > 0)
            .then("minutes")
            .otherwise(pl.lit(0, pl.Int8))
        )
    )
    return panel.join(
        strongest.select("bracket", "minute", "lead_lag_min"), on=["bracket", "minute"], how="left"
    )


_WAYS: tuple[tuple[int, Mapping[str, int]], ...] = (
    (1, {"neighbour": -1, "own_lag": 1}),
    (1, {"neighbour": 1, "own_lag": 1}),
    (-1, {"neighbour": -1, "own_lag": 0}),
    (-1, {"neighbour": 1, "own_lag": 0}),
)


def _correlations(changes: pl.DataFrame, lag: int, way: Mapping[str, int]) -> pl.DataFrame:
    """|rho| of a bracket's changes with a neighbour's, one of them lagged; null if n < 30."""
    own = changes.with_columns(
        x=pl.col("change").shift(lag * way["own_lag"]).over("bracket"),
        other=pl.col("bracket") + way["neighbour"],
    )
    others = changes.select(
        "minute",
        other="bracket",
        y=pl.col("change").shift(lag * (1 - way["own_lag"])).over("bracket"),
    )
    pairs = own.join(others, on=["other", "minute"], how="inner", maintain_order="left")
    x, y = pl.col("x"), pl.col("y")
    both = x.is_not_null() & y.is_not_null()
    sums = pairs.rolling("minute", period="120m", group_by="bracket").agg(
        n=both.sum().cast(pl.Float64),
        sx=x.filter(both).sum(),
        sy=y.filter(both).sum(),
        sxy=(x * y).sum(),
        sxx=(x * x).filter(both).sum(),
        syy=(y * y).filter(both).sum(),
    )
    n, sx, sy = (pl.col(name) for name in ("n", "sx", "sy"))
    squares = (n * pl.col("sxx") - sx * sx) * (n * pl.col("syy") - sy * sy)
    squared = pl.when(squares > 0).then((n * pl.col("sxy") - sx * sy) ** 2 / squares).otherwise(0.0)
    return sums.select(
        "bracket",
        "minute",
        strength=pl.when(n >= 30).then(
            pl.when(squared * n > 4).then(squared.sqrt()).otherwise(0.0)
        ),
    )
