"""Small frames that keep their contracts, to be spoilt by tests."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from kalshi_assets.families.temperature.cities import city, city_day, event_ticker
from kalshi_assets.keys import LadderDay
from kalshi_assets.tables import (
    EVENTS,
    FUSED_PMF,
    HAZARD_PMF,
    MARKET_PMF,
    OBSERVATIONS,
    SETTLEMENTS,
    Table,
)

KEY = city_day("new_york", date(2025, 4, 25))
NOON = datetime(2025, 4, 25, 17, tzinfo=UTC)
TICKERS = ("T70", "B70.5", "B72.5", "T73")
AUTHORITIES = ["exchange", "climate_report", "climate_bulletin"]
BOUNDS = ((None, 69), (70, 71), (72, 73), (74, None))


def frame_of(table: Table, **columns: Any) -> pl.DataFrame:
    """A frame of `table` from the columns that matter; the others hold what the contract allows."""
    many = list | tuple | range
    height = max(len(values) for values in columns.values() if isinstance(values, many))
    values = {name: columns.get(name, _allowed(spec)) for name, spec in table.columns.items()}
    return pl.DataFrame(
        {n: list(v) if isinstance(v, many) and v else [v] * height for n, v in values.items()},
        schema=table.dtypes,
    )


def _allowed(spec: Any) -> Any:
    if spec.nullable:
        return None
    limits = {check.name: check.statistics for check in spec.checks}
    if "isin" in limits:
        return min(limits["isin"]["allowed_values"])
    dtype = spec.dtype.type
    if isinstance(dtype, pl.Datetime):
        return NOON
    if dtype == pl.Boolean:
        return False
    if isinstance(dtype, pl.List):
        return ()
    return "text" if dtype == pl.String else 1


def observations(temps: Sequence[float], key: LadderDay = KEY) -> pl.DataFrame:
    """`weather.observations`, one report every five minutes from the start of the climate day."""
    start, _ = city(key.ladder).climate_day(key.date)
    times = [start + timedelta(minutes=5 * n) for n in range(len(temps))]
    return frame_of(
        OBSERVATIONS,
        event_time=times,
        known_at=[time + timedelta(minutes=10) for time in times],
        station=city(key.ladder).station,
        temp_f=[float(temp) for temp in temps],
        kind="tgroup",
        lo_f=[round(temp) for temp in temps],
        hi_f=[round(temp) for temp in temps],
    )


def events() -> pl.DataFrame:
    """`market.events` of a ladder of four brackets: ..69, 70-71, 72-73, 74.."""
    start, end = city(KEY.ladder).climate_day(KEY.date)
    return frame_of(
        EVENTS,
        market_ticker=TICKERS,
        event_ticker=event_ticker(KEY),
        bracket=range(4),
        lo=[lo for lo, _ in BOUNDS],
        hi=[hi for _, hi in BOUNDS],
        open_time=start - timedelta(hours=15),
        close_time=end,
        day_start=start,
        day_end=end,
        authorities=[AUTHORITIES] * 4,
        fee_type="quadratic",
        event_time=start - timedelta(hours=15),
        known_at=start - timedelta(hours=15),
    )


def fused(p_wx: Sequence[float | None] = (0.0, 0.2, 0.5, 0.3)) -> pl.DataFrame:
    """`probability.fused_pmf` of one minute; the lowest bracket is dead."""
    return frame_of(
        FUSED_PMF,
        market_ticker=TICKERS,
        bracket=range(4),
        minute=NOON,
        known_at=NOON - timedelta(seconds=5),
        p_fused=[0.0, 0.3, 0.4, 0.3],
        p_mkt=[0.1, 0.2, 0.4, 0.3],
        p_model=p_wx,
        model_status="ok",
        impossible=[True, False, False, False],
    )


def market() -> pl.DataFrame:
    """The market's PMF of the rows of `fused`."""
    pooled = fused()
    same = {
        name: pooled[name].to_list() for name in ("market_ticker", "minute", "bracket", "p_mkt")
    }
    return frame_of(MARKET_PMF, **same)


def hazard(pmfs: Sequence[Sequence[float]] = ((0.0, 0.2, 0.5, 0.3),) * 12) -> pl.DataFrame:
    """`probability.hazard_pmf` from noon on, a PMF every five minutes; the lowest bracket is dead.

    The evidence stands at 70 degrees.
    """
    times = [NOON + timedelta(minutes=5 * n) for n in range(len(pmfs))]
    return frame_of(
        HAZARD_PMF,
        market_ticker=[ticker for _ in pmfs for ticker in TICKERS],
        bracket=[bracket for _ in pmfs for bracket in range(4)],
        minute=[time for time in times for _ in TICKERS],
        known_at=NOON - timedelta(seconds=5),
        status="ok",
        method="exact",
        p_wx=[p for pmf in pmfs for p in pmf],
        dead=[bracket == 0 for _ in pmfs for bracket in range(4)],
        running_max_lo_f=70,
        evidence_max_f=70,
    )


def settlements(
    exchange: tuple[int | None, str] | None = (72, "B72.5"), report: int | None = 73
) -> pl.DataFrame:
    """`weather.settlements`: the exchange's value and winner, the climate report's value."""
    _, end = city(KEY.ladder).climate_day(KEY.date)
    rows = []
    if exchange is not None:
        rows.append(("exchange", *exchange))
    if report is not None:
        rows.append(("climate_report", report, None))
    return frame_of(
        SETTLEMENTS,
        source=[source for source, _, _ in rows],
        status=["finalized" if source == "exchange" else "official" for source, _, _ in rows],
        value=[value for _, value, _ in rows],
        winning_market=[winner for _, _, winner in rows],
        event_time=end,
        known_at=end,
    )
