from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.learning.calibration.days import (
    LEAD_BLOCKS,
    CalibrationDay,
    as_of,
    as_settled,
    lead_block,
    season_of,
)
from kalshi_assets.settlement.rule import settled_by
from kalshi_assets_tests.learning.calibration.worlds import (
    ALL_HOURS,
    START,
    forecasts,
    fused_frame,
    settled_day,
)

END = datetime(2025, 4, 2, 5, tzinfo=UTC)
EVENTS = pl.DataFrame(
    {
        "market_ticker": ["A", "B"],
        "bracket": [0, 1],
        "lo": [None, 60],
        "hi": [59, None],
        "day_start": [END - timedelta(days=1)] * 2,
        "authorities": [["exchange", "climate_report"]] * 2,
    }
)


def said(source: str, tmax_f: int, hours: float) -> dict[str, object]:
    return {
        "source": source,
        "status": "official" if source == "climate_report" else "finalized",
        "value": tmax_f,
        "payoffs_cc": None,
        "won": None,
        "winning_market": None if source == "climate_report" else "AB"[tmax_f >= 60],
        "known_at": END + timedelta(hours=hours),
    }


@pytest.mark.parametrize(
    ("hour", "block"),
    [
        (-15.0, "eve"),
        (-0.5, "eve"),
        (0.0, "00-09"),
        (8.98, "00-09"),
        (9.0, "09-12"),
        (12.0, "12-15"),
        (15.0, "15-18"),
        (18.0, "18-24"),
        (24.5, "18-24"),
    ],
)
def test_a_lead_block_has_its_lower_end(hour: float, block: str) -> None:
    assert LEAD_BLOCKS[lead_block(np.array([hour]))[0]] == block


def test_seasons_are_of_three_months_from_december() -> None:
    first_days = [date(2024, 12, 1), date(2025, 2, 28), date(2025, 3, 1), date(2025, 11, 30)]
    starts = [datetime(d.year, d.month, d.day, 5, tzinfo=UTC) for d in first_days]
    assert [season_of(start) for start in starts] == ["djf", "djf", "mam", "son"]


def test_calibrators_are_made_before_the_market_of_their_day_opens() -> None:
    opens = datetime(2025, 3, 31, 14, tzinfo=UTC)
    assert as_of(datetime(2025, 4, 1, 5, tzinfo=UTC)) < opens


def test_only_instants_on_the_half_hour_count() -> None:
    p, winners = forecasts(1, seed=1)
    every_minute = pl.concat(
        [
            fused_frame(0, p[0]),
            fused_frame(0, p[0]).with_columns(
                pl.col("minute") + timedelta(minutes=7), p_fused=pl.lit(1 / 6)
            ),
        ]
    )
    found = CalibrationDay.of(START, every_minute, winner=int(winners[0]), known_at=START)
    expected = settled_day(0, p[0], int(winners[0]))
    assert found.p == pytest.approx(p[0])
    for name in ("block", "counts", "hits", "losses"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name)), name


def test_every_threshold_between_0_and_1_is_counted_once() -> None:
    p, winners = forecasts(1, seed=2)
    day = settled_day(0, p[0], int(winners[0]))
    assert day.counts.sum() == len(ALL_HOURS) * 5
    assert day.hits.sum() == len(ALL_HOURS) * (5 - winners[0])
    dead = np.where(np.arange(6) < 2, 0.0, p[0])
    dead /= dead.sum(axis=1, keepdims=True)
    assert settled_day(0, dead, 3).counts.sum() == len(ALL_HOURS) * 3


def test_a_winner_without_probability_costs_the_floor_at_every_temperature() -> None:
    day = settled_day(0, np.array([[0.0, 0.5, 0.5]]), 0, np.array([10.0]))
    assert day.losses[2] == pytest.approx(-np.log(1e-6))


def test_a_winner_that_is_no_bracket_is_refused() -> None:
    with pytest.raises(ValueError, match="bracket 6 cannot have paid, there are 6"):
        settled_day(0, forecasts(1, seed=3)[0][0], 6)


def test_a_day_without_instants_tells_of_nothing() -> None:
    frame = fused_frame(0, forecasts(1, seed=4)[0][0]).clear()
    day = CalibrationDay.of(START, frame, winner=0, known_at=START)
    assert len(day.p) == 0
    assert day.counts.sum() == day.losses.sum() == 0


def test_the_winner_is_that_of_the_sources_heard_so_far() -> None:
    settlements = pl.DataFrame([said("climate_report", 59, 9), said("exchange", 60, 30)])
    hours = (8, 9, 29, 30)
    found = [settled_by(settlements, EVENTS, END + timedelta(hours=h)) for h in hours]
    reported, paid = END + timedelta(hours=9), END + timedelta(hours=30)
    assert [f and (f.winner, f.known_at) for f in found] == [
        None,
        (0, reported),
        (0, reported),
        (1, paid),
    ]


def test_a_day_is_there_once_for_every_word_that_changes_what_is_known_of_it() -> None:
    p, _ = forecasts(1, seed=5)
    fused = fused_frame(0, p[0])
    words = [
        said("climate_report", 59, 9),
        said("exchange", 60, 30),
        said("climate_report", 61, 40),
    ]
    found = as_settled(START, fused, EVENTS, pl.DataFrame(words))
    at = [END + timedelta(hours=hours) for hours in (9, 30)]
    assert [(day.winner, day.known_at) for day in found] == [(0, at[0]), (1, at[1])]
    for day in found:
        alone = CalibrationDay.of(START, fused, winner=day.winner, known_at=day.known_at)
        assert (day.hits == alone.hits).all()
    assert as_settled(START, fused, EVENTS, pl.DataFrame(words).clear()) == []


def test_a_day_at_a_fair_price_counts_until_that_is_known_and_not_after() -> None:
    p, _ = forecasts(1, seed=5)
    fused = fused_frame(0, p[0])
    paid = said("exchange", 60, 30) | {"winning_market": None, "payoffs_cc": [4_000, 6_000]}
    words = pl.DataFrame(
        [said("climate_report", 59, 9), paid], schema_overrides={"payoffs_cc": pl.List(pl.Int32)}
    )
    (day,) = as_settled(START, fused, EVENTS, words)
    assert (day.winner, day.left_out_from) == (0, END + timedelta(hours=30))
    counted = [day.counts_at(END + timedelta(hours=hours)) for hours in (8, 9, 29, 30, 900)]
    assert counted == [False, True, True, False, False]
    assert as_settled(START, fused, EVENTS, words.filter(source="exchange")) == []
