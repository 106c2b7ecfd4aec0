"""The runner without Dagster: days one after the other, each written while the next is made."""

from datetime import date
from pathlib import Path

import polars as pl

from kalshi_assets.families.temperature.cities import TEMPERATURE, city_days
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.lake.store import Lake
from kalshi_assets.pipeline.runner import Runner
from kalshi_assets.pipeline.step import LookBack, step
from kalshi_assets.tables import DAY_PAGE


def test_a_day_gets_the_day_before_although_it_was_still_being_written(tmp_path: Path) -> None:
    def one_more(earlier: list[tuple[LadderDay, pl.DataFrame]]) -> pl.DataFrame:
        size = sum(frame["size"].item() for _, frame in earlier) + 1
        row = {"file": "a page", "sha256": "0", "size": size, "summary": "{}"}
        return pl.DataFrame([row], schema=DAY_PAGE.dtypes)

    counts = step(DAY_PAGE, one_more, earlier=LookBack(1, (DAY_PAGE,)), kinds={"test"})
    lake = Lake(Files(tmp_path), TEMPERATURE)
    keys = city_days(["new_york"], date(2026, 3, 1), date(2026, 3, 9))
    Runner(lake, [counts], {}, float).make_days(keys, {DAY_PAGE})
    assert [lake.read(DAY_PAGE, key)["size"].item() for key in keys] == [*range(1, 10)]
