"""The inputs of a page: the frames of one city-day, and the arrays that figures draw.

Here: `DayInputs` and the tables it needs, the ladder as shown, the panel and the weather PMF as
arrays. Not here: text, figures, HTML.
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
from kalshi_assets.instants import microseconds, microseconds_of
from kalshi_assets.ladder.terms import terms_at
from kalshi_assets.pages.results import results_of, strategies_in
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
    ORDERS,
    REPORT,
    SETTLEMENTS,
    Table,
)
from kalshi_assets.units import MINUTE_US, Array, Ints

PAGE_TABLES: tuple[Table, ...] = (
    EVENTS,
    OBSERVATIONS,
    FORECASTS,
    SETTLEMENTS,
    HAZARD_PMF,
    MINUTE_PANEL_FULL,
    DECISIONS,
    ORDERS,
    FILLS,
    DAILY_PNL,
    REPORT,
)
"""The tables that a page is rendered from; each is the field of `DayInputs` of the same name."""


def no_rows() -> dict[Table, pl.DataFrame]:
    """Every table of a page, empty; for callers that have only some of them."""
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
    """The frames of one city-day, each according to its table contract.

    Attributes
    ----------
    city
        The registry's entry.
    date
        The climate day.
    events, observations, forecasts, settlements, hazard_pmf, minute_panel_full
        Partitions of the tables of these names; any of them may be empty.
    decisions, orders, fills, daily_pnl, report
        The same, of schema `backtest`.
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
    orders: pl.DataFrame
    fills: pl.DataFrame
    daily_pnl: pl.DataFrame
    report: pl.DataFrame

    @classmethod
    def of(cls, city: City, date: dt.date, frames: Mapping[Table, pl.DataFrame]) -> Self:
        """The inputs from frames by table; tables that a page does not show are ignored.

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
        """The rows of `settlements` that their sources call final."""
        return final(self.settlements).to_dicts()

    @cached_property
    def strategies(self) -> list[str]:
        """The strategies that decided, those that ship first."""
        return strategies_in(results_of(self.daily_pnl))

    @cached_property
    def decisions_by_strategy(self) -> Mapping[str, pl.DataFrame]:
        """The decisions of each of `strategies`."""
        found = {
            str(rows["strategy"][0]): rows
            for rows in self.decisions.partition_by("strategy", maintain_order=True)
        }
        none = self.decisions.clear()
        return {name: found.get(name, none) for name in self.strategies}

    @cached_property
    def winner(self) -> int | None:
        """Position of the bracket that paid; None: not settled."""
        return winner_of(self.daily_pnl)

    @cached_property
    def grid(self) -> "MinuteGrid":
        """The minute panel as arrays."""
        return MinuteGrid.of(self.minute_panel_full, self.day_start, len(self.ladder))

    @cached_property
    def hazard(self) -> "HazardGrid":
        """The weather PMF as arrays."""
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
    # Some recorded markets have no label (KXHIGHCHI-25MAY09).
    if lo is None:
        return f"{hi}° or below"
    return f"{lo}° or above" if hi is None else f"{lo}° to {hi}°"


def winner_of(daily_pnl: pl.DataFrame) -> int | None:
    """The bracket that paid according to `daily_pnl`; None: not settled."""
    known = daily_pnl["winning_bracket"].drop_nulls()
    return int(known[0]) if len(known) else None


def hours_since(times: Ints, start: dt.datetime) -> Array:
    """Hours from `start` to each of `times`, microseconds since the epoch.

    These are local standard hours if `start` is the start of a climate day.
    """
    return (times - microseconds_of(start)) / (60 * MINUTE_US)


@dataclass(frozen=True)
class _Dense:
    """Rows of brackets and minutes as arrays; rows may be in any order and incomplete."""

    frame: pl.DataFrame
    row: npt.NDArray[np.int8]
    column: Ints
    minutes: Ints
    brackets: int

    @classmethod
    def of(cls, frame: pl.DataFrame, brackets: int) -> Self:
        row = frame["bracket"].to_numpy()
        minutes, column = np.unique(microseconds(frame["minute"]), return_inverse=True)
        return cls(frame, row, column, minutes, max(brackets, int(row.max(initial=-1)) + 1))

    def each(self, name: str) -> Array:
        """A value per bracket and minute."""
        out = np.full((self.brackets, len(self.minutes)), np.nan)
        out[self.row, self.column] = self.frame[name].cast(pl.Float64).to_numpy()
        return out

    def shared(self, name: str) -> Array:
        """A value per minute, the same in all brackets."""
        out = np.full(len(self.minutes), np.nan)
        out[self.column] = self.frame[name].cast(pl.Float64).to_numpy()
        return out

    def words(self, name: str) -> npt.NDArray[np.object_]:
        """A string or None per minute, the same in all brackets."""
        out = np.full(len(self.minutes), None, dtype=object)
        out[self.column] = self.frame[name].to_numpy()
        return out


@dataclass(frozen=True, kw_only=True)
class _Grid:
    hours: Array
    p_wx: Array
    dead: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.hours)

    def died_at(self, bracket: int) -> float | None:
        """Local standard hour from which `bracket` was dead; None: it never was."""
        where = np.flatnonzero(self.dead[bracket])
        return float(self.hours[where[0]]) if len(where) else None


@dataclass(frozen=True, kw_only=True)
class MinuteGrid(_Grid):
    """The minute panel as arrays: B brackets by N minutes, NaN where there is no value.

    Attributes
    ----------
    hours
        Local standard hours since the start of the climate day, shape (N,).
    p_fused, p_mkt, p_wx
        Probabilities, shape (B, N).
    dead
        Whether the bracket can no longer pay, shape (B, N).
    weather_weight
        Weight of the weather in the fused PMF, 0 where it was not used, shape (N,).
    forecast_max_f
        As known at the minute, degrees Fahrenheit, shape (N,).
    """

    p_fused: Array
    p_mkt: Array
    weather_weight: Array
    forecast_max_f: Array

    @classmethod
    def of(cls, panel: pl.DataFrame, day_start: dt.datetime, brackets: int) -> "MinuteGrid":
        """The grid of `panel`, whose rows may be in any order and incomplete."""
        of = _Dense.of(panel, brackets)
        return cls(
            hours=hours_since(of.minutes, day_start),
            p_fused=of.each("p_fused"),
            p_mkt=of.each("p_mkt"),
            p_wx=of.each("p_wx"),
            dead=of.each("dead") == 1.0,
            weather_weight=of.shared("weather_weight"),
            forecast_max_f=of.shared("forecast_max_f"),
        )

    @property
    def has_weather(self) -> bool:
        """Whether the weather was used in the fused PMF at any minute."""
        return self.weather_share > 0

    @property
    def weather_share(self) -> float:
        """Share of minutes at which the weather was used in the fused PMF."""
        return float((self.weather_weight > 0).mean()) if len(self) else 0.0

    def at(self, hour: float) -> int | None:
        """Index of the last minute at or before `hour`; None if there is none."""
        index = int(np.searchsorted(self.hours, hour + 1e-9, side="right")) - 1
        return index if index >= 0 else None


@dataclass(frozen=True, kw_only=True)
class HazardGrid(_Grid):
    """`probability.hazard_pmf` as arrays: B brackets by N evaluation times, NaN for no value.

    Attributes
    ----------
    hours
        Local standard hours since the start of the climate day, shape (N,).
    status, method, baseline
        Strings as in the table, None for null, shape (N,).
    p_wx, dead
        Shape (B, N).
    analogue_share, running_max_lo_f, hazard_next_60m, log_likelihood
        Shape (N,); temperatures in degrees Fahrenheit, the log likelihood in nats per report.
    """

    status: npt.NDArray[np.object_]
    method: npt.NDArray[np.object_]
    baseline: npt.NDArray[np.object_]
    analogue_share: Array
    running_max_lo_f: Array
    hazard_next_60m: Array
    log_likelihood: Array

    @classmethod
    def of(cls, hazard: pl.DataFrame, day_start: dt.datetime, brackets: int) -> Self:
        """The grid of `hazard`, whose rows may be in any order and incomplete."""
        of = _Dense.of(hazard, brackets)
        return cls(
            hours=hours_since(of.minutes, day_start),
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


def runs(values: npt.NDArray[Any]) -> Iterator[tuple[int, int, Any]]:
    """Start, stop and value of every run of equal `values`, shape (N,), in order."""
    if len(values):
        changes = np.flatnonzero(values[1:] != values[:-1]) + 1
        bounds = [0, *changes.tolist(), len(values)]
        yield from ((a, b, values[a]) for a, b in pairwise(bounds))
