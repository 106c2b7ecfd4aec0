from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.climate_day import SLOTS
from kalshi_assets.families.temperature.fit.baseline import (
    SHAPE_SPREAD,
    Baseline,
    climatological,
    covers_day,
    from_hourly,
    from_maximum,
    of_forecasts,
    smoothed,
)
from kalshi_assets.tables import FORECASTS

START = datetime(2026, 6, 30, 5, tzinfo=UTC)
HOUR = np.arange(SLOTS) / 12
DIURNAL = 70 - 8 * np.cos(2 * np.pi * (HOUR - 3) / 24)
FORM = np.sin(2 * np.pi * (HOUR - 9) / 24)


def days_of(scores: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return DIURNAL + levels[:, None] + scores[:, None] * FORM


def forecast(
    variable: str, hours: list[float], values: list[float], issued: datetime
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event_time": issued,
            "known_at": issued + timedelta(hours=1),
            "station": "KNYC",
            "variable": variable,
            "valid_time": [START + timedelta(hours=h) for h in hours],
            "value_f": values,
            "source": "test",
            "raw_sha256": "0",
        }
    ).cast(pl.Schema(FORECASTS.dtypes))


def test_the_climatological_profile_is_the_mean_day_and_the_shape_its_leading_departure() -> None:
    rng = np.random.default_rng(3)
    scores, levels = rng.normal(0, 3, 400), rng.normal(0, 6, 400)
    found = climatological(days_of(scores, levels))
    mean = DIURNAL + levels.mean() + scores.mean() * FORM
    assert np.abs(found.profile - mean)[12:-12].max() < 0.1
    assert np.corrcoef(found.shape, FORM)[0, 1] > 0.999
    assert np.abs(found.shape).max() == pytest.approx(scores.std(ddof=1), rel=0.05)
    assert found.shape[13 * 12 : 16 * 12].mean() > 0


def test_a_day_with_a_hole_runs_parallel_to_the_others_through_it() -> None:
    days = days_of(np.zeros(12), np.linspace(-6, 6, 12))
    whole = climatological(days).profile
    days[-1, 100:200] = np.nan
    days[0, 40:45] = np.nan
    assert np.abs(climatological(days).profile - whole).max() < 0.15


def test_reports_once_an_hour_make_the_same_profile() -> None:
    days = days_of(np.linspace(-2, 2, 15), np.zeros(15))
    hourly = np.full_like(days, np.nan)
    hourly[:, ::12] = days[:, ::12]
    found, whole = climatological(hourly), climatological(days)
    assert np.abs(found.profile - whole.profile)[: 23 * 12].max() < 0.3


def test_a_slot_that_no_day_reports_is_bridged_from_its_neighbours() -> None:
    days = days_of(np.zeros(10), np.zeros(10))
    days[:, 130:160] = np.nan
    assert np.isfinite(climatological(days).profile).all()


def test_no_report_at_all_makes_no_profile() -> None:
    with pytest.raises(ValueError, match="at least one report"):
        climatological(np.full((3, SLOTS), np.nan))


def test_one_day_has_no_shape_and_one_node() -> None:
    found = climatological(days_of(np.zeros(1), np.zeros(1)))
    assert not found.shape.any()
    assert len(found.nodes(5)) == 1


@given(count=st.integers(1, 9))
def test_the_nodes_have_the_mean_and_the_spread_of_the_mixture(count: int) -> None:
    baseline = Baseline(profile=DIURNAL, shape=FORM, source="climatology")
    nodes = baseline.nodes(count)
    curves = np.array([curve for curve, _ in nodes])
    prior = np.array([p for _, p in nodes])
    assert len(nodes) == count
    assert prior.sum() == pytest.approx(1)
    assert np.allclose(prior @ curves, DIURNAL)
    if count > 1:
        spread = np.sqrt(prior @ (curves - DIURNAL) ** 2)
        assert np.allclose(spread, SHAPE_SPREAD * np.abs(FORM))


def test_an_hourly_forecast_is_met_at_its_hours_and_straight_between() -> None:
    hours = np.arange(0, 25) * 12.0
    values = 60 + hours / 12
    found = from_hourly(hours, values)
    assert np.allclose(found.profile, 60 + HOUR)
    assert found.source == "forecast_hourly"
    assert not found.shape.any()


def test_a_forecast_with_a_hole_of_more_than_three_hours_is_no_hourly_forecast() -> None:
    assert covers_day(np.arange(0, 289, 36.0))
    assert not covers_day(np.array([0.0, 12.0, 60.0, 288.0]))
    assert not covers_day(np.arange(48, 289, 12.0))
    assert not covers_day(np.zeros(0))
    with pytest.raises(ValueError, match="three hours"):
        from_hourly(np.array([170.0]), np.array([80.0]))


@given(maximum=st.floats(30, 120))
def test_a_forecast_maximum_is_the_maximum_of_the_day(maximum: float) -> None:
    climatology = Baseline(profile=DIURNAL, shape=FORM, source="climatology")
    found = from_maximum(maximum, climatology)
    assert found.profile.max() == pytest.approx(maximum)
    assert np.argmax(found.profile) == np.argmax(DIURNAL)
    if 70 <= maximum <= 90:
        assert found.profile.min() == pytest.approx(DIURNAL.min())


def test_a_day_of_one_temperature_is_shifted_to_a_forecast_maximum() -> None:
    constant = Baseline(profile=np.full(SLOTS, 60.0), shape=FORM, source="climatology")
    assert (from_maximum(75.0, constant).profile == 75.0).all()


def test_the_latest_forecast_counts_and_temperatures_come_before_a_maximum() -> None:
    climatology = Baseline(profile=DIURNAL, shape=FORM, source="climatology")
    eve, morning = START - timedelta(hours=17), START + timedelta(hours=3)
    old = forecast("tmax", [0], [90.0], eve)
    hours = [float(h) for h in range(25)]
    new = forecast("temp", hours, [75.0] * 25, morning)
    of = of_forecasts(pl.concat([old, new]), START, climatology)
    assert (of.source, of.profile.max()) == ("forecast_hourly", 75.0)
    assert of_forecasts(old, START, climatology).profile.max() == pytest.approx(90.0)
    assert of_forecasts(FORECASTS.empty(), START, climatology) is climatology
    sparse = forecast("temp", [15], [82.0], morning)
    assert of_forecasts(sparse, START, climatology) is climatology


def test_a_baseline_of_unknown_degrees_is_refused() -> None:
    broken = DIURNAL.copy()
    broken[7] = np.nan
    with pytest.raises(ValueError, match=r"profile .* 1 unknown"):
        Baseline(profile=broken, shape=FORM, source="climatology")


@given(window=st.sampled_from([1, 5, 13, 25]), level=st.floats(-50, 120))
def test_smoothing_keeps_a_level_and_its_length(window: int, level: float) -> None:
    assert np.allclose(smoothed(np.full((2, SLOTS), level), window), level)
