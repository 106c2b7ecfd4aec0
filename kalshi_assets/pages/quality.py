"""Data quality of the day: coverage, origin of quotes, weather, settlement.

Here: counts and shares for the page. Not here: the blocking checks (`defs`).
"""

from collections.abc import Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any

import polars as pl

from kalshi_assets.pages.inputs import DayInputs
from kalshi_assets.pages.words import percent
from kalshi_assets.settlement.rule import fair_price

_MINUTE = timedelta(minutes=1)


def quality_of(day: DayInputs) -> dict[str, Any]:
    """The data-quality block of the page, by the names that the template uses."""
    panel = day.minute_panel_full
    return {
        "panel": _panel(day) if len(panel) else None,
        "quotes": _shares(panel["quote_source"]),
        "weather": _shares(panel["weather_status"]),
        "observations": _observations(day.observations) if len(day.observations) else None,
        "forecasts": _forecasts(day.forecasts),
        "settlements": _settlements(day, day.settlements.to_dicts()),
        "settlement_words": settlement_sentence(day),
    }


def quote_sentence(day: DayInputs) -> str:
    """Whether the bids and asks behind the market PMF were recorded or inferred."""
    shares = {source: share for source, _, share in _shares(day.minute_panel_full["quote_source"])}
    if not shares:
        return ""
    recorded, inferred = shares.get("recorded", 0.0), shares.get("inferred", 0.0)
    if not recorded and not inferred:
        return "No bid or ask is known for this day."
    if not inferred:
        return "Bids and asks are the exchange's own."
    if not recorded:
        return "No bid or ask was recorded; quotes are inferred from trades."
    return (
        f"Bids and asks are recorded at {percent(recorded)} of bracket-minutes and inferred from "
        f"trades at {percent(inferred)}."
    )


def settlement_sentence(day: DayInputs) -> str:
    """Whether the sources of the day's maximum agree."""
    paid = fair_price(day.settlements)
    if paid is not None:
        prices = ", ".join(f"{payoff / 10_000:.2f}" for payoff in paid.payoffs_cc)
        return (
            f"The exchange settled at a fair price: its brackets paid {prices} dollars, coldest "
            "first, and none won. Models do not learn from this day which bracket pays."
        )
    stated = day.final_words
    maxima = {row["source"]: row["value"] for row in stated if row["value"] is not None}
    rows = _settlements(day, stated)
    brackets = {row["source"]: row["bracket"] for row in rows if row["bracket"]}
    if not stated:
        return "No source has reported the day's maximum."
    if len(set(brackets.values())) > 1:
        words = "; ".join(f"{_name(s)}: {label}" for s, label in sorted(brackets.items()))
        return f"The sources disagree about the bracket that pays. {words}."
    if len(set(maxima.values())) > 1:
        words = ", ".join(f"{_name(s)} {tmax} °F" for s, tmax in sorted(maxima.items()))
        return f"The sources disagree about the maximum ({words}) but name the same bracket."
    if len(brackets) > 1:
        return "The sources agree."
    return f"One source only ({_name(stated[0]['source'])}): nothing to check it against."


def _name(source: str) -> str:
    return source.replace("_", " ")


def _panel(day: DayInputs) -> dict[str, Any]:
    panel = day.minute_panel_full
    minute = panel["minute"]
    return {
        "rows": len(panel),
        "minutes": len(day.grid),
        "first": minute.min(),
        "last": minute.max(),
        "two_sided": panel["mid"].count() / len(panel),
        "valid": panel["market_valid"].mean(),
        "median_age_s": panel["quote_age_s"].median(),
        "median_spread_cents": panel["spread_cents"].median(),
        "known_late": (panel["known_at"] > minute).sum(),
    }


def _shares(values: pl.Series) -> list[tuple[str, int, float]]:
    return [
        (str(value), count, count / len(values))
        for value, count in values.value_counts(sort=True).iter_rows()
    ]


def _observations(frame: pl.DataFrame) -> dict[str, Any]:
    measured = frame["event_time"].sort()
    gap: Any = measured.diff().max()
    delay: Any = (frame["known_at"] - frame["event_time"]).median()
    return {
        "count": len(frame),
        "first": measured[0],
        "last": measured[-1],
        "gap_min": None if gap is None else gap // _MINUTE,
        "delay_min": None if delay is None else delay // _MINUTE,
        "wide": (frame["hi_f"] > frame["lo_f"]).sum(),
        "kinds": _shares(frame["kind"]),
        "stations": sorted(frame["station"].unique().to_list()),
    }


def _forecasts(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return (
        frame.sort("known_at")
        .group_by("source", "variable", maintain_order=True)
        .agg(
            count=pl.len(),
            basis=pl.col("event_time").max(),
            known=pl.col("known_at").max(),
            highest=pl.col("value_f").max(),
        )
        .to_dicts()
    )


def _settlements(day: DayInputs, stated: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    by_market = {rung.market_ticker: rung.label for rung in day.ladder}
    rows = []
    for row in sorted(stated, key=itemgetter("source", "status")):
        implied = [r.label for r in day.ladder if row["value"] is not None and r.pays(row["value"])]
        named = by_market.get(row["winning_market"], row["winning_market"])
        rows.append({**row, "bracket": named or next(iter(implied), None)})
    return rows
