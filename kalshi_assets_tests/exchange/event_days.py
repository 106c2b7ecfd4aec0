"""Event days 2024-01-01 to 2025-04-30: the recorded ones, and others round the official maximum.

The recordings begin in December 2024. For the days before, the four series that the exchange had
under former names get a ladder of six whose winner holds the official maximum of the day, each of
the six places in turn. All have present names: the sandbox's switches give the former ones.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from kalshi_assets.defs.partitions import FIRST_DAY
from kalshi_assets.families.temperature.cities import CITIES, City
from kalshi_assets.keys import days_between
from kalshi_assets.sandbox.world_layout import MARKETS

LAST_DAY = date(2025, 4, 30)
FIRST_RECORDED = date(2024, 12, 1)


def write_event_days(archive: Path, root: Path) -> pl.DataFrame:
    """Write an archive of markets, settlements and forecasts into `root`; its markets."""
    recorded = pl.read_parquet(archive / "markets.parquet").filter(pl.col("event_date") <= LAST_DAY)
    settlements = pl.read_parquet(archive / "settlements.parquet")
    markets = pl.concat([recorded.cast(MARKETS), _derived(settlements)])
    markets.write_parquet(root / "markets.parquet")
    settlements.write_parquet(root / "settlements.parquet")
    pl.read_parquet(archive / "forecasts.parquet").write_parquet(root / "forecasts.parquet")
    return markets


def _derived(settlements: pl.DataFrame) -> pl.DataFrame:
    official = {(station, day): tmax for station, day, tmax, *_ in settlements.iter_rows()}
    rows = [
        row
        for place in CITIES.values()
        if place.history
        for day in days_between(FIRST_DAY, FIRST_RECORDED - timedelta(days=1))
        for row in _event(place, day, official[place.station, day])
    ]
    return pl.DataFrame(rows, schema=MARKETS)


def _event(place: City, day: date, tmax: int) -> Iterator[dict[str, object]]:
    position = day.toordinal() % 6
    lowest = tmax - 2 * position + 2 - day.toordinal() // 6 % 2
    event = f"{place.series}-{day:%y%b%d}".upper()
    said = f"the National Weather Service's Daily Climate Report, is {{}}, then {event} pays."
    for place_in_ladder in range(6):
        lo, hi = lowest + 2 * (place_in_ladder - 1), lowest + 2 * place_in_ladder - 1
        if place_in_ladder == 0:
            name, kind, strikes = f"T{hi + 1}", "less", (None, hi + 1)
            label, words, pays = f"{hi}° or below", f"less than {hi + 1}°", tmax <= hi
        elif place_in_ladder == 5:
            name, kind, strikes = f"T{lo - 1}", "greater", (lo - 1, None)
            label, words, pays = f"{lo}° or above", f"greater than {lo - 1}°", tmax >= lo
        else:
            name, kind, strikes = f"B{lo + 0.5}", "between", (lo, hi)
            label, words, pays = f"{lo}° to {hi}°", f"between {lo}-{hi}°", lo <= tmax <= hi
        yield {
            "series_ticker": place.series,
            "city": place.name,
            "event_ticker": event,
            "market_ticker": f"{event}-{name}",
            "event_date": day,
            "strike_type": kind,
            "floor_strike": strikes[0],
            "cap_strike": strikes[1],
            "yes_sub_title": label,
            "open_time": datetime.combine(day - timedelta(days=1), time(14), tzinfo=UTC),
            "close_time": place.climate_day(day)[1] - timedelta(minutes=1),
            "status": "finalized",
            "result": "yes" if pays else "no",
            "expiration_value": float(tmax) if pays else None,
            "volume": 0,
            "open_interest": 0,
            "rules_primary": (
                f"If the highest temperature recorded in {place.rules_names[0]} for {day:%B} "
                f"{day.day}, {day.year} as reported by {said.format(words)}"
            ),
            "source": "derived from the official maximum",
            "result_source": "exchange",
        }
