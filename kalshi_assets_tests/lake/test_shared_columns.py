"""Columns that several tables have are stored once, and a partition is whole all the same."""

import polars as pl
import pytest

from kalshi_assets.lake.catalogue import connect, create_catalogue
from kalshi_assets.lake.store import Lake, MissingPartitionError
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.pipeline.step import LookBack, Work, step
from kalshi_assets.tables import DAY_PAGE, FUSED_PMF, MARKET_PMF, TABLES, VIEWS, Table
from kalshi_assets.tables.contract import PartsDisagreeError
from kalshi_assets_tests.lake.handmade import KEY, fused, market

SHARING = [table for table in (*TABLES, *VIEWS) if table.shares]


def _filled(lake: Lake) -> None:
    lake.write(MARKET_PMF, KEY, market())
    lake.write(FUSED_PMF, KEY, fused())


def test_a_partition_is_read_whole_though_its_file_has_only_what_is_its_own(lake: Lake) -> None:
    _filled(lake)
    assert "p_mkt" not in pl.read_parquet_schema(lake.address(FUSED_PMF, KEY))
    assert lake.read(FUSED_PMF, KEY).equals(FUSED_PMF.conform(fused()))


def test_without_a_part_the_partition_is_missing_by_the_name_of_the_part(lake: Lake) -> None:
    lake.write(FUSED_PMF, KEY, fused())
    assert not lake.has(FUSED_PMF, KEY)
    with pytest.raises(MissingPartitionError, match=r"probability\.market_pmf"):
        lake.read(FUSED_PMF, KEY)


@pytest.mark.parametrize(
    "changed",
    [market()[:3], market().with_columns(p_mkt=0.25)],
    ids=["fewer rows", "other values"],
)
def test_a_partition_whose_part_changed_since_is_refused_until_it_is_made_again(
    lake: Lake, changed: pl.DataFrame
) -> None:
    _filled(lake)
    lake.write(MARKET_PMF, KEY, changed)
    with pytest.raises(PartsDisagreeError, match=r"market_pmf, which changed since") as error:
        lake.read(FUSED_PMF, KEY)
    assert f"probability.fused_pmf {KEY}" in str(error.value)
    lake.write(MARKET_PMF, KEY, market())
    assert lake.read(FUSED_PMF, KEY).height == 4


def test_a_day_whose_parts_changed_is_left_out_of_a_look_back_and_said(lake: Lake) -> None:
    (before,) = KEY.earlier(1)
    lake.write(MARKET_PMF, before, market())
    lake.write(FUSED_PMF, before, fused())
    lake.write(MARKET_PMF, before, market().with_columns(p_mkt=0.25))
    row = {"file": "a page", "sha256": "0", "size": 1, "summary": "{}"}
    learns = step(
        DAY_PAGE,
        lambda earlier: pl.DataFrame([row | {"size": len(earlier) + 1}], schema=DAY_PAGE.dtypes),
        earlier=LookBack(1, (FUSED_PMF,)),
        kinds={"test"},
    )
    work = Work(learns, Runner(lake, [], {}, float), {}, print)
    made = work.make(KEY)[DAY_PAGE]
    assert made.frame["size"].item() == 1
    assert "market_pmf, which changed" in work.describe(DAY_PAGE, made)["left out"]


def test_the_view_of_the_catalogue_has_every_column_in_order(lake: Lake) -> None:
    _filled(lake)
    create_catalogue(lake)
    with connect(lake.files) as connection:
        found = connection.sql("from probability.fused_pmf order by bracket, minute").pl()
    assert found.columns[: len(FUSED_PMF.dtypes) + 2] == ["city", "date", *FUSED_PMF.dtypes]
    assert found["p_mkt"].to_list() == fused().sort("bracket", "minute")["p_mkt"].to_list()


@pytest.mark.parametrize("table", SHARING, ids=lambda table: table.full_name)
def test_every_shared_column_is_of_the_type_that_its_table_says(table: Table) -> None:
    for name, (other, there) in table.shared.items():
        assert other.dtypes[there] == table.dtypes[name], name
        assert other.key == table.key
