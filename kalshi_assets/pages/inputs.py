"""What a page is made from: the frames of one city-day, and the grids that figures draw.

Here: `DayInputs` and the tables it takes, the ladder as the page shows it, and the panel and the
weather's PMF turned into arrays once. Not here: words, figures, HTML.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.ladder.terms import terms_at
from kalshi_assets.settlement.rule import final
from kalshi_assets.tables import (
    DAILY_PNL,
    DECISIONS,
    EVENTS,
    FILLS,
    FORECASTS,
    HAZARD_PMF,
    MINUTE_PANEL_FULL,
    OBSERVATIONS,
    REPORT,
    SETTLEMENTS,
    Table,
)
from kalshi_assets.units import Array

PAGE_TABLES: tuple[Table, ...] = (
    EVENTS,
    OBSERVATIONS,
    FORECASTS,
    SETTLEMENTS,
    HAZARD_PMF,
    MINUTE_PANEL_FULL,
    DECISIONS,
    FILLS,
    DAILY_PNL,
    REPORT,
)
"""The tables that a page is made of; each is the field of `DayInputs` of its name."""


def no_rows() -> dict[Table, pl.DataFrame]:
    """Every table of a page, empty: what a caller that has only some of them starts from."""
    return {table: table.empty() for table in PAGE_TABLES}


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One bracket of the ladder, as shown."""

    bracket: int
    market_ticker: str
    label: str
    lo: int | None
    hi: int | None

    def pays(self, degrees: int) -> bool:
        """Whether a maximum of `degrees` pays this bracket."""
        above = self.lo is None or degrees >= self.lo
        return above and (self.hi is None or degrees <= self.hi)


@dataclass(frozen=True, kw_only=True)
class DayInputs:
    """The frames of one city and climate day, each as its table contract says.

    Attributes
    ----------
    city
        The registry's entry.
    date
        The climate day.
    events, observations, forecasts, settlements, hazard_pmf, minute_panel_full
        Partitions of the tables of these names; any of them may have no rows.
    decisions, fills, daily_pnl, report
        Likewise, of schema `backtest`.
    """

    city: City
    date: dt.date
    events: pl.DataFrame
    observations: pl.DataFrame
    forecasts: pl.DataFrame
    settlements: pl.DataFrame
    hazard_pmf: pl.DataFrame
    minute_panel_full: pl.DataFrame
    decisions: pl.DataFrame
    fills: pl.DataFrame
    daily_pnl: pl.DataFrame
    report: pl.DataFrame

    @classmethod
    def of(cls, city: City, date: dt.date, frames: Mapping[Table, pl.DataFrame]) -> Self:
        """The inputs from frames by table; tables that a page does not show are passed over.

        Raises
        ------
        KeyError
            A table of the page is missing.
        """
        if missing := [table.full_name for table in PAGE_TABLES if table not in frames]:
            raise KeyError(f"a page of {city.name} {date} also needs {', '.join(missing)}")
        return cls(city=city, date=date, **{t.name: frames[t] for t in PAGE_TABLES})

    @cached_property
    def day_start(self) -> dt.datetime:
        """First instant of the climate day, UTC."""
        return self.city.climate_day(self.date)[0]

    @cached_property
    def ladder(self) -> tuple[Rung, ...]:
        """The event's brackets, coldest first."""
        return ladder_of(self.events)

    @cached_property
    def final_words(self) -> list[dict[str, Any]]:
        """The rows of `settlements` that are final in their source's eyes."""
        return final(self.settlements).to_dicts()

    @cached_property
    def winner(self) -> int | None:
        """Position of the bracket that paid; None: not settled."""
        return winner_of(self.daily_pnl)

    @cached_property
    def grid(self) -> "MinuteGrid":
        """The panel as arrays."""
        return MinuteGrid.of(self.minute_panel_full, self.day_start, len(self.ladder))

    @cached_property
    def hazard(self) -> "HazardGrid":
        """What the weather implies, as arrays."""
        return HazardGrid.of(self.hazard_pmf, self.day_start, len(self.ladder))


def ladder_of(events: pl.DataFrame) -> tuple[Rung, ...]:
    """The brackets of `events`, coldest first."""
    columns = ["bracket", "market_ticker", "label", "lo", "hi"]
    rows = sorted(terms_at(events)[columns].to_dicts(), key=itemgetter("bracket"))
    return tuple(
        Rung(**{**row, "label": row["label"].strip() or _degrees(row["lo"], row["hi"])})
        for row in rows
    )


def _degrees(lo: int | None, hi: int | None) -> str:
    # Some recorded markets have no words of their own (KXHIGHCHI-25MAY09).
    if lo is None:
        return f"{hi}° or below"
    return f"{lo}° or above" if hi is None else f"{lo}° to {hi}°"


def winner_of(daily_pnl: pl.DataFrame) -> int | None:
    """The bracket that `daily_pnl` says paid; None where it is not settled."""
    known = daily_pnl["winning_bracket"].drop_nulls()
    return int(known[0]) if len(known) else None


def hours_since(times: pl.Series, start: dt.datetime) -> Array:
    """Hours from `start` to each of `times`: local standard hours, if `start` is the climate day's.

    Returns
    -------
    Array of shape (n,), hours.
    """
    micros = times.to_physical().to_numpy().astype(np.float64)
    return (micros - start.timestamp() * 1e6) / 3.6e9


@dataclass(frozen=True)
class _Spread:
    """Rows of brackets and minutes, in any order and with holes, as arrays.

    `column` is None where each bracket of `row` has all minutes in order.
    """

    frame: pl.DataFrame
    row: npt.NDArray[np.int8]
    column: npt.NDArray[np.int64] | None
    minutes: npt.NDArray[np.int64]
    brackets: int

    @classmethod
    def over(cls, frame: pl.DataFrame, brackets: int) -> Self:
        minute, row = frame["minute"].to_physical().to_numpy(), frame["bracket"].to_numpy()
        brackets = max(brackets, int(row.max(initial=-1)) + 1)
        if n := _stretch(minute, row):
            return cls(frame, row[::n], None, minute[:n], brackets)
        minutes, column = np.unique(minute, return_inverse=True)
        return cls(frame, row, column, minutes, brackets)

    def hours(self, start: dt.datetime) -> Array:
        return (self.minutes.astype(np.float64) - start.timestamp() * 1e6) / 3.6e9

    def each(self, name: str) -> Array:
        """A value per bracket and minute."""
        out = np.full((self.brackets, len(self.minutes)), np.nan)
        values = self.frame[name].cast(pl.Float64).to_numpy()
        if self.column is None:
            out[self.row] = values.reshape(len(self.row), -1)
        else:
            out[self.row, self.column] = values
        return out

    def shared(self, name: str) -> Array:
        """A value per minute, the same in all brackets."""
        if self.column is None:
            last = self.frame[name].tail(len(self.minutes))
            return np.asarray(last.cast(pl.Float64).to_numpy())
        out = np.full(len(self.minutes), np.nan)
        out[self.column] = self.frame[name].cast(pl.Float64).to_numpy()
        return out

    def words(self, name: str) -> npt.NDArray[np.object_]:
        """A word or None per minute, the same in all brackets."""
        if self.column is None:
            return self.frame[name].tail(len(self.minutes)).to_numpy()
        out = np.full(len(self.minutes), None, dtype=object)
        out[self.column] = self.frame[name].to_numpy()
        return out


def _stretch(minute: npt.NDArray[np.int64], bracket: npt.NDArray[np.int8]) -> int:
    """Rows of each bracket if they lie together and have the same rising minutes; else 0."""
    changes = np.flatnonzero(np.diff(bracket))
    n = int(changes[0]) + 1 if len(changes) else len(bracket)
    if not n or len(bracket) % n or (np.diff(minute[:n]) <= 0).any():
        return 0
    same = (minute.reshape(-1, n) == minute[:n]).all()
    together = len(changes) == len(bracket) // n - 1 and (changes % n == n - 1).all()
    return n if same and together else 0


@dataclass(frozen=True, kw_only=True)
class MinuteGrid:
    """The minute panel as arrays: B brackets by N minutes, NaN where there is nothing.

    Attributes
    ----------
    hours
        Local standard hours since the start of the climate day, shape (N,).
    p_fused, p_mkt, p_wx
        Probabilities, shape (B, N).
    dead
        Whether the bracket cannot pay any more, shape (B, N).
    weather_weight
        Of the weather in the fused PMF, 0 where it did not enter, shape (N,).
    running_max_lo_f, forecast_max_f
        As known at the minute, degrees Fahrenheit, shape (N,).
    hazard_next_60m
        Probability of a new high within the hour, shape (N,).
    """

    hours: Array
    p_fused: Array
    p_mkt: Array
    p_wx: Array
    dead: npt.NDArray[np.bool_]
    weather_weight: Array
    running_max_lo_f: Array
    forecast_max_f: Array
    hazard_next_60m: Array

    @classmethod
    def of(cls, panel: pl.DataFrame, day_start: dt.datetime, brackets: int) -> "MinuteGrid":
        """The grid of `panel` (any order of rows, holes allowed)."""
        of = _Spread.over(panel, brackets)
        return cls(
            hours=of.hours(day_start),
            p_fused=of.each("p_fused"),
            p_mkt=of.each("p_mkt"),
            p_wx=of.each("p_wx"),
            dead=of.each("dead") == 1.0,
            weather_weight=of.shared("weather_weight"),
            running_max_lo_f=of.shared("running_max_lo_f"),
            forecast_max_f=of.shared("forecast_max_f"),
            hazard_next_60m=of.shared("hazard_next_60m"),
        )

    def __len__(self) -> int:
        return len(self.hours)

    @property
    def has_weather(self) -> bool:
        """Whether the weather entered the fused PMF at any minute."""
        return self.weather_share > 0

    @property
    def weather_share(self) -> float:
        """Share of minutes at which the weather entered the fused PMF."""
        return float((self.weather_weight > 0).mean()) if len(self) else 0.0

    def at(self, hour: float) -> int | None:
        """Index of the last minute at or before `hour`; None: there is none."""
        index = int(np.searchsorted(self.hours, hour + 1e-9, side="right")) - 1
        return index if index >= 0 else None

    def died_at(self, bracket: int) -> float | None:
        """Local standard hour at which `bracket` died; None: it lived."""
        return _first(self.dead[bracket], self.hours)


@dataclass(frozen=True, kw_only=True)
class HazardGrid:
    """`probability.hazard_pmf` as arrays: B brackets by N evaluation times, NaN for nothing.

    Attributes
    ----------
    hours
        Local standard hours since the start of the climate day, shape (N,).
    status, method, baseline
        Words as in the table, None for null, shape (N,).
    p_wx, dead
        Shape (B, N).
    analogue_share, running_max_lo_f, hazard_next_60m, log_likelihood
        Shape (N,); degrees Fahrenheit, and nats a report.
    """

    hours: Array
    status: npt.NDArray[np.object_]
    method: npt.NDArray[np.object_]
    baseline: npt.NDArray[np.object_]
    p_wx: Array
    dead: npt.NDArray[np.bool_]
    analogue_share: Array
    running_max_lo_f: Array
    hazard_next_60m: Array
    log_likelihood: Array

    @classmethod
    def of(cls, hazard: pl.DataFrame, day_start: dt.datetime, brackets: int) -> Self:
        """The grid of `hazard` (any order of rows, holes allowed)."""
        of = _Spread.over(hazard, brackets)
        return cls(
            hours=of.hours(day_start),
            status=of.words("status"),
            method=of.words("method"),
            baseline=of.words("baseline"),
            p_wx=of.each("p_wx"),
            dead=of.each("dead") == 1.0,
            analogue_share=of.shared("analogue_share"),
            running_max_lo_f=of.shared("running_max_lo_f"),
            hazard_next_60m=of.shared("hazard_next_60m"),
            log_likelihood=of.shared("log_likelihood"),
        )

    def __len__(self) -> int:
        return len(self.hours)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Whether there is a PMF, shape (N,)."""
        return np.asarray(np.isfinite(self.p_wx).all(axis=0))

    @property
    def reasons(self) -> npt.NDArray[np.object_]:
        """Why there is no PMF; None where there is one, shape (N,)."""
        reasons = self.status.copy()
        reasons[self.known] = None
        return reasons

    def died_at(self, bracket: int) -> float | None:
        """Local standard hour at which `bracket` died; None: it lived."""
        return _first(self.dead[bracket], self.hours)


def runs(values: npt.NDArray[Any]) -> Iterator[tuple[int, int, Any]]:
    """Start, stop and value of every stretch of equal `values`, shape (N,), in order."""
    if len(values):
        changes = np.flatnonzero(values[1:] != values[:-1]) + 1
        bounds = [0, *changes.tolist(), len(values)]
        yield from ((a, b, values[a]) for a, b in pairwise(bounds))


def _first(happened: npt.NDArray[np.bool_], hours: Array) -> float | None:
    where = np.flatnonzero(happened)
    return float(hours[where[0]]) if len(where) else None
