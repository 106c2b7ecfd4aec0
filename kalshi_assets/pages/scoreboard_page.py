"""docs/scoreboard.md and its figures: who forecast better, market or platform, and is it noise?

Here: the page around its parts, the verdicts, the files. Not here: the tables
(`scoreboard_tables`, `scoreboard_classifiers`, `scoreboard_controls`), the figures
(`scoreboard_plots`), the numbers (`verification`). The same study gives the same bytes.
"""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from kalshi_assets.pages import scoreboard_classifiers as classifiers
from kalshi_assets.pages import scoreboard_controls as controls
from kalshi_assets.pages import scoreboard_tables as tables
from kalshi_assets.pages.markdown import interval, paragraph
from kalshi_assets.pages.scoreboard_plots import (
    hourly_figure,
    reliability_figure,
    slice_figure,
)
from kalshi_assets.pages.scoreboard_tables import pooled_source
from kalshi_assets.pages.svg import svg_file
from kalshi_assets.pages.words import number
from kalshi_assets.studies.market_study import MarketStudy

PAGE = "scoreboard.md"
PICTURES = "pictures"
LOG_LOSS, DIFFERENCES, SLICES, RELIABILITY = (
    f"scoreboard-{name}.svg" for name in ("log-loss", "differences", "slices", "reliability")
)
SAMPLES = {"all": "all instants", "with_weather": "instants with a weather PMF"}


def write_page(
    study: MarketStudy, *, command: str, titles: Mapping[str, str], folder: Path
) -> list[Path]:
    """Write the page and its figures below `folder`; the paths written.

    Parameters
    ----------
    study
        Of at least one settled city-day.
    command
        What made it, as typed.
    titles
        Cities' names as people write them, by name.
    folder
        Of `scoreboard.md`; its pictures go to `pictures` below it.

    Raises
    ------
    ValueError
        Market and pool have no instant in common.
    """
    if not verdicts(study.scoreboard, titles):
        raise ValueError(
            "a page needs a settled day on which market and pool have a PMF at a full hour; "
            "there is none"
        )
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in figures(study).items():
        path = pictures / name
        path.write_text(text, "utf-8")
        written.append(path)
    page = folder / PAGE
    page.write_text(page_text(study, command=command, titles=titles), "utf-8")
    return [page, *written]


def page_text(study: MarketStudy, *, command: str, titles: Mapping[str, str]) -> str:
    """The page as markdown; parameters as of `write_page`."""
    board = study.scoreboard
    parts = [
        _opening(study, command, titles),
        tables.days_section(study, titles),
        tables.overall_section(board),
        _hours_section(board),
        _slices_section(board, titles),
        _reliability_section(board),
        classifiers.classifier_section(study.classifier_skill, titles),
        controls.controls_section(study),
        tables.rules(study.block),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdicts(board: pl.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """A sentence per city: who has the lower log loss at all instants, and how sure that is.

    Parameters
    ----------
    board
        `learning.scoreboard`.
    titles
        Cities' names as people write them, by name.
    """
    source = pooled_source(board)
    rows = board.filter(
        instants="all", slice="city", source=source, against="market", score="log_loss"
    )
    return [
        _verdict(row, titles.get(row["slice_value"], row["slice_value"]))
        for row in rows.sort("slice_value").to_dicts()
    ]


def _verdict(row: dict, title: str) -> str:
    name = {"fused": "the pool", "calibrated": "the calibrated pool"}[row["source"]]
    on = f"on {row['n_days']} days"
    ahead = (
        row if row["value"] > 0 else {"value": -row["value"], "lo": -row["hi"], "hi": -row["lo"]}
    )
    # Nobody is ahead by 0.000.
    digits = 3 if ahead["value"] >= 0.0005 else 5
    gap = f"{number(ahead['value'], digits)} nats {interval(ahead, digits)}"
    if row["value"] == row["lo"] == row["hi"] == 0:
        return f"**{title}: a draw.** {name.capitalize()} is the market's PMF {on}."
    if row["verdict"] == "better":
        return f"**{title}: {name} beats the market** by {gap} {on}."
    if row["verdict"] == "worse":
        return f"**{title}: the market wins.** It beats {name} by {gap} {on}."
    leads = name if row["value"] < 0 else "the market"
    return f"**{title}: undecided.** By the mean {leads} is ahead by {gap} {on}."


def anchor_verdict(board: pl.DataFrame) -> str:
    """A sentence on hours: at which the pool is worse than the market, or better, beyond noise."""
    source = pooled_source(board)
    rows = board.filter(
        instants="all", slice="lst_hour", source=source, against="market", score="log_loss"
    ).sort(pl.col("slice_value").cast(pl.Int8))
    kept = rows.filter("discovery")
    sides = {
        side: [tables.hour_words(hour) for hour in kept.filter(verdict=side)["slice_value"]]
        for side in ("worse", "better")
    }
    worse, better = (
        f"{side} at {len(hours)}" + (f" ({', '.join(hours)})" if hours else "")
        for side, hours in sides.items()
    )
    anchor = "The anchor drags" if sides["worse"] else "The anchor holds"
    return (
        f"**{anchor}.** Beyond noise and many looks `{source}` is {worse} and {better} of "
        f"{rows.height} hours, against the market."
    )


def figures(study: MarketStudy) -> dict[str, str]:
    """SVG documents by file name."""
    board = study.scoreboard
    hours = board.filter(slice="lst_hour", score="log_loss")
    judged = pl.col("source").is_in(["market", "fused", "calibrated"])
    pooled = pl.col("source").is_in(["fused", "calibrated"])
    means = hours.filter(against="nothing")
    gaps = hours.filter(pooled, against="market")
    source = pooled_source(board)
    return {
        LOG_LOSS: svg_file(
            hourly_figure(
                {
                    f"mean log loss, {SAMPLES['all']}": means.filter(judged, instants="all"),
                    f"mean log loss, {SAMPLES['with_weather']}": means.filter(
                        judged | (pl.col("source") == "weather"), instants="with_weather"
                    ),
                }
            ),
            "Mean log loss by local standard hour and source, with 95 % intervals",
        ),
        DIFFERENCES: svg_file(
            hourly_figure(
                {
                    f"log loss less the market's, {words}": gaps.filter(instants=name)
                    for name, words in SAMPLES.items()
                }
            ),
            "Log loss of pool and calibrated pool less the market's by local standard hour",
        ),
        SLICES: svg_file(
            slice_figure(
                tables.slice_rows(board, "all"),
                title=f"log loss of {source} less the market's; left of 0 is better",
            ),
            f"Differences of log loss between {source} and market by slice, with 95 % intervals",
        ),
        RELIABILITY: svg_file(
            reliability_figure(study.diagrams),
            "Frequency with which brackets paid over the probability given, by source",
        ),
    }


def _opening(study: MarketStudy, command: str, titles: Mapping[str, str]) -> str:
    dates = study.days["date"].sort()
    origin = (
        f"Written by `{command}` from {study.days.height} settled city-days, {dates[0]} to "
        f"{dates[-1]}; not edited by hand. Every probability is of what was known at its instant, "
        "every fitted weight and map of days before. Differences are paired at the same instants, "
        "less is better, brackets hold 95 % intervals by resampling dates."
    )
    listed = [
        *verdicts(study.scoreboard, titles),
        anchor_verdict(study.scoreboard),
        *filter(None, [tables.source_of_gain(study.scoreboard)]),
        classifiers.classifier_verdict(study.classifier_skill),
        controls.controls_verdict(study),
    ]
    bullets = "\n".join(paragraph(f"- {said}", indent="  ") for said in listed)
    return f"# Market, weather and pool, scored\n\n{paragraph(origin)}\n\n{bullets}"


def _hours_section(board: pl.DataFrame) -> str:
    parts = [
        "## By hour",
        paragraph(
            "The market is an anchor: a pool that is worse than it at any hour beyond noise would "
            "have done better to leave the weather out there."
        ),
        f"![Log loss by hour]({PICTURES}/{LOG_LOSS})",
        f"![Differences by hour]({PICTURES}/{DIFFERENCES})",
    ]
    parts += [
        f"{words[0].upper()}{words[1:]}:\n\n{table}"
        for name, words in SAMPLES.items()
        if (table := tables.hours_table(board, name))
    ]
    return "\n\n".join(parts)


def _slices_section(board: pl.DataFrame, titles: Mapping[str, str]) -> str:
    source = pooled_source(board)
    said = (
        f"Log loss of `{source}` less the market's. p is the Diebold-Mariano test's; a star marks "
        "what stays among all slices when one in ten of the stars may be false."
    )
    parts = ["## By slice", paragraph(said), f"![Differences by slice]({PICTURES}/{SLICES})"]
    parts += [
        f"{words[0].upper()}{words[1:]}:\n\n{table}"
        for name, words in SAMPLES.items()
        if (table := tables.slices_table(board, name, titles))
    ]
    return "\n\n".join(parts)


def _reliability_section(board: pl.DataFrame) -> str:
    said = (
        "Do brackets given probability p pay with frequency p? Dots are bins with how many pairs "
        "of instant and bracket they hold; bars are 90 % intervals by resampling dates. The "
        "stepped line is the isotonic recalibration (CORP), which needs no bins. A day's hours "
        "share one outcome, so a thousand pairs may be thirty days."
    )
    return "\n\n".join(
        [
            "## Reliability",
            paragraph(said),
            f"![Reliability]({PICTURES}/{RELIABILITY})",
            tables.calibration_table(board),
        ]
    )
