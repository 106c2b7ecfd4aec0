"""The sources that settle a climate day, in order of precedence, and the official maximum.

Here: the order. Not here: which statements are final and when they were known (`settlement.rule`).
"""

from datetime import date, datetime

import polars as pl

from kalshi_assets.settlement.rule import official_value

# Events of this climate day and later name The Weather Company, earlier ones the Daily Climate
# Report of the National Weather Service.
WEATHER_COMPANY_FROM = date(2026, 8, 14)


def authorities(day: date) -> tuple[str, ...]:
    """The sources that settle events of climate day `day`; the first with a result settles.

    The exchange pays; the authority named in its rules is used if the exchange's result is not
    known. Since the rules name The Weather Company, the climate report is only a check.
    """
    if day >= WEATHER_COMPANY_FROM:
        return ("exchange", "weather_company")
    return ("exchange", "climate_report", "climate_bulletin")


def official_maximum(
    settlements: pl.DataFrame, day: date, known_by: datetime | None = None
) -> tuple[int, datetime] | None:
    """The maximum of climate day `day`, F, and when it was known; see `official_value`."""
    return official_value(settlements, authorities(day), known_by)
