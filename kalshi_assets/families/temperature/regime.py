"""The regime of a minute: quiet, trending, after the day's high, or late."""

import polars as pl

from kalshi_assets.tables.panel import REGIMES

# Minutes to the close: in the last hour a report of a new high can no longer be traded upon.
LATE_MINUTES = 60
# Hours since standard midnight: the maximum is reached by 15 on 83 % of days (KNYC, 102 days of
# April to July).
PEAK_HOUR = 15.0
# P(new high within 60 minutes) up to which the high is taken to be past.
LEAST_HAZARD = 0.10
# Percentile of the volatility, exceeded in one hour of five.
BUSY = 0.80
# Velocity of the leader over five minutes, logits per minute: at 50 cents 2.5 cents in five
# minutes.
MOVING = 0.02


def regime() -> pl.Expr:
    """The regime of a row of `panel.model_features`, a name of `REGIMES`; see `regime_code`."""
    return pl.lit(pl.Series(REGIMES)).gather(regime_code())


def regime_code() -> pl.Expr:
    """The regime of a row of `panel.model_features`, its position in `REGIMES`.

    The first that applies of late, post_high, trending; otherwise quiet. Without a hazard it is
    never post_high, because a late hour does not show that the high is past. Without a volatility
    percentile (fewer than five earlier days) trending depends on the leader's velocity alone, and
    without either it is never trending.
    """
    quiet, trending, post_high, late = (pl.lit(code, pl.Int8) for code in range(len(REGIMES)))
    past = (pl.col("hour_lst") >= PEAK_HOUR) & (pl.col("hazard_next_60m") <= LEAST_HAZARD)
    moves = (pl.col("volatility_percentile") >= BUSY).fill_null(value=False) | (
        pl.col("leader_logit_velocity_5m").abs() >= MOVING
    ).fill_null(value=False)
    return (
        pl.when(pl.col("minutes_to_close") <= LATE_MINUTES)
        .then(late)
        .when(past)
        .then(post_high)
        .when(moves)
        .then(trending)
        .otherwise(quiet)
    )
