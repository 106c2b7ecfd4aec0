"""Frames kept in memory are those of the files that are there now."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kalshi_assets.lake.files import Stamp
from kalshi_assets.lake.recent import Recent, RecentFrames
from kalshi_assets.lake.store import Lake, MissingPartitionError
from kalshi_assets.tables import OBSERVATIONS
from kalshi_assets_tests.lake.handmade import KEY, observations


def _recent(rows: int) -> Recent:
    frame = pl.DataFrame({"x": pl.Series(range(rows), dtype=pl.Int64)})
    return Recent(Stamp(1, 1, 1), frame)


def test_what_was_just_written_is_not_read_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = lake.write(OBSERVATIONS, KEY, observations([61, 62]))
    monkeypatch.setattr(pl, "read_parquet", lambda *_, **__: pytest.fail("read again"))
    assert_frame_equal(lake.read(OBSERVATIONS, KEY), written, check_exact=True)


def test_a_file_that_another_process_replaced_is_read_again(lake: Lake) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61, 62]))
    path = Path(lake.address(OBSERVATIONS, KEY))
    other = path.with_name("other.parquet")
    OBSERVATIONS.conform(observations([50])).write_parquet(other)
    other.replace(path)
    assert lake.read(OBSERVATIONS, KEY)["temp_f"].to_list() == [50.0]


def test_a_file_that_was_removed_is_missing(lake: Lake) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61, 62]))
    Path(lake.address(OBSERVATIONS, KEY)).unlink()
    with pytest.raises(MissingPartitionError):
        lake.read(OBSERVATIONS, KEY)


def test_what_is_kept_is_what_the_file_says(lake: Lake) -> None:
    lake.write(OBSERVATIONS, KEY, observations([61, 62.5, 63]).reverse())
    on_disk = pl.read_parquet(lake.address(OBSERVATIONS, KEY), hive_partitioning=False)
    assert_frame_equal(lake.read(OBSERVATIONS, KEY), on_disk, check_exact=True)


def test_the_frame_unused_for_longest_goes_first() -> None:
    recent = RecentFrames(most_bytes=int(2 * _recent(100).frame.estimated_size()))
    recent.keep("first", _recent(100))
    recent.keep("second", _recent(100))
    assert recent.get("first") is not None
    recent.keep("third", _recent(100))
    assert recent.get("second") is None
    assert recent.get("first") is not None
    assert recent.get("third") is not None


def test_a_frame_that_is_too_large_is_not_kept() -> None:
    recent = RecentFrames(most_bytes=10)
    recent.keep("large", _recent(100))
    assert recent.get("large") is None
