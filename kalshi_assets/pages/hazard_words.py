"""Sentences about the weather PMF: method, baseline, share of similar days, times without a PMF.

Here: text derived from `probability.hazard_pmf`. Not here: the figure (`plots.weather`), scores.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from kalshi_assets.pages.inputs import DayInputs, HazardGrid, runs
from kalshi_assets.pages.words import (
    BASELINE_WORDS,
    METHOD_WORDS,
    WEATHER_WORDS,
    hours_and_minutes,
    number,
    percent,
)

_SAME_SHARE = 1e-3


def weather_sentence(day: DayInputs) -> str:
    """Whether the weather was used in the fused probabilities, and if not, why."""
    if not len(day.minute_panel_full):
        return "There is no minute panel for this day."
    if day.grid.has_weather:
        share = percent(day.grid.weather_share)
        return f"The weather was used in the fused probabilities at {share} of minutes."
    if not len(day.observations):
        return (
            "There are no station observations for this climate day: "
            "the fused probabilities are the market's."
        )
    if (day.hazard_pmf["status"] == "ok").any():
        return (
            "The weather was known, but earlier days do not show that it helps (see "
            "probability.fusion_weights): the fused probabilities are the market's, without the "
            "brackets that the reports have ruled out."
        )
    statuses = day.hazard_pmf["status"].value_counts(sort=True)["status"].to_list()
    often = WEATHER_WORDS[statuses[0]] if statuses else "none was computed"
    return (
        "There are station reports, but the weather was used at no minute (most often: "
        f"{often}): the fused probabilities are the market's."
    )


def hazard_sentences(day: DayInputs) -> list[str]:
    """How the weather PMF was made over the day; empty if there was none."""
    grid = day.hazard
    if not grid.known.any():
        return []
    lines = [_method_sentence(grid), _share_sentence(grid)]
    if (grid.status == "day_ahead").any():
        lines.append("Day-ahead probabilities are not used in the fused probabilities.")
    lines += [_withheld_sentence(grid), _likelihood_sentence(grid)]
    return [line for line in lines if line]


def _method_sentence(grid: HazardGrid) -> str:
    known = grid.known
    words = [
        METHOD_WORDS[method] if baseline is None else f"{METHOD_WORDS[method]} around {expected}"
        for method, baseline in zip(grid.method[known], grid.baseline[known], strict=True)
        for expected in [BASELINE_WORDS.get(baseline)]
    ]
    return f"The weather's probabilities are {_over_the_day(grid, known, np.array(words))}."


def _share_sentence(grid: HazardGrid) -> str:
    # Day-ahead guidance does not use similar days.
    known = grid.known & (grid.method != "analogue") & ~np.isnan(grid.analogue_share)
    shares = np.round(grid.analogue_share[known] / _SAME_SHARE) * _SAME_SHARE
    if not shares.any():
        return ""
    words = np.array([percent(float(share)) if share else "none" for share in shares])
    return f"Share of similar earlier days in them: {_over_the_day(grid, known, words)}."


def _withheld_sentence(grid: HazardGrid) -> str:
    withheld = [
        f"{_clock(grid, start)} to {_clock(grid, stop)}, {WEATHER_WORDS[reason]}"
        for start, stop, reason in runs(grid.reasons)
        if reason and reason not in ("not_yet", "before_climate_day")
    ]
    return f"Withheld: {'; '.join(withheld)}." if withheld else ""


def _likelihood_sentence(grid: HazardGrid) -> str:
    if not np.isfinite(grid.log_likelihood).any():
        return ""
    worst = int(np.nanargmin(grid.log_likelihood))
    lowest = number(float(grid.log_likelihood[worst]), 1)
    return (
        f"The reports were least likely under the model at {_clock(grid, worst)}: mean log "
        f"likelihood {lowest} per report."
    )


def _over_the_day(grid: HazardGrid, known: npt.NDArray[np.bool_], words: npt.NDArray[Any]) -> str:
    """`a until 06:00, then b until 09:00, then c`."""
    at = np.flatnonzero(known)
    stretches = [(word, stop) for _, stop, word in runs(words)]
    *earlier, (last, _) = stretches
    parts = [f"{word} until {_clock(grid, int(at[stop]))}" for word, stop in earlier]
    return ", then ".join([*parts, str(last)])


def _clock(grid: HazardGrid, index: int) -> str:
    return hours_and_minutes(float(grid.hours[min(index, len(grid) - 1)]))
