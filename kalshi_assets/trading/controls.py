"""Negative controls: days on which a strategy must not earn, or what it earns is not skill.

Here: a day whose forecasts or whose outcome were replaced. Not here: which parameters are varied
(`sensitivity`).
"""

from datetime import timedelta

import polars as pl

from kalshi_assets.trading.records import Outcome

_DAY = timedelta(days=1)


def market_only(panel: pl.DataFrame) -> pl.DataFrame:
    """A `priced` panel whose forecast is the market's: there is no edge to trade."""
    return panel.with_columns(p_calibrated="p_mkt")


def with_forecast_of_the_day_before(panel: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """A `priced` panel with the forecast of a day earlier, by position in the ladder and minute.

    It knows the season and nothing of the day; null where there was none.

    Parameters
    ----------
    panel
        The panel.
    before
        `learning.calibrated` of the ladder's day before.
    """
    then = before.select("bracket", pl.col("minute") + _DAY, "p_calibrated")
    return panel.drop("p_calibrated").join(
        then, on=["bracket", "minute"], how="left", maintain_order="left"
    )


def other_outcome(outcome: Outcome, winner: int, *, partition: bool) -> Outcome | None:
    """The outcome as if another bracket had won; None: there is none such, or legs are nested.

    Parameters
    ----------
    outcome
        The settlement of the day.
    winner
        Position of the bracket that won on another day.
    partition
        Whether exactly one bracket of the ladder pays.
    """
    paid = sorted(outcome.payoffs_cc)
    one_paid = outcome.winning_bracket is not None and paid[-1] > 0 and not any(paid[:-1])
    if not (partition and one_paid and winner < len(paid)):
        return None
    payoffs = [0] * len(paid)
    payoffs[winner] = paid[-1]
    return Outcome(
        settled_by=outcome.settled_by,
        value=None,
        winning_bracket=winner,
        payoffs_cc=tuple(payoffs),
        known_at=outcome.known_at,
    )
