"""docs/fills.md: what a resting order can expect, by each fill model.

Here: the numbers and rows that the template shows. Not here: the text (`templates/fills.md.j2`),
the study (`studies.fill_study`, `studies.queue_ahead`). The output is deterministic.
"""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from kalshi_assets.pages.documents import document, write_document
from kalshi_assets.pages.markdown import table
from kalshi_assets.pages.words import number
from kalshi_assets.studies.fill_study import BOUNDS, POPULATIONS, REAL, FillStudy
from kalshi_assets.studies.queue_ahead import ALL, READINGS, REGRET
from kalshi_assets.studies.virtual_makers import (
    AHEAD,
    CLOCK,
    LEADS_MIN,
    MAKER,
    MODELS,
    SPREAD_BUCKETS,
)

PAGE = "fills.md"
SHOWN_LEAD_MIN = 5
INSIDE = ("10-29", "30-70", "71-90")

Row = Mapping[str, Any]


def write_page(
    study: FillStudy, quotes: pl.DataFrame, *, command: str, city_days: int, folder: Path
) -> list[Path]:
    """Write the page to `folder`; return the paths written.

    Parameters
    ----------
    study
        Probes of at least one event.
    quotes
        Schema `inferred_quotes.COMPARED`; may be empty.
    command
        The command line that made it.
    city_days
        Number of tapes.
    folder
        Folder of `fills.md`.

    Raises
    ------
    ValueError
        The study has no clock probe.
    """
    if study.probes.filter(pl.col("kind") == CLOCK, ~pl.col("improves")).is_empty():
        raise ValueError("a page needs tapes with young quotes on both sides; there are none")
    text = page_text(study, quotes, command=command, city_days=city_days)
    return write_document(folder / PAGE, text, {})


def recommended_ahead(study: FillStudy) -> int:
    """The value of `queue_ahead_contracts` of the least regret among clock probes."""
    regrets = study.ahead[CLOCK, 0].brier.filter(reading=REGRET).sort("value")
    return int(str(regrets["model"][0]).removeprefix("queue_"))


def page_text(study: FillStudy, quotes: pl.DataFrame, *, command: str, city_days: int) -> str:
    """The page as Markdown; for the parameters see `write_page`."""
    rows = {
        (row["kind"], row["lead_min"], row["by"], row["bucket"], row["model"], row["measure"]): row
        for row in study.summary.to_dicts()
    }
    clock = study.ahead[CLOCK, 0]
    best = recommended_ahead(study)
    brier = clock.brier
    return document(
        "fills.md.j2",
        command=command,
        city_days=city_days,
        first=study.probes["date"].min(),
        last=study.probes["date"].max(),
        fills=study.fills.height,
        best=best,
        ahead=AHEAD,
        leads=LEADS_MIN,
        shown_lead=SHOWN_LEAD_MIN,
        undecided={kind: study.ahead[kind].undecided for kind in POPULATIONS},
        regret=brier.filter(model=f"queue_{best}", reading=REGRET).to_dicts()[0],
        best_number=clock.best_ahead.filter(price=ALL, reading=REGRET).to_dicts()[0],
        inside=[
            f"{row['value']} [{row['lo']}, {row['hi']}] at {row['price']}"
            for row in clock.best_ahead.filter(reading=REGRET).to_dicts()
            if row["price"] in INSIDE
        ],
        without=[(r.replace("_", " "), _best_without(brier, r)) for r in READINGS],
        quotes=_quotes(quotes),
        modest=_modest(rows),
        narrow=_narrow(rows),
        all_clock=lambda model, measure: rows[CLOCK, 0, ALL, ALL, model, measure],
        undecided_of=lambda lead: study.ahead[MAKER, lead].undecided,
        refused_of=lambda lead: rows[MAKER, lead, ALL, ALL, BOUNDS, "refused"]["value"],
        improves_of=lambda lead: rows[MAKER, lead, ALL, ALL, BOUNDS, "improves"]["value"],
        shares_of_leads=lambda of: ", ".join(percent(of(lead)) for lead in LEADS_MIN),
        real=lambda measure: rows[REAL, 0, ALL, ALL, REAL, measure],
        clock_rows=_clock_rows(rows),
        maker_rows=_maker_rows(rows),
        bucket_rows=lambda kind, by: _bucket_rows(rows, kind, by),
        size_rows=lambda by: _size_rows(clock.sizes, by),
        brier_rows=_brier_rows(brier),
        best_rows=_best_rows(study),
        rows_of=rows_of,
        cents=cents,
        percent=percent,
    )


def rows_of(rows: list[dict[str, str]]) -> str:
    """A table of rows that have the titles of their columns as keys; a dash if one lacks a cell."""
    titles = dict.fromkeys(title for row in rows for title in row)
    return table(rows, {title: partial(_cell, title) for title in titles})


def _cell(title: str, row: Row) -> str:
    return row.get(title, "–")


def _best_without(brier: pl.DataFrame, left_out: str) -> str:
    """The queue model of the least regret if one reading is left out, among those shown."""
    rows = brier.filter(
        pl.col("model").str.starts_with("queue"), ~pl.col("reading").is_in([left_out, REGRET])
    )
    regret = pl.col("value") - pl.col("value").min().over("reading")
    worst = rows.with_columns(regret=regret).group_by("model", maintain_order=True)
    return _model(str(worst.agg(pl.col("regret").max()).sort("regret")["model"][0]))


def _modest(rows: Mapping[tuple, Row]) -> list[str]:
    """The models whose virtual makers are never worth more than real ones, by their mean."""
    found = []
    for model in MODELS:
        marks = [
            (rows[MAKER, lead, ALL, ALL, model, mark], rows[REAL, 0, ALL, ALL, REAL, mark])
            for lead in LEADS_MIN
            for mark in ("mark_1m", "mark_5m")
        ]
        if all(_least(mine) <= _least(theirs) for mine, theirs in marks):
            found.append(_model(model))
    return found


def _least(row: Row) -> float:
    return -math.inf if row["value"] is None else row["value"]


def _quotes(quotes: pl.DataFrame) -> dict[str, object] | None:
    """How far inferred quotes are from recorded ones."""
    if quotes.is_empty():
        return None
    gap = quotes["gap_cents"]
    return {
        "orders": quotes.height,
        "days": quotes["date"].n_unique(),
        "first": quotes["date"].min(),
        "last": quotes["date"].max(),
        "equal": (gap == 0).mean(),
        "improves": (gap > 0).mean(),
        "behind": (gap < 0).mean(),
        "crosses": quotes["crosses"].mean(),
        "low": number(gap.quantile(0.25, "nearest"), 0),
        "high": number(gap.quantile(0.75, "nearest"), 0),
    }


def _narrow(rows: Mapping[tuple, Row]) -> dict[str, Row] | None:
    """Mark-outs after five minutes at the least spread."""
    found = {
        model: row
        for model in ("touch", "through")
        if (row := rows.get((CLOCK, 0, "spread", SPREAD_BUCKETS[0], model, "mark_5m")))
    }
    return found or None


def percent(value: float | None) -> str:
    """A share in per cent, one decimal."""
    return "–" if value is None else f"{number(100 * value, 1)}%"


def share(row: Row | None) -> str:
    """A share in per cent with its interval."""
    if row is None or row["value"] is None:
        return "–"
    return f"{percent(row['value'])} [{number(100 * row['lo'], 1)}, {number(100 * row['hi'], 1)}]"


def cents(row: Row | None, *, interval: bool = True) -> str:
    """A mark-out in cents with its sign, and its interval."""
    if row is None or row["value"] is None:
        return "–"
    value, lo, hi = (f"{row[name]:+.1f}".replace("-", "−") for name in ("value", "lo", "hi"))
    return f"{value} [{lo}, {hi}]" if interval else value


def minutes(row: Row | None) -> str:
    """A median time in minutes."""
    return "–" if row is None or row["value"] is None else number(row["value"] / 60, 1)


def _model(model: str) -> str:
    return model.replace("queue_", "queue ")


def _clock_rows(rows: Mapping[tuple, Row]) -> list[dict[str, str]]:
    def line(model: str, name: str) -> dict[str, str]:
        of = {m: rows.get((CLOCK, 0, ALL, ALL, model, m)) for m in _MEASURES}
        return {
            "model": name,
            "5 min:": percent(_value(of["filled_5m"])),
            "15 min:": share(of["filled"]),
            "60 min:": percent(_value(of["filled_60m"])),
            "median, min:": minutes(of["median_s"]),
            "after 1 min, ¢:": cents(of["mark_1m"]),
            "after 5 min, ¢:": cents(of["mark_5m"]),
        }

    bounds = [
        {**dict.fromkeys(line("touch", ""), ""), "model": name, "15 min:": share(found)}
        for name, measure in (("at least", "through"), ("at most", "reached"))
        for found in [rows[CLOCK, 0, ALL, ALL, BOUNDS, measure]]
    ]
    return [*(line(model, _model(model)) for model in MODELS), *bounds]


_MEASURES = ("filled", "filled_5m", "filled_60m", "median_s", "mark_1m", "mark_5m")


def _value(row: Row | None) -> float | None:
    return None if row is None else row["value"]


def _maker_rows(rows: Mapping[tuple, Row]) -> list[dict[str, str]]:
    lines = []
    for model in MODELS:
        line = {"model": _model(model)}
        for lead in LEADS_MIN:
            key = (MAKER, lead, ALL, ALL, model)
            line[f"{lead} min:"] = share(rows.get((*key, "filled")))
        for lead in LEADS_MIN:
            key = (MAKER, lead, ALL, ALL, model)
            marks = (cents(rows.get((*key, f"mark_{m}m")), interval=False) for m in (1, 5))
            line[f"marks of {lead} min:"] = " / ".join(marks)
        lines.append(line)
    real = (
        cents(rows.get((REAL, 0, ALL, ALL, REAL, f"mark_{m}m")), interval=False) for m in (1, 5)
    )
    marks_of_real = " / ".join(real)
    last = {"model": "real makers", **{f"{lead} min:": "" for lead in LEADS_MIN}}
    lines.append(last | {f"marks of {lead} min:": marks_of_real for lead in LEADS_MIN})
    bounds = {"model": "at least"}
    for lead in LEADS_MIN:
        bounds[f"{lead} min:"] = share(rows[MAKER, lead, ALL, ALL, BOUNDS, "through"])
        bounds[f"marks of {lead} min:"] = ""
    return [*lines, {name: bounds[name] for name in lines[0]}]


def _bucket_rows(rows: Mapping[tuple, Row], kind: str, by: str) -> list[dict[str, str]]:
    """By bucket: share filled, median minutes and mark-outs of every model."""
    lead = SHOWN_LEAD_MIN if kind == MAKER else 0
    buckets = dict.fromkeys(key[3] for key in rows if key[:3] == (kind, lead, by))
    lines = []
    for bucket in buckets:
        line = {f"{by}, ¢": bucket}
        for model in MODELS:
            of = {m: rows.get((kind, lead, by, bucket, model, m)) for m in _MEASURES}
            line[f"{_model(model)}:"] = " · ".join(
                (
                    percent(_value(of["filled"])),
                    minutes(of["median_s"]),
                    cents(of["mark_1m"], interval=False),
                    cents(of["mark_5m"], interval=False),
                )
            )
        counted = rows[kind, lead, by, bucket, BOUNDS, "reached"]
        lines.append({**line, "probes:": f"{counted['n']:,}"})
    return lines


def _size_rows(sizes: pl.DataFrame, by: str) -> list[dict[str, str]]:
    """By bucket: the median of each reading with its interval, and its middle half."""
    lines: dict[str, dict[str, str]] = {}
    for row in sizes.filter(pl.col("by") == by).to_dicts():
        title = "" if by == ALL else f"{by}, ¢"
        line = lines.setdefault(row["bucket"], {title: row["bucket"]})
        known = {name: _contracts(row[name]) for name in ("median", "lo", "hi")}
        half = f"{_contracts(row['quarter'])} .. {_contracts(row['three_quarters'])}"
        title = row["reading"].replace("_", " ")
        line[f"{title}:"] = f"{known['median']} [{known['lo']}, {known['hi']}]"
        line[f"{title}, half:"] = half
    return list(lines.values())


def _contracts(contracts: int | None) -> str:
    return "more" if contracts is None else f"{contracts:,}"


def _brier_rows(brier: pl.DataFrame) -> list[dict[str, str]]:
    of = {(row["model"], row["reading"]): row for row in brier.to_dicts()}
    lines = []
    for model in MODELS:
        line = {"model": _model(model)}
        for reading in (*READINGS, REGRET):
            row = of.get((model, reading))
            line[f"{reading.replace('_', ' ')}:"] = (
                ""
                if row is None
                else f"{number(row['value'])} [{number(row['lo'])}, {number(row['hi'])}]"
            )
        lines.append(line)
    return lines


def _best_rows(study: FillStudy) -> list[dict[str, str]]:
    """The number of the least score by reading and of the least regret: clock probes, makers."""
    lines = []
    for kind, lead in POPULATIONS:
        best = study.ahead[kind, lead].best_ahead
        prices = best["price"].unique(maintain_order=True) if kind == CLOCK else [ALL]
        for price in prices:
            name = "clock" if kind == CLOCK else f"maker, {lead} min"
            line = {"probes": name, "price, ¢": price}
            for row in best.filter(pl.col("price") == price).to_dicts():
                line[f"{row['reading'].replace('_', ' ')}:"] = (
                    f"{row['value']:,} [{row['lo']:,}, {row['hi']:,}]"
                )
            lines.append(line)
    return lines
