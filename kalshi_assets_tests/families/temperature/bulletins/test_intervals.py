from datetime import timedelta
from fractions import Fraction
from math import floor

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.bulletins.intervals import (
    TGROUP_RESIDUES,
    decode,
    whole_f,
    whole_f_of_whole_c,
)
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.sandbox.world_station import tenths_of_celsius
from kalshi_assets_tests.families.temperature.decoding import decode_temp_f
from kalshi_assets_tests.shared import ARCHIVE, needs_archive

DEGREES = range(-60, 141)


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def sent_tenths(f: int) -> int:
    return half_up(Fraction(50 * (f - 32), 9))


def sent_whole_c(f: int) -> int:
    return half_up(Fraction(sent_tenths(f), 10))


def shown(tenths: int) -> float:
    return round(32 + 0.18 * tenths, 1)


def degrees_sent_as(c: int) -> set[int]:
    # Beyond the tested range too, so that its ends have whole sets.
    return {f for f in range(-70, 151) if sent_whole_c(f) == c}


def decoded(values: list[float | None]) -> list[tuple[str | None, int | None, int | None]]:
    frame = pl.DataFrame({"t": values}, schema={"t": pl.Float64})
    return frame.select(decode_temp_f(pl.col("t")).alias("r")).unnest("r").rows()


def test_tenths_of_celsius_lead_back_to_the_one_whole_degree() -> None:
    for f in DEGREES:
        assert tenths_of_celsius(f) == sent_tenths(f)
        assert whole_f(tenths_of_celsius(f)) == f
        assert tenths_of_celsius(f) % 50 in TGROUP_RESIDUES


def test_rounding_twice_never_differs_from_rounding_once() -> None:
    for f in DEGREES:
        assert sent_whole_c(f) == half_up(Fraction(5 * (f - 32), 9))


def test_a_whole_celsius_report_stands_for_exactly_the_degrees_sent_as_it() -> None:
    for c in range(-51, 61):
        lo, hi = whole_f_of_whole_c(c)
        assert set(range(lo, hi + 1)) == degrees_sent_as(c)
        assert hi - lo == (0 if c % 5 == 0 else 1)


def test_whole_celsius_sets_are_those_of_the_published_examples() -> None:
    sets = {c: whole_f_of_whole_c(c) for c in range(20, 26)}
    assert sets == {
        20: (68, 68),
        21: (69, 70),
        22: (71, 72),
        23: (73, 74),
        24: (75, 76),
        25: (77, 77),
    }


def test_a_shown_whole_celsius_report_decodes_to_its_whole_set() -> None:
    for f in DEGREES:
        c = sent_whole_c(f)
        reading = decode(shown(10 * c))
        assert reading.kind == "whole_c"
        assert set(range(reading.lo_f, reading.hi_f + 1)) == degrees_sent_as(c)


def test_a_shown_t_group_decodes_to_its_one_degree() -> None:
    for f in DEGREES:
        tenths = sent_tenths(f)
        reading = decode(shown(tenths))
        assert (reading.lo_f, reading.hi_f) == (f, f)
        assert reading.kind == ("whole_c" if tenths % 10 == 0 else "tgroup")


def test_other_tenths_of_celsius_are_no_whole_degree_and_are_widened() -> None:
    for tenths in range(-510, 601):
        if tenths % 10 == 0 or tenths % 50 in TGROUP_RESIDUES:
            continue
        value = shown(tenths)
        reading = decode(value)
        assert reading.kind == "interp"
        assert reading.lo_f <= value <= reading.hi_f


def test_the_column_decodes_as_the_scalar_at_every_tenth_of_a_degree() -> None:
    values = [n / 10 for n in range(-600, 1401)]
    assert decoded(values) == [tuple(decode(value)) for value in values]


def test_an_interpolated_value_holds_every_degree_within_one_of_it() -> None:
    for n in range(-600, 1401):
        reading = decode(n / 10)
        if reading.kind != "interp":
            continue
        tenths = Fraction(n, 10)
        assert (reading.lo_f, reading.hi_f) == (half_up(tenths - 1), half_up(tenths + 1))


def test_the_shown_value_of_twenty_three_celsius_must_not_kill_the_bracket_above() -> None:
    assert decode(73.4) == ("whole_c", 73, 74)
    assert decode(69.8) == ("whole_c", 69, 70)


def test_a_missing_value_decodes_to_nothing() -> None:
    assert decoded([None, 68.0]) == [(None, None, None), ("whole_c", 68, 68)]


@given(st.floats(-60, 140, allow_nan=False))
def test_the_mean_behind_a_whole_celsius_report_lies_in_its_interval(mean: float) -> None:
    f = floor(mean + 0.5)
    lo_f, hi_f = whole_f_of_whole_c(sent_whole_c(f))
    assert lo_f - 0.5 <= mean < hi_f + 0.5


@needs_archive
def test_on_every_recorded_day_the_lower_bounds_stay_at_or_below_the_official_maximum() -> None:
    official = pl.read_parquet(ARCHIVE / "settlements.parquet").select("station", "date", "tmax_f")
    days = 0
    for name in ("new_york", "chicago", "austin", "miami"):
        city = CITIES[name]
        path = ARCHIVE / "observations" / f"station={city.station}" / "part.parquet"
        floors = (
            pl.read_parquet(path)
            .drop_nulls("temp_c")
            .select(
                date=(pl.col("valid_utc") + timedelta(hours=city.std_offset_h)).dt.date(),
                reading=decode_temp_f((32 + 1.8 * pl.col("temp_c")).round(1)),
            )
            .unnest("reading")
            .group_by("date")
            .agg(floor_f=pl.col("lo_f").max())
            .join(official.filter(station=city.station), on="date")
        )
        assert floors.filter(pl.col("floor_f") > pl.col("tmax_f")).is_empty()
        days += floors.height
    assert days > 100
