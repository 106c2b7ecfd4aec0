"""The expected properties of a city-day's event, and the station named in its rules.

Not here: reading the event (`exchange`), its brackets (`bracket_reading`).
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from kalshi_assets.exchange.contract import StationChangedError
from kalshi_assets.exchange.listing import Listing
from kalshi_assets.families.temperature.authorities import authorities
from kalshi_assets.families.temperature.bracket_reading import WHOLE_DEGREES, read_brackets
from kalshi_assets.families.temperature.cities import CITIES, City, city_day

_EXCHANGE_ZONE = "America/New_York"
_LAST_MINUTE = time(23, 59)
_PUBLISHERS = (
    ("The Weather Company", re.compile(r"The Weather Company")),
    ("National Weather Service", re.compile(r"National Weather Service|\bNWS\b")),
)
_CLI_CODE = re.compile(r"\(CLI([A-Z]{3})\)")


def listing_of(place: City, day: date) -> Listing:
    """The expected properties of the event that settles on a climate day."""
    start, end = place.climate_day(day)
    return Listing(
        key=city_day(place.name, day),
        tickers=place.event_tickers(day),
        series=(place.series, *place.history),
        day_start=start,
        day_end=end,
        grid=WHOLE_DEGREES,
        read_legs=read_brackets,
        shape="partition",
        authorities=authorities(day),
        publishers=_PUBLISHERS,
        place=place.station,
        read_place=partial(_station_of_rules, place),
        regular_closes=regular_closes(place, day),
    )


def regular_closes(place: City, day: date) -> frozenset[datetime]:
    """The regular times at which trading of climate day `day` ends.

    The climate day's end or its last minute, and 11:59 p.m. in the city's or the exchange's time
    zone: these are the only ones in 775 recorded events and in 2026.
    """
    _, end = place.climate_day(day)
    clocks = (ZoneInfo(name) for name in (place.timezone, _EXCHANGE_ZONE))
    evenings = (datetime.combine(day, _LAST_MINUTE, zone).astimezone(UTC) for zone in clocks)
    return frozenset({end, end - timedelta(minutes=1), *evenings})


def _station_of_rules(place: City, ticker: str, rules: str | None) -> str:
    if rules is None:
        return "registry"
    if code := _CLI_CODE.search(rules):
        if code[1] != place.cli:
            raise StationChangedError(
                f"{ticker}: the rules settle on CLI{code[1]}, the registry has "
                f"CLI{place.cli} ({place.station}) for {place.name}; check the rules, then "
                "cities.toml"
            )
        return "rules_code"
    if any(name in rules for name in place.rules_names):
        return "rules_name"
    others = [c for c in CITIES.values() if any(name in rules for name in c.rules_names)]
    if others or place.rules_names:
        named = f"{others[0].station} ({others[0].name})" if others else f"{rules[:120]!r}"
        raise StationChangedError(
            f"{ticker}: the rules name {named}, the registry has {place.station} "
            f"({', '.join(place.rules_names) or place.name}); check the rules, then cities.toml"
        )
    return "registry"
