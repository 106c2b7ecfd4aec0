import datetime as dt
from dataclasses import replace

import polars as pl
import pytest

from kalshi_assets.families.temperature.trading import REASONS
from kalshi_assets.pages.day_page import render_day
from kalshi_assets.pages.inputs import PAGE_TABLES, DayInputs, no_rows
from kalshi_assets.pages.trades_page import trades_file
from kalshi_assets.pages.verdict import summary_of
from kalshi_assets.pages.words import (
    BASELINE_WORDS,
    METHOD_WORDS,
    REASON_WORDS,
    WEATHER_WORDS,
    dollars,
    number,
    percent,
)
from kalshi_assets.tables import HAZARD_PMF
from kalshi_assets_tests.pages.factory import LABELS, SHA, a_day
from kalshi_assets_tests.pages.reading import Page

SECTIONS = {
    "verdict",
    "beliefs",
    "temperature",
    "decisions",
    "money",
    "contract",
    "quality",
    "lineage",
    "words",
}
KINDS = {
    "everything": {},
    "no weather, no trades": {"city": "chicago", "weather": False, "trades": False},
    "feed alarm": {"alarm": True},
    "not settled": {"settled": False},
    "not settled, no trades": {"settled": False, "trades": False},
    "sources disagree": {"disagreement": True},
    "warm tail pays": {"tmax": 75},
    "cold tail pays": {"tmax": 40},
}


@pytest.fixture(scope="module")
def full() -> DayInputs:
    return a_day()


@pytest.fixture(scope="module")
def page(full: DayInputs) -> Page:
    return Page(render_day(full))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_day_has_every_section_and_closes_its_elements(kind: str) -> None:
    read = Page(render_day(a_day(**KINDS[kind])))
    assert set(read.tables) == SECTIONS
    assert all(read.words(section) for section in SECTIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_asks_for_nothing_outside_itself(kind: str) -> None:
    html = render_day(a_day(**KINDS[kind]))
    assert "http" not in html
    assert "url(" not in html.replace("url(#", "")
    assert "@import" not in html
    outside = [
        address
        for address in Page(html).addresses
        if not address.startswith(
            ("#", "data:", "../index.html", trades_file(dt.date(2025, 4, 25)))
        )
    ]
    assert outside == []
    assert "script" not in Page(html).opened


def test_a_page_of_every_minute_stays_small() -> None:
    assert len(render_day(a_day(step=1)).encode()) < 400_000


def test_the_same_frames_give_the_same_page(full: DayInputs) -> None:
    assert render_day(full) == render_day(replace(full))


def test_scores_on_the_page_are_the_reports(full: DayInputs, page: Page) -> None:
    shown = page.tables["beliefs"][0]
    assert len(shown) == full.report["lst_hour"].n_unique()
    for cells in shown:
        hour = int(cells[0][:2])
        rows = {
            row["source"]: row
            for row in full.report.filter(pl.col("lst_hour") == hour).iter_rows(named=True)
        }
        expected = [
            number(rows[source][metric])
            for metric in ("p_win", "log_loss", "brier_score", "rps")
            for source in ("market", "weather", "fused")
        ]
        assert cells[2:14] == expected


def test_profit_on_the_page_is_the_backtests(full: DayInputs, page: Page) -> None:
    shown = {tuple(cells[:2]): cells[2:] for cells in page.tables["money"][0]}
    assert len(shown) == 9
    for row in full.daily_pnl.iter_rows(named=True):
        assert shown[row["strategy"], row["fill_model"]] == [
            str(row["orders"]),
            str(row["maker_fills"]),
            str(row["taker_fills"]),
            str(row["contracts"]),
            dollars(row["gross_cc"], signed=True),
            dollars(row["fees_cc"]),
            dollars(row["net_cc"], signed=True),
            dollars(row["worst_case_cc"], signed=True),
        ]


def test_strategies_stand_side_by_side_with_the_width_between_fill_models(
    full: DayInputs, page: Page
) -> None:
    rows = {cells[0]: cells[1:] for cells in page.tables["verdict"][0]}
    assert list(rows) == ["value", "move", "sets"]
    assert rows["value"][:3] == ["3", "2", "10"]
    assert rows["value"][3:7] == ["+$5.68", "−$0.4651", "+$0.69", "$6.1451"]
    assert rows["move"][3:7] == ["$0.00", "+$1.00", "$0.00", "$1.00"]
    assert rows["sets"][:7] == ["0", "0", "0", "$0.00", "$0.00", "$0.00", "$0.00"]
    assert "the expected gain after fees was too small" in rows["value"][7]
    assert "complete sets cost what they pay, or more" in rows["sets"][7]


def test_an_order_is_listed_once_with_its_fills_under_every_model(
    full: DayInputs, page: Page
) -> None:
    shown = page.tables["money"][1]
    assert len(shown) == full.orders["order_id"].n_unique() == 5
    (first,) = (cells for cells in shown if cells[0] == "03:12")
    assert first[1:6] == ["value", "62° to 63°", "buy YES", "maker", "$0.31"]
    assert first[6:9] == ["5 of 5", "0 of 5 cancelled", "1 of 5"]
    assert first[9:12] == ["+$3.45", "–", "+$0.69"]


def test_reasons_on_the_page_are_the_decisions(full: DayInputs, page: Page) -> None:
    shown = {cells[0]: cells[2:] for cells in page.tables["decisions"][0]}
    for column, strategy in enumerate(("value", "move", "sets")):
        own = full.decisions.filter(strategy=strategy)
        counts = {
            reason: int(cells[column].split()[0].replace(",", ""))
            for reason, cells in shown.items()
            if cells[column] != "–"
        }
        assert counts == dict(own["reason"].value_counts().iter_rows())


def test_the_contract_is_shown_with_its_provenance(full: DayInputs, page: Page) -> None:
    words = page.words("contract")
    for part in ("KNYC read from rules name", "National Weather Service read from rules"):
        assert part in words
    assert "2025-04-24 14:00Z to 2025-04-26 04:59Z" in words
    ladder = page.tables["contract"][0]
    assert [cells[0] for cells in ladder] == list(LABELS)
    assert [cells[5] for cells in ladder].count("paid") == 1
    assert ladder[2][6] == full.events["rules_sha256"][2][:12]


def test_brackets_without_words_are_named_by_their_degrees() -> None:
    read = Page(render_day(a_day(labels=("", "  ", "", *LABELS[3:]))))
    assert [cells[0] for cells in read.tables["contract"][0]] == list(LABELS)
    assert "paid: 62° to 63°" in read.sections[""]


def test_raw_answers_are_named_by_their_whole_hash(page: Page) -> None:
    lineage = " ".join(cell for row in page.tables["lineage"][0] for cell in row)
    assert all(sha in lineage for sha in SHA.values())


def test_missing_weather_is_said_in_words() -> None:
    html = render_day(a_day(weather=False))
    read = Page(html)
    assert "no station observations" in read.words("verdict")
    assert "Fused equals the market at all 6 hours." in read.words("verdict")
    assert "no station observations" in read.words("temperature")
    assert "no station observations" in read.words("quality")


def test_inferred_quotes_are_said_to_be_inferred(full: DayInputs, page: Page) -> None:
    shares = dict(full.minute_panel_full["quote_source"].value_counts(normalize=True).iter_rows())
    said = f"recorded at {percent(shares['recorded'])} of bracket-minutes and inferred"
    assert " ".join(said.split()) in page.words("verdict")
    tape = replace(
        full,
        minute_panel_full=full.minute_panel_full.with_columns(quote_source=pl.lit("inferred")),
    )
    assert "No bid or ask was recorded" in Page(render_day(tape)).words("verdict")


def test_an_unsettled_day_claims_no_score_and_no_profit() -> None:
    read = Page(render_day(a_day(settled=False)))
    verdict = read.words("verdict")
    assert "Not settled yet, so nothing is scored." in verdict
    assert "After fees" not in verdict
    assert "In the worst case: value −$4.00; move −$4.00 to $0.00; sets sent no orders." in verdict
    assert all(cells[8] == "–" for cells in read.tables["money"][0])
    favourites = {cells[0][:5]: cells[1] for cells in read.tables["beliefs"][0]}
    assert favourites["12:00"].startswith("62° to 63°")
    assert favourites["15:00"] == favourites["18:00"] == "–"
    assert "No source has reported" in read.words("quality")


def test_a_source_that_could_not_be_read_is_named_with_its_reason() -> None:
    day = a_day()
    report = pl.col("source") == "climate_report"
    nothing = {name: pl.when(~report).then(name) for name in ("value", "raw_sha256")}
    why = pl.when(report).then(pl.lit("status 503: no <b>service</b>"))
    failed = day.settlements.with_columns(
        **nothing,
        status=pl.when(report).then(pl.lit("failed")).otherwise("status"),
        problem=why,
    )
    read = Page(render_day(replace(day, settlements=failed)))
    assert "failed: status 503: no <b>service</b>" in read.words("quality")
    assert "One source only (exchange)" in read.words("quality")


def test_a_day_at_a_fair_price_has_gains_and_no_winner() -> None:
    day = a_day()
    paid = pl.when(source="exchange").then(pl.lit([100, 2_500, 7_000, 200, 100, 100]))
    settlements = day.settlements.with_columns(
        payoffs_cc=paid.cast(pl.List(pl.Int32)),
        winning_market=pl.lit(None, pl.String),
        value=pl.when(source="climate_report").then("value"),
    )
    nobody = day.daily_pnl.with_columns(
        winning_bracket=pl.lit(None, pl.Int8), value=pl.lit(None, pl.Int16)
    )
    scores = ["p_win", "log_loss", "brier_score", "rps"]
    unscored = day.report.with_columns(pl.lit(None, pl.Float64).alias(name) for name in scores)
    priced = replace(day, settlements=settlements, daily_pnl=nobody, report=unscored)
    read = Page(render_day(priced))
    assert "Settled without a winning bracket, so nothing is scored." in read.words("verdict")
    assert "After fees, from the worst to the best fill model" in read.words("verdict")
    said = "its brackets paid 0.01, 0.25, 0.70, 0.02, 0.01, 0.01 dollars"
    assert said in read.words("quality")
    assert "fair price" in read.words("contract")
    assert "did not pay" not in read.words("contract")


def test_sources_that_disagree_are_set_side_by_side() -> None:
    read = Page(render_day(a_day(disagreement=True)))
    assert "The sources disagree about the bracket that pays." in read.words("quality")
    rows = {cells[0]: cells for cells in read.tables["quality"][0]}
    assert rows["exchange"][2:4] == ["63 °F", "62° to 63°"]
    assert rows["climate report"][2:4] == ["64 °F", "64° to 65°"]


def test_sources_that_differ_within_a_bracket_are_not_called_agreed() -> None:
    read = Page(render_day(a_day(disagreement=True, tmax=62)))
    assert "(climate report 63 °F, exchange 62 °F) but name the same bracket" in read.words(
        "quality"
    )


HOSTILE = '<script>alert("x")</script>&\'$x_1$'


def test_hostile_words_of_the_exchange_stay_words() -> None:
    day = a_day(labels=(HOSTILE, "_hidden", "$5$", *LABELS[3:]))
    day = replace(
        day,
        events=day.events.with_columns(
            settlement_source=pl.lit(HOSTILE), rules_sha256=pl.lit('"><script>')
        ),
        observations=day.observations.with_columns(source=pl.lit(HOSTILE)),
        settlements=day.settlements.with_columns(status=pl.lit(HOSTILE)),
        forecasts=day.forecasts.with_columns(source=pl.lit(HOSTILE)),
    )
    html = render_day(day)
    read = Page(html)
    assert "<script" not in html
    assert "script" not in read.opened
    assert HOSTILE in read.words("contract")


def test_a_day_without_any_rows_still_has_a_page(full: DayInputs) -> None:
    bare = DayInputs.of(full.city, full.date, no_rows())
    read = Page(render_day(bare))
    assert set(read.tables) == SECTIONS
    assert "There is no event for this day." in read.words("contract")


def test_the_page_says_what_the_weathers_probabilities_rest_on(page: Page) -> None:
    said = page.words("temperature")
    assert "are those of the filter around the hourly forecast." in said
    assert "Share of similar earlier days in them: 50 % until 09:00, then none." in said
    assert "Withheld" not in said


def test_the_page_says_when_the_weather_was_withheld_and_why() -> None:
    said = Page(render_day(a_day(alarm=True))).words("temperature")
    assert "Withheld: 10:00 to 11:05, the reports contradict the model" in said
    assert "at 10:00: mean log likelihood −4.0 per report." in said


def test_a_share_that_is_not_known_is_not_said() -> None:
    day = a_day()
    unknown = pl.lit(None, day.hazard_pmf.schema["analogue_share"])
    guided = replace(day, hazard_pmf=day.hazard_pmf.with_columns(analogue_share=unknown))
    assert "Share of similar" not in Page(render_day(guided)).words("temperature")


def test_a_baseline_that_changes_is_named_with_its_time() -> None:
    day = a_day()
    noon = day.day_start + dt.timedelta(hours=12)
    early = pl.col("baseline").is_not_null() & (pl.col("minute") < noon)
    baseline = pl.when(early).then(pl.lit("climatology")).otherwise("baseline")
    changed = replace(day, hazard_pmf=day.hazard_pmf.with_columns(baseline=baseline))
    said = Page(render_day(changed)).words("temperature")
    assert (
        "those of the filter around the climatological day until 12:00, "
        "then those of the filter around the hourly forecast."
    ) in said


def test_a_day_of_guidance_alone_shows_it_until_it_falls_silent() -> None:
    day = a_day(weather=False)
    noon = day.day_start + dt.timedelta(hours=12)
    said, spoken = a_day().hazard_pmf, pl.col("minute") < noon
    guided = said.with_columns(
        status=pl.when(spoken).then(pl.lit("day_ahead")).otherwise(pl.lit("no_observations")),
        method=pl.when(spoken).then(pl.lit("emos")),
        baseline=pl.when(spoken).then(pl.lit("guidance")),
        analogue_share=pl.when(spoken).then(0.0),
        p_wx=pl.when(spoken).then(pl.col("p_wx").fill_null(1 / 6)),
        log_likelihood=pl.lit(None, pl.Float64),
    )
    html = render_day(replace(day, hazard_pmf=guided))
    words = Page(html).words("temperature")
    assert "The weather's probabilities are day-ahead ones around the guidance." in words
    assert "Day-ahead probabilities are not used in the fused probabilities." in words
    assert "Withheld: 12:00 to 23:55, no station observations." in words
    assert "no probability uses them" not in words
    assert "weather probabilities, the coldest" in html


def test_a_weather_pmf_that_stayed_out_of_the_pool_is_not_said_to_have_entered() -> None:
    day = a_day()
    assert "The weather was used in the fused" in Page(render_day(day)).words("verdict")
    panel = day.minute_panel_full.with_columns(weather_weight=0.0)
    assert "The weather was used in" not in Page(
        render_day(replace(day, minute_panel_full=panel))
    ).words("verdict")


def test_a_day_without_weather_probabilities_says_nothing_about_their_method() -> None:
    said = Page(render_day(a_day(weather=False))).words("temperature")
    assert "filter" not in said
    assert "earlier days" not in said


def test_every_method_and_baseline_has_words() -> None:
    for name, words in (("method", METHOD_WORDS), ("baseline", BASELINE_WORDS)):
        allowed = HAZARD_PMF.columns[name].checks[0].statistics["allowed_values"]
        assert set(words) == set(allowed)


def test_every_reason_and_weather_status_has_words() -> None:
    assert set(REASON_WORDS) == set(REASONS)
    allowed = HAZARD_PMF.columns["status"].checks[0].statistics["allowed_values"]
    assert set(WEATHER_WORDS) == set(allowed)


def test_a_page_that_lacks_a_table_names_it(full: DayInputs) -> None:
    frames = {table: getattr(full, table.name) for table in PAGE_TABLES}
    assert DayInputs.of(full.city, full.date, frames).hazard_pmf is full.hazard_pmf
    del frames[HAZARD_PMF]
    with pytest.raises(KeyError, match=r"new_york 2025-04-25 also needs probability\.hazard_pmf"):
        DayInputs.of(full.city, full.date, frames)


def test_the_headline_counts_hours_by_log_loss(full: DayInputs) -> None:
    wide = full.report.pivot(on="source", index="lst_hour", values="log_loss")
    better = (wide["fused"] < wide["market"] - 1e-9).sum()
    worse = (wide["fused"] > wide["market"] + 1e-9).sum()
    contest = summary_of(full).contest
    assert (contest.fused_better, contest.market_better) == (better, worse)
    assert contest.hours == len(wide) == better + worse + contest.tied
    assert contest.log_loss["market"] == pytest.approx(wide["market"].mean())
