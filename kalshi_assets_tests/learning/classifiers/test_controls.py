from datetime import UTC, date, datetime, timedelta

import polars as pl

from kalshi_assets.learning.classifiers.controls import LABELS, shuffled_labels

FIRST = date(2025, 3, 30)


def day(n: int) -> pl.DataFrame:
    """Two minutes of two brackets, every label the number of the day."""
    start = datetime(2025, 3, 30, 5, tzinfo=UTC) + timedelta(days=n)
    minutes = [start + timedelta(minutes=m) for m in (0, 0, 5, 5)]
    frame = pl.DataFrame({"minute": minutes, "bracket": [0, 1, 0, 1], "mid": [0.1 * n] * 4})
    hours = (pl.col("minute") - start).dt.total_minutes() / 60
    return frame.with_columns(hours.alias("hour_lst"), *(pl.lit(n).alias(name) for name in LABELS))


DAYS = {FIRST + timedelta(days=n): day(n) for n in range(9)}


def test_every_day_gets_the_labels_of_another_day_of_its_month() -> None:
    found = shuffled_labels(DAYS, seed=3)
    assert found.keys() == DAYS.keys()
    for own, frame in found.items():
        (number,) = frame[LABELS[0]].unique()
        other = FIRST + timedelta(days=number)
        assert other != own
        assert (other.year, other.month) == (own.year, own.month)


def test_features_and_rows_stay_what_they_were() -> None:
    for own, frame in shuffled_labels(DAYS, seed=3).items():
        assert frame.columns == DAYS[own].columns
        assert frame.drop(LABELS).equals(DAYS[own].drop(LABELS))


def test_a_minute_that_the_other_day_lacks_has_no_label() -> None:
    short = {**DAYS, FIRST: DAYS[FIRST].filter(pl.col("hour_lst") == 0)}
    found = shuffled_labels(short, seed=3)[FIRST + timedelta(days=1)]
    assert found.filter(pl.col("hour_lst") > 0)[LABELS[0]].null_count() == 2
