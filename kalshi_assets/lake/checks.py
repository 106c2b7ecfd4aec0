"""What must hold of a stored partition, as verdicts with numbers.

Here: rules that follow from a table's declaration, and the few that need a second table. Not
here: when they run (`defs`) or column types and ranges (the contract, kept on writing).
"""

from dataclasses import dataclass

import polars as pl

from kalshi_assets.ladder.settlement import winning_brackets
from kalshi_assets.tables import Table

SUM_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Verdict:
    """Whether a rule holds, and what was found."""

    passed: bool
    found: str


def not_empty(table: Table, frame: pl.DataFrame) -> Verdict:
    """The partition has rows, unless none are a fact."""
    return Verdict(table.may_be_empty or frame.height > 0, f"{frame.height} rows")


def key_unique(table: Table, frame: pl.DataFrame) -> Verdict:
    """No two rows share the key."""
    repeated = int(frame.select(table.key).is_duplicated().sum())
    return Verdict(repeated == 0, f"{repeated} rows share a key")


def nothing_from_the_future(table: Table, frame: pl.DataFrame) -> Verdict:
    """No row rests on something that was not known at its instant."""
    late = frame.filter(pl.col("known_at") > pl.col(table.point_in_time or "known_at")).height
    return Verdict(late == 0, f"{late} rows know something later than their minute")


def pmfs_sum_to_one(table: Table, frame: pl.DataFrame) -> Verdict:
    """Every PMF sums to one at every instant, or is null as a whole."""
    worst, torn = 0.0, 0
    for name in table.pmfs:
        sums = frame.group_by(table.point_in_time).agg(
            total=pl.col(name).sum(), unknown=pl.col(name).null_count(), n=pl.len()
        )
        torn += sums.filter(
            ~pl.col("unknown").is_in([0]) & (pl.col("unknown") < pl.col("n"))
        ).height
        whole = sums.filter(pl.col("unknown") == 0)
        if whole.height:
            worst = max(worst, whole.select((pl.col("total") - 1).abs().max()).item())
    return Verdict(
        worst <= SUM_TOLERANCE and torn == 0,
        f"largest distance of a sum from 1: {worst:.1e}; PMFs known in part: {torn}",
    )


def dead_at_zero(table: Table, frame: pl.DataFrame) -> Verdict:
    """A bracket that cannot pay any more has no probability left, but in the market's eyes."""
    names = [name for name in table.pmfs if name != "p_mkt"]
    alive = pl.any_horizontal([pl.col(name) > 0 for name in names])
    wrong = frame.filter(pl.col("dead") & alive).height
    return Verdict(wrong == 0, f"{wrong} dead brackets with probability")


def one_winner(settlements: pl.DataFrame, events: pl.DataFrame) -> Verdict:
    """Every source that settles the day names exactly one bracket, and it exists."""
    winners = winning_brackets(settlements, events)
    wrong = {source: brackets for source, brackets in winners.items() if len(brackets) != 1}
    return Verdict(not wrong, f"winning brackets by source: {winners}")


def sources_agree(settlements: pl.DataFrame, events: pl.DataFrame) -> Verdict:
    """The exchange and every publisher's official maximum pay the same bracket."""
    brackets = {tuple(found) for found in winning_brackets(settlements, events).values()}
    values = {
        f"{source} ({status})": tmax_f
        for source, status, tmax_f in settlements.select("source", "status", "tmax_f").iter_rows()
    }
    return Verdict(len(brackets) <= 1, f"maximum by source: {values}")
