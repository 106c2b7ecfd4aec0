"""Earlier days of a station on the five-minute grid, as known at one time.

Here: reports of many days as arrays, each report an interval. Not here: fits to them (`fit`), the
day that is being traded (`asof`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.families.temperature.climate_day import ONE_HOUR, SLOT_US, SLOTS
from kalshi_assets.families.temperature.evidence import counted, temperatures
from kalshi_assets.families.temperature.providers import one_report_each
from kalshi_assets.instants import microseconds, microseconds_of
from kalshi_assets.units import Array

# Share of slots, with gaps of up to an hour interpolated: hourly reports are enough.
MIN_COVERAGE = 0.75


@dataclass(frozen=True, kw_only=True)
class StationDays:
    """Earlier climate days; in each slot the last report is used.

    Attributes
    ----------
    starts
        Start of each climate day, UTC, ascending.
    mid_f, width_f
        Shape (days, 288): middle of the report's interval of five-minute means, and the number of
        whole degrees it may stand for; NaN: no report.
    known_at
        When the latest of the reports became known; None: there is no report.
    """

    starts: tuple[datetime, ...]
    mid_f: Array
    width_f: Array
    known_at: datetime | None

    def __post_init__(self) -> None:
        shape = (len(self.starts), SLOTS)
        if self.mid_f.shape != shape or self.width_f.shape != shape:
            raise ValueError(
                f"mid_f {self.mid_f.shape} and width_f {self.width_f.shape} must both have shape "
                f"{shape}: a row per day"
            )

    @classmethod
    def of(cls, days: Sequence[tuple[datetime, pl.DataFrame]], known_by: datetime) -> "StationDays":
        """Read `weather.observations` of earlier days.

        Parameters
        ----------
        days
            Start of the climate day and its observations, oldest first.
        known_by
            Rows known later are omitted.
        """
        starts = tuple(start for start, _ in days)
        mid, width = (np.full((len(days), SLOTS), np.nan) for _ in range(2))
        if not days:
            return cls(starts=starts, mid_f=mid, width_f=width, known_at=None)
        rows = counted_reports(days, known_by)
        day, slot = rows["day"].to_numpy(), rows["slot"].to_numpy()
        lo, hi = (rows[name].to_numpy().astype(np.float64) for name in ("lo_f", "hi_f"))
        mid[day, slot] = (lo + hi) / 2
        width[day, slot] = hi - lo + 1
        return cls(starts=starts, mid_f=mid, width_f=width, known_at=_latest(rows))

    def __len__(self) -> int:
        return len(self.starts)

    def usable(self, min_coverage: float = MIN_COVERAGE) -> NDArray[np.bool_]:
        """Days with reports in enough slots, not counting gaps of up to an hour; shape (days,)."""
        covered: Array = (~np.isnan(bridged(self.mid_f))).mean(axis=1)
        return covered >= min_coverage

    def take(self, kept: NDArray[np.bool_]) -> "StationDays":
        """The days selected by a mask."""
        return StationDays(
            starts=tuple(start for start, keep in zip(self.starts, kept, strict=True) if keep),
            mid_f=self.mid_f[kept],
            width_f=self.width_f[kept],
            known_at=self.known_at,
        )

    @property
    def rounding_variance(self) -> float:
        """Mean variance of the temperature within a report's interval, degrees F squared.

        The distribution is taken as uniform: a twelfth of the squared width.
        """
        return float(np.nanmean(self.width_f**2) / 12)

    @property
    def exact_share(self) -> float:
        """Share of the reports that stand for one whole degree."""
        reported = ~np.isnan(self.width_f)
        return float((self.width_f[reported] == 1).mean()) if reported.any() else 0.0

    def highest(self) -> tuple[Array, Array]:
        """Bounds of the highest whole degree reported, each of shape (days,); NaN: no report."""
        lo = np.fmax.reduce(self.mid_f - (self.width_f - 1) / 2, axis=1)
        hi = np.fmax.reduce(self.mid_f + (self.width_f - 1) / 2, axis=1)
        return lo, hi


def counted_reports(
    days: Sequence[tuple[datetime, pl.DataFrame]], known_by: datetime
) -> pl.DataFrame:
    """Temperatures of `weather.observations` of several days that count and were known in time.

    With `day`, its index, and `slot`. Of equal reports from several providers one is kept, see
    `providers`.

    Parameters
    ----------
    days
        Start of the climate day and its observations, at least one.
    """
    days = [(start, one_report_each(frame)) for start, frame in days]
    numbers = np.repeat(np.arange(len(days)), [frame.height for _, frame in days])
    since = np.array([microseconds_of(start) for start, _ in days], dtype=np.int64)
    rows = pl.concat(frame for _, frame in days)
    slots = (microseconds(rows["event_time"]) - since[numbers]) // SLOT_US
    rows = counted(temperatures(rows.hstack([pl.Series("day", numbers), pl.Series("slot", slots)])))
    known = microseconds(rows["known_at"]) <= microseconds_of(known_by)
    slots = rows["slot"].to_numpy()
    kept = known & (slots >= 0) & (slots < SLOTS)
    return rows if kept.all() else rows[np.flatnonzero(kept)]


def bridged(day: Array) -> Array:
    """`day`, or days of shape (days, slots), with gaps of up to an hour interpolated."""
    known = ~np.isnan(day)
    slots = np.arange(day.shape[-1])
    before = np.maximum.accumulate(np.where(known, slots, -1), axis=-1)
    after = np.where(known, slots, len(slots))[..., ::-1]
    after = np.minimum.accumulate(after, axis=-1)[..., ::-1]
    gap = after - before
    filled = day.copy()
    inside = ~known & (before >= 0) & (after < len(slots)) & (gap <= ONE_HOUR)
    at = np.nonzero(inside)
    first, last = (*at[:-1], before[at]), (*at[:-1], after[at])
    slope = (day[last] - day[first]) / gap[at]
    filled[at] = slope * (at[-1] - before[at]) + day[first]
    return filled


def _latest(rows: pl.DataFrame) -> datetime | None:
    latest = rows["known_at"].max()
    return latest if isinstance(latest, datetime) else None
