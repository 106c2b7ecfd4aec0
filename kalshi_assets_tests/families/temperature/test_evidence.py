from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.asof import weather_as_of
from kalshi_assets.families.temperature.bulletins.intervals import whole_f_of_whole_c
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.evidence import (
    counted,
    evidence_floor,
    of_climate_day,
    temperatures,
)
from kalshi_assets.families.temperature.fit.fitting import mc_params
from kalshi_assets.families.temperature.fit.priors import load_priors
from kalshi_assets.families.temperature.hazard.method import load_method
from kalshi_assets.families.temperature.hazard.pmf import hazard_pmf
from kalshi_assets.sandbox.world_station import tenths_of_celsius
from kalshi_assets.tables import FORECASTS, OBSERVATIONS
from kalshi_assets_tests.families.temperature.decoding import decode_temp_f
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

START, END = CITIES["new_york"].climate_day(date(2025, 4, 20))


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def report(
    minute: float, kind: str, lo_f: int, hi_f: int | None = None, lag: float = 10, **other: Any
) -> dict[str, Any]:
    return {
        "event_time": at(minute),
        "known_at": at(minute + lag),
        "max_since": None,
        "station": "KNYC",
        "temp_f": float(lo_f),
        "kind": kind,
        "lo_f": lo_f,
        "hi_f": lo_f if hi_f is None else hi_f,
        "source": "obs",
        "raw_sha256": "0",
    } | other


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return OBSERVATIONS.conform(pl.DataFrame(rows, schema=OBSERVATIONS.dtypes))


def floors(*rows: dict[str, Any]) -> list[int | None]:
    known = of_climate_day(frame(*rows), START).sort("known_at", "event_time")
    return pl.Series(evidence_floor(known)).fill_nan(None).to_list()


def seen(rows: Sequence[dict[str, Any]], minutes: Sequence[float]) -> pl.DataFrame:
    times = pl.DataFrame({"minute": [at(n) for n in minutes]})
    times = times.cast({"minute": pl.Datetime("us", "UTC")})
    return weather_as_of(times, frame(*rows), FORECASTS.empty(), START)


def known_at(minute: float, *rows: dict[str, Any]) -> dict[str, Any]:
    return seen(rows, [minute]).row(0, named=True)


def test_one_report_of_whole_celsius_proves_nothing() -> None:
    assert floors(report(0, "whole_c", 75, 76)) == [None]
    assert floors(report(0, "whole_c", 77, 77)) == [None]


def test_two_reports_in_a_row_prove_what_both_reach() -> None:
    rows = [report(0, "whole_c", 73, 74), report(5, "whole_c", 75, 76)]
    assert floors(*rows) == [None, 73]
    assert floors(*rows, report(10, "whole_c", 75, 76)) == [None, 73, 75]


def test_a_single_spike_never_kills() -> None:
    spike = [report(0, "whole_c", 71), report(5, "whole_c", 98), report(10, "whole_c", 71)]
    assert floors(*spike) == [None, 71, 71]


def test_an_exact_product_proves_by_itself() -> None:
    assert floors(report(0, "tgroup", 74)) == [74]
    six_hours = report(411, "max_6h", 76, max_since=at(51))
    assert floors(report(0, "tgroup", 74), six_hours) == [74, 76]
    so_far = report(660, "max_so_far", 82, max_since=START)
    assert floors(so_far) == [82]


def test_an_interpolated_value_proves_nothing_and_does_not_separate_reports() -> None:
    rows = [report(0, "whole_c", 75), report(5, "interp", 78, 80), report(10, "whole_c", 75)]
    assert floors(*rows) == [None, None, 75]
    assert floors(report(0, "interp", 78, 80), report(5, "interp", 78, 80)) == [None, None]


def test_a_copy_of_an_earlier_report_proves_nothing() -> None:
    assert floors(report(0, "whole_c", 75), report(5, "filled", 75)) == [None]
    assert floors(report(0, "filled", 75), report(5, "filled", 75)) == []


def test_a_whole_celsius_report_is_confirmed_by_a_t_group_beside_it() -> None:
    assert floors(report(0, "whole_c", 75, 76), report(5, "tgroup", 74)) == [None, 74]
    assert floors(report(0, "tgroup", 76), report(5, "whole_c", 75, 76)) == [76, 76]


def test_the_six_hour_group_just_after_midnight_tells_of_the_day_before() -> None:
    at_0051 = report(51, "max_6h", 88, max_since=at(51 - 360))
    assert floors(at_0051, report(60, "tgroup", 61)) == [61]
    row = known_at(120, at_0051, report(60, "tgroup", 61))
    assert (row["evidence_max_f"], row["running_max_lo_f"], row["running_max_hi_f"]) == (61, 61, 61)


def test_a_maximum_raises_the_running_maximum_and_is_no_temperature() -> None:
    rows = [report(400, "tgroup", 70), report(411, "max_6h", 76, max_since=at(51))]
    row = known_at(430, *rows)
    assert (row["temp_f"], row["running_max_lo_f"], row["evidence_max_f"]) == (70.0, 76, 76)
    assert row["observation_age_s"] == 30 * 60.0
    assert temperatures(frame(*rows)).height == 1


def test_a_maximum_alone_is_a_bound_without_weather() -> None:
    row = known_at(430, report(411, "max_6h", 76, max_since=at(51)))
    assert (row["weather_status"], row["temp_f"]) == ("no_observations", None)
    assert (row["running_max_lo_f"], row["evidence_max_f"]) == (76, 76)


def test_a_copy_is_neither_the_latest_report_nor_a_bound() -> None:
    row = known_at(60, report(0, "tgroup", 70), report(10, "filled", 90))
    assert (row["temp_f"], row["running_max_hi_f"]) == (70.0, 70)
    assert row["observation_age_s"] == 3600.0


def test_a_late_report_pairs_with_the_one_known_just_before_it() -> None:
    rows = [report(10, "whole_c", 75), report(5, "whole_c", 77, lag=60)]
    assert floors(*rows) == [None, 75]


def counted_at(*rows: dict[str, Any]) -> list[tuple[int, float]]:
    """Least degree of each report that counts, and the minute since which it does."""
    made = counted(of_climate_day(frame(*rows), START))
    since = (pl.col("known_at") - START).dt.total_minutes().cast(pl.Float64)
    return made.select("lo_f", since).rows()


def test_an_absurd_report_does_not_count() -> None:
    calm = [report(5 * k, "tgroup", 70) for k in range(3)]
    after = [report(5 * k, "tgroup", 71) for k in range(4, 6)]
    for kind, absurd in (("tgroup", 140), ("tgroup", -40), ("whole_c", 85), ("interp", 90)):
        rows = [*calm, report(15, kind, absurd), *after]
        assert [lo for lo, _ in counted_at(*rows)] == [70, 70, 70, 71, 71]
        row = known_at(25, *rows)
        assert (row["temp_f"], row["observation_age_s"]) == (70.0, 15 * 60)
        assert known_at(60, *rows)["evidence_max_f"] == 71


def test_an_absurd_report_counts_once_a_second_one_supports_it() -> None:
    rows = [report(0, "tgroup", 70), report(5, "tgroup", 90), report(10, "tgroup", 91)]
    assert counted_at(*rows) == [(70, 10.0), (90, 20.0), (91, 20.0)]
    assert known_at(19, *rows)["evidence_max_f"] == 70
    assert known_at(20, *rows)["evidence_max_f"] == 91


def test_an_absurd_maximum_of_a_window_does_not_count_and_a_high_one_does() -> None:
    calm = [report(400 + 5 * k, "tgroup", 70) for k in range(3)]
    for maximum, floor in ((140, 70), (95, 95)):
        row = known_at(500, *calm, report(411, "max_6h", maximum, max_since=at(51)))
        assert (row["evidence_max_f"], row["running_max_hi_f"]) == (floor, floor)


def test_a_long_gap_may_hide_a_great_change_but_not_any() -> None:
    def floor_after(minutes: float, degrees: int) -> int:
        rows = [report(0, "tgroup", 50), report(minutes, "tgroup", 50 + degrees)]
        return known_at(minutes + 30, *rows)["evidence_max_f"] - 50

    assert (floor_after(5, 7), floor_after(5, 8)) == (7, 0)
    assert (floor_after(60, 24), floor_after(60, 25)) == (24, 0)
    assert (floor_after(600, 40), floor_after(600, 41)) == (40, 0)


ROWS = st.lists(
    st.builds(
        report,
        st.integers(-30, 1500),
        st.sampled_from(["whole_c", "tgroup", "interp", "filled"]),
        st.integers(50, 100),
        lag=st.sampled_from([0, 10, 90]),
    ),
    max_size=40,
    unique_by=lambda row: (row["event_time"], row["kind"]),
)


@given(rows=ROWS, cut=st.integers(-60, 1600))
def test_later_knowledge_changes_no_earlier_floor(rows: list[dict[str, Any]], cut: int) -> None:
    past = floors(*(row for row in rows if row["known_at"] <= at(cut)))
    assert past == floors(*rows)[: len(past)]


@given(rows=ROWS, cut=st.integers(-60, 1600))
def test_later_knowledge_changes_nothing_that_counted_before(
    rows: list[dict[str, Any]], cut: int
) -> None:
    past = counted_at(*(row for row in rows if row["known_at"] <= at(cut)))
    assert past == [each for each in counted_at(*rows) if each[1] <= cut]


@given(rows=ROWS)
def test_the_floor_never_falls_and_never_exceeds_the_running_maximum(
    rows: list[dict[str, Any]],
) -> None:
    row = seen(rows, range(0, 1600, 160))
    assert row.filter(pl.col("evidence_max_f") > pl.col("running_max_lo_f")).is_empty()
    proved = [floor for floor in floors(*rows) if floor is not None]
    assert proved == sorted(proved)


@given(
    truth=st.lists(st.integers(-60, 130), min_size=1, max_size=60),
    exact=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_the_floor_never_exceeds_the_true_maximum(
    truth: Sequence[int], exact: Sequence[bool]
) -> None:
    rows = []
    for k, (f, whole) in enumerate(zip(truth, exact, strict=False)):
        bounds = (f, f) if whole else whole_f_of_whole_c((tenths_of_celsius(f) + 5) // 10)
        rows.append(report(5 * k, "tgroup" if whole else "whole_c", *bounds))
    for k, floor in enumerate(floors(*rows)):
        assert floor is None or floor <= max(truth[: k + 1])


def proved_by_station(name: str) -> pl.DataFrame:
    """Recorded days of a city: evidence floor, lower bound and official maximum."""
    city = CITIES[name]
    official = pl.read_parquet(ARCHIVE / "settlements.parquet").filter(station=city.station)
    path = ARCHIVE / "observations" / f"station={city.station}" / "part.parquet"
    shown = pl.coalesce("temp_c", "temp_c_whole")
    reports = (
        pl.read_parquet(path)
        .filter(shown.is_not_null())
        .select(
            date=(pl.col("valid_utc") + timedelta(hours=city.std_offset_h)).dt.date(),
            event_time="valid_utc",
            reading=decode_temp_f((32 + 1.8 * shown).round(1)),
            max_since=pl.lit(None, pl.Datetime("us", "UTC")),
        )
        .unnest("reading")
        .sort("event_time")
    )
    proved = pl.DataFrame(
        [
            {"date": day, "floor_f": evidence_floor(rows)[-1], "bound_f": rows["lo_f"].max()}
            for (day,), rows in reports.group_by("date")
        ]
    ).with_columns(pl.col("floor_f").fill_nan(None))
    return proved.join(official.select("date", "tmax_f"), on="date")


@needs_archive
def test_on_every_recorded_day_the_evidence_stays_at_or_below_the_official_maximum() -> None:
    cities = ("new_york", "chicago", "austin", "miami")
    proved = pl.concat([proved_by_station(name) for name in cities])
    assert proved.height > 100
    assert proved.filter(pl.col("floor_f") > pl.col("tmax_f")).is_empty()
    assert proved.filter(pl.col("floor_f") > pl.col("bound_f")).is_empty()


def dead_brackets(*rows: dict[str, Any]) -> set[int]:
    ladder = pl.DataFrame(
        {
            "market_ticker": ["T70", "B70.5", "B72.5", "T73"],
            "bracket": [0, 1, 2, 3],
            "hi": [69, 71, 73, None],
            "day_start": [START] * 4,
            "close_time": [at(300)] * 4,
            "known_at": [START] * 4,
        }
    ).cast({"bracket": pl.Int8, "hi": pl.Int16})
    unfitted = mc_params(START, [], [], [], load_priors())
    made = hazard_pmf(ladder, frame(*rows), FORECASTS.empty(), [], unfitted, load_method())
    last = made.filter(pl.col("minute") == at(300))
    return set(last.filter("dead")["bracket"])


def test_a_bracket_dies_by_evidence_and_not_by_one_report_of_whole_celsius() -> None:
    spike = report(60, "whole_c", 73, 74)
    assert dead_brackets(spike) == set()
    assert dead_brackets(spike, report(65, "whole_c", 71, 72)) == {0}
    assert dead_brackets(spike, report(65, "whole_c", 73, 74)) == {0, 1}
    assert dead_brackets(report(60, "tgroup", 74)) == {0, 1, 2}
    assert dead_brackets(report(60, "max_so_far", 72, max_since=START)) == {0, 1}
