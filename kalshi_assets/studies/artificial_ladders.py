"""Synthetic ladders for days without a recorded event.

Here: the rule and the rows of `market.events`. Not here: recorded ladders.

The exchange opens four brackets of two degrees between two tails, around a forecast. Without a
recorded forecast, the centre is derived from what was known at the start of the climate day: the
mean of earlier years' official maxima around the date, plus half the anomaly of the day before. 0.5
is about the day-to-day correlation of anomalies (KNYC, April to August 2022 to 2024: 0.50).
"""

from datetime import date

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.authorities import authorities
from kalshi_assets.families.temperature.cities import City
from kalshi_assets.tables import EVENTS
from kalshi_assets.units import Array

PERSISTING = 0.5
BRACKET_F = 2
INNER = 4
SYNTHETIC = "synthetic"


def centre(maxima_f: Array, maxima_before_f: Array, highest_before_f: float | None) -> float:
    """The centre of a synthetic ladder, degrees F.

    From official maxima of earlier years around the day and the day before, and the highest whole
    degree reported on the day before and known when the day began, if any.

    Raises
    ------
    ValueError
        There are no official maxima of earlier years.
    """
    if not (maxima_f.size and maxima_before_f.size):
        raise ValueError(
            "a synthetic ladder needs official maxima of earlier years around the day; "
            "settlements.parquet has none"
        )
    normal = float(maxima_f.mean())
    if highest_before_f is None:
        return normal
    return normal + PERSISTING * (highest_before_f - float(maxima_before_f.mean()))


def synthetic_events(city: City, day: date, centre_f: float) -> pl.DataFrame:
    """`market.events` of a synthetic ladder.

    The inner brackets cover the eight whole degrees whose middle is nearest to `centre_f`.
    """
    start, end = city.climate_day(day)
    least = int(np.floor(centre_f - INNER * BRACKET_F / 2 + 1))
    above = least + INNER * BRACKET_F
    inner = [(lo, lo + BRACKET_F - 1) for lo in range(least, above, BRACKET_F)]
    brackets = [
        (None, least - 1, f"{least - 1}° or below", "less", None, str(least)),
        *((lo, hi, f"{lo}° to {hi}°", "between", str(lo), str(hi)) for lo, hi in inner),
        (above, None, f"{above}° or above", "greater", str(above - 1), None),
    ]
    event = f"{city.event_ticker(day)}-{SYNTHETIC.upper()}"
    rows = [
        {
            "market_ticker": f"{event}-{position}",
            "event_ticker": event,
            "series_ticker": city.series,
            "bracket": position,
            "label": label,
            "strike_type": kind,
            "floor_strike": floor,
            "cap_strike": cap,
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
        for position, (lo, hi, label, kind, floor, cap) in enumerate(brackets)
    ]
    return EVENTS.conform(pl.DataFrame(rows, schema=EVENTS.dtypes))
