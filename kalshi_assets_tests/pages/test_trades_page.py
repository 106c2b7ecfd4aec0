"""The page of a day's trades: every bracket with an order has a chart that can be drawn."""

import itertools
import json

import polars as pl
import pytest

from kalshi_assets.pages.charts import SCRIPT, svg_of
from kalshi_assets.pages.inputs import DayInputs
from kalshi_assets.pages.trades_page import bracket_chart, reasons_chart, render_trades
from kalshi_assets.tables.backtest import DECIDING_MODEL
from kalshi_assets_tests.pages.factory import a_day


@pytest.fixture(scope="module")
def day() -> DayInputs:
    return a_day(step=1)


def test_every_bracket_with_an_order_has_its_chart(day: DayInputs) -> None:
    page = render_trades(day)
    traded = {r.bracket for r in day.ladder if r.market_ticker in set(day.orders["market_ticker"])}
    assert traded
    for rung in day.ladder:
        assert (f'id="bracket-{rung.bracket}"' in page) == (rung.bracket in traded)
    assert f'src="../{SCRIPT}"' in page


def test_a_brackets_chart_can_be_drawn_and_holds_its_orders_and_fills(day: DayInputs) -> None:
    ticker = day.orders["market_ticker"][0]
    rung = next(each for each in day.ladder if each.market_ticker == ticker)
    chart = bracket_chart(day, rung)
    assert "<svg" in svg_of(chart)
    rows = chart["datasets"]
    mine = (pl.col("market_ticker") == ticker) & (pl.col("fill_model") == DECIDING_MODEL)
    assert len(rows["orders"]) == day.orders.filter(mine).height
    assert len(rows["fills"]) == day.fills.filter(mine).height
    assert {row["b"] for name in rows for row in rows[name]} == {rung.bracket}


def test_a_line_has_a_row_where_it_changes_and_an_unknown_price_stays_unknown(
    day: DayInputs,
) -> None:
    rung = day.ladder[2]
    rows = bracket_chart(day, rung)["datasets"]["bid"]
    panel = day.minute_panel_full.filter(market_ticker=rung.market_ticker).sort("minute")
    values = panel["bid_cc"].to_list()
    changes = sum(one != two for one, two in itertools.pairwise(values))
    assert changes < len(rows) <= changes + 2
    assert any(row["cents"] is None for row in rows) == (None in values)


def test_the_reasons_of_a_day_can_be_drawn(day: DayInputs) -> None:
    chart = reasons_chart(day)
    assert "<svg" in svg_of(chart)
    assert sum(row["brackets"] for row in chart["data"]["values"]) == day.decisions.height
    json.dumps(chart)
