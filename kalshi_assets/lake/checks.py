"""What must hold of a stored partition, as verdicts with numbers.

Here: rules that follow from a table's declaration, and the few that need a second table. Not
here: when they run (`defs`) or column types and ranges (the contract, kept on writing).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from kalshi_assets.ladder.atoms import Atoms
from kalshi_assets.settlement.rule import FAILED, fair_price, winning_brackets
from kalshi_assets.tables import Table
from kalshi_assets.tables.limits import strictly_ascending

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
    # Looking at neighbours first: a written partition is in order.
    ascending = strictly_ascending(frame, table.key)
    repeated = 0 if ascending else int(frame.select(table.key).is_duplicated().sum())
    return Verdict(repeated == 0, f"{repeated} rows share a key")


def nothing_from_the_future(table: Table, frame: pl.DataFrame) -> Verdict:
    """No row rests on something that was not known at its instant."""
    late = frame.filter(pl.col("known_at") > pl.col(table.point_in_time or "known_at")).height
    return Verdict(late == 0, f"{late} rows know something later than their minute")


def pmfs_sum_to_one(table: Table, frame: pl.DataFrame, ladder: Atoms | None = None) -> Verdict:
    """Every PMF sums to one over the atoms at every instant, or is null as a whole.

    Parameters
    ----------
    table, frame
        A partition, a row per leg and instant.
    ladder
        The event's legs by bracket; None: a partition.
    """
    if frame.is_empty():
        return Verdict(passed=True, found="no instants")
    if ladder is not None and ladder.shape != "partition":
        return _falls(table, frame)
    minutes = (frame["minute"] - frame["minute"].min()).dt.total_minutes().to_numpy()
    rows = np.bincount(minutes)
    worst, torn = 0.0, 0
    for name in table.pmfs:
        probability = frame[name]
        unknown = np.bincount(minutes, probability.is_null().to_numpy())
        total = np.bincount(minutes, probability.fill_null(0.0).to_numpy())
        torn += int(((unknown > 0) & (unknown < rows)).sum())
        whole = (rows > 0) & (unknown == 0)
        distance = np.abs(total[whole] - 1)
        worst = float(np.where(np.isnan(distance), np.inf, distance).max(initial=worst))
    return Verdict(
        worst <= SUM_TOLERANCE and torn == 0,
        f"largest distance of a sum from 1: {worst:.1e}; PMFs known in part: {torn}",
    )


def _falls(table: Table, frame: pl.DataFrame) -> Verdict:
    """Of thresholds: each leg's probability lies between 0 and 1 and above that of the next."""
    rows = frame.sort("minute", "bracket")
    worst, torn = 0.0, 0
    for name in table.pmfs:
        p = rows[name].to_numpy().reshape(-1, rows["bracket"].n_unique()).T
        unknown = np.isnan(p).any(axis=0)
        torn += int((unknown & ~np.isnan(p).all(axis=0)).sum())
        whole = p[:, ~unknown]
        edges = np.concatenate([np.ones_like(whole[:1]), whole, np.zeros_like(whole[:1])])
        worst = float(np.diff(edges, axis=0).max(initial=worst))
    return Verdict(
        worst <= SUM_TOLERANCE and torn == 0,
        f"largest rise from threshold to threshold: {worst:.1e}; PMFs known in part: {torn}",
    )


def impossible_at_zero(table: Table, frame: pl.DataFrame) -> Verdict:
    """A bracket that can no longer pay has no probability, except in the market's PMF."""
    names = [name for name in table.pmfs if name != "p_mkt"]
    alive = pl.any_horizontal([pl.col(name) > 0 for name in names])
    wrong = frame.filter(pl.col(table.impossible or "impossible") & alive).height
    return Verdict(wrong == 0, f"{wrong} impossible brackets with probability")


def one_winner(settlements: pl.DataFrame, events: pl.DataFrame) -> Verdict:
    """Every source that settles the day names exactly one bracket, and it exists."""
    winners = winning_brackets(settlements, events)
    wrong = {source: brackets for source, brackets in winners.items() if len(brackets) != 1}
    return Verdict(not wrong, f"winning brackets by source: {winners}")


def sources_agree(settlements: pl.DataFrame, events: pl.DataFrame) -> Verdict:
    """The exchange and every publisher's official maximum pay the same bracket."""
    brackets = {tuple(found) for found in winning_brackets(settlements, events).values()}
    values = {
        f"{source} ({status})": value
        for source, status, value in settlements.select("source", "status", "value").iter_rows()
    }
    return Verdict(len(brackets) <= 1, f"maximum by source: {values}")


def sources_read(settlements: pl.DataFrame) -> Verdict:
    """Every source of the day's maximum that was asked could be read."""
    failed = settlements.filter(pl.col("status") == FAILED)
    said = [f"{source}: {why}" for source, why in failed.select("source", "problem").iter_rows()]
    return Verdict(not said, "; ".join(said) or "all that were asked")


def one_bracket_pays(settlements: pl.DataFrame) -> Verdict:
    """The exchange did not settle at a fair price, of which nothing is learnt."""
    paid = fair_price(settlements)
    return Verdict(
        paid is None,
        f"{paid}; nothing is learnt of which bracket pays" if paid else "no fair price",
    )
