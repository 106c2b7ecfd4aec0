"""A generated world in the layout of the archive of recordings.

Here: combining weather, station, market and trades into a city-day, and writing a folder of many.
Not here: the models (`world_weather`, `world_station`, `world_market`, `world_tape`), serving the
folder.

A city-day depends only on (seed, city, date): not on the other days generated, their order or the
number of processes.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.cities import City, city
from kalshi_assets.sandbox import world_layout, world_market, world_station, world_tape
from kalshi_assets.sandbox.world_station import SOURCE
from kalshi_assets.sandbox.world_weather import Stress, climate, day_weather, generator

ORDERS = 1500.0
CHUNK_DAYS = 10


@dataclass(frozen=True, kw_only=True)
class WorldSummary:
    """Number of rows in a generated world, and its folder."""

    city_days: int
    candles: int
    trades: int
    observations: int
    folder: Path


@dataclass(frozen=True, kw_only=True)
class GeneratedDay:
    """A generated city-day as frames with the archive's schemas."""

    stress: Stress
    markets: pl.DataFrame
    candles: pl.DataFrame
    trades: pl.DataFrame
    observations: pl.DataFrame
    settlements: pl.DataFrame
    forecasts: pl.DataFrame


UNPARTITIONED = ("markets", "observations", "settlements", "forecasts")


def generated_day(
    seed: int, of: City, day: date, error_f: float = world_market.TRADERS_ERROR_F
) -> GeneratedDay:
    """Generate one city-day, whose traders err by so many °F.

    Raises
    ------
    ValueError
        The seed is negative, or the station's climate is unknown.
    """
    stress = day_weather(seed, of, day).stress
    event = world_market.event(seed, of, day)
    rng = generator(seed, of, day, "market")
    lively = world_market.liveliness(of, day, event)
    lag = int(rng.integers(6, 14))
    mood = world_market.mood(rng, event.minutes, error_f)
    view = world_market.belief(seed, of, day, event, lag_min=lag, mood_f=mood)
    informed = world_market.belief(seed, of, day, event, lag_min=2)
    book = world_market.quotes(rng, view, lively)
    expected = ORDERS * float(np.exp(rng.normal(0, 0.25)))
    if stress is Stress.THIN_MARKET:
        expected *= 0.1
    tape = world_tape.tape(rng, book, informed.pmf, lively, expected=expected)
    candles = world_tape.candles_frame(rng, event, book, tape)
    return GeneratedDay(
        stress=stress,
        markets=_markets(seed, of, day, event, candles),
        candles=candles,
        trades=world_tape.trades_frame(rng, event, tape),
        observations=_observations(seed, of, day),
        settlements=_settlement(seed, of, day),
        forecasts=_forecast(seed, of, day),
    )


def _markets(
    seed: int, of: City, day: date, event: world_market.Event, candles: pl.DataFrame
) -> pl.DataFrame:
    """The event's six finalized markets, coldest first."""
    value = world_station.official_maximum(seed, of, day)
    totals = candles.group_by("market_ticker").agg(
        volume=pl.col("volume").cast(pl.Int64).sum(), open_interest=pl.col("open_interest").max()
    )
    rows = [
        {
            "market_ticker": m.bracket.market_ticker,
            "strike_type": m.strike_type,
            "floor_strike": m.floor_strike,
            "cap_strike": m.cap_strike,
            "yes_sub_title": m.label,
            "result": "yes" if m.bracket.pays(value) else "no",
            "rules_primary": m.rules,
        }
        for m in event.markets
    ]
    schema = {name: world_layout.MARKETS[name] for name in rows[0]}
    return (
        pl.DataFrame(rows, schema=schema)
        .join(totals, on="market_ticker", how="left", maintain_order="left")
        .with_columns(
            pl.col("volume", "open_interest").fill_null(0),
            series_ticker=pl.lit(of.series),
            city=pl.lit(of.name),
            event_ticker=pl.lit(event.ticker),
            event_date=pl.lit(day),
            open_time=pl.lit(event.open_time),
            close_time=pl.lit(event.close_time),
            status=pl.lit("finalized"),
            expiration_value=pl.lit(float(value)),
            source=pl.lit(SOURCE),
            result_source=pl.lit("exchange"),
        )
        .select(*world_layout.MARKETS)
        .cast(world_layout.MARKETS)
    )


def _observations(seed: int, of: City, day: date) -> pl.DataFrame:
    tenths = world_station.reports_tenths(of.station)
    return world_station.observations(seed, of, day, tenths=tenths)


def _settlement(seed: int, of: City, day: date) -> pl.DataFrame:
    value = world_station.official_maximum(seed, of, day)
    row = (of.station, day, value, SOURCE)
    return pl.DataFrame([row], schema=world_layout.SETTLEMENTS, orient="row")


def _forecast(seed: int, of: City, day: date) -> pl.DataFrame:
    said = world_station.forecast(seed, of, day)
    row = (of.station, "nws", said.issued, day, "daily maximum", float(said.value_f), SOURCE)
    return pl.DataFrame([row], schema=world_layout.FORECASTS, orient="row")


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Consecutive days of one city, generated and written by one process."""

    out: Path
    seed: int
    city: str
    days: tuple[date, ...]
    error_f: float


@dataclass(frozen=True, kw_only=True)
class _Made:
    chunk: _Chunk
    candles: int
    trades: int
    tables: dict[str, pl.DataFrame]


def generate(
    out: Path,
    *,
    cities: Sequence[str],
    start: date,
    end: date,
    seed: int,
    error_f: float = world_market.TRADERS_ERROR_F,
    progress: Callable[[str, date], None] | None = None,
    workers: int = 1,
) -> WorldSummary:
    """Write a generated world in the layout of the archive of recordings.

    Observations begin an hour before the first climate day, when the civil day begins during
    daylight saving time.

    Parameters
    ----------
    out
        Folder to create; it must be missing or empty.
    start, end
        First and last climate day, both inclusive.
    error_f
        Standard deviation of the traders' common error, °F.
    progress
        Called with (city, day) after each city-day.
    workers
        Number of processes; 1: this process. The result does not depend on it.

    Raises
    ------
    FileExistsError
        `out` is not empty.
    ValueError
        No city or no day, a city given twice, or a negative seed.
    UnknownCityError
        A city is not in the registry.
    """
    _refuse(out, cities, start, end, seed)
    days = [start + timedelta(days=k) for k in range((end - start).days + 1)]
    chunks = [
        _Chunk(
            out=out,
            seed=seed,
            city=name,
            days=tuple(days[at : at + CHUNK_DAYS]),
            error_f=error_f,
        )
        for name, at in product(sorted(cities), range(0, len(days), CHUNK_DAYS))
    ]
    made = []
    for part in _run(chunks, workers, progress):
        made.append(part)
        if progress is not None and workers > 1:
            for day in part.chunk.days:
                progress(part.chunk.city, day)
    observations = _write_tables(out, made, seed, start)
    return WorldSummary(
        city_days=len(cities) * len(days),
        candles=sum(m.candles for m in made),
        trades=sum(m.trades for m in made),
        observations=observations,
        folder=out,
    )


def _refuse(out: Path, cities: Sequence[str], start: date, end: date, seed: int) -> None:
    if seed < 0:
        raise ValueError(f"seed {seed} is negative; give zero or more")
    if not cities:
        raise ValueError("no city given; give at least one from the registry")
    twice = {name for name in cities if list(cities).count(name) > 1}
    if twice:
        raise ValueError(f"cities given twice: {', '.join(sorted(twice))}")
    if end < start:
        raise ValueError(f"the end {end} is before the start {start}; both are inclusive")
    for name in cities:
        climate(city(name))
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty; choose a new folder")


def _run(
    chunks: Sequence[_Chunk], workers: int, progress: Callable[[str, date], None] | None
) -> Iterator[_Made]:
    """Results in the order of the chunks."""
    if workers == 1:
        for chunk in chunks:
            yield _make(chunk, progress)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        yield from pool.map(_make, chunks)


def _make(chunk: _Chunk, progress: Callable[[str, date], None] | None = None) -> _Made:
    of = city(chunk.city)
    made = []
    candles = trades = 0
    for day in chunk.days:
        one = generated_day(chunk.seed, of, day, chunk.error_f)
        for table, frame in (("candles", one.candles), ("trades", one.trades)):
            folder = chunk.out / table / f"series={of.series}" / f"event_date={day}"
            _write(frame, folder / "part.parquet")
        candles += one.candles.height
        trades += one.trades.height
        made.append(one)
        if progress is not None:
            progress(chunk.city, day)
    return _Made(
        chunk=chunk,
        candles=candles,
        trades=trades,
        tables={name: pl.concat(getattr(day, name) for day in made) for name in UNPARTITIONED},
    )


def _write_tables(out: Path, made: Sequence[_Made], seed: int, start: date) -> int:
    """Write the tables that are not partitioned by day; returns the number of observations."""
    for name in ("markets", "settlements", "forecasts"):
        _write(pl.concat(m.tables[name] for m in made), out / f"{name}.parquet")
    rows = 0
    for name in dict.fromkeys(m.chunk.city for m in made):
        parts = [m for m in made if m.chunk.city == name]
        frame = pl.concat(
            [_hour_before(parts[0].chunk, seed, start), *(m.tables["observations"] for m in parts)]
        )
        _write(frame, out / "observations" / f"station={city(name).station}" / "part.parquet")
        rows += frame.height
    return rows


def _hour_before(chunk: _Chunk, seed: int, start: date) -> pl.DataFrame:
    of = city(chunk.city)
    eve = _observations(seed, of, start - timedelta(days=1))
    from_time: datetime = of.climate_day(start)[0].astimezone(UTC) - timedelta(hours=1)
    return eve.filter(pl.col("valid_utc") >= from_time)


def _write(frame: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)
