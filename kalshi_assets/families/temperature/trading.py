"""Temperature's trading parameters and its veto: a new high may come, or a report is about to.

Not here: the engine's own gates (`trading`), computing the hazard (`hazard`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.tables.backtest import REASONS as GATES
from kalshi_assets.trading.day import NO_VETO
from kalshi_assets.trading.params import TradingParams, params_of

VETOES = ("hazard_unknown", "hazard", "quiet_time")
REASONS = [each for reason in GATES for each in (VETOES if reason == "veto" else (reason,))]
"""Reasons of `backtest.decisions`, in the order in which the conditions are checked."""

_WORDS = pl.Series([NO_VETO, *VETOES])


class TemperatureTradingParams(TradingParams):
    """Trading parameters of temperature ladders.

    Attributes
    ----------
    max_hazard_5m
        Above this P(new high within 5 minutes) no order is sent and resting orders are cancelled.
    quiet_from_minute, quiet_minutes
        Nor from this minute of every hour on, for so many minutes: the hourly report comes then.
    """

    max_hazard_5m: float = Field(ge=0, le=1)
    quiet_from_minute: int = Field(ge=0, le=59)
    quiet_minutes: int = Field(ge=0, le=59)


def trading_params(document: Mapping[str, Any], city: str) -> TemperatureTradingParams:
    """Parameters of a city from trading.toml; see `trading.params.params_of`."""
    return params_of(document, city, CITIES, section="cities", of=TemperatureTradingParams)


def veto(panel: pl.DataFrame, params: TemperatureTradingParams) -> pl.Series:
    """For every row of `panel.minute_panel_full` why no order may rest or be sent; empty: it may.

    A hazard that is not a probability counts as unknown.
    """
    hazard = panel["hazard_next_5m"].to_numpy()
    minute = panel["minute"].dt.minute().cast(pl.Int64).to_numpy()
    quiet = (minute - params.quiet_from_minute) % 60 < params.quiet_minutes
    known = (hazard >= 0) & (hazard <= 1)
    high = hazard > params.max_hazard_5m
    word = np.where(~known, 1, np.where(high, 2, 3 * quiet))
    return _WORDS.gather(word).alias("veto")


def pressure(panel: pl.DataFrame) -> pl.Series:
    """The hazard of a new high as a force on every row's price; null where it is not known.

    Positive for a bracket above the running maximum, negative for the one that contains it.
    """
    above = pl.col("to_lower_edge_f") < 0
    inside = (pl.col("to_lower_edge_f") > 0) & (pl.col("to_upper_edge_f") > 0)
    sign = pl.when(above).then(1.0).when(inside).then(-1.0).otherwise(0.0)
    known = pl.col("running_max_lo_f").is_not_null()
    return panel.select(pl.when(known).then(sign * pl.col("hazard_next_5m")).alias("pressure"))[
        "pressure"
    ]
