"""The trades of a city-day to zoom into: quotes, prints, PMFs, own orders and fills on one axis.

Here: the page of a day on which a strategy sent an order. Its charts are Vega-Lite written as it
is, one specification for all brackets, and the page's script gives each its rows: built one by one
with Altair they would take longer than the rest of the page, and the chain makes one a day. Not
here: the day as a whole (`day_page`).
"""

import datetime as dt
import json
from typing import Any

import polars as pl

from kalshi_assets.pages.charts import CONFIG, SCRIPT, WIDTH, Spec, in_script
from kalshi_assets.pages.inputs import DayInputs, Rung
from kalshi_assets.pages.page import render
from kalshi_assets.pages.palette import REASON_COLOURS, strategy_colours
from kalshi_assets.pages.words import reason_words
from kalshi_assets.tables.backtest import DECIDING_MODEL
from kalshi_assets.units import CC_A_CENT, CC_A_DOLLAR

_BID, _ASK, _PRINT, _MARKET, _USED = "#15803d", "#b91c1c", "#9aa3b2", "#3b82f6", "#d9480f"
_BUCKET = "15m"
_OF_ORDERS = ("strategy", "side", "execution", "contracts", "cents")
_OTHER = "#c026d3"
# PMFs are drawn where they moved by this much, in per cent.
_STEP = 0.5
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


def trades_file(date: dt.date) -> str:
    """The file of a day's trades, beside that of the day."""
    return f"{date}-trades.html"


def render_trades(day: DayInputs) -> str:
    """The page of a day with orders, as HTML; its charts need `SCRIPT` beside the folder.

    Parameters
    ----------
    day
        The day; at least one strategy sent an order.
    """
    rungs = _traded(day)
    shown = day.orders.filter(fill_model=DECIDING_MODEL)
    counts = shown.group_by("market_ticker").agg(orders=pl.len(), filled=pl.col("filled").sum())
    of_ticker = {ticker: (orders, filled) for ticker, orders, filled in counts.iter_rows()}
    return render(
        "trades.html.j2",
        city=day.city.title,
        date=day.date,
        rungs=[(rung, *of_ticker.get(rung.market_ticker, (0, 0))) for rung in rungs],
        shown_model=DECIDING_MODEL,
        script=f"../{SCRIPT}",
        rows=in_script(f"{{{','.join(_datasets(day, rungs))}}}"),
        spec=in_script(json.dumps(_bracket_spec(tuple(day.strategies)))),
        why_not=in_script(json.dumps(reasons_chart(day))),
    )


def bracket_chart(day: DayInputs, rung: Rung) -> Spec:
    """The chart of a bracket as the page's script puts it together: prices in cents.

    Parameters
    ----------
    day
        The day.
    rung
        The bracket.
    """
    rows = json.loads(f"{{{','.join(_datasets(day, [rung]))}}}")
    return {**_bracket_spec(tuple(day.strategies)), "datasets": rows}


def reasons_chart(day: DayInputs) -> Spec:
    """Share of the brackets by reason over the day, a panel per strategy.

    Parameters
    ----------
    day
        The day.
    """
    rows = (
        day.decisions.group_by("strategy", "reason", at=pl.col("minute").dt.truncate(_BUCKET))
        .agg(brackets=pl.len())
        .sort("strategy", "at", "reason")
        .with_columns(at=_time("at"))
    )
    named = rows["reason"].unique().sort().to_list()
    words = {each: reason_words(each) for each in named}
    return {
        "$schema": _SCHEMA,
        "data": {"values": rows.with_columns(why=pl.col("reason").replace(words)).to_dicts()},
        "facet": {"row": {"field": "strategy", "title": None}},
        "spec": {
            "width": WIDTH - 40,
            "height": 90,
            "mark": {"type": "bar", "width": 6},
            "encoding": {
                "x": {"field": "at", "type": "temporal", "title": "UTC"},
                "y": {
                    "field": "brackets",
                    "type": "quantitative",
                    "stack": "normalize",
                    "title": None,
                },
                "color": {
                    "field": "reason",
                    "title": None,
                    "scale": {
                        "domain": named,
                        "range": [REASON_COLOURS.get(each, _OTHER) for each in named],
                    },
                },
                "tooltip": [{"field": name} for name in ("why", "brackets", "at")],
            },
        },
        "config": CONFIG,
    }


def _traded(day: DayInputs) -> list[Rung]:
    traded = set(day.orders["market_ticker"])
    return [rung for rung in day.ladder if rung.market_ticker in traded]


def _datasets(day: DayInputs, rungs: list[Rung]) -> list[str]:
    """JSON members: rows of the brackets, their bracket as `b`, instants as text."""
    brackets = pl.DataFrame(
        [(rung.market_ticker, rung.bracket) for rung in rungs],
        schema={"market_ticker": pl.String, "b": pl.Int64},
        orient="row",
    )

    def of(frame: pl.DataFrame) -> pl.DataFrame:
        return brackets.join(frame, on="market_ticker", maintain_order="left_right")

    panel = of(day.minute_panel_full)
    decided = of(day.decisions_by_strategy[day.strategies[0]])
    of_model = pl.col("fill_model") == DECIDING_MODEL
    price = pl.col("price_cc") / CC_A_CENT
    shown = ("b", *_OF_ORDERS[:-1])
    frames = {
        "bid": _changes(panel, pl.col("bid_cc") / CC_A_CENT),
        "ask": _changes(panel, pl.col("ask_cc") / CC_A_CENT),
        "market": _changes(decided, _rounded("p_mkt")),
        "used": _changes(decided, _rounded("p_used")),
        "prints": panel.filter(pl.col("volume_1m") > 0).select(
            "b", at=_time("minute"), cents=pl.col("last_price_cc") / CC_A_CENT, volume="volume_1m"
        ),
        "orders": of(day.orders.filter(of_model)).select(
            *shown, "filled", "end", at=_time("placed_at"), until=_time("event_time"), cents=price
        ),
        "fills": of(day.fills.filter(of_model)).select(
            *shown,
            at=_time("event_time"),
            cents=price,
            fee_cents=pl.col("fee_cc") / CC_A_CENT,
            gain_dollars=pl.col("pnl_cc") / CC_A_DOLLAR,
        ),
    }
    return [f'"{name}":{frame.write_json()}' for name, frame in frames.items()]


def _rounded(column: str) -> pl.Expr:
    return (100 * pl.col(column) / _STEP).round() * _STEP


def _changes(rows: pl.DataFrame, cents: pl.Expr) -> pl.DataFrame:
    """Of every bracket the first and the last row, and those that differ from the one before."""
    value, row = pl.col("cents"), pl.int_range(pl.len()).over("b")
    ends = (row == 0) | (row == pl.len().over("b") - 1)
    moved = value.ne_missing(value.shift(1).over("b"))
    return (
        rows.select("b", "minute", cents=cents)
        .filter(moved | ends)
        .select("b", at=_time("minute"), cents="cents")
    )


def _time(name: str) -> pl.Expr:
    return pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S")


def _bracket_spec(strategies: tuple[str, ...]) -> Spec:
    """The chart of any bracket; its rows are the datasets of these names."""
    colours = strategy_colours(strategies)
    by_strategy = {
        "field": "strategy",
        "title": None,
        "scale": {"domain": list(colours), "range": list(colours.values())},
    }
    sides = {"domain": ["bid", "ask"], "range": ["triangle-up", "triangle-down"]}
    return {
        "$schema": _SCHEMA,
        "width": WIDTH,
        "height": 230,
        # Quotes lead: zooming them zooms every layer.
        "params": [{"name": "zoom", "select": "interval", "bind": "scales", "views": ["quotes"]}],
        "layer": [
            {"name": "quotes", **_line("bid", _BID)},
            _line("ask", _ASK),
            _line("market", _MARKET, dash=[4, 2]),
            _line("used", _USED, dash=[4, 2]),
            _layer(
                "prints",
                {"type": "point", "filled": True, "color": _PRINT, "opacity": 0.7},
                ["at", "cents", "volume"],
                size={"field": "volume", "type": "quantitative", "legend": None},
            ),
            _layer(
                "orders",
                {"type": "rule", "strokeWidth": 3, "opacity": 0.8},
                [*_OF_ORDERS, "filled", "end", "at", "until"],
                x2={"field": "until"},
                color=by_strategy,
            ),
            _layer(
                "fills",
                {"type": "point", "filled": True, "size": 90, "stroke": "#1f2430"},
                [*_OF_ORDERS, "fee_cents", "gain_dollars"],
                color=by_strategy,
                shape={"field": "side", "scale": sides, "legend": None},
            ),
        ],
        "config": CONFIG,
    }


def _line(name: str, colour: str, *, dash: list[int] | None = None) -> Spec:
    mark = {"type": "line", "interpolate": "step-after", "strokeWidth": 1.3, "color": colour}
    return _layer(name, {**mark, "strokeDash": dash or [1, 0]}, ["at", "cents"])


def _layer(name: str, mark: Spec, tips: list[str], **encoding: Any) -> Spec:
    return {
        "data": {"name": name},
        "mark": mark,
        "encoding": {
            "x": {"field": "at", "type": "temporal", "title": "UTC"},
            "y": {
                "field": "cents",
                "type": "quantitative",
                "title": "cents, per cent",
                "scale": {"zero": False},
            },
            "tooltip": [{"field": each, "title": each.replace("_", " ")} for each in tips],
            **encoding,
        },
    }
