"""The promotion of every session of a lake: `live.promotion` from the catalogue.

Here: reading and writing. Not here: the tests (`performance.promotion`).
"""

from datetime import date

import polars as pl

from kalshi_assets.config import load_toml
from kalshi_assets.families.temperature.cities import EVERY_CITY
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.catalogue import connect, ensure_catalogue
from kalshi_assets.lake.store import Lake
from kalshi_assets.performance.promotion import CONFIG_NAME, Bars, promotion, shadow_of
from kalshi_assets.tables import LIVE_PROMOTION, SUMMARIES_DATE


def judge_shadow(lake: Lake, *, strategy: str, end: date) -> pl.DataFrame:
    """Write `live.promotion` and return it.

    Parameters
    ----------
    lake
        The lake.
    strategy
        The one that would trade.
    end
        Last date of the window.
    """
    bars = Bars(**load_toml(CONFIG_NAME))
    ensure_catalogue(lake)
    with connect(lake.files) as catalogue:
        shadow = shadow_of(
            catalogue,
            lake.family.dimension,
            strategy=strategy,
            end=end,
            days=bars.window_days,
        )
    key = LadderDay(lake.family, EVERY_CITY, SUMMARIES_DATE)
    return lake.write(LIVE_PROMOTION, key, promotion(shadow, bars))
