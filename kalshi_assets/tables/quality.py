"""Tables of schema `quality`: what the checks found, for those who rely on the tables.

A partition is a file for each table that was judged. No step makes it: the checks of a Dagster run
write it, and the runner without Dagster does not. A verdict counts only while `content` is what the
files hold: `lake/verdicts.py` compares the two, and takes no verdict for a failed one.
"""

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, UtcTime, column


class Verdicts(Contract):
    """What a check found in a partition when it was last judged."""

    table_name: pl.String = column("The table judged, as `schema.table`.")
    rule: pl.String = column("The check's name.")
    passed: pl.Boolean = column("Whether the rule held.")
    blocking: pl.Boolean = column("Whether a failure refuses the partition to what rests on it.")
    found: pl.String = column("What was found, in words.")
    content: pl.String = column(
        "Hashes of the files judged: the partition's own, and those of what it shares columns with "
        "or is compared to."
    )
    run_id: pl.String = column("The Dagster run that judged.")
    checked_at: UtcTime = column("When it judged.")


VERDICTS = Table("quality", "verdicts", Verdicts, key=("table_name", "rule"))
