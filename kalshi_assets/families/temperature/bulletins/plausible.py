"""Values that no thermometer showed: outside what the season allows, or a jump that comes back.

Feeds carry 178, -99 and -77.9 °F, and forecasts of 0.0 where there is none. Here: the one rule for
what is left out, for reports and forecasts alike. Not here: what becomes of what is left out
(`sources`), or how far a report that is kept is believed (`evidence`).
"""

from collections.abc import Sequence
from datetime import date
from math import cos, tau
from typing import NamedTuple

from kalshi_assets.families.temperature.cities import City

# Records are broken by a few degrees at a time; a feed's faults miss them by many.
SLACK_F = 30.0
# No table takes more, wherever the station stands.
LOWEST_F, HIGHEST_F = -80.0, 140.0
COLDEST_DAY_OF_YEAR = 20
YEAR_DAYS = 365.25

JUMP_F = 50.0
# Neighbours are five minutes apart, an hour where a plan gives hours only.
NEIGHBOUR_S = 65 * 60


class Range(NamedTuple):
    """Temperatures from `low` to `high`, both included; °F."""

    low: float
    high: float

    def holds(self, value_f: float) -> bool:
        """Whether the value lies within; NaN does not."""
        return self.low <= value_f <= self.high


def climatological_range(city: City, day: date) -> Range:
    """Lowest and highest temperature that the station has seen at this time of the year.

    A cosine over the year between the records of the coldest and of the warmest month.
    """
    phase = (day.timetuple().tm_yday - COLDEST_DAY_OF_YEAR) / YEAR_DAYS
    warmth = (1 - cos(tau * phase)) / 2
    low, high = (
        cold + warmth * (warm - cold)
        for cold, warm in zip(city.winter_records_f, city.summer_records_f, strict=True)
    )
    return Range(low, high)


def plausible_range(city: City, day: date) -> Range:
    """The climatological range widened by 30 °F; what lies outside is no temperature."""
    low, high = climatological_range(city, day)
    return Range(max(low - SLACK_F, LOWEST_F), min(high + SLACK_F, HIGHEST_F))


class Sample(NamedTuple):
    """A temperature, its time in seconds, and what else tells a report from a copy of the last."""

    time_s: float
    temp_f: float
    other: tuple[float | None, ...] = ()

    def copies(self, before: "Sample") -> bool:
        """Whether it repeats everything, all of it known."""
        known = bool(self.other) and None not in self.other
        return known and (self.temp_f, self.other) == (before.temp_f, before.other)


def confirmed_by(samples: Sequence[Sample]) -> list[int | None]:
    """For each sample the first that shows it to be true, itself or a later one; None: none does.

    A sample 50 °F or more away from its neighbour before is believed when the next one stays with
    it, and not before: until then nobody can tell a front from a fault. It is not believed when
    the next ones come back. Copies of it decide nothing.

    Parameters
    ----------
    samples
        In order of time.
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
