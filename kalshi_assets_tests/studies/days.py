"""Days of the study from the generated world: real frames, any number of them."""

from datetime import date, timedelta
from functools import cache

import polars as pl

from kalshi_assets.families.temperature.cities import city
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.official import PublishedMaximum, settlements_of
from kalshi_assets.sandbox.world import generated_day
from kalshi_assets.studies.artificial_ladders import synthetic_events
from kalshi_assets.studies.weather_days import StudyDay
from kalshi_assets.tables import FORECASTS, OBSERVATIONS
from kalshi_assets_tests.families.temperature.decoding import decode_temp_f

PLACE = city("new_york")
DAY = date(2026, 5, 20)
HISTORY = 14
SEED = 5


@cache
def observed(day: date) -> pl.DataFrame:
    shown = pl.col("temp_c").fill_null(pl.col("temp_c_whole")) * 1.8 + 32
    start, end = PLACE.climate_day(day)
    time = pl.col("valid_utc").cast(pl.Datetime("us", "UTC"))
    rows = (
        generated_day(SEED, PLACE, day)
        .observations.filter(time.is_between(start, end, closed="left"))
        .select(event_time=time, temp_f=shown.round(1))
        .with_columns(decode_temp_f(pl.col("temp_f")).alias("reading"))
        .unnest("reading")
    )
    return OBSERVATIONS.arranged(
        rows.with_columns(
            known_at=pl.col("event_time") + pl.duration(minutes=10),
            station=pl.lit(PLACE.station),
            max_since=pl.lit(None, pl.Datetime("us", "UTC")),
            source=pl.lit("obs"),
            raw_sha256=pl.lit("0" * 64),
        )
    )


def settled(day: date, maximum_f: int | None = None) -> pl.DataFrame:
    highest = int(str(observed(day)["hi_f"].max()))
    official = PublishedMaximum(
        source="climate_report",
        status="official",
        tmax_f=highest if maximum_f is None else maximum_f,
        issued_at=None,
        known_from_issue=False,
        raw_sha256="0" * 64,
    )
    return settlements_of([official], PLACE, day)


def maxima() -> pl.DataFrame:
    days = [date(2023, 1, 1) + timedelta(days=n) for n in range(3 * 365)]
    return pl.DataFrame({"date": days, "tmax_f": [60 + n % 25 for n in range(len(days))]})


def study_day(day: date = DAY, history: int = HISTORY) -> StudyDay:
    """A generated day with `history` days before it."""
    before = [day - timedelta(days=n) for n in range(history, 0, -1)]
    earlier = [(PLACE.climate_day(each)[0], observed(each)) for each in before]
    settlements = [(PLACE.climate_day(each)[0], settled(each)) for each in before]
    start, _ = PLACE.climate_day(day)
    highest = float(str(observed(day)["hi_f"].max()))
    return StudyDay(
        date=day,
        events=synthetic_events(PLACE, day, highest),
        observations=observed(day),
        forecasts=FORECASTS.empty(),
        settlements=settled(day),
        mc_params=mc_params(start, earlier, settlements, [], load_priors()),
        earlier=earlier,
        earlier_settlements=settlements,
        maxima=maxima(),
    )
