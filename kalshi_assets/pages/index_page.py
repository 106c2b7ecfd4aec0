"""The index of all city-days: outcomes and results side by side, and what they cannot say.

Here: rows, totals by city and the statement of uncertainty. Not here: any single day (`day_page`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from kalshi_assets.pages.page import render
from kalshi_assets.pages.verdict import DaySummary
from kalshi_assets.pages.words import counted, dollars, number

ENOUGH_DAYS = 30
"""Fewer settled days than this and no comparison is called a finding (methods.md 6)."""


@dataclass(frozen=True, kw_only=True)
class CityTotal:
    """A city's days added up.

    Attributes
    ----------
    title
        The city; or all of them.
    days, scored_days
        Partitions present; of these, those with both market and fused scored.
    log_loss
        Mean over scored days of the day's mean, per source; None: none.
    weather_days, market_there
        Days with a scored weather PMF; the market's mean over the same days and hours.
    gap, gap_error
        Mean over scored days of fused less market log loss, and its standard error over days.
    net_cc
        Sum over settled days per fill model.
    orders
        Sum per fill model.
    """

    title: str
    days: int
    scored_days: int
    log_loss: Mapping[str, float | None]
    weather_days: int
    market_there: float | None
    gap: float | None
    gap_error: float | None
    net_cc: Mapping[str, int]
    orders: Mapping[str, int]

    @property
    def width_cc(self) -> int:
        """Highest less lowest net of the fill models."""
        return max(self.net_cc.values(), default=0) - min(self.net_cc.values(), default=0)


def total_of(title: str, rows: Sequence[DaySummary]) -> CityTotal:
    """The days of `rows` added up; the unit of uncertainty is the day."""
    scored = [row for row in rows if row.contest.hours]
    gaps = [
        fused - market
        for row in scored
        if (fused := row.contest.log_loss["fused"]) is not None
        and (market := row.contest.log_loss["market"]) is not None
    ]
    models = sorted({model for row in rows for model in row.net_cc})
    return CityTotal(
        title=title,
        days=len(rows),
        scored_days=len(scored),
        log_loss={
            source: _mean([v for row in scored if (v := row.contest.log_loss[source]) is not None])
            for source in ("market", "weather", "fused")
        },
        weather_days=sum(row.contest.weather_hours > 0 for row in scored),
        market_there=_mean([v for row in scored if (v := row.contest.market_there) is not None]),
        gap=_mean(gaps),
        gap_error=_standard_error(gaps),
        net_cc={model: sum(row.net_cc.get(model) or 0 for row in rows) for model in models},
        orders={model: sum(row.orders.get(model, 0) for row in rows) for model in models},
    )


def totals(rows: Iterable[DaySummary]) -> list[CityTotal]:
    """One total per city, and one over all where there are several."""
    ordered = sorted(rows, key=lambda row: (row.title, row.date))
    found = [
        total_of(title, list(own)) for title, own in groupby(ordered, key=lambda row: row.title)
    ]
    return [*found, total_of("all cities", ordered)] if len(found) > 1 else found


def render_index(rows: Iterable[DaySummary]) -> str:
    """The index page of the city-days `rows`, in any order."""
    ordered = sorted(rows, key=lambda row: (row.title, row.date))
    models = sorted({model for row in ordered for model in row.net_cc})
    return render(
        "index.html.j2",
        rows=ordered,
        totals=totals(ordered),
        models=models,
        lead=lead_sentence(ordered),
        caveats=caveats(ordered),
    )


def lead_sentence(rows: Sequence[DaySummary]) -> str:
    """What all days together say, in a sentence."""
    if not rows:
        return "No city-day has been materialised yet."
    whole = total_of("all", rows)
    if not whole.scored_days:
        return f"{counted(whole.days, 'city-day')}, none of them scored yet."
    market, fused = whole.log_loss["market"], whole.log_loss["fused"]
    nets = ", ".join(
        f"{dollars(cc, signed=True)} under {model} fills" for model, cc in whole.net_cc.items()
    )
    earned = f"after fees the rules made {nets}" if any(whole.orders.values()) else "no orders sent"
    return (
        f"Over {counted(whole.scored_days, 'scored city-day')} the mean log loss is "
        f"{number(market)} for the market and {number(fused)} for fused; {earned}."
    )


def caveats(rows: Sequence[DaySummary]) -> list[str]:
    """What these pages cannot say."""
    whole = total_of("all", rows)
    said = []
    if whole.scored_days < ENOUGH_DAYS:
        said.append(
            f"{counted(whole.scored_days, 'scored city-day').capitalize()} cannot show an edge or "
            f"the lack of one: no difference below is significant, whatever its sign "
            f"(at least {ENOUGH_DAYS} days are asked for)."
        )
    elif whole.gap is not None and whole.gap_error is not None:
        said.append(
            f"Fused less market log loss is {number(whole.gap)} a day with a standard error "
            f"of {number(whole.gap_error)} over days; cities share weather, so the real error is "
            f"larger."
        )
    same = sum(0 < row.contest.hours == row.contest.tied for row in rows)
    if same:
        said.append(
            f"On {counted(same, 'day')} fused is the market's PMF, because no weather entered: "
            f"such days say nothing about the fusion."
        )
    waiting = sum(not row.settled for row in rows)
    if waiting:
        said.append(f"{counted(waiting, 'day').capitalize()} not settled: no profit, no score.")
    said.append(
        "A profit that differs between fill models by its width is a statement about the fill "
        "model. Your own orders would have moved the market; these did not."
    )
    return said


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _standard_error(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values))
