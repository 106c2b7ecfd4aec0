"""The result of a city-day: which forecast was better, what was earned, why it did not trade.

Here: the figures of a day that the page, the index and the terminal share, and sentences about
them. Not here: computing scores (they are read from `backtest.report`), HTML.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl
from pydantic import TypeAdapter

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.pages.inputs import DayInputs, ladder_of, winner_of
from kalshi_assets.pages.results import Result, results_of, strategies_in
from kalshi_assets.pages.words import counted, dollars, number, percent, reason_words
from kalshi_assets.tables.backtest import REASONS

STRATEGY_REASONS = frozenset(REASONS[REASONS.index("veto") + 1 :])
"""Reasons that follow the common gates: a strategy's own, and limits."""

SAME = 1e-9
"""Log losses that differ by less are a tie: without weather, fused equals the market."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Market, weather and fused compared at the report's hours.

    Attributes
    ----------
    hours
        Hours at which both market and fused were scored.
    market_better, fused_better, tied
        Of these hours, how many each had the lower log loss.
    log_loss
        Mean per source: market and fused over `hours`, weather over its own; None: not scored.
    weather_hours
        Hours at which weather and market were both scored.
    market_there
        The market's mean log loss over `weather_hours`, for comparison with the weather's.
    """

    hours: int
    market_better: int
    fused_better: int
    tied: int
    log_loss: Mapping[str, float | None]
    weather_hours: int
    market_there: float | None

    @property
    def better(self) -> str | None:
        """Which of market and fused has the lower mean log loss; see `better_of`."""
        return better_of(self.log_loss["market"], self.log_loss["fused"])

    def won(self, source: str) -> int:
        """Hours at which `source`, market or fused, was the better of the two."""
        return self.fused_better if source == "fused" else self.market_better


def better_of(market: float | None, fused: float | None) -> str | None:
    """Which log loss is lower: market, fused, or tie; None: one of them is not known."""
    if market is None or fused is None:
        return None
    if abs(market - fused) <= SAME:
        return "tie"
    return "fused" if fused < market else "market"


@dataclass(frozen=True, kw_only=True)
class DaySummary:
    """One city-day in one line.

    Attributes
    ----------
    event_ticker
        The event; empty if the day has none.
    settled_by
        A source of `weather.settlements`, or unsettled.
    value, outcome
        The maximum and the label of the bracket that paid; None: not known.
    contest
        Comparison of the forecasts.
    results
        Every strategy under every fill model.
    reasons
        By strategy: bracket-minutes by reason, most frequent first; empty if decisions were not
        given.
    """

    city: str
    title: str
    date: dt.date
    event_ticker: str
    settled_by: str
    value: int | None
    outcome: str | None
    contest: Contest
    results: tuple[Result, ...]
    reasons: Mapping[str, Mapping[str, int]]

    def to_json(self) -> str:
        """The summary as JSON."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def of_json(cls, text: str) -> "DaySummary":
        """The inverse of `to_json`."""
        return _adapter().validate_json(text)

    @property
    def settled(self) -> bool:
        """Whether the day is settled."""
        return self.settled_by != "unsettled"

    @property
    def strategies(self) -> list[str]:
        """The strategies, those that ship first."""
        return strategies_in(self.results)

    @property
    def main_reason(self) -> str | None:
        """The most frequent reason of all strategies why there was no order."""
        return next(iter(reasons_for_none(self.reasons.values())), None)

    def under(self, strategy: str, fill_model: str) -> Result | None:
        """The result of a strategy under a fill model; None: there is none.

        Parameters
        ----------
        strategy, fill_model
            Names.
        """
        wanted = (strategy, fill_model)
        return next((r for r in self.results if (r.strategy, r.fill_model) == wanted), None)

    @property
    def href(self) -> str:
        """Link from the index to the day's page."""
        return f"{self.city}/{self.date}.html"


@cache
def _adapter() -> TypeAdapter[DaySummary]:
    return TypeAdapter(DaySummary)


def summarise(
    city: City,
    date: dt.date,
    *,
    events: pl.DataFrame,
    daily_pnl: pl.DataFrame,
    report: pl.DataFrame,
    reasons: Mapping[str, Mapping[str, int]] | None = None,
) -> DaySummary:
    """The summary of one city-day, from its small tables.

    `reasons` is the number of decisions by strategy and reason, in any order.
    """
    ladder, winner = ladder_of(events), winner_of(daily_pnl)
    results = results_of(daily_pnl)
    given = reasons or {}
    return DaySummary(
        city=city.name,
        title=city.title,
        date=date,
        event_ticker=events["event_ticker"][0] if len(events) else "",
        settled_by=daily_pnl["settled_by"][0] if len(daily_pnl) else "unsettled",
        value=daily_pnl["value"][0] if len(daily_pnl) else None,
        outcome=next((rung.label for rung in ladder if rung.bracket == winner), None),
        contest=contest_of(report),
        results=results,
        reasons={
            name: dict(sorted(given[name].items(), key=lambda item: (-item[1], item[0])))
            for name in strategies_in(results)
            if name in given
        },
    )


def reasons_for_none(reasons: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Sums over counts of reasons without those of orders, the most frequent first."""
    counts: Counter[str] = Counter()
    for each in reasons:
        counts.update(each)
    counts.pop("trade", None)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def summary_of(day: DayInputs) -> DaySummary:
    """The summary of a day from the inputs of its page."""
    return summarise(
        day.city,
        day.date,
        events=day.events,
        daily_pnl=day.daily_pnl,
        report=day.report,
        reasons={
            name: dict(decisions["reason"].value_counts().iter_rows())
            for name, decisions in day.decisions_by_strategy.items()
        },
    )


def contest_of(report: pl.DataFrame) -> Contest:
    """The comparison of the forecasts in `backtest.report`."""
    losses: dict[str, dict[int, float]] = {"market": {}, "weather": {}, "fused": {}}
    for source, hour, loss in report[["source", "lst_hour", "log_loss"]].iter_rows():
        if loss is not None:
            losses[source][hour] = loss
    market, weather, fused = losses["market"], losses["weather"], losses["fused"]
    both = sorted(market.keys() & fused.keys())
    gaps = [fused[hour] - market[hour] for hour in both]
    with_weather = sorted(market.keys() & weather.keys())
    return Contest(
        hours=len(both),
        market_better=sum(gap > SAME for gap in gaps),
        fused_better=sum(gap < -SAME for gap in gaps),
        tied=sum(abs(gap) <= SAME for gap in gaps),
        log_loss={
            "market": mean([market[hour] for hour in both]),
            "weather": mean([weather[hour] for hour in with_weather]),
            "fused": mean([fused[hour] for hour in both]),
        },
        weather_hours=len(with_weather),
        market_there=mean([market[hour] for hour in with_weather]),
    )


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None if there are no values."""
    return sum(values) / len(values) if values else None


def forecast_sentence(day: DaySummary) -> str:
    """Which forecast was better by the mean, together with the count of hours.

    The count alone is misleading: late in the day, when the outcome is nearly certain, there are
    many hours that differ by thousandths (new_york 2025-04-25: fused is better at 14 of 23 hours,
    but worse by the mean).
    """
    contest = day.contest
    if not day.settled:
        return "Not settled yet, so nothing is scored."
    better = contest.better
    if day.outcome is None:
        return "Settled without a winning bracket, so nothing is scored."
    if better is None:
        return "Settled, but there is no hour at which both market and fused can be scored."
    if better == "tie":
        return f"Fused equals the market at all {contest.hours} hours."
    other = "market" if better == "fused" else "fused"
    means = f"{number(contest.log_loss[better])} against {number(contest.log_loss[other])}"
    tied = f", {contest.tied} tied" if contest.tied else ""
    won, lost = contest.won(better), contest.won(other)
    if lost > won:
        return (
            f"{better.capitalize()} beat {other} by mean log loss, {means}, though {other} was "
            f"better at {lost} of {contest.hours} hours{tied}."
        )
    return (
        f"{better.capitalize()} beat {other} at {won} of {contest.hours} hours{tied}; "
        f"mean log loss {means}."
    )


def score_sentence(day: DaySummary) -> str:
    """The score of the weather alone, over its hours; empty if nothing is scored."""
    contest = day.contest
    if not contest.hours:
        return ""
    if not contest.weather_hours:
        return "Lower log loss is better."
    return (
        f"Lower log loss is better. The weather alone has "
        f"{number(contest.log_loss['weather'])} over the {counted(contest.weather_hours, 'hour')} "
        f"it covers; over the same hours the market has {number(contest.market_there)}."
    )


def money_sentence(day: DaySummary) -> str:
    """Profit and loss of every strategy, from its worst to its best fill model."""
    if not day.results:
        return "No backtest result."
    if not any(result.orders for result in day.results):
        return "No orders were sent: no profit and no loss under any fill model."
    if not day.settled:
        return f"Orders were sent; not settled yet. In the worst case: {_spans(day, worst=True)}."
    return f"After fees, from the worst to the best fill model: {_spans(day, worst=False)}."


def _spans(day: DaySummary, *, worst: bool) -> str:
    said = []
    for strategy in day.strategies:
        own = [result for result in day.results if result.strategy == strategy]
        amounts = [result.worst_case_cc if worst else result.net_cc for result in own]
        sent = any(result.orders for result in own)
        said.append(f"{strategy} {span(amounts) if sent else 'sent no orders'}")
    return "; ".join(said)


def span(amounts_cc: Iterable[int | None]) -> str:
    """The least and the greatest of amounts, such as `−$1.00 to +$2.00`; a dash: none is known."""
    known = [amount for amount in amounts_cc if amount is not None]
    ends = dict.fromkeys((min(known), max(known))) if known else {None: None}
    return " to ".join(dollars(end, signed=True) for end in ends)


def trading_sentence(day: DaySummary) -> str:
    """How often every strategy sent an order."""
    counts = [
        f"{strategy} {reasons.get('trade', 0):,}" for strategy, reasons in day.reasons.items()
    ]
    if not counts:
        return "No decisions are recorded."
    total = sum(next(iter(day.reasons.values())).values())
    return (
        f"Each strategy decided {total:,} times, once per bracket and minute. Orders: "
        f"{', '.join(counts)}."
    )


def why_none(reasons: Mapping[str, int]) -> str:
    """The two most frequent reasons for no order and the most frequent one of the strategy's own.

    The common gates come first and are the same for all strategies, so that they would hide what
    one of them did where it could have traded. Empty: there are no reasons.
    """
    total = sum(reasons.values())
    others = reasons_for_none([reasons])
    own = [reason for reason in others if reason in STRATEGY_REASONS][:1]
    named = dict.fromkeys([*list(others)[:2], *own])
    return "; ".join(f"{reason_words(each)} ({percent(others[each] / total)})" for each in named)
