"""docs/verification.md and its figures: the study of the weather hazard.

Here: the numbers and rows that the template shows. Not here: the text
(`templates/verification.md.j2`), the study (`studies.weather_study`), the figures (`study_plots`).
The output is deterministic.
"""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.pages.canvas import Sheet
from kalshi_assets.pages.documents import document, write_document
from kalshi_assets.pages.study_plots import hourly_figure, reliability_figure
from kalshi_assets.studies.scoring import ALL_HOURS, NOTHING
from kalshi_assets.studies.weather_days import HAZARD_HOURS, HOURS, MIN_HOUR_REPORTS
from kalshi_assets.studies.weather_study import COMPARED, SAMPLES, WeatherStudy

PAGE = "verification.md"
SCORES = {
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "rps": "Ranked probability score",
}
IS_WHOLE = pl.col("lst_hour") == ALL_HOURS
TITLES = {"all": "all days", "market": "days with a recorded market"}


def write_page(study: WeatherStudy, city: City, folder: Path) -> list[Path]:
    """Write the page and its figures below `folder`; return the paths written.

    Raises
    ------
    ValueError
        No day of the study was scored.
    """
    if not study.scored_days:
        raise ValueError("a page needs at least one scored day")
    return write_document(folder / PAGE, page_text(study, city), _figures(study))


def page_text(study: WeatherStudy, city: City) -> str:
    """The page as markdown."""
    summary, scored = study.summary, study.scored_days
    start, end = study.days[0].date, study.days[-1].date
    whole = summary.filter(days="all", lst_hour=ALL_HOURS)["n_days"]
    return document(
        "verification.md.j2",
        command=f"kalshi-assets study weather --city {city.name} --start {start} --end {end}",
        city=city,
        compared=COMPARED,
        scores=SCORES,
        means=partial(_means, summary),
        differences=partial(_differences, summary),
        comparisons=partial(_comparisons, summary),
        scored=len(scored),
        whole_days=whole[0] if len(whole) else 0,
        hazard_hours=HAZARD_HOURS,
        min_reports=MIN_HOUR_REPORTS,
        missed=study.missed_counts.to_dicts(),
        **_days(study),
        **_hazard(study),
    )


def log_loss_figure(summary: pl.DataFrame) -> Sheet:
    """Mean log loss by hour and method, on all days and on those with a market."""
    return hourly_figure(
        {
            f"mean log loss, {title}": _curves(_means(summary, days, "log_loss"), "method")
            for days, title in TITLES.items()
        }
    )


def _figures(study: WeatherStudy) -> dict[str, tuple[str, Sheet]]:
    differences = {
        f"log loss of {method} less that of others, {title}": _curves(
            _differences(study.summary, days, method), "against"
        )
        for method in COMPARED
        for days, title in TITLES.items()
    }
    figures = {
        "verification-log-loss.svg": (
            "Mean log loss by local standard hour and method, with 95 % intervals",
            log_loss_figure(study.summary),
        ),
        "verification-differences.svg": (
            "Paired differences of log loss between methods by local standard hour",
            hourly_figure(differences),
        ),
    }
    if study.diagrams:
        figures["verification-reliability.svg"] = (
            "Frequency of a new high within the hour over its forecast probability",
            reliability_figure(study.diagrams),
        )
    return figures


def _curves(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    # Climatology is so much worse that the differences of the others would not be visible.
    known = rows.filter(~IS_WHOLE, (pl.lit(by) == "method") | (pl.col(by) != "climatology"))
    return known.select("value", "lo", "hi", name=pl.col(by).cast(pl.String), hour="lst_hour")


def _means(summary: pl.DataFrame, days: str, score: str) -> pl.DataFrame:
    return _in_order(summary.filter(days=days, score=score, against=NOTHING))


def _differences(summary: pl.DataFrame, days: str, method: str) -> pl.DataFrame:
    rows = summary.filter(days=days, score="log_loss", method=method)
    return _in_order(rows.filter(pl.col("against") != NOTHING))


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by hour, all hours last, in the order of methods."""
    named = pl.col("method", "against").cast(pl.Enum([NOTHING, *SAMPLES["market"]]))
    words = pl.when(IS_WHOLE).then(pl.lit("all hours")).otherwise(pl.format("{}:00", "lst_hour"))
    return rows.with_columns(named, hour=words).sort(IS_WHOLE, "lst_hour", "method", "against")


def _comparisons(summary: pl.DataFrame, days: str) -> list[dict[str, Any]]:
    """At how many hours each compared method has the lower log loss, and the mean difference."""
    pair, value = ["method", "against"], pl.col("value")
    rows = pl.concat([_differences(summary, days, method) for method in COMPARED]).sort(pair)
    counted = (
        rows.filter(~IS_WHOLE)
        .group_by(pair, maintain_order=True)
        .agg(
            hours=pl.len(),
            equal=(value == 0).sum(),
            lower=(value < 0).sum(),
            surely_lower=((value < 0) & (pl.col("hi") < 0)).sum(),
            higher=(value > 0).sum(),
            surely_higher=((value > 0) & (pl.col("lo") > 0)).sum(),
        )
    )
    whole = rows.filter(IS_WHOLE).select(*pair, "value", "lo", "hi", "n_days")
    return counted.join(whole, on=pair, how="left", maintain_order="left").to_dicts()


def _days(study: WeatherStudy) -> dict[str, object]:
    """Which days were scored or excluded, on which ladders, and which hours had no PMF."""
    scored = study.scored_days
    left_out: dict[str, list[str]] = {}
    for day in study.days:
        if day.left_out is not None:
            left_out.setdefault(day.left_out, []).append(f"{day.date:%m-%d}")
    rows = [("scored", len(scored), f"{scored[0].date} .. {scored[-1].date}")]
    rows += [(why, len(days), ", ".join(days)) for why, days in sorted(left_out.items())]
    ladders = [
        {"name": name, "days": len(chosen), "in_tail": sum(day.in_tail for day in chosen)}
        for name, kind in (("recorded", True), ("synthetic", False))
        if (chosen := [day for day in scored if day.recorded == kind])
    ]
    with_market = [day.market_valid for day in scored if day.market_valid is not None]
    withheld = sum((Counter(day.withheld) for day in scored), Counter())
    return {
        "days": [dict(zip(("what", "days", "which"), row, strict=True)) for row in rows],
        "ladders": ladders,
        "withheld": sorted(withheld.items()),
        "asked": len(scored) * len(HOURS),
        "market": with_market
        and {
            "days": len(with_market),
            "valid": sum(with_market),
            "hours": study.scores.filter(method="market").height,
        },
    }


def _hazard(study: WeatherStudy) -> dict[str, object]:
    """Reliability bins of the hazard, counts of new highs, and peaks between reports."""
    highs = study.new_highs.filter("new_high").unique(["date", "lst_hour"])
    peaks, above = study.missed_peaks, pl.col("official_f") - pl.col("reported_hi_f")
    doubtful = pl.col("reported_lo_f") != pl.col("reported_hi_f")
    inside = pl.col("frequency").is_between("lo", "hi")
    words = pl.when(inside).then(pl.lit("")).otherwise(pl.lit("outside"))
    bins = {
        method: diagram.bins.with_columns(method=pl.lit(method), outside=words).to_dicts()
        for method, diagram in study.diagrams.items()
    }
    return {
        "bins": bins,
        "highs": {"all": highs.height, "doubtful": highs.filter(~pl.col("proved")).height},
        "peaks": {
            "days": peaks.height,
            "doubtful": peaks.filter(doubtful).height,
            "below": peaks.filter(pl.col("official_f") < pl.col("reported_lo_f")).height,
            "beyond": peaks.filter(above > 3).height,
        },
    }
