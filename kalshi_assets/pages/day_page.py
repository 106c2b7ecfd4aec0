"""The page of one city-day: probabilities, scores, and why it did or did not trade.

Here: turning the day's frames into the template's context. Not here: figures (`plots`), text
(`verdict`, `words`), layout (`templates/day.html.j2`).
"""

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from kalshi_assets.ladder.terms import latest_terms, terms_at
from kalshi_assets.pages import plots, verdict, words
from kalshi_assets.pages.hazard_words import hazard_sentences, weather_sentence
from kalshi_assets.pages.inputs import DayInputs, Rung
from kalshi_assets.pages.page import render
from kalshi_assets.pages.palette import (
    REASON_COLOURS,
    SOURCE_COLOURS,
    bracket_colours,
    strategy_colours,
)
from kalshi_assets.pages.quality import quality_of, quote_sentence
from kalshi_assets.pages.results import nets_of, width_cc, with_gains
from kalshi_assets.pages.svg import svg_markup
from kalshi_assets.pages.trades_page import trades_file
from kalshi_assets.tables.backtest import DECIDING_MODEL, FILL_MODELS

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["DayInputs", "render_day"]

_MOST_ORDERS = 200
_MOST_HASHES = 12
_TWO = ("market", "fused")
_FRESH_H = 0.1  # an hour that the panel does not cover has no favourite


def render_day(day: DayInputs, summary: verdict.DaySummary | None = None) -> str:
    """One self-contained HTML page of the city-day.

    Any frame may be empty; the page then says what is missing.

    Parameters
    ----------
    day
        The day.
    summary
        If it was made before.
    """
    summary, orders = summary or verdict.summary_of(day), _orders(day)
    return render(
        "day.html.j2",
        day=day,
        summary=summary,
        offset=_offset(day.city.std_offset_h),
        sentences={
            "forecast": verdict.forecast_sentence(summary),
            "score": verdict.score_sentence(summary),
            "money": verdict.money_sentence(summary),
            "trading": verdict.trading_sentence(summary),
            "quotes": quote_sentence(day),
            "weather": weather_sentence(day),
            "sureness": sureness_sentence(day),
        },
        hazard=hazard_sentences(day),
        ladder=_ladder(day),
        contract=latest_terms(day.events).row(0, named=True) if len(day.events) else None,
        figures=_figures(day),
        scores=_scores(day),
        traded=_traded(day, summary),
        pnl=_pnl(day, summary),
        models=FILL_MODELS,
        shown_model=DECIDING_MODEL,
        trades_file=trades_file(day.date),
        orders=orders[:_MOST_ORDERS],
        orders_left_out=max(len(orders) - _MOST_ORDERS, 0),
        reasons=_reasons(summary),
        quality=quality_of(day),
        lineage=_lineage(day),
        colours={"source": SOURCE_COLOURS, "strategy": strategy_colours(day.strategies)},
        blind=float(np.log(len(day.ladder) or 6)),
        weather_words=words.WEATHER_WORDS,
        kind_words=words.KIND_WORDS,
    )


def sureness_sentence(day: DayInputs) -> str:
    """The favourite at noon, or at the last minute before."""
    favourite = _favourite(day, 12.0)
    if favourite is None:
        return ""
    hour, rung, probability = favourite
    return (
        f"At {words.hours_and_minutes(hour)} local standard time the favourite was {rung.label}, "
        f"with {words.percent(probability)}."
    )


def _favourite(
    day: DayInputs, hour: float, *, latest: float = np.inf
) -> tuple[float, Rung, float] | None:
    """The fused favourite at the last minute before `hour`, no more than `latest` hours before."""
    index = day.grid.at(hour)
    if index is None or not day.ladder or hour - day.grid.hours[index] > latest:
        return None
    pmf = day.grid.p_fused[: len(day.ladder), index]
    pmf = np.where(np.isnan(pmf), 0.0, pmf)
    best = int(pmf.argmax())
    return float(day.grid.hours[index]), day.ladder[best], float(pmf[best])


def _figures(day: DayInputs) -> dict[str, "Markup"]:
    from markupsafe import Markup

    drawn = {
        "beliefs": (plots.belief_figure(day), "Stacked bracket probabilities over the day"),
        "weather": (
            plots.hazard_figure(day),
            "Temperature reports and the probabilities by the weather alone",
        ),
    }
    for strategy in day.strategies:
        alt = f"What {strategy} decided for every bracket and minute, its orders and fills"
        drawn[strategy] = (plots.reason_figure(day, strategy), alt)
    if (day.fills["fill_model"] == DECIDING_MODEL).any():
        drawn["money"] = (plots.money_figure(day), "Cumulative gain of each strategy")
    return {name: Markup(svg_markup(fig, alt)) for name, (fig, alt) in drawn.items()}


def _ladder(day: DayInputs) -> list[dict[str, Any]]:
    colours = bracket_colours(len(day.ladder))
    rows = sorted(terms_at(day.events).to_dicts(), key=itemgetter("bracket"))
    last = day.grid.p_fused[:, -1] if len(day.grid) else None
    return [
        {
            **row,
            "label": day.ladder[i].label,
            "colour": colour,
            "paid": row["bracket"] == day.winner,
            "died": None if died is None else words.hours_and_minutes(died),
            "last": None if last is None or np.isnan(last[i]) else float(last[i]),
        }
        for i, (row, colour) in enumerate(zip(rows, colours, strict=True))
        for died in [day.grid.died_at(i)]
    ]


def _scores(day: DayInputs) -> list[dict[str, Any]]:
    """One row per hour: the sources' scores, and the fused favourite."""
    by_hour: dict[int, dict[str, dict[str, Any]]] = {}
    for row in sorted(day.report.to_dicts(), key=itemgetter("lst_hour")):
        by_hour.setdefault(row["lst_hour"], {})[row["source"]] = row
    return [
        {
            "lst": f"{hour:02d}:00",
            "utc": f"{next(iter(rows.values()))['minute']:%H:%M}Z",
            "favourite": _favourite(day, hour, latest=_FRESH_H),
            "cells": [
                words.number(rows[source][score]) if source in rows else "–"
                for score in ("p_win", "log_loss", "brier_score", "rps")
                for source in ("market", "weather", "fused")
            ],
            "better": verdict.better_of(*(rows.get(s, {}).get("log_loss") for s in _TWO)) or "–",
        }
        for hour, rows in by_hour.items()
    ]


def _traded(day: DayInputs, summary: verdict.DaySummary) -> list[dict[str, Any]]:
    """A row per strategy: what it sent, what it earned under each fill model, and why no more."""
    rows = []
    for strategy in day.strategies:
        nets = nets_of(summary.results, strategy)
        rows.append(
            {
                "strategy": strategy,
                "shown": summary.under(strategy, DECIDING_MODEL),
                "nets": [nets.get(model) for model in FILL_MODELS],
                "width": width_cc(nets),
                "why": verdict.why_none(summary.reasons.get(strategy, {})),
            }
        )
    return rows


def _pnl(day: DayInputs, summary: verdict.DaySummary) -> list[dict[str, Any]]:
    """The rows of `backtest.daily_pnl` in the order of the summary."""
    rows = {(row["strategy"], row["fill_model"]): row for row in day.daily_pnl.to_dicts()}
    return [rows[result.strategy, result.fill_model] for result in summary.results]


def _orders(day: DayInputs) -> list[dict[str, Any]]:
    """The orders by time; one that several fill models sent is one row."""
    labels = {rung.market_ticker: rung.label for rung in day.ladder}
    rows = with_gains(day.orders, day.fills)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows.iter_rows(named=True):
        key = (row["order_id"], row["execution"], row["price_cc"])
        order = found.setdefault(
            key,
            {
                **row,
                "label": labels.get(row["market_ticker"], row["market_ticker"]),
                "placed": _local(day, row["placed_at"]),
                "under": dict.fromkeys(FILL_MODELS),
            },
        )
        order["under"][row["fill_model"]] = row
    return list(found.values())


def _local(day: DayInputs, instant: Any) -> str:
    return words.local_standard(instant, day.city.std_offset_h, day.date)


def _reasons(summary: verdict.DaySummary) -> list[dict[str, Any]]:
    """A row per reason of any strategy, the most frequent first: its share of each one's."""
    totals = {name: sum(counts.values()) for name, counts in summary.reasons.items()}
    named = Counter[str]()
    for counts in summary.reasons.values():
        named.update(counts)
    return [
        {
            "reason": reason,
            "words": words.reason_words(reason),
            "colour": REASON_COLOURS[reason],
            "cells": [
                (counts.get(reason, 0), counts.get(reason, 0) / totals[name])
                for name, counts in summary.reasons.items()
            ],
        }
        for reason, _ in sorted(named.items(), key=lambda item: (-item[1], item[0]))
    ]


def _lineage(day: DayInputs) -> list[dict[str, Any]]:
    """Per raw table: the number of rows read from each response."""
    tables = {
        "market.events": day.events,
        "weather.observations": day.observations,
        "weather.forecasts": day.forecasts,
        "weather.settlements": day.settlements,
    }
    found = []
    for name, frame in tables.items():
        counts = frame["raw_sha256"].drop_nulls().value_counts(sort=True).rows()
        found.append(
            {
                "table": name,
                "rows": len(frame),
                "answers": len(counts),
                "hashes": sorted(counts, key=lambda pair: (-pair[1], pair[0]))[:_MOST_HASHES],
                "known": frame["known_at"].max() if len(frame) else None,
            }
        )
    return found


def _offset(hours: int) -> str:
    return f"UTC{'−' if hours < 0 else '+'}{abs(hours)}"
