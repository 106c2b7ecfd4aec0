"""Small, consistent city-days: every frame keeps its table's contract."""

import datetime as dt
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.authorities import authorities
from kalshi_assets.families.temperature.cities import city
from kalshi_assets.pages.inputs import DayInputs
from kalshi_assets.tables import (
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    FILLS,
    FORECASTS,
    HAZARD_PMF,
    MINUTE_PANEL_FULL,
    OBSERVATIONS,
    ORDERS,
    REPORT,
    SETTLEMENTS,
    Table,
)
from kalshi_assets.tables.backtest import FILL_MODELS, STRATEGIES

HOURS = (0, 6, 9, 12, 15, 18)
LO = (None, 60, 62, 64, 66, 68)
HI = (59, 61, 63, 65, 67, None)
LABELS = (
    "59° or below",
    "60° to 61°",
    "62° to 63°",
    "64° to 65°",
    "66° to 67°",
    "68° or above",
)
SHA = {name: f"{i:064x}" for i, name in enumerate(["events", "obs", "fc", "exchange", "cli"], 11)}


@dataclass(frozen=True, kw_only=True)
class World:
    """What kind of day to make."""

    city: str = "new_york"
    date: dt.date = dt.date(2025, 4, 25)
    weather: bool = True
    trades: bool = True
    settled: bool = True
    disagreement: bool = False
    alarm: bool = False
    tmax: int = 63
    step: int = 5
    labels: tuple[str, ...] = LABELS
    seed: int = 7


def a_day(**changes: Any) -> DayInputs:
    """The frames of the day that `World(**changes)` describes."""
    world = replace(World(), **changes)
    panel = _panel(world)
    return DayInputs(
        city=city(world.city),
        date=world.date,
        events=_events(world),
        observations=_observations(world),
        forecasts=_forecasts(world),
        settlements=_settlements(world),
        hazard_pmf=_hazard_pmf(world, panel),
        minute_panel_full=panel,
        decisions=_decisions(world, panel),
        orders=_orders(world),
        fills=_fills(world),
        daily_pnl=_daily_pnl(world),
        report=_report(world, panel),
    )


def tickers(world: World) -> list[str]:
    base = city(world.city).event_ticker(world.date)
    return [f"{base}-T60", *(f"{base}-B{lo}.5" for lo in LO[1:5] if lo), f"{base}-T67"]


def winner(world: World) -> int:
    inside = [
        (lo is None or world.tmax >= lo) and (hi is None or world.tmax <= hi)
        for lo, hi in zip(LO, HI, strict=True)
    ]
    return inside.index(True)


def _start(world: World) -> dt.datetime:
    return city(world.city).climate_day(world.date)[0]


def _table(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return table.conform(pl.DataFrame(rows, schema=table.dtypes, orient="row"))


def _events(world: World) -> pl.DataFrame:
    start = _start(world)
    opened = start - dt.timedelta(hours=15)
    rows = [
        {
            "market_ticker": ticker,
            "event_ticker": city(world.city).event_ticker(world.date),
            "series_ticker": city(world.city).series,
            "bracket": i,
            "label": world.labels[i],
            "strike_type": "less" if i == 0 else "greater" if i == 5 else "between",
            "bracket_from": "strikes",
            "floor_strike": None if i == 0 else "67" if i == 5 else str(LO[i] or 0),
            "cap_strike": "60" if i == 0 else None if i == 5 else str(HI[i] or 0),
            "lo": LO[i],
            "hi": HI[i],
            "open_time": opened,
            "close_time": start + dt.timedelta(hours=23, minutes=59),
            "close_time_from": "read",
            "day_start": start,
            "day_end": start + dt.timedelta(days=1),
            "unit": "f",
            "scale": 1,
            "authorities": list(authorities(world.date)),
            "place": city(world.city).station,
            "place_from": "rules_name",
            "settlement_source": "National Weather Service",
            "settlement_source_from": "rules",
            "rules_sha256": f"{i + 900:064x}",
            "tick_grid": "[[0, 10000, 100]]",
            "tick_grid_from": "default",
            "fee_type": "quadratic",
            "fee_multiplier": 1.0,
            "fee_from": "series",
            "event_time": opened,
            "known_at": opened,
            "known_at_from": "assumed",
            "raw_sha256": SHA["events"],
        }
        for i, ticker in enumerate(tickers(world))
    ]
    return _table(EVENTS, rows)


def _true_temperature(hour: np.ndarray, tmax: int) -> np.ndarray:
    return tmax - 16 * np.sin(np.pi * (hour - 14.5) / 24) ** 2


def _observations(world: World) -> pl.DataFrame:
    if not world.weather:
        return OBSERVATIONS.empty()
    hours = np.arange(0, 24 if world.settled else 13, 1 / 12)
    temps = np.rint(_true_temperature(hours, world.tmax))
    rows = []
    for hour, temp in zip(hours, temps, strict=True):
        if 4.0 < hour < 5.5:
            continue
        at = _start(world) + dt.timedelta(hours=float(hour))
        exact = abs(hour % 1 - 11 / 12) < 1e-6
        rows.append(
            {
                "event_time": at,
                "known_at": at + dt.timedelta(minutes=10),
                "station": city(world.city).station,
                "temp_f": float(temp),
                "kind": "tgroup" if exact else "whole_c",
                "lo_f": int(temp) - (0 if exact else int(hour * 12) % 2),
                "hi_f": int(temp) + (0 if exact else int(hour * 12 + 1) % 2),
                "source": "obs",
                "raw_sha256": SHA["obs"],
            }
        )
    return _table(OBSERVATIONS, rows)


def _forecasts(world: World) -> pl.DataFrame:
    if not world.weather:
        return FORECASTS.empty()
    basis = _start(world) - dt.timedelta(hours=17)
    base = {
        "event_time": basis,
        "known_at": basis + dt.timedelta(hours=6),
        "station": city(world.city).station,
        "source": "fcst",
        "raw_sha256": SHA["fc"],
    }
    tmax = {**base, "variable": "tmax", "valid_time": _start(world), "value_f": 64.5}
    temps = [
        {
            **base,
            "variable": "temp",
            "valid_time": _start(world) + dt.timedelta(hours=h),
            "value_f": float(_true_temperature(np.array(h), world.tmax)) + 1.0,
        }
        for h in range(0, 24, 3)
    ]
    return _table(FORECASTS, [tmax, *temps])


def _settlements(world: World) -> pl.DataFrame:
    if not world.settled:
        return SETTLEMENTS.empty()
    end = _start(world) + dt.timedelta(days=1)
    exchange = {
        "source": "exchange",
        "status": "finalized",
        "value": world.tmax,
        "winning_market": tickers(world)[winner(world)],
        "event_time": end,
        "known_at": end + dt.timedelta(hours=7),
        "known_at_from": "settlement_ts",
        "raw_sha256": SHA["exchange"],
    }
    report = {
        **exchange,
        "source": "climate_report",
        "status": "official",
        "value": world.tmax + (1 if world.disagreement else 0),
        "winning_market": None,
        "known_at_from": "assumed",
        "raw_sha256": SHA["cli"],
    }
    return _table(SETTLEMENTS, [exchange, report])


def _panel(world: World) -> pl.DataFrame:
    rng = np.random.default_rng(world.seed)
    start = _start(world)
    last = 24 * 60 - 1 if world.settled else 13 * 60
    minutes = np.arange(-15 * 60, last + 1, world.step)
    hours = minutes / 60
    midpoints = np.array([58.5, 60.5, 62.5, 64.5, 66.5, 68.5])
    centre = 64.5 + (world.tmax - 64.5) / (1 + np.exp(-(hours - 10) / 2))
    drift = np.cumsum(rng.normal(0, 0.03, len(hours)))
    width = np.clip(2.6 - 0.13 * np.maximum(hours, 0), 0.35, None)
    running = np.where(
        (hours >= 0.2) & world.weather,
        np.maximum.accumulate(
            np.where(hours < 0, -99.0, np.floor(_true_temperature(hours, world.tmax)))
        ),
        np.nan,
    )
    tops = np.array([*(h for h in HI if h is not None), 999])
    dead = np.nan_to_num(running, nan=-999.0)[None, :] > tops[:, None]
    market = _pmf(midpoints, centre + drift, width * 1.1, dead)
    ok = np.isfinite(running)
    weather = _pmf(midpoints, centre + 0.3, width, dead)
    pooled = market**0.65 * weather**0.35
    fused = np.where(ok, pooled / pooled.sum(axis=0), market)
    frames = [
        _panel_bracket(world, i, start, minutes, market[i], weather[i], fused[i], running, dead[i])
        for i in range(6)
    ]
    return MINUTE_PANEL_FULL.conform(pl.concat(frames))


def _pmf(midpoints: np.ndarray, centre: np.ndarray, width: np.ndarray, dead: np.ndarray) -> Any:
    mass = np.exp(-(((midpoints[:, None] - centre) / width) ** 2) / 2) + 1e-4
    mass = np.where(dead, 0.0, mass)
    return mass / mass.sum(axis=0)


def _panel_bracket(
    world: World,
    bracket: int,
    start: dt.datetime,
    minutes: np.ndarray,
    p_mkt: np.ndarray,
    p_wx: np.ndarray,
    p_fused: np.ndarray,
    running: np.ndarray,
    dead: np.ndarray,
) -> pl.DataFrame:
    n = len(minutes)
    times = pl.Series([start + dt.timedelta(minutes=int(m)) for m in minutes]).cast(
        pl.Datetime("us", "UTC")
    )
    ok = np.isfinite(running)
    bid, ask = np.floor(p_mkt * 100) / 100, np.ceil(p_mkt * 100) / 100
    status = np.where(
        ok, "ok", np.where(minutes < 0, "before_climate_day", "not_yet" if world.weather else "")
    )
    if not world.weather:
        status = np.where(minutes < 0, "before_climate_day", "no_observations")
    quoted = ["none" if m < -890 else "inferred" if m < -600 else "recorded" for m in minutes]
    values: dict[str, Any] = {
        "market_ticker": [tickers(world)[bracket]] * n,
        "bracket": [bracket] * n,
        "minute": times,
        "known_at": times,
        "bid_cc": np.round(bid * 10_000),
        "ask_cc": np.round(ask * 10_000),
        "quote_source": quoted,
        "quote_age_s": [30.0] * n,
        "mid": (bid + ask) / 2,
        "spread_cents": (ask - bid) * 100,
        "volume_1m": [1.0] * n,
        "volume_15m": [15.0] * n,
        "flow_1m": [0.0] * n,
        "flow_15m": [0.0] * n,
        "minutes_to_close": (24 * 60 - minutes).astype(int),
        "weather_status": status,
        "temp_f": _nulls(_true_temperature(minutes / 60, world.tmax), ok),
        "observation_age_s": _nulls(np.full(n, 600.0), ok),
        "running_max_lo_f": _nulls(running, ok),
        "running_max_hi_f": _nulls(running + 1, ok),
        "forecast_max_f": [64.5 if world.weather else None] * n,
        "p_mkt": p_mkt,
        "market_valid": [True] * n,
        "p_wx": _nulls(p_wx, ok),
        "p_fused": p_fused,
        "weather_weight": np.where(ok, 0.35, 0.0),
        "hazard_next_5m": _nulls(np.full(n, 0.02), ok),
        "hazard_next_60m": _nulls(np.full(n, 0.2), ok),
        "dead": dead,
        "hour_lst": minutes / 60,
        "activity_days": [0] * n,
        "hazard_status": ["ok" if known else "before_climate_day" for known in ok],
        "regime": ["quiet"] * n,
    }
    dtypes = MINUTE_PANEL_FULL.dtypes
    return pl.DataFrame(
        {
            name: pl.Series(name, values[name], strict=False).cast(dtype)
            if name in values
            else pl.repeat(None, n, dtype=dtype, eager=True)
            for name, dtype in dtypes.items()
        }
    )


def _hazard_pmf(world: World, panel: pl.DataFrame) -> pl.DataFrame:
    """What the panel rests on: without weather all null; with `alarm` withheld from 10 to 11."""
    minutes = (pl.col("minute") - _start(world)).dt.total_minutes()
    known = (minutes < 10 * 60) | (minutes > 11 * 60) if world.alarm else pl.lit(value=True)
    ok = known & (pl.col("weather_status") == "ok")
    frame = panel.filter((minutes >= 0) & (minutes % 5 == 0)).with_columns(
        status=pl.when(known).then("weather_status").otherwise(pl.lit("feed_alarm")),
        method=pl.when(ok).then(pl.lit("exact")),
        analogue_share=pl.when(ok).then(pl.when(minutes < 9 * 60).then(0.5).otherwise(0.0)),
        baseline=pl.when(ok).then(pl.lit("forecast_hourly")),
        p_wx=pl.when(ok).then("p_wx"),
        evidence_max_f=pl.col("running_max_lo_f"),
        p_pass_60m=pl.lit(None, pl.Float64),
        log_likelihood=pl.when(known).then(-1.5 - 0.2 * (minutes / 60).sin()).otherwise(-4.0),
        days=pl.lit(20, pl.Int16),
        effective_days=pl.lit(None, pl.Float64),
    )
    return HAZARD_PMF.conform(frame.select(HAZARD_PMF.dtypes.keys()))


def _nulls(values: np.ndarray, known: np.ndarray) -> list[float | None]:
    return [float(v) if k else None for v, k in zip(values, known, strict=True)]


def _decisions(world: World, panel: pl.DataFrame) -> pl.DataFrame:
    made = [_decisions_of(world, panel, strategy) for strategy in STRATEGIES]
    return DECISIONS.conform(pl.concat(made).select(DECISIONS.dtypes.keys()))


def _decisions_of(world: World, panel: pl.DataFrame, strategy: str) -> pl.DataFrame:
    sent = {
        (row[2], int(row[5] * 60) // world.step * world.step)
        for row in ORDER_ROWS
        if row[:2] == (strategy, "through")
    }
    at = (pl.col("minute") - _start(world)).dt.total_minutes()
    acts = pl.any_horizontal(
        pl.lit(value=False), *((pl.col("bracket") == b) & (at == m) for b, m in sorted(sent))
    )
    none = {"value": "edge_too_small", "move": "signal_too_weak", "sets": "no_set"}[strategy]
    hour = (pl.col("minute") - _start(world)).dt.total_minutes() / 60
    reason = (
        pl.when(pl.col("quote_source") == "none")
        .then(pl.lit("no_quote"))
        .when(pl.col("quote_source") == "inferred")
        .then(pl.lit("inferred_quote"))
        .when(pl.col("dead"))
        .then(pl.lit("dead_bracket"))
        .when((pl.col("p_mkt") < 0.05) | (pl.col("p_mkt") > 0.95))
        .then(pl.lit("extreme_probability"))
        .when(hour > 22)
        .then(pl.lit("too_late"))
        .when(pl.lit(world.trades) & acts)
        .then(pl.lit("trade"))
        .otherwise(pl.lit(none))
    )
    unknown = pl.lit(None, pl.Float32)
    return panel.select(
        "market_ticker",
        "bracket",
        "minute",
        "known_at",
        reason.alias("reason"),
        pl.lit("bid").alias("side"),
        pl.lit("maker").alias("execution"),
        pl.col("bid_cc").alias("price_cc"),
        pl.lit(5, pl.Int32).alias("contracts"),
        pl.lit(0.4).alias("edge_cents"),
        pl.col("p_fused").alias("p_used"),
        "p_mkt",
        pl.lit(0, pl.Int32).alias("position"),
        strategy=pl.lit(strategy),
        **{name: unknown for name in DECISIONS.dtypes if name.startswith("signal")},
    )


ORDER_ROWS = (
    # strategy, model, bracket, side, execution, hour, price, ordered, filled, fee, end, pnl
    ("value", "touch", 2, "bid", "maker", 3.2, 3100, 5, 5, 0, "filled", 34_500),
    ("value", "touch", 3, "ask", "taker", 7.5, 3500, 5, 5, 800, "filled", 16_700),
    ("value", "touch", 2, "bid", "maker", 13.1, 7200, 5, 2, 0, "expired", 5_600),
    ("value", "through", 2, "bid", "maker", 3.2, 3100, 5, 0, 0, "cancelled", 0),
    ("value", "through", 3, "ask", "taker", 7.5, 3500, 5, 5, 804, "filled", 16_696),
    ("value", "through", 4, "bid", "taker", 9.5, 4100, 5, 5, 847, "filled", -21_347),
    ("value", "queue", 2, "bid", "maker", 3.2, 3100, 5, 1, 0, "cancelled", 6_900),
    ("move", "through", 3, "ask", "maker", 12.0, 2500, 4, 4, 0, "filled", 10_000),
)


def _placed(world: World, hour: float) -> dt.datetime:
    return _start(world) + dt.timedelta(hours=hour)


def _order_id(world: World, row: tuple[Any, ...]) -> str:
    strategy, _, bracket, side, _, hour = row[:6]
    at = f"{_placed(world, hour):%Y%m%dT%H%M%S%fZ}"
    return f"{city(world.city).event_ticker(world.date)}/{strategy}/{at}/{bracket}/{side}"


def _orders(world: World) -> pl.DataFrame:
    rows = []
    for row in ORDER_ROWS if world.trades else ():
        strategy, model, bracket, side, execution, hour, price, n, filled, fee, end, _ = row
        rows.append(
            {
                "strategy": strategy,
                "fill_model": model,
                "order_id": _order_id(world, row),
                "market_ticker": tickers(world)[bracket],
                "side": side,
                "execution": execution,
                "decided_at": _placed(world, hour) - dt.timedelta(minutes=1),
                "placed_at": _placed(world, hour),
                "event_time": _placed(world, hour) + dt.timedelta(minutes=5),
                "known_at": _placed(world, hour) + dt.timedelta(minutes=5),
                "price_cc": price,
                "contracts": n,
                "filled": filled,
                "fee_cc": fee,
                "end": end,
            }
        )
    return _table(ORDERS, rows)


def _fills(world: World) -> pl.DataFrame:
    rows = []
    for number, row in enumerate(ORDER_ROWS if world.trades else ()):
        strategy, model, bracket, side, execution, hour, price, _, filled, fee, _, pnl = row
        at = _placed(world, hour) + dt.timedelta(minutes=4)
        if filled:
            rows.append(
                {
                    "strategy": strategy,
                    "fill_model": model,
                    "fill": number,
                    "order_id": _order_id(world, row),
                    "market_ticker": tickers(world)[bracket],
                    "side": side,
                    "execution": execution,
                    "event_time": at,
                    "known_at": at,
                    "price_cc": price,
                    "contracts": filled,
                    "fee_cc": fee,
                    "pnl_cc": pnl if world.settled else None,
                    "mark_out_1m_cc": None,
                    "mark_out_5m_cc": 35.0,
                }
            )
    return _table(FILLS, rows)


def _daily_pnl(world: World) -> pl.DataFrame:
    rows = []
    for strategy, model in product(STRATEGIES, FILL_MODELS):
        own = [r for r in ORDER_ROWS if world.trades and r[:2] == (strategy, model)]
        fees, net = sum(r[9] for r in own), sum(r[11] for r in own)
        rows.append(
            {
                "strategy": strategy,
                "fill_model": model,
                "settled_by": "exchange" if world.settled else "unsettled",
                "value": world.tmax if world.settled else None,
                "winning_bracket": winner(world) if world.settled else None,
                "orders": len(own),
                "maker_fills": sum(r[4] == "maker" and r[8] > 0 for r in own),
                "taker_fills": sum(r[4] == "taker" and r[8] > 0 for r in own),
                "contracts": sum(r[8] for r in own),
                "gross_cc": net + fees if world.settled else None,
                "fees_cc": fees,
                "net_cc": net if world.settled else None,
                "worst_case_cc": -40_000 if own else 0,
            }
        )
    return _table(DAILY_PNL, rows)


def _report(world: World, panel: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for hour in HOURS:
        at = _start(world) + dt.timedelta(hours=hour)
        pmfs = panel.filter(pl.col("minute") == at).sort("bracket")
        for source, name in (("market", "p_mkt"), ("weather", "p_wx"), ("fused", "p_fused")):
            p = pmfs[name].to_numpy() if len(pmfs) and pmfs[name].null_count() == 0 else None
            rows.append({"source": source, "lst_hour": hour, "minute": at, **_scores(world, p)})
    return _table(REPORT, rows)


def _scores(world: World, p: np.ndarray | None) -> dict[str, float | None]:
    if p is None or not world.settled:
        return dict.fromkeys(("p_win", "log_loss", "brier_score", "rps"))
    outcome = np.eye(6)[winner(world)]
    won = float(p @ outcome)
    gaps = np.cumsum(p - outcome)[:-1]
    return {
        "p_win": won,
        "log_loss": max(float(-np.log(max(won, 1e-6))), 0.0),
        "brier_score": float(((p - outcome) ** 2).sum()),
        "rps": float((gaps**2).mean()),
    }
