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


def other_outcome(outcome: Outcome, winner: int) -> Outcome | None:
    """The outcome as if another bracket had won; None: the ladder has no such bracket, or nested.

    Parameters
    ----------
    outcome
        The settlement of the day: a partition, of which one bracket paid.
    winner
        Position of the bracket that won on another day.
    """
    paid = sorted(outcome.payoffs_cc)
    if outcome.winning_bracket is None or winner >= len(paid) or paid[-1] == 0 or any(paid[:-1]):
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
