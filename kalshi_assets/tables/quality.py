"""Tables of schema `quality`: what was found wrong or right with partitions of other tables."""

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, column


class Verdicts(Contract):
    """What each check found of a day's partitions, the last time that it looked.

    Dagster keeps one verdict for a whole range; gates and pages ask for that of a day. A rule
    without a row was never checked on the day: that is not a pass.
    """

    checked: pl.String = column("The table, as schema.name.")
    rule: pl.String = column("The check.")
    passed: pl.Boolean = column("Whether the partition keeps the rule.")
    blocking: pl.Boolean = column("Whether a failure keeps the day from the tables behind it.")
    found: pl.String = column("What was found, with numbers.")
    run_id: pl.String = column("The run that looked.")


VERDICTS = Table("quality", "verdicts", Verdicts, key=("checked", "rule"), may_be_empty=True)
