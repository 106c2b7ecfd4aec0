"""A verdict counts for the content that was judged; what is not known to have passed has not."""

import polars as pl
import pytest

from kalshi_assets.families.temperature.checks import CHECKS
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.catalogue import connect, create_catalogue
from kalshi_assets.lake.checks import Verdict
from kalshi_assets.lake.rules import Check
from kalshi_assets.lake.store import Lake
from kalshi_assets.lake.verdicts import judge, refused, verdicts_of
from kalshi_assets.tables import EVENTS, FUSED_PMF, MARKET_PMF, SETTLEMENTS, VERDICTS
from kalshi_assets_tests.lake.handmade import KEY, events, fused, market, settlements

BLOCKING = [check.name for check in CHECKS.of(FUSED_PMF) if check.blocking]


@pytest.fixture
def judged(lake: Lake) -> Lake:
    """A lake with a market and a pool that passed all checks."""
    lake.write(MARKET_PMF, KEY, market())
    lake.write(FUSED_PMF, KEY, fused())
    for table in (MARKET_PMF, FUSED_PMF):
        judge(lake, CHECKS.of(table), table, [KEY], "a run")
    return lake


def _refusals(lake: Lake) -> dict[str, str]:
    return {each.rule: each.why for each in refused(lake, CHECKS, KEY, [FUSED_PMF])}


def test_every_check_leaves_a_verdict_that_keeps_the_contract(judged: Lake) -> None:
    found = VERDICTS.conform(verdicts_of(judged, KEY, [FUSED_PMF]))
    assert sorted(found["rule"]) == sorted(check.name for check in CHECKS.of(FUSED_PMF))
    assert found["passed"].all()
    assert set(found["table_name"]) == {"probability.fused_pmf"}
    assert set(found["run_id"]) == {"a run"}


def test_what_passed_every_blocking_check_is_not_refused(judged: Lake) -> None:
    assert refused(judged, CHECKS, KEY, [MARKET_PMF, FUSED_PMF]) == []


def test_a_failed_blocking_check_is_found_with_what_it_found(judged: Lake) -> None:
    judged.write(FUSED_PMF, KEY, fused().with_columns(p_fused=pl.lit(0.5)))
    judge(judged, CHECKS.of(FUSED_PMF), FUSED_PMF, [KEY], "another run")
    assert _refusals(judged) == {
        "pmfs_sum_to_one": "largest distance of a sum from 1: 1.0e+00; PMFs known in part: 0",
        "impossible_at_zero": "1 impossible brackets with probability",
    }
    (first, _) = refused(judged, CHECKS, KEY, [MARKET_PMF, FUSED_PMF])
    assert str(first).startswith("probability.fused_pmf pmfs_sum_to_one: largest distance")


def test_what_was_never_judged_has_not_passed(lake: Lake) -> None:
    assert _refusals(lake) == dict.fromkeys(BLOCKING, "not judged")
    lake.write(MARKET_PMF, KEY, market())
    lake.write(FUSED_PMF, KEY, fused())
    assert _refusals(lake) == dict.fromkeys(BLOCKING, "not judged")


def test_a_partition_rewritten_after_its_verdict_has_not_passed(judged: Lake) -> None:
    judged.write(FUSED_PMF, KEY, fused((0.0, 0.3, 0.4, 0.3)))
    assert _refusals(judged) == dict.fromkeys(BLOCKING, "not judged since it changed")
    judged.write(FUSED_PMF, KEY, fused())
    assert _refusals(judged) == {}


def test_a_partition_whose_shared_columns_changed_has_not_passed(judged: Lake) -> None:
    judged.write(MARKET_PMF, KEY, market().with_columns(p_mkt=0.25))
    assert _refusals(judged) == dict.fromkeys(BLOCKING, "not judged since it changed")


def test_a_check_against_a_table_that_changed_since_has_not_passed(lake: Lake) -> None:
    lake.write(EVENTS, KEY, events())
    lake.write(SETTLEMENTS, KEY, settlements())
    judge(lake, CHECKS.of(SETTLEMENTS), SETTLEMENTS, [KEY], "a run")
    lake.write(EVENTS, KEY, events().with_columns(rules_sha256=pl.lit("another")))
    refusals = refused(lake, CHECKS, KEY, [SETTLEMENTS])
    assert [(each.rule, each.why) for each in refusals] == [
        ("one_winner", "not judged since it changed")
    ]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"neither header nor footer"])
def test_verdicts_cut_off_by_a_power_cut_are_none(judged: Lake, content: bytes) -> None:
    judged.files.write(judged.name(VERDICTS, KEY, FUSED_PMF.full_name), content)
    assert _refusals(judged) == dict.fromkeys(BLOCKING, "not judged")


def test_verdicts_of_another_version_of_the_platform_are_none(judged: Lake) -> None:
    path = judged.files.address(judged.name(VERDICTS, KEY, FUSED_PMF.full_name))
    verdicts_of(judged, KEY, [FUSED_PMF]).drop("content").write_parquet(path)
    assert _refusals(judged) == dict.fromkeys(BLOCKING, "not judged")


def test_what_cannot_be_judged_is_a_verdict_too(lake: Lake) -> None:
    judge(lake, CHECKS.of(FUSED_PMF), FUSED_PMF, [KEY], "a run")
    assert set(_refusals(lake)) == set(BLOCKING)
    assert all("has no partition" in why for why in _refusals(lake).values())


def test_verdicts_of_all_tables_are_rows_of_a_view(judged: Lake) -> None:
    create_catalogue(judged)
    asked = "select city, date, table_name, rule from {} order by all"
    with connect(judged.files) as connection:
        found = connection.execute(asked.format("quality.verdicts")).fetchall()
        of_day = f"quality.verdicts_of('{KEY.ladder}', '{KEY.date}')"
        assert connection.execute(asked.format(of_day)).fetchall() == found
    assert found == [
        (KEY.ladder, KEY.date, table.full_name, rule)
        for table in (FUSED_PMF, MARKET_PMF)
        for rule in sorted(check.name for check in CHECKS.of(table))
    ]


def test_a_partition_that_is_replaced_while_it_is_judged_has_not_passed(lake: Lake) -> None:
    lake.write(MARKET_PMF, KEY, market())
    lake.write(FUSED_PMF, KEY, fused())

    def replaced(frame: pl.DataFrame, lake: Lake, key: LadderDay) -> Verdict:
        lake.write(FUSED_PMF, KEY, fused((0.0, 0.3, 0.4, 0.3)))
        return Verdict(passed=True, found="")

    slow = Check("impossible_at_zero", replaced, "A rule that takes its time.")
    judge(lake, [slow], FUSED_PMF, [KEY], "a run")
    assert _refusals(lake)["impossible_at_zero"] == "not judged since it changed"
