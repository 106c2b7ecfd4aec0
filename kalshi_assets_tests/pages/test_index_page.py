import datetime as dt
from dataclasses import replace

import polars as pl
import pytest
from rich.console import Console

from kalshi_assets.pages.index_page import caveats, render_index, total_of, totals
from kalshi_assets.pages.summary import summary_table, trading_table, why_not
from kalshi_assets.pages.verdict import (
    Contest,
    DaySummary,
    contest_of,
    forecast_sentence,
    summary_of,
)
from kalshi_assets.pages.words import dollars, number
from kalshi_assets_tests.pages.factory import a_day
from kalshi_assets_tests.pages.reading import Page


@pytest.fixture(scope="module")
def rows() -> list[DaySummary]:
    return [
        summary_of(a_day()),
        summary_of(a_day(date=dt.date(2025, 4, 26), seed=9)),
        summary_of(a_day(city="chicago", weather=False, trades=False)),
        summary_of(a_day(city="chicago", date=dt.date(2025, 4, 26), settled=False)),
    ]


@pytest.fixture(scope="module")
def page(rows: list[DaySummary]) -> Page:
    return Page(render_index(rows))


def test_every_city_day_has_a_row_and_a_link(rows: list[DaySummary], page: Page) -> None:
    assert len(list(filter(None, page.tables["days"][0]))) == len(rows)
    days = {f"{row.city}/{row.date}.html" for row in rows}
    assert set(page.addresses) == days | {"performance.html", "sensitivity.html"}
    assert "new_york/2025-04-25.html" in page.addresses


def test_a_rows_numbers_are_the_days(rows: list[DaySummary], page: Page) -> None:
    shown = list(filter(None, page.tables["days"][0]))
    ordered = sorted(rows, key=lambda row: (row.title, row.date))
    for row, cells in zip(ordered, shown, strict=True):
        contest = row.contest
        assert cells[0] == str(row.date)
        assert cells[3:9] == [
            *(number(contest.log_loss[s]) for s in ("market", "weather", "fused")),
            *map(str, (contest.market_better, contest.fused_better, contest.tied)),
        ]
        results = [row.under(name, "through") for name in ("value", "move", "sets")]
        assert cells[9:12] == [dollars(r.net_cc, signed=True) for r in results if r is not None]
        assert cells[13:16] == [str(r.orders) for r in results if r is not None]


def contest(market: list[float], fused: list[float]) -> Contest:
    hours = range(len(market))
    frames = [
        pl.DataFrame({"lst_hour": hours, "log_loss": losses}).with_columns(source=pl.lit(source))
        for source, losses in (("market", market), ("fused", fused))
    ]
    return contest_of(pl.concat(frames))


def test_the_headline_goes_by_the_mean_and_names_the_hours_that_point_elsewhere(
    rows: list[DaySummary],
) -> None:
    late = contest([1.0, 0.012, 0.011, 0.010], [1.4, 0.006, 0.006, 0.010])
    said = forecast_sentence(replace(rows[0], contest=late))
    assert said.startswith("Market beat fused by mean log loss, 0.258 against 0.355")
    assert "though fused was better at 2 of 4 hours, 1 tied" in said


def test_the_headline_counts_hours_where_they_agree_with_the_mean(rows: list[DaySummary]) -> None:
    clear = contest([1.0, 0.9, 0.2], [0.8, 0.7, 0.3])
    said = forecast_sentence(replace(rows[0], contest=clear))
    assert said == "Fused beat market at 2 of 3 hours; mean log loss 0.600 against 0.700."


def test_weather_is_set_against_the_market_on_the_same_hours(rows: list[DaySummary]) -> None:
    total = total_of("New York", rows[:2])
    assert total.market_there == pytest.approx(
        sum(row.contest.market_there or 0 for row in rows[:2]) / 2
    )
    assert total.market_there != total.log_loss["market"]


def test_totals_count_days_and_add_up_money(rows: list[DaySummary], page: Page) -> None:
    found = {total.title: total for total in totals(rows)}
    assert found["Chicago (Midway)"].days == 2
    assert found["Chicago (Midway)"].scored_days == 1
    assert found["all cities"].days == 4
    touch = [row.under("value", "touch") for row in rows]
    (whole,) = (
        total
        for total in found["all cities"].results
        if (total.strategy, total.fill_model) == ("value", "touch")
    )
    assert whole.net_cc == sum(result.net_cc or 0 for result in touch if result is not None)
    assert (whole.days, whole.settled, whole.orders) == (4, 3, 9)
    assert whole.worst_day_cc == 0
    assert page.tables["totals"][0][-1][1:3] == ["4", "3"]


def test_the_uncertainty_is_over_days(rows: list[DaySummary]) -> None:
    total = total_of("New York", rows[:2])
    gaps = [
        (row.contest.log_loss["fused"] or 0) - (row.contest.log_loss["market"] or 0)
        for row in rows[:2]
    ]
    assert total.gap == pytest.approx(sum(gaps) / 2)
    assert total.gap_error == pytest.approx(abs(gaps[0] - gaps[1]) / 2)
    assert total_of("one", rows[:1]).gap_error is None


def test_few_days_are_said_to_prove_nothing(rows: list[DaySummary], page: Page) -> None:
    words = page.words("caveats")
    assert "3 scored city-days: too few to show an edge" in words
    assert "On 1 day fused equals the market's PMF" in words
    assert "1 day not settled" in words


def test_many_days_are_given_with_their_standard_error(rows: list[DaySummary]) -> None:
    many = [replace(rows[i % 2], date=dt.date(2025, 1, 1) + dt.timedelta(i)) for i in range(40)]
    said = caveats(many)
    assert "standard error" in said[0]
    assert not any("too few to show" in sentence for sentence in said)


def test_an_index_without_orders_claims_no_profit(rows: list[DaySummary]) -> None:
    assert "no orders were sent" in Page(render_index(rows[2:3])).words("verdict")


def test_an_empty_index_says_so() -> None:
    html = render_index([])
    assert "No city-day has been materialised yet." in Page(html).words("verdict")
    assert "http" not in html


def test_the_terminal_table_has_a_line_per_day_and_a_total(rows: list[DaySummary]) -> None:
    console = Console(width=160, record=True, quiet=True)
    with console.capture() as captured:
        console.quiet = False
        console.print(summary_table(rows))
    text = captured.get()
    assert text.count("new_york") == 2
    assert "not settled" in text
    assert "4 city-days" in text
    assert "−$0.4651" in text


def test_the_table_of_trading_has_a_line_per_strategy_and_fill_model(
    rows: list[DaySummary],
) -> None:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(trading_table(rows[:2]))
    lines = captured.get().splitlines()
    (through,) = (line for line in lines if "through" in line and "−$0.9302" in line)
    assert [cell.strip() for cell in through.split("│")[2:10]] == [
        *("through", "2", "6", "4", "20"),
        *("−$0.60", "$0.3302", "−$0.9302"),
    ]
    assert sum("queue" in line for line in lines) == 3
    assert any("$12.2902" in line for line in lines)


def test_gains_of_days_that_are_not_settled_are_said_to_be_missing(rows: list[DaySummary]) -> None:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(trading_table(rows))
    assert "4 (3 settled)" in captured.get()
    assert "those of the settled days" in captured.get()


def test_a_sentence_a_strategy_says_on_how_many_days_there_were_orders_and_why_not(
    rows: list[DaySummary],
) -> None:
    counts = {"no_quote": 6, "trade": 1, "wide_spread": 1}
    traded = replace(rows[0], reasons={"value": counts, "sets": {"no_set": 8}})
    silent = replace(rows[1], reasons={"value": {"wide_spread": 12}, "sets": {"no_set": 12}})
    unread = replace(rows[2], reasons={})
    assert [" ".join(said.split()) for said in why_not([traded, silent, unread])] == [
        "value: orders on 1 of 2 days; why not: the spread was too wide (65 %); "
        "no bid or no ask was known (30 %)",
        "sets: orders on 0 of 2 days; why not: complete sets cost what they pay, or more (100 %)",
    ]
    assert why_not([]) == []


def test_square_brackets_in_a_label_are_not_markup(rows: list[DaySummary]) -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(summary_table([replace(rows[0], outcome="[red]62° to 63°[/red]")]))
    assert "[red]62° to 63°[/red]" in captured.get()
