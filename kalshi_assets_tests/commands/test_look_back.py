"""Of the days before, a backfill makes those that are missing and no others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kalshi_assets.commands.backfill import LOOK_BACK_TABLES, plan, run, stretches
from kalshi_assets.defs.lake_io import the_lake, the_request_counts
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.steps import LOOK_BACK_DAYS
from kalshi_assets.keys import LadderDay
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.settings import Settings
from kalshi_assets.tables import DROPPED_OBSERVATIONS, OBSERVATIONS, Table
from kalshi_assets_tests.commands.conftest import LAST

DAY = city_day("new_york", LAST)


def test_days_are_divided_where_one_is_left_out() -> None:
    keys = [city_day("new_york", LAST + timedelta(days=n)) for n in (0, 1, 2, 5, 7, 8)]
    assert stretches(keys) == [keys[:3], keys[3:4], keys[4:]]
    assert stretches([]) == []


def test_two_missing_days_45_apart_do_not_fetch_those_between_again(at_sandbox: Sandbox) -> None:
    lake = the_lake()
    lake.claim(Settings().origin)
    earlier = sorted(DAY.earlier(LOOK_BACK_DAYS), key=lambda key: key.date)
    missing = [earlier[0], earlier[-1]]
    for key in earlier[1:-1]:
        for table in LOOK_BACK_TABLES:
            lake.write(table, key, table.empty())
    (planned,) = plan(lake, [DAY.ladder], LAST, LAST)
    assert planned.look_back == missing

    written: list[tuple[Table, LadderDay]] = []
    outcome = run(
        [replace(planned, tables=[OBSERVATIONS])], lambda table, key: written.append((table, key))
    )
    assert (outcome.failed, outcome.incomplete) == ({}, {})
    assert set(written) == {(table, key) for table in LOOK_BACK_TABLES for key in missing} | {
        (table, DAY) for table in (OBSERVATIONS, DROPPED_OBSERVATIONS)
    }
    sent = the_request_counts().of(datetime.now(UTC).date())
    assert sent["visual_crossing"] == 2 * 3 + 1
    assert sent["climate_reports"] == 2


def test_a_years_climate_report_is_fetched_once_for_a_range_of_days(at_sandbox: Sandbox) -> None:
    (planned,) = plan(the_lake(), [DAY.ladder], LAST - timedelta(days=5), LAST)
    fetched = replace(planned, look_back=[], tables=LOOK_BACK_TABLES)
    assert run([fetched], lambda *_: None).failed == {}
    sent = the_request_counts().of(datetime.now(UTC).date())
    assert sent["climate_reports"] == 1
    assert sent["visual_crossing"] == 6 * 3
