"""Columns that several tables have are stored once, and a partition is whole all the same."""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl
import pytest

from kalshi_assets.lake.catalogue import connect, create_catalogue
from kalshi_assets.lake.store import Lake, MissingPartitionError
from kalshi_assets.tables import FUSED_PMF, MARKET_PMF, TABLES, VIEWS, Table
from kalshi_assets.tables.contract import RowsDisagreeError
from kalshi_assets_tests.lake.handmade import KEY, fused, market

SHARING = [table for table in (*TABLES, *VIEWS) if table.shares]


def _filled(lake: Lake) -> None:
    lake.write(MARKET_PMF, KEY, market())
    lake.write(FUSED_PMF, KEY, fused())


def test_a_partition_is_read_whole_though_its_file_has_only_what_is_its_own(lake: Lake) -> None:
    _filled(lake)
    assert "p_mkt" not in pl.read_parquet_schema(lake.path(FUSED_PMF, KEY))
    assert lake.read(FUSED_PMF, KEY).equals(FUSED_PMF.conform(fused()))


def test_without_a_part_the_partition_is_missing_by_the_name_of_the_part(lake: Lake) -> None:
    lake.write(FUSED_PMF, KEY, fused())
    assert not lake.has(FUSED_PMF, KEY)
    with pytest.raises(MissingPartitionError, match=r"probability\.market_pmf"):
        lake.read(FUSED_PMF, KEY)


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 1, 2, 2]], ids=["fewer rows", "other rows"])
def test_a_part_that_was_made_again_with_other_rows_is_refused(
    lake: Lake, rows: Sequence[int]
) -> None:
    _filled(lake)
    moved = pl.col("minute") + pl.int_range(pl.len()) * timedelta(minutes=1)
    lake.write(MARKET_PMF, KEY, market()[rows].with_columns(minute=moved))
    with pytest.raises(RowsDisagreeError, match=r"fused_pmf has other rows than .*market_pmf"):
        lake.read(FUSED_PMF, KEY)


def test_the_view_of_the_catalogue_has_every_column_in_order(lake: Lake) -> None:
    _filled(lake)
    create_catalogue(lake.root.parent / "kalshi.duckdb", lake)
    with connect(lake.root.parent / "kalshi.duckdb", lake.root) as connection:
        found = connection.sql("from probability.fused_pmf order by bracket, minute").pl()
    assert found.columns == ["city", "date", *FUSED_PMF.dtypes]
    assert found["p_mkt"].to_list() == fused().sort("bracket", "minute")["p_mkt"].to_list()


@pytest.mark.parametrize("table", SHARING, ids=lambda table: table.full_name)
def test_every_shared_column_is_of_the_type_that_its_table_says(table: Table) -> None:
    for name, (other, there) in table.shared.items():
        assert other.dtypes[there] == table.dtypes[name], name
        assert other.key == table.key
