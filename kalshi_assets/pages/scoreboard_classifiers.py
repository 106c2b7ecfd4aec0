"""The scoreboard's classifiers against what is said without them.

Here: their table and their verdict. Not here: their controls (`scoreboard_controls`).
"""

from collections.abc import Mapping

import polars as pl

from kalshi_assets.pages.markdown import line, paragraph, signed
from kalshi_assets.pages.scoreboard_tables import COLUMNS

_TARGET_WORDS = {
    "up_1m": "direction in one minute",
    "up_5m": "direction in five minutes",
    "lead_5m": "the leader in five minutes",
    "pays": "who is paid",
}
_VERDICT_WORDS = {"better": "skill", "worse": "worse", "undecided": "no proved skill"}


def classifier_section(skill: pl.DataFrame, titles: Mapping[str, str]) -> str:
    """The classifiers against what is said without them."""
    if skill.is_empty():
        return ""
    one_city = skill.filter(slice="city")["slice_value"].n_unique() == 1
    lines = []
    for row in (
        skill.filter((pl.col("slice") == "all") | (not one_city))
        .sort("score", "target", "slice", "slice_value")
        .to_dicts()
    ):
        where = titles.get(row["slice_value"], row["slice_value"])
        star = " *" if row["discovery"] else ""
        gap = row | {"value": row["difference"]}
        cells = [
            COLUMNS[row["score"]],
            row["target"],
            where,
            f"{row['value']:.4f}",
            f"{row['baseline']:.4f}",
            signed(gap, digits=4) + star,
            row["verdict"],
            str(row["n_days"]),
            str(row["days_with_trees"]),
        ]
        lines.append(line(cells))
    said = (
        "Out of sample: every model learnt from days before the one it is scored on. The baseline "
        "is what is said without features: the base rate of earlier days for moves, the market for "
        "who is paid; for who leads next, prices, who leads now and how often each position of the "
        "ladder leads. Means over city-days; cross-entropy less is better, AUC more. On days "
        "without trees the baseline is in force and both are the same, but that pays gives dead "
        "brackets nothing, trees or not. move: whether a price leaves its dead zone; up: which "
        "way, if it does. Where quotes are inferred from trades a move is often the other side "
        "catching up: it can be foreseen, and nobody could have traded at the price it starts "
        "from."
    )
    head = ["score", "target", "where", "value", "baseline", "difference", "", "days", "with trees"]
    rule = "|---|---|---|---:|---:|---:|---|---:|---:|"
    return "\n\n".join(["## Classifiers", paragraph(said), "\n".join([line(head), rule, *lines])])


def classifier_verdict(skill: pl.DataFrame) -> str:
    """One sentence for the top of the page."""
    rows = skill.filter(slice="all", score="cross_entropy")
    said = [
        f"{words} {_VERDICT_WORDS[row['verdict']]} ({signed(row | {'value': row['difference']})})"
        for target, words in _TARGET_WORDS.items()
        for row in rows.filter(target=target).to_dicts()
    ]
    if not said:
        return "**Classifiers**: no day had enough before it to fit one."
    return f"**Classifiers**, in nats a row against what is said without them: {'; '.join(said)}."
