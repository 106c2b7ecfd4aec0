"""The performance page: what the backtests of all days earned, and how far that can be believed.

Here: which tables and charts, and the sentences above them. Not here: the measures
(`performance.measures`), where the page is stored (`library`).
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from kalshi_assets.pages.charts import SCRIPT, Spec, bars, embedded, heatmap, lines
from kalshi_assets.pages.page import render
from kalshi_assets.pages.palette import FILL_MODEL_COLOURS, REASON_COLOURS
from kalshi_assets.pages.words import counted, dollars, reason_words
from kalshi_assets.performance.measures import (
    FEW_DATES,
    by_calendar,
    equity,
    headline,
    judgements,
    overfitting,
    parts_of_gain,
    widths,
    with_extra_cost,
    worst_drawdowns,
)
from kalshi_assets.performance.results import Results
from kalshi_assets.statistics.drawdown import MOST
from kalshi_assets.tables.backtest import DECIDING_MODEL
from kalshi_assets.units import CC_A_DOLLAR

_BREAKDOWNS = {
    "time_of_day": "time of day of the decision",
    "regime": "regime",
    "execution": "execution",
    "ladder": "city",
    "season": "season",
    "stress": "days that test a trader (a day counts once for each)",
}
_TIMES = ["before noon", "noon to three", "after three"]
_WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_PARTS = {
    "five minutes after the fill": "#3b82f6",
    "from then to settlement": "#0d9488",
    "fees": "#a1a1aa",
    "net": "#d9480f",
}
_OTHER_REASON = "#c026d3"


def render_performance(
    results: Results, accounts: pl.DataFrame, *, configurations: int, generated: bool
) -> str:
    """The page, as HTML; its charts need `SCRIPT` beside it.

    Parameters
    ----------
    results
        The results of all days.
    accounts
        `backtest.account` of these days.
    configurations
        Configurations ever run, at least 1.
    generated
        Whether the days are those of a generated world.
    """
    charts = charts_of(results)
    return render(
        "performance.html.j2",
        **facts_of(results, configurations=configurations, generated=generated),
        accounts=_accounts(accounts).to_dicts(),
        charts=set(charts),
        script=SCRIPT,
        drawing=embedded(charts),
    )


def facts_of(results: Results, *, configurations: int, generated: bool) -> dict[str, Any]:
    """What the templates of the page and of the document show, by name.

    Parameters
    ----------
    results, configurations, generated
        As of `render_performance`.
    """
    table = headline(results)
    return {
        "lead": lead_sentence(results),
        "generated": generated,
        "rows": table.to_dicts(),
        "widths": widths(results).to_dicts(),
        "days": results.days.select(pl.struct("ladder", "date").n_unique()).item(),
        "unsettled": results.days.filter(~pl.col("settled"))
        .select(pl.struct("ladder", "date").n_unique())
        .item(),
        "ladders": sorted(results.days["ladder"].unique().to_list()),
        "first": results.days["date"].min(),
        "last": results.days["date"].max(),
        "judgements": judgements(results, configurations=configurations),
        "overfitting": overfitting(results),
        "configurations": configurations,
        "drawdowns": worst_drawdowns(results),
        "most": MOST,
        "judged": DECIDING_MODEL,
        "few": FEW_DATES,
        "reasons": _reasons(results).to_dicts(),
        "breakdowns": _BREAKDOWNS,
    }


def lead_sentence(results: Results) -> str:
    """The result in a sentence: what was earned under each fill model, and their difference."""
    rows = headline(results).drop_nulls("net_cc")
    if results.days.is_empty():
        return "No day has been backtested yet."
    if rows.is_empty():
        return "No day is settled yet: there is no profit or loss."
    if not rows["orders"].sum():
        days = int(rows["settled_days"].max())  # type: ignore[arg-type]
        return f"Over {counted(days, 'settled ladder-day')} no strategy sent an order."
    said = []
    for each in widths(results).drop_nulls("width_cc").iter_rows(named=True):
        if rows.filter(strategy=each["strategy"])["orders"].sum():
            low, high = (dollars(each[name], signed=True) for name in ("low_cc", "high_cc"))
            said.append(f"{each['strategy']} {low} to {high}")
    return (
        "After fees, from the worst to the best fill model: "
        + "; ".join(said)
        + ". A profit that is not there under all of them depends on how orders would have filled."
    )


def charts_of(results: Results) -> dict[str, Spec]:
    """The charts by the id of their element; those without data are left out."""
    found: dict[str, Spec] = {}
    traded = _of_traders(results)
    paths = _in_dollars(equity(traded))
    if paths.height:
        found["equity"] = lines(
            paths,
            x="date",
            y="equity",
            colours=FILL_MODEL_COLOURS,
            colour="fill_model",
            panel="strategy",
            y_title="gain after fees, dollars",
        )
        found["drawdown"] = lines(
            paths,
            x="date",
            y="drawdown",
            colours=FILL_MODEL_COLOURS,
            colour="fill_model",
            panel="strategy",
            y_title="below the highest, dollars",
            height=110,
        )
        found["parts"] = bars(
            _parts(traded),
            x="part",
            y="dollars",
            colours=_PARTS,
            colour="part",
            panel="strategy",
            order=list(_PARTS),
            y_title=f"dollars, fill model {DECIDING_MODEL}",
        )
        found["extra"] = lines(
            _in_dollars(with_extra_cost(traded)),
            x="extra_cents",
            y="net",
            panel="strategy",
            colours=FILL_MODEL_COLOURS,
            colour="fill_model",
            y_title="net, dollars",
            x_title="cents more for every contract",
        )
        found["calendar"] = heatmap(
            _calendar(traded),
            x="day",
            y="month",
            value="net",
            panel="strategy",
            title="net, dollars",
            order=_WEEKDAYS,
        )
        for by in _BREAKDOWNS:
            rows = _bucketed(traded, by)
            if rows["bucket"].n_unique() > 1:
                found[f"by-{by.replace('_', '-')}"] = bars(
                    rows,
                    x="bucket",
                    y="net",
                    colours=FILL_MODEL_COLOURS,
                    colour="fill_model",
                    panel="strategy",
                    order=_TIMES if by == "time_of_day" else None,
                    y_title="net, dollars",
                    height=120,
                )
    if results.reasons.height:
        rows = _reasons(results)
        named = rows["reason"].unique(maintain_order=True).to_list()
        found["reasons"] = bars(
            rows,
            x="strategy",
            y="share",
            stacked=True,
            y_title="per cent of decisions",
            colours={each: REASON_COLOURS.get(each, _OTHER_REASON) for each in named},
            colour="reason",
            height=260,
        )
    return found


def _of_traders(results: Results) -> Results:
    """The results of the strategies that sent an order."""
    names = results.days.filter(pl.col("orders") > 0)["strategy"].unique().to_list()
    theirs = pl.col("strategy").is_in(names)
    return Results(
        days=results.days.filter(theirs),
        sums=results.sums.filter(theirs),
        reasons=results.reasons.filter(theirs),
    )


def _in_dollars(rows: pl.DataFrame) -> pl.DataFrame:
    money = [name for name in rows.columns if name.endswith("_cc")]
    return rows.with_columns(
        (pl.col(name) / CC_A_DOLLAR).alias(name.removesuffix("_cc")) for name in money
    ).drop(money)


def _parts(results: Results) -> pl.DataFrame:
    rows = parts_of_gain(results).filter(fill_model=DECIDING_MODEL)
    names = dict(zip(("mark_out_cc", "afterwards_cc", "fees_cc", "net_cc"), _PARTS, strict=True))
    return (
        rows.unpivot(list(names), index="strategy", variable_name="part", value_name="cc")
        .with_columns(part=pl.col("part").replace_strict(names), dollars=pl.col("cc") / CC_A_DOLLAR)
        .drop("cc")
    )


def _calendar(results: Results) -> pl.DataFrame:
    days: Mapping[int, str] = dict(enumerate(_WEEKDAYS, 1))
    return _in_dollars(
        by_calendar(results).with_columns(
            day=pl.col("weekday").cast(pl.Int64).replace_strict(days, return_dtype=pl.String)
        )
    ).select("strategy", "month", "day", "net", "days")


def _bucketed(results: Results, by: str) -> pl.DataFrame:
    rows = results.sums.filter(by=by).drop_nulls("net_cc")
    return _in_dollars(
        rows.select("strategy", "fill_model", "bucket", "orders", "contracts", "fees_cc", "net_cc")
    )


def _accounts(rows: pl.DataFrame) -> pl.DataFrame:
    """Sums over dates by strategy and fill model; gains of settled dates."""
    settled = pl.all_horizontal(pl.col("alone_cc", "net_cc").is_not_null())
    return (
        rows.group_by("strategy", "fill_model")
        .agg(
            dates=pl.len(),
            settled_dates=settled.sum(),
            orders=pl.col("orders").sum(),
            left_out=pl.col("left_out").sum(),
            **{
                name: pl.when(settled.any()).then(pl.col(name).filter(settled).sum())
                for name in ("alone_cc", "net_cc")
            },
            worst_cc=pl.col("worst_cc").min(),
            exposure_cc=pl.col("exposure_cc").max(),
        )
        .sort("strategy", "fill_model")
    )


def _reasons(results: Results) -> pl.DataFrame:
    """Reasons with their share of a strategy's decisions, per cent, and in words."""
    share = 100 * pl.col("rows") / pl.col("rows").sum().over("strategy")
    return results.reasons.with_columns(
        share=share,
        words=pl.col("reason").map_elements(reason_words, return_dtype=pl.String),
    )
