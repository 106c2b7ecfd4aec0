"""Tables of schema `pages`: the pages that people read, as files beside the lake."""

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, column


class DayPage(Contract):
    """The page of a city-day: what was known, how certain it was, and why it traded or not."""

    file: pl.String = column("Path of the page within the data folder.")
    sha256: pl.String = column("Content hash of the page.")
    size: pl.Int64 = column("Size of the page.", unit="bytes", gt=0)
    summary: pl.String = column("The day's line in the index, as JSON.")


DAY_PAGE = Table("pages", "day_page", DayPage, key=("file",))
