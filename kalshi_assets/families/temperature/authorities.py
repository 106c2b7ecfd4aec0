"""Whose word settles a climate day, in order, and the maximum that they name.

Here: the order. Not here: which words are final and when they were known (`settlement.rule`).
"""

from datetime import date, datetime

import polars as pl

from kalshi_assets.settlement.rule import official_value

# Events of this climate day and later name The Weather Company, earlier ones the Daily Climate
# Report of the National Weather Service.
WEATHER_COMPANY_FROM = date(2026, 8, 14)


def authorities(day: date) -> tuple[str, ...]:
    """Whose word settles events of climate day `day`, the first that has spoken.

    The exchange pays; the authority that its rules name stands in where its result is not known.
    Since the rules name The Weather Company, the climate report only checks it.
    """
    if day >= WEATHER_COMPANY_FROM:
        return ("exchange", "weather_company")
    return ("exchange", "climate_report", "climate_bulletin")


def official_maximum(
    settlements: pl.DataFrame, day: date, known_by: datetime | None = None
) -> tuple[int, datetime] | None:
    """The station's maximum of climate day `day`, F, and since when; see `official_value`."""
    return official_value(settlements, authorities(day), known_by)
