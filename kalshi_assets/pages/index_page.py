"""The index of all city-days: outcomes, scores and P&L, and what cannot be concluded from them.

Here: rows, totals by city, the statement of uncertainty. Not here: a single day (`day_page`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import stdev

from kalshi_assets.pages.page import render
from kalshi_assets.pages.results import (
    Result,
    Total,
    nets_of,
    strategies_in,
    totals_of,
    width_cc,
)
from kalshi_assets.pages.verdict import DaySummary, mean, span
from kalshi_assets.pages.words import counted, number
from kalshi_assets.tables.backtest import DECIDING_MODEL

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
    results
        Every strategy under every fill model, over the days.
    """

    title: str
    days: int
    scored_days: int
    log_loss: Mapping[str, float | None]
    market_there: float | None
    gap: float | None
    gap_error: float | None
    results: tuple[Total, ...]


def total_of(title: str, rows: Sequence[DaySummary]) -> CityTotal:
    """Totals over the days of `rows`; the standard error is over days."""
    scored = [row for row in rows if row.contest.hours]
    gaps = [
        fused - market
        for row in scored
        if (fused := row.contest.log_loss["fused"]) is not None
        and (market := row.contest.log_loss["market"]) is not None
    ]
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
        results=tuple(totals_of(row.results for row in rows)),
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
    return render(
        "index.html.j2",
        totals=[(row, money_of(row.results)) for row in totals(ordered)],
        days=[(row, money_of(row.results)) for row in ordered],
        strategies=strategies_in(result for row in ordered for result in row.results),
        shown_model=DECIDING_MODEL,
        lead=lead_sentence(ordered),
        caveats=caveats(ordered),
    )


@dataclass(frozen=True, kw_only=True)
class Money:
    """What a line of the index shows of trading.

    Attributes
    ----------
    net_cc, orders
        By strategy under `DECIDING_MODEL`.
    width_cc
        Greatest width between fill models of a strategy; None: not known.
    """

    net_cc: Mapping[str, int | None]
    orders: Mapping[str, int]
    width_cc: int | None


def money_of(results: Sequence[Result | Total]) -> Money:
    """What a line of the index shows of a day's results, or of several days'."""
    shown = [result for result in results if result.fill_model == DECIDING_MODEL]
    widths = [width_cc(nets_of(results, name)) for name in strategies_in(results)]
    return Money(
        net_cc={result.strategy: result.net_cc for result in shown},
        orders={result.strategy: result.orders for result in shown},
        width_cc=max((width for width in widths if width is not None), default=None),
    )


def lead_sentence(rows: Sequence[DaySummary]) -> str:
    """The result over all days, in a sentence."""
    if not rows:
        return "No city-day has been materialised yet."
    whole = total_of("all", rows)
    if not whole.scored_days:
        return f"{counted(whole.days, 'city-day')}, none of them scored yet."
    market, fused = whole.log_loss["market"], whole.log_loss["fused"]
    earned = "no orders were sent"
    if any(total.orders for total in whole.results):
        nets = {name: nets_of(whole.results, name) for name in strategies_in(whole.results)}
        made = "; ".join(f"{name} {span(each.values())}" for name, each in nets.items())
        earned = f"after fees, from the worst to the best fill model: {made}"
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
