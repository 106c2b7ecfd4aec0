"""Which rows of a day in progress news can change."""

from datetime import UTC, datetime, timedelta

import polars as pl

from kalshi_assets.live.day_so_far import EVER, first_affected
from kalshi_assets.tables import EVENTS, FORECASTS, OBSERVATIONS

NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)


def known(*rows: tuple[int, float | None]) -> pl.DataFrame:
    """Minutes after noon at which values were known."""
    schema = {"known_at": pl.Datetime("us", "UTC"), "temp_f": pl.Float64}
    times = [(NOON + timedelta(minutes=minute), value) for minute, value in rows]
    return pl.DataFrame(times, schema, orient="row")


def after(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_new_row_affects_the_minutes_from_when_it_was_known() -> None:
    before = {OBSERVATIONS: known((0, 70.0)), FORECASTS: known((1, None))}
    news = before | {OBSERVATIONS: known((0, 70.0), (7, 71.0), (5, 72.0))}
    assert first_affected(before, news) == after(5)


def test_a_row_that_was_corrected_or_is_gone_affects_its_own_minutes() -> None:
    before = {OBSERVATIONS: known((0, 70.0), (3, None), (5, 72.0))}
    assert first_affected(before, {OBSERVATIONS: known((0, 70.0), (3, 1.0), (5, 72.0))}) == after(3)
    assert first_affected(before, {OBSERVATIONS: known((0, 70.0), (3, None))}) == after(5)


def test_the_earliest_change_of_all_tables_counts() -> None:
    before = {OBSERVATIONS: known((0, 70.0)), FORECASTS: known((1, 75.0))}
    news = {OBSERVATIONS: known((0, 70.0), (9, 71.0)), FORECASTS: known((1, 75.0), (8, 76.0))}
    assert first_affected(before, news) == after(8)


def test_a_changed_contract_or_what_was_not_known_before_affects_every_row() -> None:
    contract = {EVENTS: known((0, 1.0))}
    assert first_affected(contract, {EVENTS: known((0, 1.0), (9, 2.0))}) == EVER
    assert first_affected({FORECASTS: None}, {FORECASTS: known((9, 75.0))}) == EVER
    undated = {OBSERVATIONS: pl.DataFrame({"temp_f": [1.0]})}
    assert first_affected(undated, {OBSERVATIONS: pl.DataFrame({"temp_f": [2.0]})}) == EVER
