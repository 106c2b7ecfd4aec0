"""What kind of minute it is: quiet, trending, after the day's high, or late."""

from dataclasses import dataclass

import polars as pl

from kalshi_assets.tables.panel import REGIMES


@dataclass(frozen=True, kw_only=True)
class RegimeParams:
    """Where one regime ends and another begins.

    Attributes
    ----------
    late_minutes
        To the close. The last hour, in which no report of a new high can still be traded upon.
    peak_hour
        Hours since standard midnight. By 15 the maximum is reached on 83 days of 100 (KNYC, 102
        days of April to July); the hazard must agree.
    least_hazard
        P(new high within 60 minutes) below which the high is taken to be past.
    busy
        Percentile of the volatility that one hour in five exceeds.
    moving
        Logits a minute of the leader over five minutes: 0.02 is 2.5 cents in five minutes at 50.
    """

    late_minutes: int = 60
    peak_hour: float = 15.0
    least_hazard: float = 0.10
    busy: float = 0.80
    moving: float = 0.02


DEFAULTS = RegimeParams()


def regime(params: RegimeParams = DEFAULTS) -> pl.Expr:
    """The regime of a row of `panel.model_features`, a name of `REGIMES`; see `regime_code`."""
    return pl.lit(pl.Series(REGIMES)).gather(regime_code(params))


def regime_code(params: RegimeParams = DEFAULTS) -> pl.Expr:
    """The regime of a row of `panel.model_features`, its position in `REGIMES`.

    The first that holds of late, post_high, trending; quiet else. Without a hazard it is never
    post_high: that the hour is late does not show that the high is past. Without a volatility
    percentile (fewer than five earlier days) the leader alone decides what trends, and without
    its velocity nothing does.
    """
    quiet, trending, post_high, late = (pl.lit(code, pl.Int8) for code in range(len(REGIMES)))
    past = (pl.col("hour_lst") >= params.peak_hour) & (
        pl.col("hazard_next_60m") <= params.least_hazard
    )
    moves = (pl.col("volatility_percentile") >= params.busy).fill_null(value=False) | (
        pl.col("leader_logit_velocity_5m").abs() >= params.moving
    ).fill_null(value=False)
    return (
        pl.when(pl.col("minutes_to_close") <= params.late_minutes)
        .then(late)
        .when(past)
        .then(post_high)
        .when(moves)
        .then(trending)
        .otherwise(quiet)
    )
