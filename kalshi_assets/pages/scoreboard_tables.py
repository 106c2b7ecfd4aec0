"""The rows of the tables in docs/scoreboard.md.

Here: which rows of the study each table shows, and in which order. Not here: the document and its
verdicts (`scoreboard_page`), columns and text (`templates/scoreboard.md.j2`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from kalshi_assets.pages.markdown import p_value, signed
from kalshi_assets.pages.study_plots import hour_words
from kalshi_assets.pages.words import number
from kalshi_assets.studies.evaluations import HAZARDS, LEADS, TIMES_OF_DAY, UNKNOWN
from kalshi_assets.studies.slices import NOTHING
from kalshi_assets.tables.scoreboard import SLICES, SOURCES

Rows = list[dict[str, Any]]

SAMPLES = {"all": "All instants", "with_weather": "Instants with a weather PMF"}
SLICE_WORDS = {
    "all": "",
    "time_of_day": "local standard hours",
    "hazard": "P(new high in an hour)",
    "lead": "to the close",
}
COLUMNS = {
    "log_loss": "log loss",
    "brier_score": "Brier",
    "rps": "RPS",
    "cross_entropy": "cross-entropy",
    "auc": "AUC",
}
LAGGED = ("weather_lagged", "fused_lagged")
CONTROLLED = ("up_1m", "up_5m", "lead_1m", "lead_5m")
_ORDER = {name: k for part in (TIMES_OF_DAY, HAZARDS, LEADS) for k, (_, name) in enumerate(part)}


def pooled_source(board: pl.DataFrame) -> str:
    """The source that trading uses: calibrated if there is one, else fused."""
    return "calibrated" if (board["source"] == "calibrated").any() else "fused"


def judged(row: Mapping) -> str:
    """A difference, its interval and its verdict."""
    return f"{signed(row)} {row['verdict']}"


def gap(row: Mapping, digits: int = 3) -> str:
    """A classifier's difference from its baseline."""
    return signed({**row, "value": row["difference"]}, digits)


def sample_rows(board: pl.DataFrame, titles: Mapping[str, str]) -> Rows:
    """Tables of each sample of instants: scores, differences, hours and slices."""
    return [
        {
            "title": title,
            "scores": score_rows(board.filter(instants=name, slice="all", against=NOTHING),
                                 board.filter(instants=name, slice="all", against="market")),
            "differences": difference_rows(board.filter(instants=name, slice="all")),
            "hours": hour_rows(board.filter(instants=name)),
            "slices": slice_rows(board, name, titles),
        }
        for name, title in SAMPLES.items()
    ]  # fmt: skip


def score_rows(means: pl.DataFrame, gaps: pl.DataFrame) -> Rows:
    """Mean scores by source, and the skill of the log loss against the market."""
    skills = dict(gaps.filter(score="log_loss").select("source", "skill").iter_rows())
    rows = _in_order(means.filter(pl.col("score").is_in(list(COLUMNS))))
    for row in rows:
        share = skills.get(row["source"])
        row["skill_words"] = "" if share is None else f"{share:+.1%}".replace("-", "−")
    return rows


def difference_rows(rows: pl.DataFrame) -> Rows:
    """Differences of every pair of sources, with the p-value of the log loss."""
    shown = [name for name in COLUMNS if name != "cross_entropy"]
    p = pl.col("dm_p").filter(pl.col("score") == "log_loss").first().over("source", "against")
    found = rows.filter(pl.col("against") != NOTHING).with_columns(dm_p=p)
    return _in_order(found.filter(pl.col("score").is_in(shown)))


def _in_order(rows: pl.DataFrame) -> Rows:
    """Rows in the order of sources, compared sources and scores, with the scores' names."""
    named = (("source", SOURCES), ("against", [NOTHING, *SOURCES]), ("score", list(COLUMNS)))
    enums = [pl.col(name).cast(pl.Enum(values)) for name, values in named]
    return [
        row | {"words": COLUMNS[row["score"]], "p": p_value(row["dm_p"])}
        for row in rows.sort(enums).to_dicts()
    ]


def hour_rows(rows: pl.DataFrame) -> Rows:
    """Log loss by hour of every source, followed by the pool's difference from the market."""
    source = pooled_source(rows)
    hours = rows.filter(
        ~pl.col("source").is_in(LAGGED),
        (pl.col("against") == NOTHING)
        | ((pl.col("against") == "market") & (pl.col("source") == source)),
        slice="lst_hour",
        score="log_loss",
    )
    order = [pl.col("slice_value").cast(pl.Int8), pl.col("against") != NOTHING]
    return [
        row
        | {"hour": hour_words(int(row["slice_value"]))}
        | (
            {"words": row["source"], "said": number(row["value"])}
            if row["against"] == NOTHING
            else {"words": f"{source} less market", "said": signed(row) + star(row)}
        )
        for row in hours.sort(*order, pl.col("source").cast(pl.Enum(SOURCES))).to_dicts()
    ]


def star(row: Mapping) -> str:
    """A star for a discovery."""
    return " *" if row["discovery"] else ""


def slice_rows(board: pl.DataFrame, instants: str, titles: Mapping[str, str]) -> Rows:
    """The pool's log loss less the market's in every slice except hours, in display order.

    Kinds of slices with a single value are omitted.
    """
    rows = board.filter(
        ~pl.col("slice").is_in(["lst_hour", "city_hour"]),
        instants=instants,
        source=pooled_source(board),
        against="market",
        score="log_loss",
    )
    divided = rows.filter((pl.len().over("slice") > 1) | pl.col("slice").is_in(["all", "city"]))
    found = [
        row
        | {
            "kind": SLICE_WORDS.get(row["slice"], row["slice"]),
            "name": titles.get(row["slice_value"], row["slice_value"].replace("_", " ")),
            "p": p_value(row["dm_p"]),
            "star": star(row),
        }
        for row in divided.to_dicts()
    ]
    return sorted(
        found,
        key=lambda row: (
            SLICES.index(row["slice"]),
            row["slice_value"] == UNKNOWN,
            _ORDER.get(row["slice_value"], 0),
            row["slice_value"],
        ),
    )


def calibration_rows(board: pl.DataFrame) -> Rows:
    """Calibration errors with those of perfect forecasts, and the CORP decomposition."""
    parts = ("ece_debiased", "miscalibration", "discrimination", "uncertainty")
    rows = board.filter(instants="all", slice="all", against=NOTHING)
    own = {(row["source"], row["score"]): row for row in rows.to_dicts()}
    return [
        error
        | {"chance": f"{'beyond' if error['value'] > error['null_hi'] else 'within'} chance"}
        | {p: number(own[name, p]["value"], 4) if (name, p) in own else "" for p in parts}
        for name in SOURCES
        if (error := own.get((name, "ece")))
    ]


def skill_rows(skill: pl.DataFrame, titles: Mapping[str, str]) -> Rows:
    """The classifiers' scores; also by city if there are several cities."""
    one_city = skill.filter(slice="city")["slice_value"].n_unique() == 1
    rows = skill.filter((pl.col("slice") == "all") | (not one_city))
    return [
        row
        | {
            "score_words": COLUMNS[row["score"]],
            "where": titles.get(row["slice_value"], row["slice_value"]),
        }
        for row in rows.sort("score", "target", "slice", "slice_value").to_dicts()
    ]


def lagged_rows(board: pl.DataFrame) -> pl.DataFrame:
    """Log loss less the market's of the sources that use the previous day's weather."""
    return board.filter(
        pl.col("source").is_in(LAGGED), slice="all", against="market", score="log_loss"
    )


def shuffled_rows(control_skill: pl.DataFrame) -> pl.DataFrame:
    """Cross-entropy of classifiers on the labels of other days."""
    return control_skill.filter(
        pl.col("target").is_in(CONTROLLED), slice="all", score="cross_entropy"
    )


def hours_named(values: Iterable[str]) -> str:
    """Hours as clock times in parentheses; empty if there are none."""
    said = ", ".join(hour_words(int(value)) for value in values)
    return f" ({said})" if said else ""
