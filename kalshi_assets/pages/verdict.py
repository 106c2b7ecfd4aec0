"""The result of a city-day: which forecast was better, what was earned, why it did not trade.

Here: the figures of a day that the page, the index and the terminal share, and sentences about
them. Not here: computing scores (they are read from `backtest.report`), HTML.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter

import polars as pl
from pydantic import TypeAdapter

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.pages.inputs import DayInputs, ladder_of, winner_of
from kalshi_assets.pages.words import counted, dollars, number, percent, reason_words

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
    net_cc, worst_case_cc, orders, contracts
        Per fill model; net is None before settlement.
    reasons
        Bracket-minutes by reason, most frequent first; empty if decisions were not given.
    """

    city: str
    title: str
    date: dt.date
    event_ticker: str
    settled_by: str
    value: int | None
    outcome: str | None
    contest: Contest
    net_cc: Mapping[str, int | None]
    worst_case_cc: Mapping[str, int]
    orders: Mapping[str, int]
    contracts: Mapping[str, int]
    reasons: Mapping[str, int]

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
    def width_cc(self) -> int | None:
        """Highest less lowest net of the fill models; None with fewer than two."""
        known = [net for net in self.net_cc.values() if net is not None]
        return max(known) - min(known) if len(known) > 1 else None

    @property
    def main_reason(self) -> str | None:
        """The most frequent reason why there was no order."""
        return next((reason for reason in self.reasons if reason != "trade"), None)

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
    reasons: Mapping[str, int] | None = None,
) -> DaySummary:
    """The summary of one city-day, from its small tables.

    `reasons` is the number of decisions by reason, in any order.
    """
    ladder, winner = ladder_of(events), winner_of(daily_pnl)
    results = sorted(daily_pnl.to_dicts(), key=itemgetter("fill_model"))
    by_model = {row["fill_model"]: row for row in results}
    return DaySummary(
        city=city.name,
        title=city.title,
        date=date,
        event_ticker=events["event_ticker"][0] if len(events) else "",
        settled_by=daily_pnl["settled_by"][0] if len(daily_pnl) else "unsettled",
        value=daily_pnl["value"][0] if len(daily_pnl) else None,
        outcome=next((rung.label for rung in ladder if rung.bracket == winner), None),
        contest=contest_of(report),
        net_cc={model: row["net_cc"] for model, row in by_model.items()},
        worst_case_cc={model: row["worst_case_cc"] for model, row in by_model.items()},
        orders={model: row["orders"] for model, row in by_model.items()},
        contracts={model: row["contracts"] for model, row in by_model.items()},
        reasons=dict(sorted((reasons or {}).items(), key=lambda item: (-item[1], item[0]))),
    )


def summary_of(day: DayInputs) -> DaySummary:
    """The summary of a day from the inputs of its page."""
    return summarise(
        day.city,
        day.date,
        events=day.events,
        daily_pnl=day.daily_pnl,
        report=day.report,
        reasons=dict(day.decisions["reason"].value_counts().iter_rows()),
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
    """Profit and loss under every fill model, and the difference between them."""
    if not day.net_cc:
        return "No backtest result."
    if not any(day.orders.values()):
        return "No orders were sent: no profit and no loss under either fill model."
    if not day.settled:
        worst = under_fill_models(day.worst_case_cc)
        return f"Orders were sent; not settled yet. In the worst case: {worst}."
    width = (
        f"The fill models differ by {dollars(day.width_cc)}."
        if day.width_cc
        else "The fill model makes no difference."
    )
    return f"After fees it made {under_fill_models(day.net_cc)}. {width}"


def under_fill_models(amounts_cc: Mapping[str, int | None]) -> str:
    """Amounts by fill model, such as `+$1.00 under touch fills`."""
    return ", ".join(
        f"{dollars(cc, signed=True)} under {model} fills"
        for model, cc in sorted(amounts_cc.items())
    )


def trading_sentence(day: DaySummary) -> str:
    """How often it traded, and the most frequent reasons why it did not."""
    total = sum(day.reasons.values())
    if not total:
        return "No decisions are recorded."
    trades = day.reasons.get("trade", 0)
    sent = f"{trades:,} sent an order" if trades else "none sent an order"
    others = [(reason, n) for reason, n in day.reasons.items() if reason != "trade"][:2]
    why = "; ".join(f"{reason_words(reason)} ({percent(n / total)})" for reason, n in others)
    sentence = f"Of {total:,} decisions (one per bracket and minute) {sent}."
    return f"{sentence} Most frequent reasons: {why}." if why else sentence
