"""What temperature tells the engine: when a new high is too likely, or nobody knows how likely.

Here: the family's own limit beside the trader's, and the veto. Not here: the engine's gates
(`trading.signal`), or what a hazard is (`hazard`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.tables.backtest import REASONS as GATES
from kalshi_assets.trading.params import TradingParams, params_of
from kalshi_assets.trading.signal import NO_VETO

VETOES = ("hazard_unknown", "hazard")
REASONS = [each for reason in GATES for each in (VETOES if reason == "veto" else (reason,))]
"""Reasons of `backtest.decisions`, in the order in which they are asked for."""

_WORDS = pl.Series([NO_VETO, *VETOES])


class TemperatureTradingParams(TradingParams):
    """What a trader may tune of temperature ladders.

    Attributes
    ----------
    max_hazard_5m
        Above this P(new high within 5 minutes) no order is sent and resting ones are pulled.
    """

    max_hazard_5m: float = Field(ge=0, le=1)


def trading_params(document: Mapping[str, Any], city: str) -> TemperatureTradingParams:
    """Parameters of a city from trading.toml; see `trading.params.params_of`."""
    return params_of(document, city, CITIES, section="cities", of=TemperatureTradingParams)


def veto(panel: pl.DataFrame, params: TemperatureTradingParams) -> pl.Series:
    """Why nothing may rest or be sent, of every row of `panel.minute_panel_full`; empty: it may.

    What is no probability is not known.
    """
    hazard = panel["hazard_next_5m"].to_numpy()
    known = (hazard >= 0) & (hazard <= 1)
    return _WORDS.gather(np.where(known, 2 * (hazard > params.max_hazard_5m), 1)).alias("veto")
