"""The scoreboard's negative controls, in words: skill where there can be none.

Here: winners of other days, weather of the day before, labels of other days. Not here: the scores
(`scoreboard_tables`) and classifiers (`scoreboard_classifiers`) that they control.
"""

import polars as pl

from kalshi_assets.pages.markdown import line, paragraph, signed
from kalshi_assets.pages.scoreboard_tables import LAGGED
from kalshi_assets.studies.market_study import MarketStudy

CONTROLLED = ("up_1m", "up_5m", "lead_1m", "lead_5m")


def failed_controls(study: MarketStudy) -> list[str]:
    """Controls that show skill where there can be none, in words."""
    shuffled = study.controls.filter(winners="shuffled", verdict="better")
    failed = [f"{row['source']} with shuffled winners" for row in shuffled.to_dicts()]
    lagged = study.scoreboard.filter(
        pl.col("source").is_in(LAGGED),
        slice="all",
        against="market",
        score="log_loss",
        verdict="better",
    )
    failed += [f"{name} against the market" for name in lagged["source"].unique().sort()]
    learnt = study.control_skill.filter(
        pl.col("target").is_in(CONTROLLED), slice="all", score="cross_entropy", verdict="better"
    )
    return failed + [
        f"classifier {name} with the labels of other days" for name in learnt["target"]
    ]


def controls_verdict(study: MarketStudy) -> str:
    """One sentence for the top of the page."""
    failed = failed_controls(study)
    if failed:
        return f"**Controls failed**: skill where there can be none: {', '.join(failed)}."
    return (
        "**Controls hold**: no source shows skill on winners of other days or with old weather, no "
        "classifier of direction or leader on the labels of other days."
    )


def controls_section(study: MarketStudy) -> str:
    """What is left once winners are shuffled, and once the weather is a day old."""
    rows = study.controls
    lines = [
        line([row["source"], *(_control(rows, row["source"], w) for w in ("true", "shuffled"))])
        for row in rows.filter(winners="true").to_dicts()
    ]
    said = (
        "Winners shuffled within city and month: log loss less that of the base rate, how often a "
        "bracket's position paid on the month's other days. With true winners a source should beat "
        "it; with shuffled ones none may."
    )
    parts = [
        "## Negative controls",
        paragraph(said),
        "\n".join([line(["source", "true winners", "shuffled"]), "|---|---:|---:|", *lines]),
    ]
    lagged = study.scoreboard.filter(
        pl.col("source").is_in(LAGGED), slice="all", against="market", score="log_loss"
    )
    if lagged.height:
        listed = [
            line([row["instants"], row["source"], signed(row), row["verdict"], str(row["n_days"])])
            for row in lagged.to_dicts()
        ]
        head = line(["instants", "source", "less the market", "", "days"])
        parts += [
            "Weather of the day before:",
            "\n".join([head, "|---|---|---:|---|---:|", *listed]),
        ]
    return "\n\n".join([*parts, *_shuffled_labels(study.control_skill)])


def _shuffled_labels(skill: pl.DataFrame) -> list[str]:
    rows = skill.filter(
        pl.col("target").is_in(CONTROLLED), slice="all", score="cross_entropy"
    ).to_dicts()
    if not rows:
        return []
    listed = [
        line(
            [
                row["target"],
                signed(row | {"value": row["difference"]}, digits=4),
                row["verdict"],
                str(row["n_days"]),
                str(row["days_with_trees"]),
            ]
        )
        for row in rows
    ]
    head = line(["target", "cross-entropy less the baseline's", "", "days", "with trees"])
    said = (
        "Classifiers fitted to, and judged on, the labels of other days of the month at the same "
        "minute and bracket, every third fold. All that a forecast still knows then is what is "
        "true of any day: prices move more at some hours, so move is not listed, and some "
        "positions lead more often, which the baseline of lead knows, too. Nor is pays listed, "
        "whose baseline, the market, knows the true winner."
    )
    return [paragraph(said), "\n".join([head, "|---|---:|---|---:|---:|", *listed])]


def _control(rows: pl.DataFrame, source: str, winners: str) -> str:
    (row,) = rows.filter(source=source, winners=winners).to_dicts()
    return f"{signed(row)} {row['verdict']}"
