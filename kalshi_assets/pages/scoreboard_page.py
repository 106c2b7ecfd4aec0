"""docs/scoreboard.md and its figures: market against platform, with the uncertainty.

Here: verdicts, failed controls, figures. Not here: the text (`templates/scoreboard.md.j2`), rows
of tables (`scoreboard_tables`), the study (`studies.market_study`). The output is deterministic.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl

from kalshi_assets.pages import scoreboard_tables as tables
from kalshi_assets.pages.canvas import Sheet
from kalshi_assets.pages.documents import document, write_document
from kalshi_assets.pages.markdown import interval
from kalshi_assets.pages.scoreboard_tables import gap, judged, pooled_source
from kalshi_assets.pages.study_plots import hourly_figure, reliability_figure, slice_figure
from kalshi_assets.pages.words import number
from kalshi_assets.studies.market_study import MarketStudy
from kalshi_assets.studies.slices import NOTHING

PAGE = "scoreboard.md"
TARGET_WORDS = {
    "up_1m": "direction in one minute",
    "up_5m": "direction in five minutes",
    "lead_5m": "the leader in five minutes",
    "pays": "who is paid",
}
SKILL_WORDS = {"better": "skill", "worse": "worse", "undecided": "no proved skill"}


def write_page(
    study: MarketStudy, *, command: str, titles: Mapping[str, str], folder: Path
) -> list[Path]:
    """Write the page and its figures below `folder`; return the paths written.

    Parameters
    ----------
    study
        Study of at least one settled city-day.
    command
        The command line that made it.
    titles
        Display names of cities, by name.
    folder
        Folder of `scoreboard.md`; its figures go to `pictures` below it.

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
    text = page_text(study, command=command, titles=titles)
    return write_document(folder / PAGE, text, figures(study))


def page_text(study: MarketStudy, *, command: str, titles: Mapping[str, str]) -> str:
    """The page as Markdown; for the parameters see `write_page`."""
    board = study.scoreboard
    weather = study.evaluations.filter(source="weather").select("city", "date").unique()
    cities = (
        study.days.join(weather.with_columns(known=True), on=["city", "date"], how="left")
        .group_by("city")
        .agg(days=pl.len(), known=pl.col("known").sum(), first=pl.col("date").min(),
             last=pl.col("date").max())
        .sort("city")
    )  # fmt: skip
    fused = board.filter(instants="with_weather", slice="all", source="fused", score="log_loss")
    against = {row["against"]: row for row in fused.to_dicts()}
    learnt = study.classifier_skill.filter(slice="all", score="cross_entropy").to_dicts()
    return document(
        "scoreboard.md.j2",
        command=command,
        days=study.days,
        verdicts=verdicts(board, titles),
        anchor=anchor_verdict(board),
        gain=against if {"market", "market_alive"} <= against.keys() else None,
        learnt=[
            row | {"words": words, "skill_words": SKILL_WORDS[row["verdict"]]}
            for target, words in TARGET_WORDS.items()
            for row in learnt
            if row["target"] == target
        ],
        failed=failed_controls(study),
        cities=[row | {"title": titles.get(row["city"], row["city"])} for row in cities.to_dicts()],
        samples=tables.sample_rows(board, titles),
        source=pooled_source(board),
        calibration=tables.calibration_rows(board),
        skill=tables.skill_rows(study.classifier_skill, titles),
        controls=study.controls.with_columns(
            words=pl.col("winners").replace("true", "true winners")
        ),
        lagged=tables.lagged_rows(board).to_dicts(),
        shuffled=tables.shuffled_rows(study.control_skill).to_dicts(),
        block=study.bootstrap.block,
        gap=gap,
        fine_gap=partial(gap, digits=4),
        starred_gap=lambda row: gap(row, 4) + tables.star(row),
        judged=judged,
    )


def verdicts(board: pl.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """A sentence per city: who has the lower log loss over all instants, and how certain it is.

    `titles` are display names of cities, by name.
    """
    rows = board.filter(
        instants="all",
        slice="city",
        source=pooled_source(board),
        against="market",
        score="log_loss",
    )
    return [
        f"**{titles.get(row['slice_value'], row['slice_value'])}: {_verdict(row)}"
        for row in rows.sort("slice_value").to_dicts()
    ]


def _verdict(row: dict) -> str:
    name = {"fused": "the pool", "calibrated": "the calibrated pool"}[row["source"]]
    on = f"on {row['n_days']} days."
    if row["value"] == row["lo"] == row["hi"] == 0:
        return f"a draw.** {name.capitalize()} is the market's PMF {on}"
    ahead = (
        row if row["value"] > 0 else {"value": -row["value"], "lo": -row["hi"], "hi": -row["lo"]}
    )
    # Avoid "ahead by 0.000".
    digits = 3 if ahead["value"] >= 0.0005 else 5
    by = f"by {number(ahead['value'], digits)} nats {interval(ahead, digits)} {on}"
    if row["verdict"] == "better":
        return f"{name} beats the market** {by}"
    if row["verdict"] == "worse":
        return f"the market wins.** It beats {name} {by}"
    leads = name if row["value"] < 0 else "the market"
    return f"undecided.** By the mean {leads} is ahead {by}"


def anchor_verdict(board: pl.DataFrame) -> str:
    """A sentence on the hours at which the pool is significantly worse or better."""
    source = pooled_source(board)
    rows = board.filter(
        instants="all", slice="lst_hour", source=source, against="market", score="log_loss"
    ).sort(pl.col("slice_value").cast(pl.Int8))
    sides = {
        side: rows.filter("discovery", verdict=side)["slice_value"] for side in ("worse", "better")
    }
    worse, better = (
        f"{side} at {len(hours)}{tables.hours_named(hours)}" for side, hours in sides.items()
    )
    verdict = "Some hours are" if len(sides["worse"]) else "No hour is"
    return (
        f"**{verdict} worse than the market.** After correction for multiple tests `{source}` "
        f"is significantly {worse} and {better} of {rows.height} hours, against the market."
    )


def failed_controls(study: MarketStudy) -> list[str]:
    """Negative controls that show skill although they should not."""
    shuffled, lagged, learnt = (
        rows.filter(verdict="better")
        for rows in (
            study.controls.filter(winners="shuffled"),
            tables.lagged_rows(study.scoreboard),
            tables.shuffled_rows(study.control_skill),
        )
    )
    return [
        *(f"{name} with shuffled winners" for name in shuffled["source"]),
        *(f"{name} against the market" for name in lagged["source"].unique().sort()),
        *(f"classifier {name} with the labels of other days" for name in learnt["target"]),
    ]


def figures(study: MarketStudy) -> dict[str, tuple[str, Sheet]]:
    """Alternative text and sheet of each figure, by file name."""
    board, source = study.scoreboard, pooled_source(study.scoreboard)
    hours = board.filter(slice="lst_hour", score="log_loss").select(
        "instants", "against", "value", "lo", "hi", name="source",
        hour=pl.col("slice_value").cast(pl.Int8),
    )  # fmt: skip
    means, gaps = hours.filter(against=NOTHING), hours.filter(against="market")
    pooled = pl.col("name").is_in(["fused", "calibrated"])
    judged = pooled | (pl.col("name") == "market")
    enters = judged | ((pl.col("name") == "weather") & (pl.col("instants") == "with_weather"))
    samples = {name: f"{title[0].lower()}{title[1:]}" for name, title in tables.SAMPLES.items()}
    return {
        "scoreboard-log-loss.svg": (
            "Mean log loss by local standard hour and source, with 95 % intervals",
            hourly_figure(
                {
                    f"mean log loss, {words}": means.filter(enters, instants=name)
                    for name, words in samples.items()
                }
            ),
        ),
        "scoreboard-differences.svg": (
            "Log loss of pool and calibrated pool less the market's by local standard hour",
            hourly_figure(
                {
                    f"log loss less the market's, {words}": gaps.filter(pooled, instants=name)
                    for name, words in samples.items()
                }
            ),
        ),
        "scoreboard-slices.svg": (
            f"Differences of log loss between {source} and market by slice, with 95 % intervals",
            slice_figure(
                tables.slice_rows(board, "all", {}),
                title=f"log loss of {source} less the market's; left of 0 is better",
            ),
        ),
        "scoreboard-reliability.svg": (
            "Frequency with which brackets paid over the forecast probability, by source",
            reliability_figure(study.diagrams),
        ),
    }
