"""Temperature's trading parameters and its veto: a new high is too likely, or its hazard unknown.

Not here: the engine's own conditions (`trading.signal`), computing the hazard (`hazard`).
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
"""Reasons of `backtest.decisions`, in the order in which the conditions are checked."""

_WORDS = pl.Series([NO_VETO, *VETOES])


class TemperatureTradingParams(TradingParams):
    """Trading parameters of temperature ladders.

    Attributes
    ----------
    max_hazard_5m
        Above this P(new high within 5 minutes) no order is sent and resting orders are cancelled.
    """

    max_hazard_5m: float = Field(ge=0, le=1)


def trading_params(document: Mapping[str, Any], city: str) -> TemperatureTradingParams:
    """Parameters of a city from trading.toml; see `trading.params.params_of`."""
    return params_of(document, city, CITIES, section="cities", of=TemperatureTradingParams)


def veto(panel: pl.DataFrame, params: TemperatureTradingParams) -> pl.Series:
    """For every row of `panel.minute_panel_full` why no order may rest or be sent; empty: it may.

    A hazard that is not a probability counts as unknown.
    """
    hazard = panel["hazard_next_5m"].to_numpy()
    known = (hazard >= 0) & (hazard <= 1)
    return _WORDS.gather(np.where(known, 2 * (hazard > params.max_hazard_5m), 1)).alias("veto")
