"""The document of the backtest of recorded days: `docs/backtest.md` with its pictures.

Here: what the template shows. Not here: the measures (`performance`), the text (`templates`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kalshi_assets.pages.charts import svg_of
from kalshi_assets.pages.documents import PICTURES, document
from kalshi_assets.pages.performance_page import charts_of, facts_of
from kalshi_assets.pages.words import dollars, number
from kalshi_assets.performance.measures import headline
from kalshi_assets.performance.results import Results

# Reasons of a smaller share of the decisions, in per cent, are left out.
_LEAST_SHARE = 0.1
_PICTURES = {
    "equity": "Gain after fees by strategy and fill model",
    "reasons": "Why strategies did not trade",
}


@dataclass(frozen=True, kw_only=True)
class BacktestStudy:
    """What the study found.

    Attributes
    ----------
    results
        The results of all days.
    surfaces
        `performance.results.sensitivity_of` of the same days.
    recorded, inferred
        `headline` of the days with recorded quotes, with those and with quotes from trades alone.
    configurations
        Configurations ever run on the study's lake.
    command
        The command that makes the document.
    titles
        Titles of cities by name.
    """

    results: Results
    surfaces: pl.DataFrame
    recorded: pl.DataFrame
    inferred: pl.DataFrame
    configurations: int
    command: str
    titles: Mapping[str, str]


def write_document_of(study: BacktestStudy, folder: Path) -> list[Path]:
    """Write `backtest.md` and its pictures; return the paths.

    Parameters
    ----------
    study
        What was found.
    folder
        Folder of the document.
    """
    charts = charts_of(study.results)
    pictures = {name: f"backtest-{name}.svg" for name in _PICTURES if name in charts}
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    for name, file in pictures.items():
        (folder / PICTURES / file).write_text(svg_of(charts[name]) + "\n", "utf-8")
    path = folder / "backtest.md"
    path.write_text(text_of(study, pictures), "utf-8")
    return [path, *(folder / PICTURES / file for file in pictures.values())]


def text_of(study: BacktestStudy, pictures: Mapping[str, str]) -> str:
    """The document.

    Parameters
    ----------
    study
        What was found.
    pictures
        Files of pictures by the chart's name.
    """
    facts = facts_of(study.results, configurations=max(study.configurations, 1), generated=False)
    return document(
        "backtest.md.j2",
        **facts,
        command=study.command,
        titles=study.titles,
        pictures=pictures,
        alt=_PICTURES,
        folder=PICTURES,
        headline=_headline(headline(study.results)),
        both=[("recorded", _headline(study.recorded)), ("inferred", _headline(study.inferred))],
        controls=_controls(study.surfaces),
        why=_texts(
            {
                "strategy": row["strategy"],
                "reason": row["words"],
                "decisions:": f"{row['rows']:,}",
                "%:": number(row["share"], 1),
            }
            for row in facts["reasons"]
            if row["share"] >= _LEAST_SHARE
        ),
        by_ladder=_by(study.results, "ladder"),
        by_time=_by(study.results, "time_of_day"),
        cents=lambda cc: dollars(None if cc is None else round(cc), signed=True),
    )


def _headline(rows: pl.DataFrame) -> pl.DataFrame:
    return _texts(
        {
            "strategy": row["strategy"],
            "fills": row["fill_model"],
            "days with orders:": f"{row['days_with_orders']} / {row['settled_days']}",
            "orders:": str(row["orders"]),
            "filled:": str(row["orders_filled"]),
            "contracts:": str(row["contracts"]),
            "gross:": dollars(row["gross_cc"], signed=True),
            "fees:": dollars(row["fees_cc"]),
            "net:": dollars(row["net_cc"], signed=True),
            "1 min ¢:": number(row["mark_out_1m_cents"], 2),
            "5 min ¢:": number(row["mark_out_5m_cents"], 2),
            "worst day:": dollars(row["worst_day_cc"], signed=True),
        }
        for row in rows.iter_rows(named=True)
    )


def _by(results: Results, by: str) -> pl.DataFrame:
    """Orders, contracts and net by bucket, fill models side by side, of strategies with orders."""
    rows = results.sums.filter(by=by).filter(pl.col("orders").sum().over("strategy") > 0)
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows.sort("strategy", "bucket", "fill_model").iter_rows(named=True):
        cells = found.setdefault(
            (row["strategy"], row["bucket"]), {"strategy": row["strategy"], by: row["bucket"]}
        )
        cells[f"{row['fill_model']}: contracts:"] = str(row["contracts"])
        cells[f"{row['fill_model']}: net:"] = dollars(row["net_cc"], signed=True)
    return _texts(found.values())


def _controls(surfaces: pl.DataFrame) -> pl.DataFrame:
    """Per surface, fill model and control: the least, median and greatest net of its points."""
    rows = (
        surfaces.group_by("surface", "strategy", "fill_model", "control")
        .agg(
            days=pl.col("days").max(),
            orders=pl.col("orders").max(),
            low=pl.col("net_cc").min(),
            median=pl.col("net_cc").median().round().cast(pl.Int64),
            high=pl.col("net_cc").max(),
        )
        .sort("surface", "fill_model", "control")
    )
    return _texts(
        {
            "surface": row["surface"].replace("_", " "),
            "fills": row["fill_model"],
            "control": row["control"].replace("_", " "),
            "days:": str(row["days"]),
            "most orders:": str(row["orders"]),
            "lowest net:": dollars(row["low"], signed=True),
            "median:": dollars(row["median"], signed=True),
            "highest:": dollars(row["high"], signed=True),
        }
        for row in rows.iter_rows(named=True)
    )


def _texts(rows: Iterable[Mapping[str, str]]) -> pl.DataFrame:
    return pl.DataFrame([dict(row) for row in rows])
