"""Small frames that keep their contracts, to be spoilt by tests."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from kalshi_assets.cities import city
from kalshi_assets.partitions import CityDay
from kalshi_assets.tables import EVENTS, FUSED_PMF, OBSERVATIONS, SETTLEMENTS

KEY = CityDay("new_york", date(2025, 4, 25))
NOON = datetime(2025, 4, 25, 17, tzinfo=UTC)
TICKERS = ("T70", "B70.5", "B72.5", "T73")
BOUNDS = ((None, 69), (70, 71), (72, 73), (74, None))


def observations(temps: Sequence[float], key: CityDay = KEY) -> pl.DataFrame:
    """`weather.observations`, one report every five minutes from the start of the climate day."""
    start, _ = city(key.city).climate_day(key.date)
    times = [start + timedelta(minutes=5 * n) for n in range(len(temps))]
    return pl.DataFrame(
        {
            "event_time": times,
            "known_at": [time + timedelta(minutes=10) for time in times],
            "station": [city(key.city).station for _ in temps],
            "temp_f": [float(temp) for temp in temps],
            "kind": ["tgroup" for _ in temps],
            "lo_f": [round(temp) for temp in temps],
            "hi_f": [round(temp) for temp in temps],
            "source": ["obs" for _ in temps],
            "raw_sha256": ["0" * 64 for _ in temps],
        },
        schema=OBSERVATIONS.dtypes,
    )


def events() -> pl.DataFrame:
    """`market.events` of a ladder of four brackets: ..69, 70-71, 72-73, 74.."""
    start, end = city(KEY.city).climate_day(KEY.date)
    rows = [
        {
            "market_ticker": ticker,
            "event_ticker": KEY.event_ticker,
            "series_ticker": city(KEY.city).series,
            "bracket": position,
            "label": ticker,
            "strike_type": "between",
            "floor_strike": None,
            "cap_strike": None,
            "lo_f": lo,
            "hi_f": hi,
            "open_time": start - timedelta(hours=15),
            "close_time": end,
            "climate_start": start,
            "climate_end": end,
            "station": "KNYC",
            "station_from": "registry",
            "settlement_source": "NWS",
            "settlement_source_from": "rules",
            "rules_sha256": None,
            "tick_grid": "[[0, 10000, 100]]",
            "tick_grid_from": "default",
            "fee_type": "quadratic",
            "fee_multiplier": 1.0,
            "fee_from": "series",
            "event_time": start - timedelta(hours=15),
            "known_at": start - timedelta(hours=15),
            "raw_sha256": "0" * 64,
        }
        for position, (ticker, (lo, hi)) in enumerate(zip(TICKERS, BOUNDS, strict=True))
    ]
    return pl.DataFrame(rows, schema=EVENTS.dtypes)


def fused(p: Sequence[float | None] = (0.0, 0.2, 0.5, 0.3)) -> pl.DataFrame:
    """`probability.fused_pmf` of one minute; the lowest bracket is dead."""
    return pl.DataFrame(
        {
            "market_ticker": TICKERS,
            "bracket": range(4),
            "minute": NOON,
            "known_at": NOON - timedelta(seconds=5),
            "p_fused": [0.0, 0.3, 0.4, 0.3],
            "p_mkt": [0.1, 0.2, 0.4, 0.3],
            "p_wx": p,
            "market_weight": 0.65,
            "weather_weight": 0.35,
            "weather_status": "ok",
            "market_valid": True,
            "dead": [True, False, False, False],
        },
        schema=FUSED_PMF.dtypes,
    )


def settlements(
    exchange: tuple[int | None, str] | None = (72, "B72.5"), report: int | None = 73
) -> pl.DataFrame:
    """`weather.settlements`: the exchange's value and winner, the climate report's value."""
    _, end = city(KEY.city).climate_day(KEY.date)
    rows = []
    if exchange is not None:
        rows.append(("exchange", "finalized", *exchange, end, end, "assumed", "0" * 64))
    if report is not None:
        rows.append(("climate_report", "official", report, None, end, end, "assumed", "0" * 64))
    return pl.DataFrame(rows, schema=SETTLEMENTS.dtypes, orient="row")
