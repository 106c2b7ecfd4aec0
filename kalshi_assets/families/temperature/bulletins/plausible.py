"""Implausible values: outside the range for the season, or a jump that reverts.

Feeds contain values such as 178, -99 and -77.9 °F, and missing forecasts as 0.0. Here: the rule for
rejecting values, for both reports and forecasts. Not here: applying it (`sources`), the weight of
accepted reports (`evidence`).
"""

from collections.abc import Sequence
from datetime import date
from math import cos, tau
from typing import NamedTuple

from kalshi_assets.families.temperature.cities import City

# Records are broken by a few degrees at a time, whereas faulty values are far off.
SLACK_F = 30.0
# The limits of the tables, for all stations.
LOWEST_F, HIGHEST_F = -80.0, 140.0
COLDEST_DAY_OF_YEAR = 20
YEAR_DAYS = 365.25

JUMP_F = 50.0
# Consecutive reports are five minutes apart, or an hour if the plan provides hourly data only.
NEIGHBOUR_S = 65 * 60


class Range(NamedTuple):
    """Temperatures from `low` to `high`, both inclusive; °F."""

    low: float
    high: float

    def holds(self, value_f: float) -> bool:
        """Whether the value is in the range; False for NaN."""
        return self.low <= value_f <= self.high


def climatological_range(city: City, day: date) -> Range:
    """Record low and high of the station for this time of year.

    Interpolated by a cosine between the records of the coldest and the warmest month.
    """
    phase = (day.timetuple().tm_yday - COLDEST_DAY_OF_YEAR) / YEAR_DAYS
    warmth = (1 - cos(tau * phase)) / 2
    low, high = (
        cold + warmth * (warm - cold)
        for cold, warm in zip(city.winter_records_f, city.summer_records_f, strict=True)
    )
    return Range(low, high)


def plausible_range(city: City, day: date) -> Range:
    """The climatological range widened by 30 °F; values outside are rejected."""
    low, high = climatological_range(city, day)
    return Range(max(low - SLACK_F, LOWEST_F), min(high + SLACK_F, HIGHEST_F))


class Sample(NamedTuple):
    """A temperature, its time in seconds, and other values by which copies are recognised."""

    time_s: float
    temp_f: float
    other: tuple[float | None, ...] = ()

    def copies(self, before: "Sample") -> bool:
        """Whether all values are known and equal to those before."""
        known = bool(self.other) and None not in self.other
        return known and (self.temp_f, self.other) == (before.temp_f, before.other)


def confirmed_by(samples: Sequence[Sample]) -> list[int | None]:
    """For each sample, in order of time, the index of the first that confirms it; None: rejected.

    A sample normally confirms itself. One that differs by 50 °F or more from the previous accepted
    sample is confirmed by the next sample close to it, because until then a front cannot be
    distinguished from a fault; it is rejected if the temperature reverts. Copies of it do not
    count.
    """
    shown: list[int | None] = []
    believed: Sample | None = None
    waiting: list[int] = []
    for at, sample in enumerate(samples):
        shown.append(None)
        if believed is None or (sample.time_s - believed.time_s > NEIGHBOUR_S and not waiting):
            shown[at], believed = at, sample
            continue
        back = abs(sample.temp_f - believed.temp_f)
        onward = abs(sample.temp_f - samples[waiting[-1]].temp_f) if waiting else back
        if back < JUMP_F and back <= onward:
            waiting = []
        elif not waiting or onward >= JUMP_F or sample.copies(samples[waiting[-1]]):
            waiting.append(at)
            continue
        else:
            for earlier in waiting:
                if abs(samples[earlier].temp_f - sample.temp_f) < JUMP_F:
                    shown[earlier] = at
            waiting = []
        shown[at], believed = at, sample
    return shown
