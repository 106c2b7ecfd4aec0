"""The exact engine over a day of reports: causal, normalised, and sharper as the day goes on."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from kalshi_assets.cities import city
from kalshi_assets.sandbox.world import city_day
from kalshi_assets.tables import FORECASTS, OBSERVATIONS
from kalshi_assets.weather.asof import weather_as_of
from kalshi_assets.weather.fit.fitting import mc_params
from kalshi_assets.weather.fit.parameters import HazardParameters
from kalshi_assets.weather.fit.priors import load_priors
from kalshi_assets.weather.hazard.exact_day import ExactOutlook, exact_outlook
from kalshi_assets.weather.reports.intervals import decode_temp_f

DAY = date(2026, 5, 20)
PLACE = city("new_york")
START = PLACE.climate_day(DAY)[0]


def observed(day: date) -> pl.DataFrame:
    shown = pl.col("temp_c").fill_null(pl.col("temp_c_whole")) * 1.8 + 32
    start, end = PLACE.climate_day(day)
    rows = (
        city_day(5, PLACE, day)
        .observations.filter(pl.col("valid_utc").is_between(start, end, closed="left"))
        .select(
            event_time=pl.col("valid_utc").cast(pl.Datetime("us", "UTC")), temp_f=shown.round(1)
        )
    )
    frame = rows.with_columns(decode_temp_f(pl.col("temp_f")).alias("reading")).unnest("reading")
    return OBSERVATIONS.arranged(
        frame.with_columns(
            known_at=pl.col("event_time") + pl.duration(minutes=10),
            station=pl.lit("KNYC"),
            max_since=pl.lit(None, pl.Datetime("us", "UTC")),
            source=pl.lit("obs"),
            raw_sha256=pl.lit("0" * 64),
        )
    )


@pytest.fixture(scope="module")
def parameters() -> HazardParameters:
    earlier = [DAY - timedelta(days=n) for n in range(20, 0, -1)]
    days = [(PLACE.climate_day(day)[0], observed(day)) for day in earlier]
    return HazardParameters.from_frame(mc_params(START, days, [], [], load_priors()))


def upper_of(parameters: HazardParameters) -> np.ndarray:
    """Brackets of two degrees around what the earlier days suggest."""
    climatology = parameters.climatology
    assert climatology is not None
    return np.round(climatology.profile.max()) + np.arange(-4.0, 5.0, 2.0)


def evaluated(
    observations: pl.DataFrame, parameters: HazardParameters, until: datetime
) -> tuple[pl.DataFrame, ExactOutlook]:
    minutes = pl.select(
        minute=pl.datetime_range(
            START + timedelta(minutes=30), until, "30m", time_unit="us", time_zone="UTC"
        )
    )
    times = weather_as_of(minutes, observations, FORECASTS.empty(), START)
    climatology = parameters.climatology
    assert climatology is not None
    upper = upper_of(parameters)
    return times, exact_outlook(times, observations, START, upper, climatology, parameters)


def test_every_pmf_sums_to_one_and_dead_brackets_have_nothing(
    parameters: HazardParameters,
) -> None:
    times, outlook = evaluated(observed(DAY), parameters, START + timedelta(hours=23))
    assert np.abs(outlook.pmf.sum(axis=1) - 1).max() < 1e-9
    dead = times["running_max_lo_f"].to_numpy()[:, None] > upper_of(parameters)
    # A report may be wrong: the filter leaves a dead bracket what its emission leaves it.
    assert outlook.pmf[:, :-1][dead].max(initial=0.0) < 2e-3


def test_the_evening_is_surer_than_the_morning(parameters: HazardParameters) -> None:
    _, outlook = evaluated(observed(DAY), parameters, START + timedelta(hours=23))
    assert outlook.pmf[-1].max() > 0.9 > outlook.pmf[8].max()
    assert outlook.hazard_60m[-1] < 0.05
    assert (outlook.hazard_60m >= outlook.hazard_5m - 1e-12).all()


def test_no_evaluation_knows_a_later_report(parameters: HazardParameters) -> None:
    whole = observed(DAY)
    until = START + timedelta(hours=14)
    _, full = evaluated(whole, parameters, START + timedelta(hours=23))
    _, cut = evaluated(whole.filter(pl.col("known_at") <= until), parameters, until)
    n = len(cut.pmf)
    assert np.array_equal(full.pmf[:n], cut.pmf)
    assert np.array_equal(full.hazard_60m[:n], cut.hazard_60m)
    assert np.array_equal(full.log_likelihood[:n], cut.log_likelihood)
