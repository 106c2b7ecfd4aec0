"""A day of the study: what is forecast at an hour rests on what was known then, and no more."""

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from kalshi_assets.families.temperature.hazard.method import load_method
from kalshi_assets.studies.weather_days import (
    DayEvaluation,
    StudyDay,
    evaluated,
)
from kalshi_assets.studies.weather_study import WEATHER_METHODS, WeatherStudy
from kalshi_assets.tables import OBSERVATIONS, SETTLEMENTS
from kalshi_assets_tests.studies.days import DAY, settled, study_day

NOON = 12
METHOD = load_method()


@pytest.fixture(scope="module")
def day() -> StudyDay:
    return study_day()


@pytest.fixture(scope="module")
def whole(day: StudyDay) -> DayEvaluation:
    return evaluated(day, METHOD)


def until_noon(evaluation: DayEvaluation) -> pl.DataFrame:
    rows = evaluation.forecasts.filter(pl.col("lst_hour") <= NOON)
    return rows.select("method", "lst_hour", "p").sort("method", "lst_hour")


def hazards_until_noon(evaluation: DayEvaluation) -> pl.DataFrame:
    rows = evaluation.new_highs.filter(pl.col("lst_hour") < NOON - 1)
    return rows.select("method", "lst_hour", "probability")


def test_every_method_has_a_pmf_at_every_hour_with_reports(whole: DayEvaluation) -> None:
    assert whole.left_out is None
    assert set(whole.forecasts["method"]) == set(WEATHER_METHODS)
    totals = whole.forecasts.select(pl.col("p").list.sum())["p"].to_list()
    assert totals == pytest.approx([1.0] * len(totals))


def test_what_became_known_after_noon_changes_nothing_said_until_noon(
    day: StudyDay, whole: DayEvaluation
) -> None:
    noon = day.start + timedelta(hours=NOON)
    later = pl.col("known_at") > noon
    warmed = day.observations.with_columns(
        pl.when(later).then(pl.col(name) + 9).otherwise(pl.col(name)).cast(dtype).alias(name)
        for name, dtype in (("temp_f", pl.Float64), ("lo_f", pl.Int16), ("hi_f", pl.Int16))
    )
    attacked = evaluated(replace(day, observations=warmed), METHOD)
    assert until_noon(attacked).equals(until_noon(whole))
    assert hazards_until_noon(attacked).equals(hazards_until_noon(whole))
    assert not attacked.forecasts.equals(whole.forecasts)


def test_the_days_own_official_maximum_decides_the_winner_and_no_forecast(
    day: StudyDay, whole: DayEvaluation
) -> None:
    attacked = evaluated(replace(day, settlements=settled(DAY, maximum_f=40)), METHOD)
    assert attacked.forecasts.drop("winner").equals(whole.forecasts.drop("winner"))
    assert set(attacked.forecasts["winner"]) == {0} != set(whole.forecasts["winner"])


def test_official_maxima_of_the_year_and_later_ones_are_not_looked_at(
    day: StudyDay, whole: DayEvaluation
) -> None:
    later = pl.DataFrame(
        {"date": [DAY, DAY - timedelta(days=3), DAY.replace(year=2027)], "tmax_f": [120] * 3}
    )
    attacked = evaluated(replace(day, maxima=pl.concat([day.maxima, later])), METHOD)
    assert attacked.forecasts.equals(whole.forecasts)


def test_what_became_known_of_earlier_days_only_today_is_not_used(
    day: StudyDay, whole: DayEvaluation
) -> None:
    known_today = pl.lit(day.start + timedelta(minutes=1))
    hot = day.earlier[-1][1].with_columns(
        known_at=known_today, temp_f=pl.lit(110.0), hi_f=pl.lit(110, pl.Int16)
    )
    settlements = [
        (start, frame.with_columns(value=pl.lit(110, pl.Int16)) if late else frame)
        for start, frame in day.earlier_settlements
        for late in [frame["known_at"][0] > day.start]
    ]
    assert settlements[-1][1]["value"][0] == 110
    earlier = [*day.earlier, (day.earlier[-1][0], hot)]
    attacked = evaluated(replace(day, earlier=earlier, earlier_settlements=settlements), METHOD)
    assert attacked.forecasts.equals(whole.forecasts)


def test_a_new_high_is_a_report_of_the_hour_above_all_that_was_known(
    day: StudyDay, whole: DayEvaluation
) -> None:
    rows = whole.new_highs.filter(pl.col("method") == "exact").to_dicts()
    assert rows
    for row in rows:
        hour = day.start + timedelta(hours=row["lst_hour"])
        within = day.observations.filter(
            pl.col("event_time").is_between(hour, hour + timedelta(hours=1), closed="right")
        )
        known = day.observations.filter(pl.col("known_at") <= hour)
        above = int(str(within["hi_f"].max())) > int(str(known["hi_f"].max()))
        assert row["new_high"] == above


def test_a_day_without_reports_says_so(day: StudyDay) -> None:
    assert (
        evaluated(replace(day, observations=OBSERVATIONS.empty()), METHOD).left_out == "no reports"
    )


def test_a_day_with_half_its_reports_says_so(day: StudyDay) -> None:
    morning = day.observations.filter(pl.col("event_time") < day.start + timedelta(hours=NOON))
    assert evaluated(replace(day, observations=morning), METHOD).left_out == "too few reports"


def test_a_day_that_did_not_settle_says_so(day: StudyDay) -> None:
    unsettled = replace(day, settlements=SETTLEMENTS.empty())
    assert evaluated(unsettled, METHOD).left_out == "no official maximum"


def test_a_day_with_a_short_past_says_so() -> None:
    assert evaluated(study_day(history=4), METHOD).left_out == "too few earlier days"


def test_a_study_of_some_days_counts_them_and_compares_on_the_same(whole: DayEvaluation) -> None:
    days = [study_day(DAY + timedelta(days=n)) for n in (1, 2)]
    table = WeatherStudy([evaluated(day, METHOD) for day in days]).summary
    assert table["n_days"].max() == 2
    means = table.filter(pl.col("against") == "nothing", pl.col("lst_hour") == 9)
    assert set(means["method"]) == set(WEATHER_METHODS)
    study = WeatherStudy(
        [evaluated(days[0], METHOD), DayEvaluation(date=DAY, left_out="no reports"), whole]
    )
    assert len(study.scored_days) == 2
    assert set(study.diagrams) == {"exact", "analogue"}
