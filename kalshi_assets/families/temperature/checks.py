"""Checks of the weather's tables, as verdicts with numbers.

Here: what must hold of reports, forecasts and the hazard, and which checks settlements have. Not
here: rules that follow from a table's declaration (`lake.rules`) or concern trading
(`lake.trading_checks`).
"""

import polars as pl

from kalshi_assets.keys import LadderDay
from kalshi_assets.ladder.terms import terms_at
from kalshi_assets.lake import checks
from kalshi_assets.lake.checks import Verdict
from kalshi_assets.lake.rules import Check, Rules, alone, with_event
from kalshi_assets.lake.store import Lake
from kalshi_assets.lake.trading_checks import TRADING_CHECKS
from kalshi_assets.tables import (
    DROPPED_FORECASTS,
    DROPPED_OBSERVATIONS,
    FORECASTS,
    HAZARD_PMF,
    OBSERVATIONS,
    SETTLEMENTS,
    Table,
)

MOST_VARIATION = 4.0
ALARM = "feed_alarm"


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


def _left_out(aside: Table) -> Check:
    """A warning about what was written beside the table as left out of it."""

    def compared(_: pl.DataFrame, lake: Lake, key: LadderDay) -> Verdict:
        if not lake.has(aside, key):
            return Verdict(passed=True, found="not recorded; the partition is from before it was")
        return nothing_left_out(lake.read(aside, key))

    rule = nothing_left_out
    return Check(rule.__name__, compared, rule.__doc__ or "", blocking=False, reads=(aside,))


CHECKS = Rules(
    {
        **TRADING_CHECKS,
        OBSERVATIONS: [_left_out(DROPPED_OBSERVATIONS)],
        FORECASTS: [_left_out(DROPPED_FORECASTS)],
        SETTLEMENTS: [
            with_event(checks.one_winner),
            # Three recorded days differ between the exchange and the official maximum: no errors.
            with_event(checks.sources_agree, blocking=False),
            # The exchange's word stands without that of any other.
            alone(checks.sources_read, blocking=False),
            alone(checks.one_bracket_pays, blocking=False),
        ],
        HAZARD_PMF: [
            with_event(dead_only_by_evidence),
            # An alarm withholds the weather already, and a flicker is a question to the method.
            alone(feed_alarm, blocking=False),
            alone(variation_is_news, blocking=False),
        ],
    }
)
"""The checks of every table of the family."""
