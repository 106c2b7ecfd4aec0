"""Every pool on days that it had not learnt from: what the choice of the one in force rests on."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import polars as pl

from kalshi_assets.pooling.beta_linear import BetaLinear
from kalshi_assets.pooling.conditional_logit import UNFITTED, ConditionalLogit
from kalshi_assets.pooling.dirichlet import Dirichlet
from kalshi_assets.pooling.inputs import training_of
from kalshi_assets.pooling.logistic_normal import LogisticNormal
from kalshi_assets.pooling.protocol import Pool
from kalshi_assets.pooling.rolling_origin import out_of_sample
from kalshi_assets.pooling.simplex import without_dead
from kalshi_assets.statistics.scores import LOG_FLOOR

POOLS: Mapping[str, Pool] = MappingProxyType(
    {
        "conditional_logit": ConditionalLogit(),
        "dirichlet": Dirichlet(),
        "logistic_normal": LogisticNormal(),
        "beta_linear": BetaLinear(),
    }
)


def log_losses(days: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Log loss of every pool at every half-hour of one city's days, from earlier days alone.

    Parameters
    ----------
    days
        `panel.examples`, one frame per climate day.

    Returns
    -------
    DataFrame
        `date`, `hour_lst`, `pool` and `log_loss` (nats, floored at 1e-6): `market`, `weather`,
        `prior` (the conditional logit without a fit) and the names of `POOLS`, none of them held
        to the market, dead brackets at zero.
    """
    training = training_of(days)
    inputs = training.inputs
    said = {
        "market": inputs.market,
        "weather": without_dead(inputs.weather, training.dead),
        "prior": without_dead(UNFITTED.pool(inputs), training.dead),
        **{name: out_of_sample(training, pool) for name, pool in POOLS.items()},
    }
    rows = np.arange(len(training.winner))
    date = pl.Series(training.day.astype(np.int32)).cast(pl.Date)
    return pl.concat(
        pl.DataFrame(
            {
                "date": date,
                "hour_lst": inputs.hour,
                "pool": [name] * len(rows),
                "log_loss": -np.log(np.maximum(p[rows, training.winner], LOG_FLOOR)),
            },
            schema_overrides={"pool": pl.String},
        )
        for name, p in said.items()
    )
