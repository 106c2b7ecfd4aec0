from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.ladder.grid import KEY, aligned, gridded
from kalshi_assets_tests.ladder.books import NOON, book

# Of a ladder T60, B61, B63, T64 the tables' order is another.
NAMES = ("T60", "B61", "B63", "T64")
MINUTES = 7


def _rows(minutes: int = MINUTES, every: int = 1, first: int = 0) -> pl.DataFrame:
    """A value per bracket and minute: a hundred times the bracket plus the minute."""
    return pl.DataFrame(
        {
            "market_ticker": np.repeat(NAMES, minutes),
            "bracket": pl.Series(np.repeat(range(len(NAMES)), minutes), dtype=pl.Int8),
            "minute": [NOON + timedelta(minutes=first + n * every) for n in range(minutes)]
            * len(NAMES),
            "value": [100.0 * b + first + n * every for b in range(4) for n in range(minutes)],
        }
    ).sort(KEY)


def test_a_table_is_read_as_brackets_and_minutes() -> None:
    rows, grid = gridded(_rows())
    assert grid.markets.to_list() == ["B61", "B63", "T60", "T64"]
    assert grid.brackets.tolist() == [1, 2, 0, 3]
    assert grid.shape == (4, MINUTES)
    assert grid.matrix(rows["value"])[:, 0].tolist() == [100, 200, 0, 300]
    ladder = grid.in_ladder(grid.matrix(rows["value"]))
    assert ladder[:, 2].tolist() == [2, 102, 202, 302]
    assert (grid.in_table(ladder) == grid.matrix(rows["value"])).all()


def test_the_keys_of_a_grid_are_those_of_its_rows() -> None:
    rows, grid = gridded(_rows())
    assert pl.DataFrame(grid.key).equals(rows.select(*KEY[:1], "bracket", *KEY[1:]))


def test_rows_in_another_order_are_put_into_that_of_the_table() -> None:
    shuffled = _rows().sample(fraction=1.0, shuffle=True, seed=1)
    by_minute = _rows().sort("minute", "bracket")
    for frame in (shuffled, by_minute):
        rows, grid = gridded(frame)
        assert rows.equals(_rows())
        assert grid.equals(gridded(_rows())[1])


def test_a_bracket_that_lacks_a_minute_is_an_error_that_counts() -> None:
    with pytest.raises(ValueError, match="27 rows are not each of 4 brackets at each of 7 minutes"):
        gridded(_rows()[1:])


def test_frames_of_other_minutes_are_not_put_side_by_side() -> None:
    with pytest.raises(ValueError, match="28 and 24 rows are not of the same event and minutes"):
        aligned(_rows(), _rows(6))
    other = _rows().with_columns(pl.col("market_ticker").replace("T64", "T65"))
    with pytest.raises(ValueError, match="not of the same event"):
        aligned(_rows(), other)


def test_the_row_in_force_is_the_latest_that_is_not_later() -> None:
    evaluated, times = gridded(_rows(2, every=5, first=2))
    _, grid = gridded(_rows(10))
    joined = _rows(10).join_asof(
        evaluated.sort("minute"), on="minute", by="market_ticker", check_sortedness=False
    )
    found = evaluated["value"].gather(times.rows_as_of(grid))
    assert found.equals(joined["value_right"].alias("value"))
    assert found.null_count() == 2 * len(NAMES)


def test_without_rows_none_is_in_force() -> None:
    _, times = gridded(_rows().clear())
    _, grid = gridded(_rows())
    rows = times.rows_as_of(grid)
    assert len(rows) == rows.null_count() == grid.size


def test_rows_of_other_markets_are_never_in_force() -> None:
    _, times = gridded(book([(0.4, 0.5), (0.5, 0.6)]))
    _, grid = gridded(_rows())
    with pytest.raises(ValueError, match="rows of B0, B1 do not apply to B61, B63, T60, T64"):
        times.rows_as_of(grid)
