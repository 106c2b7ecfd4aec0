from datetime import timedelta

import polars as pl
import polars.selectors as cs
import pytest

from kalshi_assets.families.temperature.panel import with_weather
from kalshi_assets.features.activity import activity
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.tables import FORECASTS, MINUTE_PANEL_WITH_WEATHER
from kalshi_assets_tests.families.temperature.test_labels import EVENT, REPORTS, at
from kalshi_assets_tests.features.tapes import busy_tape
from kalshi_assets_tests.lake.handmade import TICKERS, frame_of

FORECAST = frame_of(
    FORECASTS,
    event_time=[at(-600)],
    known_at=[at(-240)],
    variable="tmax",
    valid_time=at(0),
    value_f=75.5,
)
PANEL = minute_panel(EVENT, *busy_tape(1, 120))
# Reports of 62 at the open and a degree more every five minutes, known three minutes later.
SEEN = with_weather(PANEL, EVENT, REPORTS, FORECAST)


def _at(minute: int, market: str) -> dict:
    return SEEN.row(
        by_predicate=(pl.col("minute") == at(minute)) & (pl.col("market_ticker") == market),
        named=True,
    )


def test_the_panel_keeps_its_rows_and_its_contract() -> None:
    assert MINUTE_PANEL_WITH_WEATHER.conform(SEEN).equals(SEEN)
    assert SEEN.select("market_ticker", "minute").equals(PANEL.select("market_ticker", "minute"))


def test_distances_to_the_edges_count_from_half_a_degree_beyond_the_bracket() -> None:
    row = _at(23, TICKERS[1])  # 70 to 71; the report of minute 20 says 66
    assert (row["to_lower_edge_f"], row["to_upper_edge_f"]) == (66 - 69.5, 71.5 - 66)
    assert _at(23, TICKERS[0])["to_lower_edge_f"] is None
    assert _at(23, TICKERS[-1])["to_upper_edge_f"] is None


def test_the_gap_is_what_the_forecast_still_has_above_the_running_maximum() -> None:
    assert _at(23, TICKERS[1])["forecast_gap_f"] == 75.5 - 66
    assert _at(2, TICKERS[1])["forecast_gap_f"] is None


def test_the_age_of_the_exact_product_counts_from_its_measurement() -> None:
    assert [_at(t, TICKERS[1])["exact_age_s"] for t in (2, 3, 7, 8)] == [None, 180, 420, 180]


def test_the_hour_counts_from_the_climate_days_start() -> None:
    assert [_at(t, TICKERS[1])["hour_lst"] for t in (0, 30, 90)] == [0.0, 0.5, 1.5]
    eve = EVENT.with_columns(day_start=pl.col("day_start") + pl.duration(hours=2))
    hours = with_weather(PANEL, eve, REPORTS, FORECAST)["hour_lst"]
    assert (hours.min(), hours.max()) == (-2.0, 0.0)


def test_percentiles_are_against_the_earlier_days_given() -> None:
    assert set(SEEN["activity_days"]) == {0}
    assert SEEN["flow_percentile"].null_count() == SEEN.height
    start = EVENT["day_start"][0]
    earlier = [
        activity(
            PANEL.with_columns(pl.col("minute", "known_at") - timedelta(days=days)),
            start - timedelta(days=days),
        )
        for days in range(1, 7)
    ]
    seen = with_weather(PANEL, EVENT, REPORTS, FORECAST, earlier)
    assert set(seen["activity_days"]) == {6}
    assert seen["flow_percentile"].null_count() == 0
    # The day stands in the middle of its own hours.
    assert seen["flow_percentile"].mean() == pytest.approx(0.5, abs=0.01)
    assert seen.drop(cs.contains("percentile"), "activity_days").equals(
        SEEN.drop(cs.contains("percentile"), "activity_days")
    )
