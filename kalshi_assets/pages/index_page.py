"""The index of all city-days: outcomes, scores and P&L, and what cannot be concluded from them.

Here: rows, totals by city, the statement of uncertainty. Not here: a single day (`day_page`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import stdev

from kalshi_assets.pages.page import render
from kalshi_assets.pages.verdict import DaySummary, mean, under_fill_models
from kalshi_assets.pages.words import counted, number

ENOUGH_DAYS = 30
"""With fewer settled days no difference is called significant (methods.md 6)."""


@dataclass(frozen=True, kw_only=True)
class CityTotal:
    """Totals over the days of a city.

    Attributes
    ----------
    title
        The city, or "all cities".
    days, scored_days
        City-days present, and those with both market and fused scored.
    log_loss
        Mean over scored days of the day's mean, per source; None: no scored day.
    market_there
        The market's mean over the days and hours with a scored weather PMF.
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
    """Totals over the days of `rows`; the standard error is over days."""
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
            source: mean([v for row in scored if (v := row.contest.log_loss[source]) is not None])
            for source in ("market", "weather", "fused")
        },
        market_there=mean([v for row in scored if (v := row.contest.market_there) is not None]),
        gap=mean(gaps),
        gap_error=stdev(gaps) / math.sqrt(len(gaps)) if len(gaps) > 1 else None,
        net_cc={model: sum(row.net_cc.get(model) or 0 for row in rows) for model in models},
        orders={model: sum(row.orders.get(model, 0) for row in rows) for model in models},
    )


def totals(rows: Iterable[DaySummary]) -> list[CityTotal]:
    """One total per city, and one over all if there are several cities."""
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
    """The result over all days, in a sentence."""
    if not rows:
        return "No city-day has been materialised yet."
    whole = total_of("all", rows)
    if not whole.scored_days:
        return f"{counted(whole.days, 'city-day')}, none of them scored yet."
    market, fused = whole.log_loss["market"], whole.log_loss["fused"]
    traded, nets = any(whole.orders.values()), under_fill_models(whole.net_cc)
    earned = f"after fees it made {nets}" if traded else "no orders were sent"
    return (
        f"Over {counted(whole.scored_days, 'scored city-day')} the mean log loss is "
        f"{number(market)} for the market and {number(fused)} for fused; {earned}."
    )


def caveats(rows: Sequence[DaySummary]) -> list[str]:
    """What cannot be concluded from these pages."""
    whole = total_of("all", rows)
    sentences = []
    if whole.scored_days < ENOUGH_DAYS:
        sentences.append(
            f"{counted(whole.scored_days, 'scored city-day').capitalize()}: too few to show an "
            f"edge or the lack of one. At least {ENOUGH_DAYS} are required; no difference below is "
            "significant."
        )
    elif whole.gap is not None and whole.gap_error is not None:
        sentences.append(
            f"Mean difference of log loss, fused less market: {number(whole.gap)} with a standard "
            f"error of {number(whole.gap_error)} over days. Cities share weather, so the actual "
            "error is larger."
        )
    same = sum(0 < row.contest.hours == row.contest.tied for row in rows)
    if same:
        sentences.append(
            f"On {counted(same, 'day')} fused equals the market's PMF because no weather was used; "
            "such days say nothing about the fusion."
        )
    waiting = sum(not row.settled for row in rows)
    if waiting:
        sentences.append(f"{counted(waiting, 'day').capitalize()} not settled: no P&L, no score.")
    sentences.append(
        "A profit no larger than the difference between the fill models depends on the fill model. "
        "Real orders would have moved the market; these did not."
    )
    return sentences
