"""What must hold of a stored partition, as verdicts with numbers.

Here: rules that follow from a table's declaration, and the few that need a second table. Not
here: when they run (`defs`) or column types and ranges (the contract, kept on writing).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from kalshi_assets.ladder.terms import terms_at
from kalshi_assets.settlement.rule import FAILED, fair_price, winning_brackets
from kalshi_assets.tables import Table
from kalshi_assets.tables.limits import strictly_ascending

SUM_TOLERANCE = 1e-9
MOST_VARIATION = 4.0
ALARM = "feed_alarm"


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


def pmfs_sum_to_one(table: Table, frame: pl.DataFrame) -> Verdict:
    """Every PMF sums to one at every instant, or is null as a whole."""
    if frame.is_empty():
        return Verdict(passed=True, found="no instants")
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


def impossible_at_zero(table: Table, frame: pl.DataFrame) -> Verdict:
    """A bracket that can no longer pay has no probability, except in the market's PMF."""
    names = [name for name in table.pmfs if name != "p_mkt"]
    alive = pl.any_horizontal([pl.col(name) > 0 for name in names])
    wrong = frame.filter(pl.col(table.impossible or "impossible") & alive).height
    return Verdict(wrong == 0, f"{wrong} impossible brackets with probability")


def feed_alarm(hazard: pl.DataFrame) -> Verdict:
    """No reports were so unlikely that the weather's probabilities were withheld for it."""
    times = hazard.unique("minute").sort("minute")
    alarmed = times.filter(pl.col("status") == ALARM)
    if not alarmed.height:
        return Verdict(passed=True, found=f"no alarm at {times.height} times")
    first, last = alarmed["minute"][0], alarmed["minute"][-1]
    return Verdict(
        passed=False,
        found=f"{ALARM} at {alarmed.height / times.height:.1%} of {times.height} times, "
        f"first {first:%Y-%m-%d %H:%MZ}, last {last:%Y-%m-%d %H:%MZ}",
    )


def variation_is_news(hazard: pl.DataFrame) -> Verdict:
    """Probabilities move no more than news can move them: squared changes sum to at most 4.

    Those of a martingale that ends at 0 or 1 sum to p(1 - p) on average, p being where it begins,
    so over the brackets of a day to less than 1 whatever the day. Four times that was passed on
    none of 225 recorded and generated days (95 % bound: 1.3 % of days; largest 3.5, mean 1.2 where
    0.66 was to be expected), so beyond it the method flickers.
    """
    known = hazard.filter(pl.col("p_wx").is_not_null()).sort("minute")
    of_bracket = known.group_by("bracket").agg(
        varied=pl.col("p_wx").diff().pow(2).sum(),
        expected=pl.col("p_wx").first() * (1 - pl.col("p_wx").first()),
    )
    varied, expected = of_bracket.select(pl.sum("varied"), pl.sum("expected")).row(0)
    return Verdict(
        varied <= MOST_VARIATION,
        f"squared changes sum to {varied:.2f}, where {expected:.2f} was to be expected",
    )


def dead_only_by_evidence(hazard: pl.DataFrame, events: pl.DataFrame) -> Verdict:
    """A bracket is dead just where the evidence has passed it; no other that was reached is at 0.

    Brackets above the running maximum may be at 0 for want of digits, late in the day.
    """
    bounds = terms_at(events).select("market_ticker", "lo", "hi")
    rows = hazard.join(bounds, on="market_ticker")
    passed = (pl.col("evidence_max_f") > pl.col("hi")).fill_null(value=False)
    # Before a report nothing is reached.
    known = pl.col("running_max_lo_f").is_not_null()
    reached = known & (pl.col("lo") <= pl.col("running_max_lo_f")).fill_null(value=True)
    wrong = rows.select(
        unproved=(pl.col("dead") & ~passed).sum(),
        alive=(~pl.col("dead") & passed).sum(),
        nil=((pl.col("p_wx") == 0) & ~pl.col("dead") & reached).sum(),
        foreign=pl.lit(hazard.height - rows.height),
    ).row(0, named=True)
    return Verdict(
        not any(wrong.values()),
        f"dead without evidence: {wrong['unproved']}; alive against it: {wrong['alive']}; at 0 "
        f"though reached and not dead: {wrong['nil']}; of no bracket of the event: "
        f"{wrong['foreign']}",
    )


def nothing_left_out(dropped: pl.DataFrame) -> Verdict:
    """The provider sent no value for the day that had to be left out."""
    if dropped.is_empty():
        return Verdict(passed=True, found="nothing left out")
    kinds = dropped.group_by("reason").agg(
        pl.len().alias("n"), pl.col("value_f").first(), pl.col("valid_time").first()
    )
    told = [
        f"{n} {reason}, such as {value} f at {at:%Y-%m-%d %H:%MZ}"
        for reason, n, value, at in kinds.sort("reason").iter_rows()
    ]
    return Verdict(passed=False, found=f"left out: {'; '.join(told)}")


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
