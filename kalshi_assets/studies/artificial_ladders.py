"""A ladder where the exchange had none: six brackets as it would have made them.

Here: the rule and the rows of `market.events`. Not here: recorded ladders.

The exchange opens four brackets of two degrees between two tails, around a forecast. Without a
recorded forecast, the centre is what was known when the climate day began: the mean of earlier
years' official maxima around the date, plus half the departure of the day before. Half is about the
day-to-day correlation of departures (KNYC, April to August 2022 to 2024: 0.50).
"""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.families.temperature.authorities import authorities
from kalshi_assets.families.temperature.cities import City
from kalshi_assets.tables import EVENTS

Array = NDArray[np.float64]

PERSISTING = 0.5
BRACKET_F = 2
INNER = 4
SYNTHETIC = "synthetic"


def centre(maxima_f: Array, maxima_before_f: Array, highest_before_f: float | None) -> float:
    """Where a ladder is centred, degrees F.

    Parameters
    ----------
    maxima_f, maxima_before_f
        Official maxima of earlier years around the day, and around the day before.
    highest_before_f
        Highest whole degree reported on the day before, as known when the day began; None: no
        report.

    Raises
    ------
    ValueError
        There are no official maxima of earlier years.
    """
    if not (maxima_f.size and maxima_before_f.size):
        raise ValueError(
            "a synthetic ladder needs official maxima of earlier years around the day; there are "
            "none in settlements.parquet"
        )
    normal = float(maxima_f.mean())
    if highest_before_f is None:
        return normal
    return normal + PERSISTING * (highest_before_f - float(maxima_before_f.mean()))


def synthetic_events(city: City, day: date, centre_f: float) -> pl.DataFrame:
    """`market.events` of a ladder that was never traded.

    The inner brackets cover the eight whole degrees whose middle is nearest to `centre_f`.
    """
    start, end = city.climate_day(day)
    least = int(np.floor(centre_f - INNER * BRACKET_F / 2 + 1))
    lows = [least + BRACKET_F * k for k in range(INNER)]
    bounds: list[tuple[int | None, int | None]] = [
        (None, least - 1),
        *((low, low + BRACKET_F - 1) for low in lows),
        (least + INNER * BRACKET_F, None),
    ]
    event = f"{city.event_ticker(day)}-{SYNTHETIC.upper()}"
    rows = [
        {
            "market_ticker": f"{event}-{position}",
            "event_ticker": event,
            "series_ticker": city.series,
            "bracket": position,
            "label": _label(lo, hi),
            "strike_type": "less" if lo is None else "greater" if hi is None else "between",
            "floor_strike": None if lo is None else str(lo if hi is not None else lo - 1),
            "cap_strike": None if hi is None else str(hi if lo is not None else hi + 1),
            "lo": lo,
            "hi": hi,
            "unit": "f",
            "scale": 1,
            "authorities": list(authorities(day)),
            "bracket_from": "strikes",
            "open_time": start,
            "close_time": end,
            "close_time_from": "regular",
            "day_start": start,
            "day_end": end,
            "place": city.station,
            "place_from": "registry",
            "settlement_source": SYNTHETIC,
            "settlement_source_from": "unknown",
            "rules_sha256": None,
            "tick_grid": "[[0, 10000, 100]]",
            "tick_grid_from": "default",
            "fee_type": SYNTHETIC,
            "fee_multiplier": 0.0,
            "fee_from": "series",
            "event_time": start,
            "known_at": start,
            "known_at_from": "assumed",
            "raw_sha256": "",
        }
        for position, (lo, hi) in enumerate(bounds)
    ]
    return EVENTS.conform(pl.DataFrame(rows, schema=EVENTS.dtypes))


def _label(lo: int | None, hi: int | None) -> str:
    if lo is None:
        return f"{hi}° or below"
    return f"{lo}° or above" if hi is None else f"{lo}° to {hi}°"
