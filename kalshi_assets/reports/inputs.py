"""What a page is made from: the frames of one city-day, and the grid that figures draw.

Here: `DayInputs`, the ladder as the page shows it, and the panel turned into arrays once. Not
here: words, figures, HTML.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from kalshi_assets.cities import City

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One bracket of the ladder, as shown."""

    bracket: int
    market_ticker: str
    label: str
    lo_f: int | None
    hi_f: int | None

    def pays(self, degrees: int) -> bool:
        """Whether a maximum of `degrees` pays this bracket."""
        above = self.lo_f is None or degrees >= self.lo_f
        return above and (self.hi_f is None or degrees <= self.hi_f)


@dataclass(frozen=True, kw_only=True)
class DayInputs:
    """The frames of one city and climate day, each as its table contract says.

    Attributes
    ----------
    city
        The registry's entry.
    date
        The climate day.
    events, observations, forecasts, settlements, minute_panel_full
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
    minute_panel_full: pl.DataFrame
    decisions: pl.DataFrame
    fills: pl.DataFrame
    daily_pnl: pl.DataFrame
    report: pl.DataFrame

    @cached_property
    def climate_start(self) -> dt.datetime:
        """First instant of the climate day, UTC."""
        return self.city.climate_day(self.date)[0]

    @cached_property
    def ladder(self) -> tuple[Rung, ...]:
        """The event's brackets, coldest first."""
        return ladder_of(self.events)

    @cached_property
    def winner(self) -> int | None:
        """Position of the bracket that paid; None: not settled."""
        return winner_of(self.daily_pnl)

    @cached_property
    def grid(self) -> "MinuteGrid":
        """The panel as arrays."""
        return MinuteGrid.of(self.minute_panel_full, self.climate_start, len(self.ladder))


def ladder_of(events: pl.DataFrame) -> tuple[Rung, ...]:
    """The brackets of `events`, coldest first."""
    columns = ["bracket", "market_ticker", "label", "lo_f", "hi_f"]
    rows = events.select(columns).sort("bracket").to_dicts()
    return tuple(
        Rung(**{**row, "label": row["label"].strip() or _degrees(row["lo_f"], row["hi_f"])})
        for row in rows
    )


def _degrees(lo_f: int | None, hi_f: int | None) -> str:
    # Some recorded markets have no words of their own (KXHIGHCHI-25MAY09).
    if lo_f is None:
        return f"{hi_f}° or below"
    return f"{lo_f}° or above" if hi_f is None else f"{lo_f}° to {hi_f}°"


def winner_of(daily_pnl: pl.DataFrame) -> int | None:
    """The bracket that `daily_pnl` says paid; None where it is not settled."""
    known = daily_pnl["winning_bracket"].drop_nulls()
    return int(known[0]) if len(known) else None


def hours_since(times: pl.Series, start: dt.datetime) -> Floats:
    """Hours from `start` to each of `times`: local standard hours, if `start` is the climate day's.

    Returns
    -------
    Array of shape (n,), hours.
    """
    micros = times.to_physical().to_numpy().astype(np.float64)
    return (micros - start.timestamp() * 1e6) / 3.6e9


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
    running_max_lo_f, forecast_max_f
        As known at the minute, degrees Fahrenheit, shape (N,).
    hazard_next_60m
        Probability of a new high within the hour, shape (N,).
    """

    hours: Floats
    p_fused: Floats
    p_mkt: Floats
    p_wx: Floats
    dead: npt.NDArray[np.bool_]
    running_max_lo_f: Floats
    forecast_max_f: Floats
    hazard_next_60m: Floats

    @classmethod
    def of(cls, panel: pl.DataFrame, climate_start: dt.datetime, brackets: int) -> "MinuteGrid":
        """The grid of `panel` (any order of rows, holes allowed)."""
        minutes, column = np.unique(panel["minute"].to_physical().to_numpy(), return_inverse=True)
        row = panel["bracket"].to_numpy()
        shape = (max(brackets, int(row.max(initial=-1)) + 1), len(minutes))

        def spread(name: str) -> Floats:
            out = np.full(shape, np.nan)
            out[row, column] = panel[name].cast(pl.Float64).to_numpy()
            return out

        def shared(name: str) -> Floats:
            out = np.full(len(minutes), np.nan)
            out[column] = panel[name].cast(pl.Float64).to_numpy()
            return out

        return cls(
            hours=(minutes - climate_start.timestamp() * 1e6) / 3.6e9,
            p_fused=spread("p_fused"),
            p_mkt=spread("p_mkt"),
            p_wx=spread("p_wx"),
            dead=spread("dead") == 1.0,
            running_max_lo_f=shared("running_max_lo_f"),
            forecast_max_f=shared("forecast_max_f"),
            hazard_next_60m=shared("hazard_next_60m"),
        )

    def __len__(self) -> int:
        return len(self.hours)

    @property
    def has_weather(self) -> bool:
        """Whether any minute has a weather PMF."""
        return bool(np.isfinite(self.p_wx).any())

    def at(self, hour: float) -> int | None:
        """Index of the last minute at or before `hour`; None: there is none."""
        index = int(np.searchsorted(self.hours, hour + 1e-9, side="right")) - 1
        return index if index >= 0 else None

    def died_at(self, bracket: int) -> float | None:
        """Local standard hour at which `bracket` died; None: it lived."""
        where = np.flatnonzero(self.dead[bracket])
        return float(self.hours[where[0]]) if len(where) else None
