from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from kalshi_assets.sandbox.archive import Archive, ArchiveError
from kalshi_assets.sandbox.exchange_state import default_cutoff
from kalshi_assets_tests.sandbox.tiny import CHI_EVENT, NY_EVENT, write_archive


@pytest.mark.parametrize("name", ["markets.parquet", "settlements.parquet", "forecasts.parquet"])
def test_a_folder_that_is_no_archive_is_told_what_is_missing(tmp_path: Path, name: str) -> None:
    write_archive(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ArchiveError, match=f"is not an archive: {name} is missing"):
        Archive(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = write_archive(tmp_path) / "markets.parquet"
    pl.read_parquet(path).drop("close_time").write_parquet(path)
    with pytest.raises(ArchiveError, match="lacks the columns close_time"):
        Archive(tmp_path)


def test_an_archive_without_markets_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path) / "markets.parquet"
    pl.read_parquet(path).clear().write_parquet(path)
    with pytest.raises(ArchiveError, match="contains no markets"):
        Archive(tmp_path)


def test_what_an_event_lacks_is_empty_in_the_same_shape(tiny_root: Path) -> None:
    archive = Archive(tiny_root)
    assert archive.candles(NY_EVENT).is_empty()
    assert archive.candles(NY_EVENT).schema == archive.candles(CHI_EVENT).schema
    assert archive.trades("KXHIGHNY-25APR21").schema == archive.trades(NY_EVENT).schema
    assert archive.observations("KMDW").schema == archive.observations("KNYC").schema


def test_only_the_exchange_says_how_a_market_came_out(tiny_root: Path) -> None:
    archive = Archive(tiny_root)
    assert {m.result for m in archive.event_markets["KXHIGHNY-25APR21"]} == {""}
    assert {m.result for m in archive.event_markets[NY_EVENT]} == {"yes", "no"}


def test_the_cutoff_of_other_days_is_their_middle(tmp_path: Path) -> None:
    path = write_archive(tmp_path) / "markets.parquet"
    old = pl.col("event_date") < date(2025, 5, 1)
    pl.read_parquet(path).filter(old).write_parquet(path)
    assert default_cutoff(Archive(tmp_path)) == datetime(2025, 4, 20, tzinfo=UTC)
