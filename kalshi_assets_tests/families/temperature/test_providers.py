"""Two providers of one reading are kept side by side, and counted once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.asof import weather_as_of
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.fit.baseline import of_forecasts
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.hazard.analogue_day import library_of
from kalshi_assets.families.temperature.hazard.method import load_method
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf
from kalshi_assets.families.temperature.labels import labels
from kalshi_assets.families.temperature.providers import one_forecast_each, one_report_each
from kalshi_assets.families.temperature.station_days import StationDays
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.tables import FORECASTS, OBSERVATIONS, SETTLEMENTS
from kalshi_assets_tests.families.temperature.hazard.days import (
    DAY,
    at,
    frame,
    ladder,
    report,
    told,
    truth,
)
from kalshi_assets_tests.features.tapes import OPEN, candles, short_event, trades
from kalshi_assets_tests.lake.handmade import TICKERS, frame_of

START, _ = CITIES["new_york"].climate_day(DAY)
DAY_LONG = timedelta(days=1)
MINUTES = pl.select(
    minute=pl.datetime_range(START, START + DAY_LONG, "5m", time_unit="us", time_zone="UTC")
)
REPORTS = told(truth(DAY))
DAYS = [DAY - timedelta(days=n) for n in range(8, 0, -1)]


def relayed(
    rows: pl.DataFrame, *, source: str = "a relay", later: timedelta = timedelta(minutes=2)
) -> pl.DataFrame:
    """The same readings passed on by another provider, somewhat later."""
    return rows.with_columns(pl.col("known_at") + later, source=pl.lit(source))


def beside(*frames: pl.DataFrame) -> pl.DataFrame:
    table = OBSERVATIONS if "kind" in frames[0].columns else FORECASTS
    return table.conform(pl.concat(frames))


def forecast(value_f: float, source: str, lag_h: float = 3) -> pl.DataFrame:
    """Hours and the maximum of the day, from 00:00Z of a day on."""
    run = datetime(DAY.year, DAY.month, DAY.day, tzinfo=START.tzinfo)
    hours = [value_f - abs(h - 15) for h in range(24)]
    rows = [
        {
            "event_time": run,
            "known_at": run + timedelta(hours=lag_h),
            "station": "KNYC",
            "variable": variable,
            "valid_time": valid,
            "value_f": value,
            "source": source,
            "raw_sha256": "0",
        }
        for variable, valid, value in [
            ("tmax", START, value_f),
            *(("temp", START + timedelta(hours=h), value) for h, value in enumerate(hours)),
        ]
    ]
    return FORECASTS.conform(pl.DataFrame(rows, schema=FORECASTS.dtypes))


def test_two_providers_may_report_the_same_instant_and_kind() -> None:
    both = beside(REPORTS, relayed(REPORTS))
    assert both.height == 2 * REPORTS.height
    assert one_report_each(both).equals(REPORTS)
    twice = beside(forecast(70, "a"), forecast(72, "b"))
    assert one_forecast_each(twice).equals(forecast(70, "a"))


def test_one_provider_is_passed_on_as_it_is() -> None:
    assert one_report_each(REPORTS) is REPORTS
    shuffled = REPORTS.sample(fraction=1.0, shuffle=True, seed=1)
    assert one_report_each(shuffled).equals(shuffled)
    assert one_report_each(OBSERVATIONS.empty()).is_empty()


SAID = st.tuples(st.integers(0, 3), st.integers(0, 9), st.sampled_from("abc"))


@given(st.lists(SAID, max_size=12))
def test_what_becomes_known_later_displaces_nothing(said: list[tuple[int, int, str]]) -> None:
    rows = [
        report(slot, "tgroup", 60 + n, known_at=at(slot) + timedelta(minutes=lag), source=source)
        for n, ((slot, source), lag) in enumerate({(s, p): lag for s, lag, p in said}.items())
    ]
    whole = frame(rows) if rows else OBSERVATIONS.empty()
    for cut in range(0, 40, 3):
        seen = pl.col("known_at") <= START + timedelta(minutes=cut)
        assert one_report_each(whole.filter(seen)).equals(one_report_each(whole).filter(seen))


def test_a_relay_of_one_report_does_not_bear_it_out() -> None:
    """Two reports of whole °C in a row kill a bracket; one that came twice does not."""
    alone = frame([report(0, "whole_c", 70), report(12, "whole_c", 74)])
    twice = beside(alone, relayed(alone.tail(1)))
    known = weather_as_of(MINUTES, twice, FORECASTS.empty(), START)
    assert known.equals(weather_as_of(MINUTES, alone, FORECASTS.empty(), START))
    assert known["evidence_max_f"].max() == alone["lo_f"][0]
    absurd = frame([report(0, "tgroup", 70), report(1, "tgroup", 120), report(2, "tgroup", 70)])
    relays = beside(absurd, relayed(absurd.filter(pl.col("lo_f") == 120)))
    assert weather_as_of(MINUTES, relays, FORECASTS.empty(), START)["evidence_max_f"].max() == 70


CONSUMERS: dict[str, Callable[[pl.DataFrame, pl.DataFrame], object]] = {
    "as of each minute": lambda seen, expected: weather_as_of(MINUTES, seen, expected, START),
    "station days": lambda seen, expected: _days_of(seen),
    "the analogues' library": lambda seen, expected: library_of([(START, seen)], START + DAY_LONG),
    "labels": lambda seen, expected: _labels(seen),
    "the hazard": lambda seen, expected: _hazard(seen, expected),
    "parameters": lambda seen, expected: _parameters(seen, expected),
    "the baseline": lambda seen, expected: of_forecasts(expected, START, None),
}


def _days_of(seen: pl.DataFrame) -> StationDays:
    return StationDays.of([(START, seen)], known_by=START + 2 * DAY_LONG)


def _labels(seen: pl.DataFrame) -> pl.DataFrame:
    """Labels of a market that opens with the climate day, in which the reports are laid."""
    shift = OPEN - START
    event = short_event(24 * 60).with_columns(
        tick_grid=pl.lit("[[0, 10000, 100]]"),
        day_start=pl.lit(OPEN, pl.Datetime("us", "UTC")),
        day_end=pl.lit(OPEN + DAY_LONG, pl.Datetime("us", "UTC")),
    )
    warmer = int(75 - truth(DAY).max())
    moved = seen.with_columns(
        pl.col("event_time", "known_at") + shift,
        pl.col("lo_f", "hi_f") + pl.lit(warmer, pl.Int16),
    )
    panel = minute_panel(event, candles((TICKERS[1], 1, 40, 42)), trades())
    found = labels(panel, event, moved, SETTLEMENTS.empty())
    assert found["y_cross_known_5m"].any()
    return found


def _parameters(seen: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    """Of twelve days with the same forecasts and no reports; the official maximum is 82 °F."""
    official = frame_of(SETTLEMENTS, source=["climate_report"], status="official", value=82)
    days = [START - n * DAY_LONG for n in range(12, 0, -1)]

    def of_day(rows: pl.DataFrame, start: datetime) -> pl.DataFrame:
        times = [name for name in ("event_time", "known_at", "valid_time") if name in rows.columns]
        return rows.with_columns(pl.col(times) + (start - START))

    known = official.with_columns(pl.lit(START, pl.Datetime("us", "UTC")).alias("known_at"))
    moved = [[(day, of_day(each, day)) for day in days] for each in (seen.clear(), known, expected)]
    return mc_params(START, *moved, load_priors())


def _hazard(seen: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    earlier = [(CITIES["new_york"].climate_day(day)[0], told(truth(day), day=day)) for day in DAYS]
    fitted = mc_params(START, earlier, [], [], load_priors())
    return hazard_pmf(ladder(truth(DAY)), seen, expected, earlier, fitted, load_method())


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_second_provider_that_comes_later_changes_nothing(consumer: str) -> None:
    expected = forecast(80, "first")
    seen = beside(REPORTS, relayed(REPORTS).with_columns(pl.col("temp_f") + 1))
    both = beside(expected, forecast(90, "a second, though first by name", lag_h=4.5))
    assert _same(CONSUMERS[consumer](REPORTS, expected), CONSUMERS[consumer](seen, both))


def _same(one: object, other: object) -> bool:
    if isinstance(one, pl.DataFrame):
        return one.equals(other)  # type: ignore[arg-type]
    assert type(one) is type(other)
    pairs = ((vars(one)[name], vars(other)[name]) for name in vars(one))
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a == b
        for a, b in pairs
    )
