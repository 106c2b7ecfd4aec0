"""Every rule passes what is right and fails what is wrong, and says what it found."""

from datetime import timedelta

import polars as pl
import pytest

from kalshi_assets.families.temperature import checks as weather
from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.lake import checks
from kalshi_assets.lake.rules import judged
from kalshi_assets.lake.store import Lake
from kalshi_assets.tables import (
    DECISIONS,
    EVENTS,
    FUSED_PMF,
    HAZARD_PMF,
    MARKET_PMF,
    MINUTE_PANEL,
    OBSERVATIONS,
    SETTLEMENTS,
    TABLES,
    Table,
)
from kalshi_assets_tests.lake.handmade import (
    KEY,
    NOON,
    events,
    fused,
    hazard,
    market,
    observations,
    settlements,
)


def test_a_partition_that_may_not_be_empty_is_not() -> None:
    assert checks.not_empty(EVENTS, events()).passed
    assert not checks.not_empty(EVENTS, EVENTS.empty()).passed


def test_no_reports_can_be_a_fact() -> None:
    assert checks.not_empty(OBSERVATIONS, OBSERVATIONS.empty()).passed


def test_a_repeated_key_is_found() -> None:
    once = observations([61, 62])
    assert checks.key_unique(OBSERVATIONS, once).passed
    twice = checks.key_unique(OBSERVATIONS, pl.concat([once, once.head(1)]))
    assert not twice.passed
    assert "2 rows" in twice.found


def test_a_row_that_knows_the_future_is_found() -> None:
    assert checks.nothing_from_the_future(FUSED_PMF, fused()).passed
    at_its_minute = fused().with_columns(known_at=pl.col("minute"))
    assert checks.nothing_from_the_future(FUSED_PMF, at_its_minute).passed
    late = pl.when(pl.col("bracket") == 2).then(NOON + timedelta(microseconds=1))
    knows = fused().with_columns(known_at=late.otherwise("known_at"))
    verdict = checks.nothing_from_the_future(FUSED_PMF, knows)
    assert not verdict.passed
    assert verdict.found.startswith("1 rows")


def test_a_pmf_that_does_not_sum_to_one_is_found() -> None:
    assert checks.pmfs_sum_to_one(FUSED_PMF, fused()).passed
    for name in FUSED_PMF.pmfs:
        wrong = fused().with_columns(pl.col(name) * (1 + 1e-8))
        verdict = checks.pmfs_sum_to_one(FUSED_PMF, wrong)
        assert not verdict.passed
        assert "1.0e-08" in verdict.found


def test_one_wrong_minute_among_many_is_found() -> None:
    minutes = [fused().with_columns(minute=NOON + timedelta(minutes=n)) for n in range(30)]
    assert checks.pmfs_sum_to_one(FUSED_PMF, pl.concat(minutes)).passed
    minutes[17] = minutes[17].with_columns(p_fused=pl.col("p_fused") * 0.9)
    assert not checks.pmfs_sum_to_one(FUSED_PMF, pl.concat(minutes)).passed


def test_a_pmf_that_is_unknown_as_a_whole_passes_and_a_torn_one_does_not() -> None:
    assert checks.pmfs_sum_to_one(FUSED_PMF, fused([None] * 4)).passed
    verdict = checks.pmfs_sum_to_one(FUSED_PMF, fused([None, 0.2, 0.5, 0.3]))
    assert not verdict.passed
    assert "known in part: 1" in verdict.found


def test_a_probability_that_is_no_number_is_found() -> None:
    assert not checks.pmfs_sum_to_one(FUSED_PMF, fused([float("nan"), 0.2, 0.5, 0.3])).passed


def test_no_rows_have_no_wrong_sums() -> None:
    assert checks.pmfs_sum_to_one(FUSED_PMF, FUSED_PMF.empty()).passed


def test_a_dead_bracket_with_probability_is_found() -> None:
    assert checks.impossible_at_zero(FUSED_PMF, fused()).passed
    verdict = checks.impossible_at_zero(FUSED_PMF, fused([1e-12, 0.2, 0.5, 0.3]))
    assert not verdict.passed
    assert verdict.found.startswith("1 impossible")


def test_an_unknown_weather_pmf_does_not_hide_a_dead_bracket_with_fused_probability() -> None:
    frame = fused([None] * 4)
    assert checks.impossible_at_zero(FUSED_PMF, frame).passed
    alive = frame.with_columns(p_fused=pl.Series([0.1, 0.2, 0.4, 0.3]))
    assert not checks.impossible_at_zero(FUSED_PMF, alive).passed


@pytest.mark.parametrize("exchange", [(72, "B72.5"), (None, "B72.5")])
def test_a_day_that_pays_one_bracket_passes(exchange: tuple[int | None, str]) -> None:
    assert checks.one_winner(settlements(exchange), events()).passed


def test_an_unsettled_day_passes() -> None:
    assert checks.one_winner(SETTLEMENTS.empty(), events()).passed
    assert checks.sources_agree(SETTLEMENTS.empty(), events()).passed


def test_a_winner_that_is_no_bracket_is_found() -> None:
    verdict = checks.one_winner(settlements((72, "B99.5")), events())
    assert not verdict.passed
    assert "'exchange': []" in verdict.found


def test_a_value_that_pays_two_brackets_is_found() -> None:
    overlapping = events().with_columns(lo=pl.col("lo") - 1)
    verdict = checks.one_winner(settlements(exchange=None, report=71), overlapping)
    assert not verdict.passed
    assert "'climate_report': [1, 2]" in verdict.found


def test_sources_that_pay_different_brackets_are_found() -> None:
    assert checks.sources_agree(settlements((72, "B72.5"), report=73), events()).passed
    verdict = checks.sources_agree(settlements((72, "B72.5"), report=74), events())
    assert not verdict.passed
    assert "72" in verdict.found
    assert "74" in verdict.found


def test_an_alarm_is_told_with_its_share_and_times() -> None:
    quiet = weather.feed_alarm(hazard())
    assert quiet.passed
    assert quiet.found == "no alarm at 12 times"
    later = pl.col("minute") >= NOON + timedelta(minutes=45)
    status = pl.when(later).then(pl.lit("feed_alarm")).otherwise("status")
    verdict = weather.feed_alarm(hazard().with_columns(status=status))
    assert not verdict.passed
    assert verdict.found == (
        "feed_alarm at 25.0% of 12 times, first 2025-04-25 17:45Z, last 2025-04-25 17:55Z"
    )


def test_a_day_without_weather_has_neither_alarm_nor_variation() -> None:
    empty = hazard().with_columns(p_wx=pl.lit(None, pl.Float64), status=pl.lit("no_observations"))
    assert weather.feed_alarm(empty).passed
    assert weather.variation_is_news(empty).passed
    assert weather.variation_is_news(HAZARD_PMF.empty()).passed


def test_probabilities_that_go_to_the_outcome_once_vary_as_news_does() -> None:
    assert weather.variation_is_news(hazard()).passed
    verdict = weather.variation_is_news(hazard([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 1.0, 0.0]]))
    assert verdict.passed
    assert verdict.found == "squared changes sum to 0.50, where 0.50 was to be expected"


def test_probabilities_that_flicker_are_found() -> None:
    there, back = [0.0, 0.1, 0.7, 0.2], [0.0, 0.7, 0.1, 0.2]
    verdict = weather.variation_is_news(hazard([there, back] * 6))
    assert not verdict.passed
    assert verdict.found.startswith("squared changes sum to 7.92")


def test_a_bracket_dies_by_evidence_and_by_nothing_else() -> None:
    assert weather.dead_only_by_evidence(hazard(), events()).passed
    unproved = weather.dead_only_by_evidence(hazard().with_columns(evidence_max_f=69), events())
    assert not unproved.passed
    assert unproved.found.startswith("dead without evidence: 12;")
    alive = weather.dead_only_by_evidence(hazard().with_columns(dead=pl.lit(value=False)), events())
    assert not alive.passed
    assert "alive against it: 12;" in alive.found


def test_only_brackets_above_the_running_maximum_may_be_at_nought_while_alive() -> None:
    assert weather.dead_only_by_evidence(hazard([[0.0, 0.5, 0.5, 0.0]]), events()).passed
    verdict = weather.dead_only_by_evidence(hazard([[0.0, 0.0, 0.7, 0.3]]), events())
    assert not verdict.passed
    assert "at 0 though reached and not dead: 1" in verdict.found
    before = hazard([[0.0, 0.0, 0.7, 0.3]]).with_columns(
        dead=pl.lit(value=False),
        running_max_lo_f=pl.lit(None, pl.Int16),
        evidence_max_f=pl.lit(None, pl.Int16),
    )
    assert weather.dead_only_by_evidence(before, events()).passed


def test_a_hazard_of_another_ladder_is_found() -> None:
    other = events().with_columns(market_ticker=pl.col("market_ticker") + "X")
    verdict = weather.dead_only_by_evidence(hazard(), other)
    assert not verdict.passed
    assert verdict.found.endswith("of no bracket of the event: 48")


@pytest.mark.parametrize("table", TABLES, ids=Table.full_name.fget)
def test_every_table_is_checked_for_rows_and_keys(table: Table) -> None:
    names = [check.name for check in CHECKS.of(table)]
    assert names[:2] == ["not_empty", "key_unique"]
    assert len(set(names)) == len(names)
    assert ("nothing_from_the_future" in names) == bool(table.point_in_time)
    assert ("pmfs_sum_to_one" in names) == bool(table.pmfs)
    assert all(check.description for check in CHECKS.of(table))


def test_only_what_is_a_question_and_not_an_error_is_a_warning() -> None:
    lenient = {check.name for table in TABLES for check in CHECKS.of(table) if not check.blocking}
    questions = {"nothing_left_out", "sources_agree", "sources_read", "one_bracket_pays"}
    assert lenient == questions | {"feed_alarm", "variation_is_news"}
    assert "dead_only_by_evidence" in {check.name for check in CHECKS.of(HAZARD_PMF)}
    assert "one_winner" in {check.name for check in CHECKS.of(SETTLEMENTS)}


def test_the_tables_that_trading_reads_may_not_know_the_future() -> None:
    for table in (MINUTE_PANEL, FUSED_PMF, DECISIONS):
        assert "nothing_from_the_future" in {check.name for check in CHECKS.of(table)}


def test_every_partition_of_a_range_has_its_own_verdict(lake: Lake) -> None:
    keys = [*KEY.earlier(2), KEY]
    for key in keys:
        lake.write(MARKET_PMF, key, market())
        lake.write(FUSED_PMF, key, fused())
    wrong = fused().with_columns(p_fused=pl.lit(0.25))
    lake.write(FUSED_PMF, keys[1], wrong)
    found = [
        {
            check.name: verdict.passed
            for check, verdict in judged(lake, CHECKS.of(FUSED_PMF), FUSED_PMF, key).items()
        }
        for key in keys
    ]
    assert [passed["impossible_at_zero"] for passed in found] == [True, False, True]
    assert all(passed["key_unique"] for passed in found)
