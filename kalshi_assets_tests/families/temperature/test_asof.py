from collections.abc import Sequence
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.asof import COLUMNS, weather_as_of
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.tables import FORECASTS, OBSERVATIONS
from kalshi_assets.tables.panel import MINUTE_PANEL_WITH_WEATHER
from kalshi_assets_tests.families.temperature.readings import decode
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

UTC_TIME = pl.Datetime("us", "UTC")
START, END = CITIES["new_york"].climate_day(date(2025, 4, 20))
NO_FORECASTS = FORECASTS.empty()


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def grid(first: int = -600, last: int = 1800, step: int = 1) -> pl.DataFrame:
    times = [at(n) for n in range(first, last, step)]
    return pl.DataFrame({"minute": times}, schema={"minute": UTC_TIME})


def observations(rows: Sequence[tuple[float, float, float]]) -> pl.DataFrame:
    """Rows of (minute measured, °F shown, minutes until known), one per instant."""
    records = []
    for minute, temp_f, lag in {row[0]: row for row in rows}.values():
        kind, lo_f, hi_f = decode(temp_f)
        records.append(
            {
                "event_time": at(minute),
                "known_at": at(minute + lag),
                "max_since": None,
                "station": "KNYC",
                "temp_f": temp_f,
                "kind": kind,
                "lo_f": lo_f,
                "hi_f": hi_f,
                "source": "obs",
                "raw_sha256": "0",
            }
        )
    return OBSERVATIONS.conform(pl.DataFrame(records, schema=OBSERVATIONS.dtypes))


def forecasts(rows: Sequence[tuple[float, str, float, float, float]]) -> pl.DataFrame:
    """Rows of (basis minute, variable, minute valid, °F, minutes until known)."""
    records = [
        {
            "event_time": at(basis),
            "known_at": at(basis + lag),
            "station": "KNYC",
            "variable": variable,
            "valid_time": at(valid),
            "value_f": value_f,
            "source": "histfcst",
            "raw_sha256": "0",
        }
        for basis, variable, valid, value_f, lag in rows
    ]
    return FORECASTS.conform(pl.DataFrame(records, schema=FORECASTS.dtypes))


def row_at(frame: pl.DataFrame, minute: float) -> dict[str, object]:
    return frame.row(by_predicate=pl.col("minute") == at(minute), named=True)


def test_columns_and_types_are_those_of_the_panel() -> None:
    frame = weather_as_of(grid(), observations([(5, 50.0, 10)]), NO_FORECASTS, START)
    assert tuple(frame.columns) == COLUMNS
    panel = MINUTE_PANEL_WITH_WEATHER.dtypes
    assert dict(frame.schema) == {name: panel[name] for name in COLUMNS}


def test_a_report_counts_from_the_minute_it_is_known_and_not_before() -> None:
    frame = weather_as_of(grid(), observations([(5, 50.0, 10)]), NO_FORECASTS, START)
    assert row_at(frame, 14)["temp_f"] is None
    row = row_at(frame, 15)
    assert (row["weather_status"], row["temp_f"]) == ("ok", 50.0)
    assert row["observation_age_s"] == 600.0
    assert row["known_at"] == at(15)


def test_each_minute_says_why_there_is_no_weather() -> None:
    frame = weather_as_of(grid(), observations([(300, 50.0, 10)]), NO_FORECASTS, START)
    statuses = {n: row_at(frame, n)["weather_status"] for n in (-1, 0, 179, 180, 309, 310)}
    assert statuses == {
        -1: "before_climate_day",
        0: "not_yet",
        179: "not_yet",
        180: "no_observations",
        309: "no_observations",
        310: "ok",
    }


def test_a_report_of_more_than_three_hours_is_stale_but_its_maximum_still_binds() -> None:
    frame = weather_as_of(grid(), observations([(60, 50.0, 10)]), NO_FORECASTS, START)
    assert row_at(frame, 240)["weather_status"] == "ok"
    row = row_at(frame, 241)
    assert row["weather_status"] == "stale"
    assert (row["temp_f"], row["running_max_lo_f"]) == (50.0, 50)


def test_the_running_maximum_is_that_of_the_bounds_and_not_of_the_shown_values() -> None:
    reports = [(5, 71.6, 10), (10, 73.4, 10), (15, 73.0, 10), (20, 68.0, 10)]
    frame = weather_as_of(grid(), observations(reports), NO_FORECASTS, START)
    bounds = [
        (row["running_max_lo_f"], row["running_max_hi_f"])
        for row in (row_at(frame, n) for n in (15, 20, 25, 30))
    ]
    assert bounds == [(71, 72), (73, 74), (73, 74), (73, 74)]
    assert row_at(frame, 30)["temp_f"] == 68.0


def test_a_late_older_report_raises_the_maximum_but_is_not_the_latest() -> None:
    frame = weather_as_of(
        grid(), observations([(5, 73.9, 60), (10, 68.0, 10)]), NO_FORECASTS, START
    )
    row = row_at(frame, 70)
    assert (row["temp_f"], row["running_max_lo_f"]) == (68.0, 74)
    assert row["observation_age_s"] == 3600.0
    assert row["known_at"] == at(65)


def test_reports_outside_the_climate_day_are_ignored() -> None:
    reports = observations([(-5, 95.0, 1), (5, 50.0, 10), (1440, 95.0, 1)])
    frame = weather_as_of(grid(), reports, NO_FORECASTS, START)
    assert frame["running_max_hi_f"].max() == 50
    assert row_at(frame, 1500)["temp_f"] == 50.0


def test_the_forecast_is_of_the_latest_run_known() -> None:
    runs = [(-1740, "tmax", 0, 61.0, 360), (-300, "tmax", 0, 64.0, 360)]
    frame = weather_as_of(grid(), observations([]), forecasts(runs), START)
    assert [row_at(frame, n)["forecast_max_f"] for n in (-600, 59, 60)] == [61.0, 61.0, 64.0]
    row = row_at(frame, -600)
    assert (row["weather_status"], row["known_at"]) == ("before_climate_day", at(-1380))


def test_a_run_without_tmax_gives_the_greatest_of_its_temperatures() -> None:
    hours = [(-300, "temp", 60 * k, 50.0 + k % 12, 360) for k in range(24)]
    frame = weather_as_of(grid(), observations([]), forecasts(hours), START)
    assert row_at(frame, 60)["forecast_max_f"] == 61.0
    with_tmax = [*hours, (-300, "tmax", 0, 63.0, 360)]
    frame = weather_as_of(grid(), observations([]), forecasts(with_tmax), START)
    assert row_at(frame, 60)["forecast_max_f"] == 63.0


def test_nothing_known_is_rows_of_nothing_and_a_reason() -> None:
    frame = weather_as_of(grid(), OBSERVATIONS.empty(), NO_FORECASTS, START)
    assert frame.height == grid().height
    values = frame.drop("minute", "weather_status")
    assert values.null_count().row(0) == (frame.height,) * values.width


def _reports(least_f: int, greatest_f: int) -> st.SearchStrategy[list[tuple[float, float, float]]]:
    shown = st.integers(10 * least_f, 10 * greatest_f).map(lambda n: n / 10)
    minute, lag = st.integers(-100, 1600).map(float), st.sampled_from([0.0, 2.5, 10.0, 95.0])
    return st.lists(st.tuples(minute, shown, lag), max_size=40)


REPORTS = _reports(30, 100)
RUNS = st.lists(
    st.tuples(
        st.sampled_from([-1740.0, -300.0, 200.0]),
        st.sampled_from(["tmax", "temp"]),
        st.integers(0, 23).map(lambda k: 60.0 * k),
        st.integers(300, 1000).map(lambda n: n / 10),
        st.sampled_from([60.0, 360.0]),
    ),
    max_size=20,
    unique_by=lambda row: row[:3],
)
CUT = st.integers(-600, 1799)


@given(reports=REPORTS, runs=RUNS, cut=CUT)
def test_cutting_off_the_future_changes_no_bit_of_the_past(reports, runs, cut) -> None:
    seen, issued = observations(reports), forecasts(runs)
    known = pl.col("known_at") <= at(cut)
    whole = weather_as_of(grid(step=7), seen, issued, START)
    past = weather_as_of(
        grid(step=7).filter(pl.col("minute") <= at(cut)),
        seen.filter(known),
        issued.filter(known),
        START,
    )
    assert past.equals(whole.filter(pl.col("minute") <= at(cut)))


@given(reports=REPORTS, other=REPORTS, runs=RUNS, other_runs=RUNS, cut=CUT)
def test_replacing_the_future_changes_no_bit_of_the_past(
    reports, other, runs, other_runs, cut
) -> None:
    known = pl.col("known_at") <= at(cut)

    def spliced(past: pl.DataFrame, future: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([past.filter(known), future.filter(~known)])

    upto = pl.col("minute") <= at(cut)
    first = weather_as_of(grid(step=7), observations(reports), forecasts(runs), START)
    second = weather_as_of(
        grid(step=7),
        spliced(observations(reports), observations(other)),
        spliced(forecasts(runs), forecasts(other_runs)),
        START,
    )
    assert second.filter(upto).equals(first.filter(upto))


# Near each other, so that each counts at once.
@given(reports=_reports(65, 69), runs=RUNS)
def test_every_row_is_what_a_reader_of_the_tables_would_find(reports, runs) -> None:
    seen, issued = observations(reports), forecasts(runs)
    seen = seen.filter(pl.col("event_time").is_between(START, END, closed="left"))
    frame = weather_as_of(grid(step=211), seen, issued, START)
    for row in frame.iter_rows(named=True):
        known = seen.filter(pl.col("known_at") <= row["minute"])
        latest = known.sort("event_time").tail(1)
        assert row["temp_f"] == (latest["temp_f"].item() if latest.height else None)
        assert row["running_max_lo_f"] == known["lo_f"].max()
        assert row["running_max_hi_f"] == known["hi_f"].max()
        told = issued.filter(pl.col("known_at") <= row["minute"])
        told = told.filter(pl.col("event_time") == pl.col("event_time").max())
        if told.filter(variable="tmax").is_empty():
            assert row["forecast_max_f"] == told["value_f"].max()
        assert row["known_at"] is None or row["known_at"] <= row["minute"]


@needs_archive
@pytest.mark.parametrize("day", [date(2025, 4, 20), date(2025, 4, 24), date(2025, 4, 28)])
def test_on_real_days_the_evidence_never_exceeds_the_official_maximum(day: date) -> None:
    start, end = CITIES["new_york"].climate_day(day)
    station = ARCHIVE / "observations" / "station=KNYC" / "part.parquet"
    reports = (
        pl.read_parquet(station)
        .filter(pl.col("valid_utc").is_between(start, end, closed="left"))
        .drop_nulls("temp_c")
    )
    shown = [
        ((time - START) / timedelta(minutes=1), round(32 + 1.8 * temp_c, 1), 10.0)
        for time, temp_c in reports.select("valid_utc", "temp_c").rows()
    ]
    minutes = grid().with_columns(pl.col("minute") + (start - START))
    frame = weather_as_of(minutes, observations(shown), NO_FORECASTS, start)
    official = (
        pl.read_parquet(ARCHIVE / "settlements.parquet")
        .filter(station="KNYC", date=day)["tmax_f"]
        .item()
    )
    assert frame["running_max_lo_f"].max() <= official
    assert frame["running_max_hi_f"].max() >= official - 1
    assert frame.filter(weather_status="ok").height > 1000


def test_the_age_of_the_exact_product_is_that_of_the_latest_one_known() -> None:
    # 71.6 F is 22 whole degrees C; 71.1 and 73.0 are tenths, so exact.
    reports = [(5, 71.6, 10), (10, 71.1, 10), (15, 71.6, 10), (20, 73.0, 90)]
    frame = weather_as_of(grid(), observations(reports), NO_FORECASTS, START)
    ages = [row_at(frame, n)["exact_age_s"] for n in (15, 19, 20, 60, 109, 110)]
    assert ages == [None, None, 600.0, 3000.0, 99 * 60.0, 90 * 60.0]
