"""docs/verification.md and its figures: the study of the weather hazard in words and tables.

Here: the text, every number of it computed. Not here: the numbers (`verification`), the figures
(`verification_plots`). The same study gives the same bytes.
"""

from pathlib import Path

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.pages.markdown import line, paragraph
from kalshi_assets.pages.svg import svg_file
from kalshi_assets.pages.verification_plots import (
    difference_figure,
    reliability_figure,
    score_figure,
)
from kalshi_assets.studies.hazard_methods import ANALOGUE, EXACT, IN_FORCE
from kalshi_assets.studies.scoring import ALL_HOURS, NOTHING
from kalshi_assets.studies.weather_days import HAZARD_HOURS, HOURS, MIN_HOUR_REPORTS
from kalshi_assets.studies.weather_study import COMPARED, SAMPLES, WeatherStudy

PAGE = "verification.md"
PICTURES = "pictures"
COMMAND = "kalshi-assets study weather"
SCORE_NAMES = {
    "log_loss": "Log loss",
    "brier_score": "Brier score",
    "rps": "Ranked probability score",
}
TITLES = {"all": "all days", "market": "days with a recorded market"}


def write_page(study: WeatherStudy, city: City, folder: Path) -> list[Path]:
    """Write the page and its figures below `folder`; the paths written.

    Raises
    ------
    ValueError
        No day of the study was scored.
    """
    if not study.scored_days:
        raise ValueError("a page needs at least one scored day")
    pictures = folder / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in _figures(study).items():
        path = pictures / name
        path.write_text(text, "utf-8")
        written.append(path)
    page = folder / PAGE
    page.write_text(page_text(study, city), "utf-8")
    return [page, *written]


def page_text(study: WeatherStudy, city: City) -> str:
    """The page as markdown."""
    parts = [
        _opening(study, city),
        _days(study),
        _scores(study),
        _market(study),
        _hazard(study),
        _missed(study),
        _rules(study),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figures(study: WeatherStudy) -> dict[str, str]:
    summary = study.summary
    differences = {
        f"log loss of {method} less that of others, {title}": _differences(summary, days, method)
        for method in COMPARED
        for days, title in TITLES.items()
    }
    figures = {
        "verification-log-loss.svg": svg_file(
            score_figure(log_loss_by_sample(summary)),
            "Mean log loss by local standard hour and method, with 95 % intervals",
        ),
        "verification-differences.svg": svg_file(
            difference_figure(
                {
                    title: rows.filter(pl.col("against") != "climatology")
                    for title, rows in differences.items()
                }
            ),
            "Paired differences of log loss between methods by local standard hour",
        ),
    }
    if study.reliability.height:
        figures["verification-reliability.svg"] = svg_file(
            reliability_figure(study.reliability),
            "Frequency of a new high within the hour over its forecast probability",
        )
    return figures


def log_loss_by_sample(summary: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Rows of log loss for all days, and for those with a market, by the figure's titles."""
    return {
        f"mean log loss, {title}": _rows(summary, days, "log_loss")
        for days, title in TITLES.items()
    }


def _rows(summary: pl.DataFrame, days: str, score: str) -> pl.DataFrame:
    return summary.filter(pl.col("days") == days, pl.col("score") == score)


def _differences(summary: pl.DataFrame, days: str, method: str) -> pl.DataFrame:
    rows = _rows(summary, days, "log_loss")
    return rows.filter(pl.col("method") == method, pl.col("against") != NOTHING)


def _opening(study: WeatherStudy, city: City) -> str:
    first, last = study.days[0].date, study.days[-1].date
    origin = (
        f"Written by `{COMMAND} --city {city.name} --start {first} --end {last}` from recorded "
        f"days of {city.station}; not edited by hand. Every day is forecast with parameters of the "
        f"45 days before it, from what was known at the hour. `{EXACT}` is the filter alone, "
        f"`{ANALOGUE}` earlier days like this one alone, `{IN_FORCE}` what methods.toml has in "
        "force: p_wx as the platform makes it."
    )
    verdicts = [
        _verdict(study.summary, "all", method, other)
        for method in COMPARED
        for other in (*COMPARED, "analogue", "persistence", "climatology")
    ]
    listed = "\n".join(paragraph(f"- {verdict}", indent="  ") for verdict in verdicts if verdict)
    return f"# Verification of the weather hazard\n\n{paragraph(origin)}\n\n{listed}"


def _verdict(summary: pl.DataFrame, days: str, method: str, other: str) -> str:
    rows = _differences(summary, days, method).filter(pl.col("against") == other)
    by_hour = rows.filter(pl.col("lst_hour") != ALL_HOURS)
    if by_hour.is_empty():
        return ""
    lower, higher = by_hour.filter(pl.col("value") < 0), by_hour.filter(pl.col("value") > 0)
    said = (
        f"Against `{other}`, `{method}` has the lower mean log loss at {lower.height} of "
        f"{by_hour.height} hours (interval below 0 at {lower.filter(pl.col('hi') < 0).height}), "
        f"the higher at {higher.height} (above 0 at {higher.filter(pl.col('lo') > 0).height})"
    )
    equal = by_hour.height - lower.height - higher.height
    said += f", and the same at {equal}" if equal else ""
    whole = rows.filter(pl.col("lst_hour") == ALL_HOURS).to_dicts()
    if not whole:
        return said + "."
    mean = _interval(whole[0], signed=True)
    return f"{said}; mean difference over all hours {mean}, {whole[0]['n_days']} days."


def _days(study: WeatherStudy) -> str:
    left_out: dict[str, list[str]] = {}
    for day in study.days:
        if day.left_out is not None:
            left_out.setdefault(day.left_out, []).append(f"{day.date:%m-%d}")
    scored = study.scored_days
    lines = [f"| scored | {len(scored)} | {scored[0].date} .. {scored[-1].date} |"]
    lines += [
        f"| {reason} | {len(days)} | {', '.join(days)} |"
        for reason, days in sorted(left_out.items())
    ]
    kinds = [
        f"{sum(day.in_tail for day in chosen)} of {len(chosen)} days with a {kind} ladder"
        for kind, chosen in (
            ("recorded", [day for day in scored if day.recorded]),
            ("synthetic", [day for day in scored if not day.recorded]),
        )
        if chosen
    ]
    tails = paragraph(
        f"The maximum fell into one of the two open brackets on {' and '.join(kinds)}; such days "
        "are easier once the day is on its way. At an hour a day counts if every method has a PMF, "
        "so numbers of days differ by hour."
    )
    withheld: dict[str, int] = {}
    for day in scored:
        for status, hours in day.withheld.items():
            withheld[status] = withheld.get(status, 0) + hours
    if withheld:
        counts = ", ".join(f"{status} {hours}" for status, hours in sorted(withheld.items()))
        tails += "\n\n" + paragraph(
            f"Hours of scored days without p_wx, by its status: {counts} (of "
            f"{len(scored) * len(HOURS)})."
        )
    return "\n".join(["## Days", "", "| | days | which |", "|---|---:|---|", *lines, "", tails])


def _scores(study: WeatherStudy) -> str:
    parts = [
        "## Scores of p_wx",
        "Means over days, with 95 % intervals by resampling days; less is better.",
        f"![Log loss by hour]({PICTURES}/verification-log-loss.svg)",
    ]
    for score, name in SCORE_NAMES.items():
        parts += [f"### {name}", _score_table(study.summary, "all", score)]
    parts += [
        "### Paired differences of log loss",
        f"![Differences by hour]({PICTURES}/verification-differences.svg)",
    ]
    for method in COMPARED:
        parts += [
            f"`{method}` less others; below 0 `{method}` is better:",
            _by_hour(_differences(study.summary, "all", method), "against", signed=True),
        ]
    return "\n\n".join(parts)


def _market(study: WeatherStudy) -> str:
    days = [day for day in study.scored_days if day.market_valid is not None]
    if not days:
        return ""
    valid = sum(day.market_valid or 0 for day in days)
    asked = study.scores.filter(pl.col("method") == "market").height
    said = [
        f"{len(days)} scored days have a recorded market. Its PMF called itself valid at {valid} "
        f"of {asked} hours scored: where only trades are recorded, quotes are inferred and the PMF "
        "is mostly carried on. It is scored as it stands. The market knows forecasts; the "
        "recordings have none for the weather.",
        *(_verdict(study.summary, "market", method, "market") for method in COMPARED),
        f"Equal probabilities over six brackets have log loss {np.log(6):.2f}. A method above that "
        "knows less than the ladder, which the exchange lays around a forecast.",
    ]
    parts = [
        "## Against the market",
        *(paragraph(words) for words in said),
        _score_table(study.summary, "market", "log_loss"),
    ]
    for method in COMPARED:
        parts += [
            f"Log loss of `{method}` less others on these days:",
            _by_hour(_differences(study.summary, "market", method), "against", signed=True),
        ]
    return "\n\n".join(parts)


def _score_table(summary: pl.DataFrame, days: str, score: str) -> str:
    rows = _rows(summary, days, score).filter(pl.col("against") == NOTHING)
    return _by_hour(rows, "method", signed=False)


def _by_hour(rows: pl.DataFrame, by: str, *, signed: bool) -> str:
    order = [*SAMPLES["market"]]
    present = set(rows[by])
    names = [name for name in order if name in present] + sorted(present - set(order))
    lines = []
    hours = sorted(set(rows["lst_hour"]), key=lambda hour: (hour == ALL_HOURS, hour))
    for hour in hours:
        cells = {row[by]: row for row in rows.filter(pl.col("lst_hour") == hour).to_dicts()}
        texts = [_interval(cells[name], signed=signed) for name in names]
        label = "all hours" if hour == ALL_HOURS else f"{hour}:00"
        lines.append(line([label, *texts, str(cells[names[0]]["n_days"])]))
    head = line(["LST", *names, "days"])
    return "\n".join([head, "|---|" + "---:|" * (len(names) + 1), *lines])


def _hazard(study: WeatherStudy) -> str:
    table = study.reliability
    if table.is_empty():
        return ""
    lines = [
        line(
            [
                row["method"],
                f"{row['bin_lo']:.0%} to {row['bin_hi']:.0%}",
                str(row["n"]),
                str(row["n_days"]),
                f"{row['probability']:.3f}",
                f"{row['frequency']:.3f}",
                f"{row['lo']:.3f} to {row['hi']:.3f}",
                "" if row["lo"] <= row["frequency"] <= row["hi"] else "outside",
            ]
        )
        for row in table.to_dicts()
    ]
    outside = [
        f"{method} {_outside(table.filter(pl.col('method') == method))}"
        for method in table["method"].unique(maintain_order=True)
    ]
    highs = study.new_highs.filter("new_high").unique(["date", "lst_hour"])
    said = (
        f"At every full hour from {HAZARD_HOURS[0]} to {HAZARD_HOURS[-1]} LST: did a report "
        "measured within the hour lie above the highest that reports known at the hour allowed? "
        f"Hours with fewer than {MIN_HOUR_REPORTS} reports are left out. Bars are 95 % consistency "
        "bands: where the frequency would lie if the hazards were right; numbers are hours. Bins "
        f"outside their band: {', '.join(outside)}. Where the filter speaks, the hazard in force "
        f"is that of `{EXACT}`. Of {highs.height} new highs "
        f"{highs.filter(~pl.col('proved')).height} rest on a report that may stand for two degrees."
    )
    head = line(["method", "bin", "hours", "days", "forecast", "observed", "band", ""])
    return "\n\n".join(
        [
            "## Reliability of hazard_next_60m",
            paragraph(said),
            f"![Reliability]({PICTURES}/verification-reliability.svg)",
            "\n".join([head, "|---|---|---:|---:|---:|---:|---:|---|", *lines]),
        ]
    )


def _outside(rows: pl.DataFrame) -> str:
    inside = pl.col("frequency").is_between(pl.col("lo"), pl.col("hi"))
    return f"{rows.filter(~inside).height} of {rows.height}"


def _missed(study: WeatherStudy) -> str:
    days, counts = study.missed_peaks, study.missed_counts
    if counts.is_empty():
        return ""
    missed = pl.col("official_f") - pl.col("reported_hi_f")
    below = days.filter(pl.col("official_f") < pl.col("reported_lo_f")).height
    beyond = days.filter(missed > 3).height
    doubtful = days.filter(pl.col("reported_lo_f") != pl.col("reported_hi_f")).height
    lines = [
        line(
            [
                str(row["missed_f"]),
                str(row["days"]),
                f"{row['expected']:.1f}",
                f"{row['lo']} to {row['hi']}",
            ]
        )
        for row in counts.to_dicts()
    ]
    said = (
        "Official maximum less the highest whole degree reported, on days with reports in nine "
        "tenths of the slots, against the `missed_peak` probabilities of each morning (interval: "
        f"95 % of the counts under them). {days.height} such days; {doubtful} whose highest report "
        f"may stand for two degrees and do not count; {below} with the official maximum below the "
        f"highest report; {beyond} more than three degrees above."
    )
    head = line(["degrees missed", "days", "expected", "interval"])
    return "\n\n".join(
        [
            "## Peaks between reports",
            paragraph(said),
            "\n".join([head, "|---:|---:|---:|---:|", *lines]),
        ]
    )


def _rules(study: WeatherStudy) -> str:
    rules = [
        "**Ladders** are the exchange's where the event was recorded. Else they are synthetic: "
        "four brackets of two degrees and two tails, centred on the mean official maximum of "
        "earlier years within 15 days of the date, plus half the departure of yesterday's highest "
        "report from its own mean. All of that is known when the climate day begins. The exchange "
        "centres on forecasts, which are sharper: synthetic ladders catch fewer maxima in their "
        "inner brackets.",
        "**Parameters** are `probability.mc_params` of each day, from the 45 days before and what "
        "was known when the day began. The packaged priors, some settings of the engine, the "
        "constants of the analogue and its share in the mixture were chosen on days of KNYC from "
        f"April to July 2025. On those days the study flatters `{EXACT}` and `{IN_FORCE}` most.",
        "**climatology**: official maxima of earlier years within 15 days of the date, each a "
        "normal distribution of Silverman's width. **persistence**: the running maximum plus what "
        "the earlier days still rose from that hour to their official maximum, as an empirical "
        "distribution shrunk with the weight of five days to itself smoothed by 2 °F. Both use "
        "what was known at the hour.",
        "**Left out** is a day without official maximum, one with reports in less than three "
        "quarters of its slots (gaps of up to an hour do not count), and one whose past is too "
        "short for a method.",
        "**Scores** are of the bracket that paid: log loss with probabilities floored at 1e-6, "
        "Brier score over brackets, ranked probability score. Intervals are percentiles of 2,000 "
        "resamples of whole days with one seed. Weather persists over days, so they are somewhat "
        "too narrow, and with many hours and methods some intervals exclude 0 by chance.",
        f"The **mean over all hours** takes days that have every hour, {_whole_days(study)} of "
        f"{len(study.scored_days)}.",
    ]
    listed = "\n".join(paragraph(f"- {rule}", indent="  ") for rule in rules)
    return f"## How it was done\n\n{listed}"


def _whole_days(study: WeatherStudy) -> int:
    rows = study.summary.filter(pl.col("days") == "all", pl.col("lst_hour") == ALL_HOURS)
    return int(rows["n_days"][0]) if rows.height else 0


def _interval(row: dict, *, signed: bool) -> str:
    sign = "+" if signed else ""
    text = f"{row['value']:{sign}.3f} [{row['lo']:{sign}.3f}, {row['hi']:{sign}.3f}]"
    return text.replace("-", "−")
