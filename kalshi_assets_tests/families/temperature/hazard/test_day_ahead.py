"""Guidance speaks where no report does, in the morning, and only then."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from kalshi_assets.families.temperature.asof import weather_as_of
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.parameters import HazardParameters
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.hazard.day_ahead import day_ahead
from kalshi_assets.tables import FORECASTS, OBSERVATIONS

START = datetime(2025, 5, 5, 6, tzinfo=UTC)
UPPER = np.array([55.0, 57.0, 59.0, 61.0, 63.0])


def forecast(day: datetime, value_f: float) -> pl.DataFrame:
    """One hour of the afternoon, from midnight UTC of the day, known six hours later."""
    basis = day.replace(hour=0)
    row = {
        "event_time": basis,
        "known_at": basis + timedelta(hours=6),
        "station": "KMDW",
        "variable": "temp",
        "valid_time": day + timedelta(hours=15),
        "value_f": value_f,
        "source": "histfcst",
        "raw_sha256": "0" * 64,
    }
    return pl.DataFrame([row], schema=FORECASTS.dtypes)


def settlement(day: datetime, tmax_f: int) -> pl.DataFrame:
    """The official maximum, known half a day after the day."""
    return pl.DataFrame(
        {
            "source": ["climate_report"],
            "status": ["official"],
            "value": [tmax_f],
            "winning_market": [None],
            "won": [None],
            "payoffs_cc": [None],
            "issued_at": [None],
            "known_at": [day + timedelta(hours=36)],
        }
    ).cast({"known_at": pl.Datetime("us", "UTC")})


def fitted(days: int) -> HazardParameters:
    """From days on which the maximum lay two degrees above the forecast, give or take two."""
    rng = np.random.default_rng(2)
    starts = [START - timedelta(days=n) for n in range(days, 0, -1)]
    values = 58 + 6 * rng.standard_normal(days)
    maxima = np.round(values + 2 + 2 * rng.standard_normal(days)).astype(int)
    frame = mc_params(
        START,
        [],
        [(s, settlement(s, int(m))) for s, m in zip(starts, maxima, strict=True)],
        [(s, forecast(s, float(v))) for s, v in zip(starts, values, strict=True)],
        load_priors(),
    )
    return HazardParameters.from_frame(frame)


def said(parameters: HazardParameters, forecasts: pl.DataFrame) -> pl.DataFrame:
    minutes = pl.select(
        minute=pl.datetime_range(
            START, START + timedelta(hours=22), "1h", time_unit="us", time_zone="UTC"
        )
    )
    asof = weather_as_of(minutes, OBSERVATIONS.empty(), forecasts, START)
    return day_ahead(asof, parameters, UPPER, START)


def test_from_when_the_forecast_is_known_until_ten_oclock_guidance_speaks() -> None:
    rows = said(fitted(44), forecast(START, 58.0))
    assert rows["minute"].to_list() == [START + timedelta(hours=n) for n in range(10)]
    assert set(rows["method"]) == {"emos"}
    pmf = np.array(rows["p_wx"].to_list())
    assert np.abs(pmf.sum(axis=1) - 1).max() < 1e-12
    # The forecast says 58, two degrees too low: 60 to 61 is the likeliest bracket.
    assert pmf[0].argmax() == 3
    assert (pmf == pmf[0]).all()


def test_without_thirty_days_or_a_forecast_it_is_silent() -> None:
    assert said(fitted(20), forecast(START, 58.0)).is_empty()
    assert said(fitted(44), FORECASTS.empty()).is_empty()
