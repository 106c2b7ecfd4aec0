from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from kalshi_assets.instants import (
    NEVER,
    UTC_TIME,
    age_s,
    as_times,
    known_by,
    microseconds,
    microseconds_of,
    times_at,
    values_at,
)

NOON = datetime(2025, 4, 25, 17, tzinfo=UTC)


def test_times_come_back_from_their_microseconds_and_null_does_too() -> None:
    times = pl.Series([NOON, None, NOON + timedelta(microseconds=1)], dtype=UTC_TIME)
    found = microseconds(times)
    assert found[0] == microseconds_of(NOON)
    assert found[1] == NEVER
    assert as_times(found).equals(times)


def test_what_is_known_at_an_instant_includes_that_instant() -> None:
    known_at = np.array([10, 20, 20, 30])
    facts = known_by(np.array([9, 10, 20, 29, 40]), known_at)
    assert facts.tolist() == [-1, 0, 2, 2, 3]
    values = values_at(facts, np.array([1.0, 2.0, 3.0, 4.0]))
    assert np.isnan(values[0])
    assert values[1:].tolist() == [1.0, 3.0, 3.0, 4.0]
    assert times_at(facts, known_at).tolist() == [NEVER, 10, 20, 20, 30]


def test_what_never_was_has_no_age() -> None:
    ages = age_s(np.array([5_000_000, 5_000_000]), np.array([NEVER, 2_000_000]))
    assert np.isnan(ages[0])
    assert ages[1] == 3.0


def test_without_facts_nothing_is_known() -> None:
    facts = known_by(np.array([1, 2]), np.array([], dtype=np.int64))
    assert facts.tolist() == [-1, -1]
    assert np.isnan(values_at(facts, np.array([]))).all()
