"""What a city-day comes to: who forecast better, what it earned, why it did not trade.

Here: the figures of a day that headlines, the index and the terminal share, and their sentences.
Not here: scores themselves (they are read from `backtest.report`), HTML.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from operator import itemgetter

import polars as pl
from pydantic import TypeAdapter

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.pages.inputs import DayInputs, ladder_of, winner_of
from kalshi_assets.pages.words import REASON_WORDS, counted, dollars, number, percent

SAME = 1e-9
"""Log losses nearer than this are a tie: fused and market are equal where no weather entered."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Market, weather and fused compared at the report's hours.

    Attributes
    ----------
    hours
        Hours at which both market and fused were scored.
    market_better, fused_better, tied
        How these hours divide, by log loss.
    log_loss
        Mean per source: market and fused over `hours`, weather over its own; None: none.
    weather_hours
        Hours at which weather and market were both scored.
    market_there
        The market's mean log loss over `weather_hours`, to compare the weather's with.
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
        """Market or fused, by mean log loss; tie where they are the same; None: not scored."""
        market, fused = self.log_loss["market"], self.log_loss["fused"]
        if market is None or fused is None:
            return None
        if abs(market - fused) <= SAME:
            return "tie"
        return "fused" if fused < market else "market"

    def won(self, source: str) -> int:
        """Hours at which `source`, market or fused, was the better of the two."""
        return self.fused_better if source == "fused" else self.market_better


@dataclass(frozen=True, kw_only=True)
class DaySummary:
    """One city-day in one line.

    Attributes
    ----------
    city, title, date
        Whose day.
    event_ticker
        The event; empty where the day has none.
    settled_by
        A source of `weather.settlements`, or unsettled.
    value, outcome
        The maximum and the words of the bracket that paid; None: not known.
    contest
        Who forecast better.
    net_cc, worst_case_cc, orders, contracts
        Per fill model; net is None before settlement.
    reasons
        Bracket-minutes by reason, most frequent first; empty where decisions were not given.
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
        """The summary as text."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def of_json(cls, text: str) -> "DaySummary":
        """The summary that the text is of."""
        return _adapter().validate_json(text)

    @property
    def settled(self) -> bool:
        """Whether anyone's result settled the day."""
        return self.settled_by != "unsettled"

    @property
    def width_cc(self) -> int | None:
        """What the profit owes to the fill model: highest less lowest net."""
        known = [net for net in self.net_cc.values() if net is not None]
        return max(known) - min(known) if len(known) > 1 else None

    @property
    def main_reason(self) -> str | None:
        """The most frequent reason why there was no order."""
        return next((reason for reason in self.reasons if reason != "trade"), None)

    @property
    def href(self) -> str:
        """Where the day's page lies, from the index."""
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

    `reasons` counts its decisions by reason, in any order, where they were read.
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
    """The summary of a day whose frames are at hand."""
    return summarise(
        day.city,
        day.date,
        events=day.events,
        daily_pnl=day.daily_pnl,
        report=day.report,
        reasons=dict(day.decisions["reason"].value_counts().iter_rows()),
    )


def contest_of(report: pl.DataFrame) -> Contest:
    """The comparison that the rows of `backtest.report` give."""
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
            "market": _mean([market[hour] for hour in both]),
            "weather": _mean([weather[hour] for hour in with_weather]),
            "fused": _mean([fused[hour] for hour in both]),
        },
        weather_hours=len(with_weather),
        market_there=_mean([market[hour] for hour in with_weather]),
    )


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def forecast_sentence(day: DaySummary) -> str:
    """Who forecast better, in words: by the mean, with the count of hours beside it.

    The count alone misleads: late hours, when the outcome is plain, are many and differ by
    thousandths (new_york 2025-04-25: fused better at 14 of 23 hours, and worse by the mean).
    """
    contest = day.contest
    if not day.settled:
        return "Not settled yet, so nothing is scored."
    better = contest.better
    if day.outcome is None:
        return "Settled without a bracket that won, so nothing is scored."
    if better is None:
        return "Settled, but there is no hour at which market and fused can both be scored."
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
    """How the weather alone did, on the hours it has; empty where nothing is scored."""
    contest = day.contest
    if not contest.hours:
        return ""
    if not contest.weather_hours:
        return "Lower log loss is better."
    return (
        f"Lower log loss is better. Weather alone has {number(contest.log_loss['weather'])} over "
        f"the {counted(contest.weather_hours, 'hour')} it covers, where the market has "
        f"{number(contest.market_there)}."
    )


def money_sentence(day: DaySummary) -> str:
    """Profit and loss under every fill model, and the width between them."""
    if not day.net_cc:
        return "No backtest result."
    if not any(day.orders.values()):
        return "It sent no orders: no profit and no loss under either fill model."
    if not day.settled:
        worst = ", ".join(
            f"{dollars(cc, signed=True)} under {model} fills"
            for model, cc in sorted(day.worst_case_cc.items())
        )
        return f"It sent orders; not settled yet. In the worst case: {worst}."
    nets = ", ".join(
        f"{dollars(cc, signed=True)} under {model} fills"
        for model, cc in sorted(day.net_cc.items())
    )
    width = f" The width, {dollars(day.width_cc)}, is what the fill model decides."
    return (
        f"After fees it made {nets}.{width if day.width_cc else ' The fill model decides nothing.'}"
    )


def trading_sentence(day: DaySummary) -> str:
    """How often it acted, and what held it back most."""
    total = sum(day.reasons.values())
    if not total:
        return "No decisions are recorded."
    trades = day.reasons.get("trade", 0)
    acted = f"acted {counted(trades, 'time')}" if trades else "never acted"
    held = [(reason, n) for reason, n in day.reasons.items() if reason != "trade"][:2]
    why = "; ".join(f"{REASON_WORDS[reason]} ({percent(n / total)})" for reason, n in held)
    said = f"Of {total:,} looks at a bracket it {acted}."
    return f"{said} What held it back most: {why}." if why else said
