"""Tables and paragraphs of the scoreboard's page, as markdown.

Here: how scores, hours, slices and calibration are said. Not here: classifiers and controls
(`scoreboard_classifiers`, `scoreboard_controls`), the page's order and its verdicts
(`scoreboard_page`).
"""

from collections.abc import Mapping, Sequence

import polars as pl

from kalshi_assets.pages.markdown import interval, line, p_value, signed
from kalshi_assets.pages.words import number
from kalshi_assets.studies.evaluations import HAZARDS, LEADS, TIMES_OF_DAY, UNKNOWN
from kalshi_assets.studies.market_study import MarketStudy
from kalshi_assets.tables.scoreboard import SLICES, SOURCES

ORDER = {
    "time_of_day": [name for _, name in TIMES_OF_DAY],
    "hazard": [name for _, name in HAZARDS],
    "lead": [name for _, name in LEADS],
}
SLICE_WORDS = {
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

_RULES = """## How it was done

- **Instants** are the full standard hours of the eve and of the climate day while the market is
  open. All instants: market, pool and calibrated pool have a PMF. With weather: p_wx is known too.
- **Sources.** market_alive is the market's PMF without the brackets that the evidence has passed:
  what fused gains beyond it, pooling gains. prior_pool has the weights .65 and .35 at every hour;
  *_lagged has the weather of the day before and may show no skill.
- **Units.** A city-day's score is the mean over its instants in the slice, a value the mean over
  city-days. 2,000 resamples draw {drawn} with all their cities: the hours of a day share an
  outcome, the cities of a date their weather.
- **Scores**: log loss of the bracket that paid (floored at 1e-6), Brier score over brackets, ranked
  probability score, binary cross-entropy over brackets, AUC over pairs of instant and bracket.
  Skill is 1 - score / market's score at the same instants.
- **Calibration error**: ten equal-mass bins over all pairs of instant and bracket. Perfect
  forecasts have one too; the null columns say how much when every city-day's bracket is drawn from
  its own PMFs, one draw a day. Debiased: less the variance of the bins' differences over dates;
  about 0 for perfect forecasts, negative by chance.
- **MCB, DSC, UNC**: miscalibration, discrimination and uncertainty of the mean (p - o)^2 over
  pairs: score = MCB - DSC + UNC.
- **Tests**: Diebold-Mariano on the dates' mean differences, Bartlett weights up to the cube root of
  their number, small-sample factor, Student's t. Many slices are looked at: stars hold at a false
  discovery rate of 10 % (Benjamini-Hochberg) within a comparison."""


def rules(block: int) -> str:
    """How the numbers were made; `block`: dates resampled together."""
    return _RULES.format(drawn="dates" if block == 1 else f"runs of {block} dates")


def pooled_source(board: pl.DataFrame) -> str:
    """What trading would read: calibrated where it exists, else fused."""
    return "calibrated" if (board["source"] == "calibrated").any() else "fused"


def days_section(study: MarketStudy, titles: Mapping[str, str]) -> str:
    """How many days of which city, and how many with weather."""
    weather = study.evaluations.filter(source="weather").select("city", "date").unique()
    lines = []
    for (city,), days in study.days.group_by("city", maintain_order=True):
        known = weather.filter(pl.col("city") == city).height
        span = f"{days['date'][0]} .. {days['date'][-1]}"
        lines.append(line([titles.get(str(city), str(city)), str(days.height), str(known), span]))
    head = line(["city", "settled days", "with weather", "which"])
    return "\n".join(["## Days", "", head, "|---|---:|---:|---|", *lines])


def overall_section(board: pl.DataFrame) -> str:
    """Mean scores of all sources, and their differences from the market and from each other."""
    parts = ["## Scores"]
    for name, words in (("all", "All instants"), ("with_weather", "Instants with a weather PMF")):
        rows = board.filter(instants=name, slice="all")
        if rows.height:
            parts += [f"### {words}", _score_table(rows), _difference_table(rows)]
    return "\n\n".join(parts)


def _score_table(rows: pl.DataFrame) -> str:
    lines = []
    for source in _in_order(rows, SOURCES):
        own = {r["score"]: r for r in rows.filter(source=source, against="nothing").to_dicts()}
        skill = rows.filter(source=source, against="market", score="log_loss")["skill"].to_list()
        cells = [f"{own[s]['value']:.3f} {interval(own[s])}" for s in COLUMNS]
        share = "" if not skill or skill[0] is None else f"{skill[0]:+.1%}".replace("-", "−")
        lines.append(line([source, *cells, share, str(own["log_loss"]["n_days"])]))
    head = line(["source", *COLUMNS.values(), "skill (log)", "days"])
    return "\n".join([head, "|---|" + "---:|" * (len(COLUMNS) + 2), *lines])


def _difference_table(rows: pl.DataFrame) -> str:
    scores = [score for score in COLUMNS if score != "cross_entropy"]
    lines = []
    compared = rows.filter(pl.col("against") != "nothing")
    pairs = compared.select("source", "against").unique(maintain_order=True).rows()
    for source, against in sorted(pairs, key=lambda pair: tuple(map(SOURCES.index, pair))):
        of = {r["score"]: r for r in compared.filter(source=source, against=against).to_dicts()}
        cells = [f"{signed(of[s])} {of[s]['verdict']}" for s in scores]
        p = p_value(of["log_loss"]["dm_p"])
        lines.append(line([f"{source} less {against}", *cells, p]))
    if not lines:
        return ""
    head = line(["difference", *(COLUMNS[s] for s in scores), "p (log loss)"])
    return "\n".join([head, "|---|" + "---:|" * (len(scores) + 1), *lines])


def hours_table(board: pl.DataFrame, instants: str) -> str:
    """Log loss by hour of every source, and the pool's difference from the market."""
    rows = board.filter(instants=instants, slice="lst_hour", score="log_loss")
    if rows.is_empty():
        return ""
    means, source = rows.filter(against="nothing"), pooled_source(board)
    names = [name for name in _in_order(means, SOURCES) if name not in LAGGED]
    lines = []
    for hour in sorted(set(means["slice_value"]), key=int):
        at = {r["source"]: r for r in means.filter(slice_value=hour).to_dicts()}
        gap = rows.filter(slice_value=hour, source=source, against="market").to_dicts()[0]
        cells = [number(at[name]["value"]) if name in at else "–" for name in names]
        star = " *" if gap["discovery"] else ""
        lines.append(line([hour_words(hour), *cells, signed(gap) + star, str(gap["n_days"])]))
    head = line(["LST", *names, f"{source} less market", "days"])
    return "\n".join([head, "|---|" + "---:|" * (len(names) + 2), *lines])


def hour_words(slice_value: str) -> str:
    """An hour since the start of the climate day, as a clock shows it."""
    hour = int(slice_value)
    return f"{hour % 24}:00" + (" eve" if hour < 0 else "")


def slice_rows(board: pl.DataFrame, instants: str) -> pl.DataFrame:
    """The pool's log loss less the market's in every slice but hours, in the order of a reader.

    Kinds of slice that divide nothing are left out.
    """
    rows = board.filter(
        ~pl.col("slice").is_in(["lst_hour", "city_hour"]),
        instants=instants,
        source=pooled_source(board),
        against="market",
        score="log_loss",
    )
    divided = rows.filter((pl.len().over("slice") > 1) | pl.col("slice").is_in(["all", "city"]))
    place = {(kind, value): at for kind, values in ORDER.items() for at, value in enumerate(values)}
    order = sorted(
        range(divided.height),
        key=lambda i: (
            SLICES.index(divided["slice"][i]),
            divided["slice_value"][i] == UNKNOWN,
            place.get((divided["slice"][i], divided["slice_value"][i]), 0),
            divided["slice_value"][i],
        ),
    )
    return divided[order]


def slices_table(board: pl.DataFrame, instants: str, titles: Mapping[str, str]) -> str:
    """The same as a table."""
    lines = []
    for row in slice_rows(board, instants).to_dicts():
        kind, value = row["slice"], row["slice_value"]
        name = titles.get(value, value.replace("_", " "))
        words = "" if kind == "all" else SLICE_WORDS.get(kind, kind)
        star = " *" if row["discovery"] else ""
        lines.append(
            line(
                [words, name, signed(row), p_value(row["dm_p"]) + star, str(row["verdict"]),
                 str(row["n_days"]), str(row["n_dates"]), f"{row['n_instants']:,}"]
            )
        )  # fmt: skip
    head = line(["slice", "", "difference", "p", "verdict", "days", "dates", "instants"])
    return "\n".join([head, "|---|---|---:|---:|---|---:|---:|---:|", *lines]) if lines else ""


def calibration_table(board: pl.DataFrame) -> str:
    """Calibration errors beside what perfect forecasts would show, and the CORP parts."""
    rows = board.filter(instants="all", slice="all", against="nothing")
    lines = []
    for source in _in_order(rows, SOURCES):
        own = {r["score"]: r for r in rows.filter(source=source).to_dicts()}
        error = own["ece"]
        beyond = "beyond chance" if error["value"] > error["null_hi"] else "within chance"
        cells = [
            f"{error['value']:.3f} {interval(error)}",
            f"{error['null_mean']:.3f}, {error['null_hi']:.3f}",
            beyond,
            *(
                f"{own[part]['value']:.4f}".replace("-", "−") if part in own else ""
                for part in ("ece_debiased", "miscalibration", "discrimination", "uncertainty")
            ),
        ]
        lines.append(line([source, *cells]))
    head = ["source", "ECE", "if perfect: mean, 95 %", "", "debiased", "MCB", "DSC", "UNC"]
    return "\n".join([line(head), "|---|---:|---:|---|---:|---:|---:|---:|", *lines])


def source_of_gain(board: pl.DataFrame) -> str | None:
    """What of the pool's difference is evidence and what is pooling; None: nothing tells."""
    rows = board.filter(
        instants="with_weather", slice="all", source="fused", score="log_loss"
    ).to_dicts()
    less = {row["against"]: row for row in rows}
    if not {"market", "market_alive"} <= less.keys():
        return None
    return (
        f"**What the weather gives**: where it is known, fused less market is "
        f"{signed(less['market'])} nats; less the market without the brackets that the evidence "
        f"has passed, {signed(less['market_alive'])}. The second is what pooling adds."
    )


def _in_order(rows: pl.DataFrame, order: Sequence[str]) -> list[str]:
    present = set(rows["source"])
    return [name for name in order if name in present]
