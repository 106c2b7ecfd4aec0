"""Tables and paragraphs of the scoreboard's page, as markdown.

Here: how scores, slices, classifiers and controls are said. Not here: the page's order and its
verdicts (`scoreboard_page`).
"""

import textwrap
from collections.abc import Mapping, Sequence

import polars as pl

from kalshi_assets.reports.words import number
from kalshi_assets.tables.scoreboard import SLICES, SOURCES
from kalshi_assets.verification.evaluations import HAZARDS, LEADS, TIMES_OF_DAY, UNKNOWN
from kalshi_assets.verification.market_study import MarketStudy

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
CONTROLLED = ("up_1m", "up_5m", "lead_1m", "lead_5m")

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
        lines.append(_line([titles.get(str(city), str(city)), str(days.height), str(known), span]))
    head = _line(["city", "settled days", "with weather", "which"])
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
        lines.append(_line([source, *cells, share, str(own["log_loss"]["n_days"])]))
    head = _line(["source", *COLUMNS.values(), "skill (log)", "days"])
    return "\n".join([head, "|---|" + "---:|" * (len(COLUMNS) + 2), *lines])


def _difference_table(rows: pl.DataFrame) -> str:
    scores = [score for score in COLUMNS if score != "cross_entropy"]
    lines = []
    compared = rows.filter(pl.col("against") != "nothing")
    pairs = compared.select("source", "against").unique(maintain_order=True).rows()
    for source, against in sorted(pairs, key=lambda pair: tuple(map(SOURCES.index, pair))):
        of = {r["score"]: r for r in compared.filter(source=source, against=against).to_dicts()}
        cells = [f"{_signed(of[s])} {of[s]['verdict']}" for s in scores]
        p = _p_value(of["log_loss"]["dm_p"])
        lines.append(_line([f"{source} less {against}", *cells, p]))
    if not lines:
        return ""
    head = _line(["difference", *(COLUMNS[s] for s in scores), "p (log loss)"])
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
        lines.append(_line([hour_words(hour), *cells, _signed(gap) + star, str(gap["n_days"])]))
    head = _line(["LST", *names, f"{source} less market", "days"])
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
            _line(
                [words, name, _signed(row), _p_value(row["dm_p"]) + star, str(row["verdict"]),
                 str(row["n_days"]), str(row["n_dates"]), f"{row['n_instants']:,}"]
            )
        )  # fmt: skip
    head = _line(["slice", "", "difference", "p", "verdict", "days", "dates", "instants"])
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
        lines.append(_line([source, *cells]))
    head = ["source", "ECE", "if perfect: mean, 95 %", "", "debiased", "MCB", "DSC", "UNC"]
    return "\n".join([_line(head), "|---|---:|---:|---|---:|---:|---:|---:|", *lines])


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
            _signed(gap, digits=4) + star,
            row["verdict"],
            str(row["n_days"]),
            str(row["days_with_trees"]),
        ]
        lines.append(_line(cells))
    said = (
        "Out of sample: every model learnt from days before the one it is scored on. The baseline "
        "is what is said without features: the base rate of earlier days for moves, the market for "
        "who is paid, prices and who leads now for who leads next. Means over city-days; cross-"
        "entropy less is better, AUC more. On days without trees the baseline is in force and both "
        "are the same. move: whether a price leaves its dead zone; up: which way, if it does. "
        "Where quotes are inferred from trades a move is often the other side catching up: it can "
        "be foreseen, and nobody could have traded at the price it starts from."
    )
    head = ["score", "target", "where", "value", "baseline", "difference", "", "days", "with trees"]
    rule = "|---|---|---|---:|---:|---:|---|---:|---:|"
    return "\n\n".join(["## Classifiers", paragraph(said), "\n".join([_line(head), rule, *lines])])


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
        f"{_signed(less['market'])} nats; less the market without the brackets that the evidence "
        f"has passed, {_signed(less['market_alive'])}. The second is what pooling adds."
    )


def classifier_verdict(skill: pl.DataFrame) -> str:
    """One sentence for the top of the page."""
    rows = skill.filter(slice="all", score="cross_entropy")
    said = [
        f"{words} {_VERDICT_WORDS[row['verdict']]} ({_signed(row | {'value': row['difference']})})"
        for target, words in _TARGET_WORDS.items()
        for row in rows.filter(target=target).to_dicts()
    ]
    if not said:
        return "**Classifiers**: no day had enough before it to fit one."
    return f"**Classifiers**, in nats a row against what is said without them: {'; '.join(said)}."


_TARGET_WORDS = {
    "up_1m": "direction in one minute",
    "up_5m": "direction in five minutes",
    "lead_5m": "the leader in five minutes",
    "pays": "who is paid",
}
_VERDICT_WORDS = {"better": "skill", "worse": "worse", "undecided": "no proved skill"}


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
        _line([row["source"], *(_control(rows, row["source"], w) for w in ("true", "shuffled"))])
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
        "\n".join([_line(["source", "true winners", "shuffled"]), "|---|---:|---:|", *lines]),
    ]
    lagged = study.scoreboard.filter(
        pl.col("source").is_in(LAGGED), slice="all", against="market", score="log_loss"
    )
    if lagged.height:
        listed = [
            _line(
                [row["instants"], row["source"], _signed(row), row["verdict"], str(row["n_days"])]
            )
            for row in lagged.to_dicts()
        ]
        head = _line(["instants", "source", "less the market", "", "days"])
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
        _line(
            [
                row["target"],
                _signed(row | {"value": row["difference"]}, digits=4),
                row["verdict"],
                str(row["n_days"]),
                str(row["days_with_trees"]),
            ]
        )
        for row in rows
    ]
    head = _line(["target", "cross-entropy less the baseline's", "", "days", "with trees"])
    said = (
        "Classifiers fitted to, and judged on, the labels of other days of the month at the same "
        "minute, every third fold. That prices move more at some hours is true of other days, too, "
        "so move is not listed; nor is pays, whose baseline, the market, knows the true winner. "
        "What lead may show is the position: middle brackets lead more often on any day, and the "
        "baseline sees prices alone."
    )
    return [paragraph(said), "\n".join([head, "|---|---:|---|---:|---:|", *listed])]


def _control(rows: pl.DataFrame, source: str, winners: str) -> str:
    (row,) = rows.filter(source=source, winners=winners).to_dicts()
    return f"{_signed(row)} {row['verdict']}"


def interval(row: Mapping[str, float | None]) -> str:
    """The 95 % interval of a mean."""
    return f"[{number(row['lo'])}, {number(row['hi'])}]"


def _signed(row: Mapping[str, float], digits: int = 3) -> str:
    value, lo, hi = (f"{row[name]:+.{digits}f}" for name in ("value", "lo", "hi"))
    return f"{value} [{lo}, {hi}]".replace(f"-{0:.{digits}f}", f"+{0:.{digits}f}").replace("-", "−")


def _p_value(p: float | None) -> str:
    return "<0.001" if p is not None and p < 0.001 else number(p)


def _in_order(rows: pl.DataFrame, order: Sequence[str]) -> list[str]:
    present = set(rows["source"])
    return [name for name in order if name in present]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def paragraph(words: str, indent: str = "") -> str:
    """Words in lines of at most 100 characters."""
    return textwrap.fill(
        words, 100, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent
    )
