"""How good the day's data are: coverage, provenance of quotes, weather, settlement.

Here: counts and shares a reader needs before believing anything else on the page. Not here: the
blocking checks (`defs`): a page reports, it does not gate.
"""

from typing import Any

import polars as pl

from kalshi_assets.ladder.settlement import final
from kalshi_assets.reports.inputs import DayInputs
from kalshi_assets.reports.words import percent


def quality_of(day: DayInputs) -> dict[str, Any]:
    """Figures of the data-quality block.

    Returns
    -------
    Keys ``panel`` (None without rows), ``quotes`` and ``weather`` (value to share of
    bracket-minutes), ``observations``, ``forecasts``, ``settlements``, ``settlement_words``.
    """
    panel = day.minute_panel_full
    return {
        "panel": _panel(panel) if len(panel) else None,
        "quotes": _shares(panel["quote_source"]),
        "weather": _shares(panel["weather_status"]),
        "observations": _observations(day.observations) if len(day.observations) else None,
        "forecasts": _forecasts(day.forecasts),
        "settlements": _settlements(day, day.settlements),
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
        return "No bid or ask was recorded: what it knows of them is inferred from trades."
    return (
        f"Bids and asks are recorded at {percent(recorded)} of bracket-minutes and inferred from "
        f"trades at {percent(inferred)}."
    )


def settlement_sentence(day: DayInputs) -> str:
    """Whether the sources of the day's maximum agree."""
    said = final(day.settlements)
    values = said.filter(pl.col("tmax_f").is_not_null())
    maxima = dict(values.select("source", "tmax_f").iter_rows())
    brackets = {row["source"]: row["bracket"] for row in _settlements(day, said) if row["bracket"]}
    if not len(said):
        return "No source has said what the day's maximum was."
    if len(set(brackets.values())) > 1:
        words = "; ".join(f"{_name(s)}: {label}" for s, label in sorted(brackets.items()))
        return f"The sources disagree about the bracket that pays. {words}."
    if len(set(maxima.values())) > 1:
        words = ", ".join(f"{_name(s)} {tmax} °F" for s, tmax in sorted(maxima.items()))
        return f"The sources disagree about the maximum ({words}) but name the same bracket."
    if len(brackets) > 1:
        return "The sources agree."
    return f"One source only ({_name(said['source'][0])}): nothing to check it against."


def _name(source: str) -> str:
    return source.replace("_", " ")


def _panel(panel: pl.DataFrame) -> dict[str, Any]:
    return panel.select(
        rows=pl.len(),
        minutes=pl.col("minute").n_unique(),
        first=pl.col("minute").min(),
        last=pl.col("minute").max(),
        two_sided=pl.col("mid").is_not_null().mean(),
        valid=pl.col("market_valid").mean(),
        median_age_s=pl.col("quote_age_s").median(),
        median_spread_cents=pl.col("spread_cents").median(),
        known_late=(pl.col("known_at") > pl.col("minute")).sum(),
    ).row(0, named=True)


def _shares(values: pl.Series) -> list[tuple[str, int, float]]:
    return [
        (str(value), count, count / len(values))
        for value, count in values.value_counts(sort=True).iter_rows()
    ]


def _observations(frame: pl.DataFrame) -> dict[str, Any]:
    ordered = frame.sort("event_time")
    delay = pl.col("known_at") - pl.col("event_time")
    return {
        **ordered.select(
            count=pl.len(),
            first=pl.col("event_time").min(),
            last=pl.col("event_time").max(),
            gap_min=pl.col("event_time").diff().max().dt.total_minutes(),
            delay_min=delay.median().dt.total_minutes(),
            wide=(pl.col("hi_f") > pl.col("lo_f")).sum(),
        ).row(0, named=True),
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


def _settlements(day: DayInputs, settlements: pl.DataFrame) -> list[dict[str, Any]]:
    by_market = {rung.market_ticker: rung.label for rung in day.ladder}
    rows = []
    for row in settlements.sort("source", "status").iter_rows(named=True):
        implied = [
            r.label for r in day.ladder if row["tmax_f"] is not None and r.pays(row["tmax_f"])
        ]
        named = by_market.get(row["winning_market"], row["winning_market"])
        rows.append({**row, "bracket": named or next(iter(implied), None)})
    return rows
