from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.studies.evaluations import (
    EVALUATIONS,
    HOURS,
    PMF,
    MarketDay,
    evaluations,
    known_hours,
    sliced,
)

START = datetime(2025, 4, 10, 5, tzinfo=UTC)


def pmf(*rows: tuple[float, list[float | None]]) -> pl.DataFrame:
    """PMFs by hours since the start of the climate day."""
    return pl.DataFrame(
        [
            {"minute": START + timedelta(hours=hour), "bracket": bracket, "p": p}
            for hour, values in rows
            for bracket, p in enumerate(values)
        ],
        schema=PMF,
    )


def day(**sources: pl.DataFrame) -> MarketDay:
    hours = pl.DataFrame(
        [
            {
                "minute": START + timedelta(hours=9),
                "hazard_next_60m": 0.2,
                "regime": "quiet",
                "minutes_to_close": 840,
            }
        ],
        schema=HOURS,
    )
    return MarketDay(
        city="new_york",
        date=date(2025, 4, 10),
        day_start=START,
        winner=1,
        sources=sources,
        hours=hours,
    )


def test_full_standard_hours_of_the_eve_and_the_day_are_kept_and_no_other_minute() -> None:
    market = pmf((-3, [0.5, 0.5]), (9, [0.2, 0.8]), (9.5, [0.1, 0.9]), (24, [0.0, 1.0]))
    found = evaluations(day(market=market.sample(fraction=1, shuffle=True, seed=1)))
    assert found.schema == EVALUATIONS
    assert found["lst_hour"].to_list() == [-3, 9]
    assert found["p"].to_list() == [[0.5, 0.5], [0.2, 0.8]]


def test_what_is_known_of_the_hour_is_beside_every_source() -> None:
    both = evaluations(day(market=pmf((9, [0.2, 0.8])), weather=pmf((9, [0.4, 0.6]))))
    assert both["hazard_next_60m"].to_list() == [0.2, 0.2]
    assert both["minutes_to_close"].to_list() == [840, 840]


def test_an_hour_without_a_bracket_is_left_out_for_that_source_only() -> None:
    found = evaluations(
        day(market=pmf((9, [0.2, 0.8])), weather=pmf((9, [None, None]), (10, [0.5, 0.5])))
    )
    assert found.select("source", "lst_hour").rows() == [("market", 9), ("weather", 10)]


def test_a_pmf_that_does_not_sum_to_one_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"new_york 2025-04-10, source fused: .* sums to 0\.75"):
        evaluations(day(fused=pmf((9, [0.25, 0.5]))))


def test_a_winner_without_a_bracket_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="source fused: bracket 1 paid"):
        evaluations(day(fused=pmf((9, [1.0]))))


def test_labels_divide_by_season_time_hazard_regime_and_lead() -> None:
    rows = pl.DataFrame(
        {
            "city": ["chicago"] * 3,
            "date": [date(2024, 12, 1), date(2025, 4, 1), date(2025, 7, 1)],
            "lst_hour": pl.Series([-2, 5, 15], dtype=pl.Int8),
            "winner": pl.Series([0, 0, 0], dtype=pl.Int8),
            "hazard_next_60m": [None, 0.05, 0.01],
            "regime": [None, "late", "quiet"],
            "minutes_to_close": pl.Series([None, 60, 59], dtype=pl.Int32),
        }
    )
    found = sliced(rows)
    assert found["season"].to_list() == ["djf", "mam", "jja"]
    assert found["time_of_day"].to_list() == ["eve", "00-06", "15-18"]
    assert found["hazard"].to_list() == ["unknown", "mid", "low"]
    assert found["regime"].to_list() == ["unknown", "late", "quiet"]
    assert found["lead"].to_list() == ["unknown", "1-3 h", "0-1 h"]
    assert found["city_hour"].to_list() == ["chicago -2", "chicago 05", "chicago 15"]
    assert np.array_equal(found["all"].unique(), ["all"])


def test_the_event_has_the_regime_of_its_leading_bracket() -> None:
    panel = pl.DataFrame(
        {
            "minute": [START, START, START + timedelta(minutes=1), START + timedelta(minutes=1)],
            "bracket": pl.Series([0, 1, 0, 1], dtype=pl.Int8),
            "p_mkt": [0.3, 0.7, 0.5, 0.5],
            "hazard_next_60m": [0.1, 0.1, None, None],
            "regime": ["quiet", "trending", "late", "quiet"],
            "minutes_to_close": pl.Series([61, 61, 60, 60], dtype=pl.Int32),
        },
        schema_overrides={"minute": HOURS["minute"]},
    )
    found = known_hours(panel)
    assert found.schema == HOURS
    assert found["regime"].to_list() == ["trending", "late"]
