from datetime import UTC, datetime, timedelta
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.bulletins.intervals import (
    Reading,
    tenths_c,
    whole_f,
    whole_f_of_whole_c,
)
from kalshi_assets.families.temperature.bulletins.metar import (
    GroupError,
    Metar,
    parse_metar,
    reading_of_tenths,
    six_hour_window,
)

HOURLY = (
    "METAR KNYC 010551Z AUTO 00000KT 8SM -RA SCT075 OVC085 14/13 A2960 RMK AO2 RAB02 SLP015 "
    "P0007 60119 T01440133 10156 20144 50013 $"
)


def signed(tenths: int) -> str:
    return f"{int(tenths < 0)}{abs(tenths):03d}"


def shown(whole_c: int, *, below_zero: bool = False) -> str:
    return f"{'M' if whole_c < 0 or below_zero else ''}{abs(whole_c):02d}"


def body(tenths: int) -> str:
    return shown(floor((tenths + 5) / 10))


def with_remarks(words: str, temp: str = "") -> str:
    return f"METAR KMDW 092353Z 24008KT 10SM CLR {temp} A2992 RMK AO2 {words}"


def test_an_hourly_report_of_a_synoptic_hour_gives_all_its_groups() -> None:
    assert parse_metar(HOURLY) == Metar(
        product="METAR",
        station="KNYC",
        day=1,
        hour=5,
        minute=51,
        body_c=14,
        dew_body_c=13,
        tenths=144,
        dew_tenths=133,
        max_6h_tenths=156,
        min_6h_tenths=144,
        maintenance=True,
    )


def test_groups_carry_their_sign_as_a_digit() -> None:
    assert parse_metar(with_remarks("10142")).max_6h_tenths == 142
    assert parse_metar(with_remarks("11021")).max_6h_tenths == -21
    assert parse_metar(with_remarks("21001")).min_6h_tenths == -1
    day = parse_metar(with_remarks("401120084"))
    assert (day.max_24h_tenths, day.min_24h_tenths) == (112, 84)
    night = parse_metar(with_remarks("410171101"))
    assert (night.max_24h_tenths, night.min_24h_tenths) == (-17, -101)


def test_the_t_group_stands_for_one_degree_and_the_body_for_two() -> None:
    both = parse_metar(with_remarks("T02280106", "23/11"))
    assert both.reading == Reading("tgroup", 73, 73)
    assert parse_metar(with_remarks("", "23/11")).reading == Reading("whole_c", 73, 74)
    assert parse_metar(with_remarks("")).reading is None


def test_a_report_without_dew_point_has_a_shorter_t_group() -> None:
    metar = parse_metar(with_remarks("T0228", "23/"))
    assert (metar.tenths, metar.dew_tenths, metar.dew_body_c) == (228, None, None)


@pytest.mark.parametrize("temp", ["M/M", "M/", "M/11", ""])
def test_a_missing_temperature_is_none_and_no_error(temp: str) -> None:
    metar = parse_metar(with_remarks("PWINO $", temp))
    assert (metar.body_c, metar.tenths, metar.reading) == (None, None, None)
    assert metar.maintenance


def test_a_negative_zero_is_zero() -> None:
    metar = parse_metar(with_remarks("T10031011", "M00/M01"))
    assert (metar.body_c, metar.dew_body_c, metar.tenths) == (0, -1, -3)


def test_a_five_minute_line_is_not_misled_by_its_magnetic_wind() -> None:
    line = (
        "5-MIN KNYC 010640Z AUTO 6SM -RA FEW008 BKN035 12/09 A2961 450 83 200 M /M RMK AO2 "
        "T01170089 $"
    )
    metar = parse_metar(line)
    assert (metar.product, metar.body_c, metar.tenths) == ("5-MIN", 12, 117)
    without_pressure = parse_metar("5-MIN KNYC 010640Z AUTO 14/13 450 93 500 000/00 RMK AO2 $")
    assert (without_pressure.body_c, without_pressure.dew_body_c) == (14, 13)


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("SPECI KMDW 091812Z 24008KT 10SM CLR 23/11 A2992", "SPECI"),
        ("METAR COR KMDW 091812Z 24008KT 10SM CLR 23/11 A2992", "METAR"),
        ("KMDW 091812Z 24008KT 10SM\n  CLR 23/11 A2992=", "METAR"),
    ],
)
def test_the_product_is_the_word_in_front(text: str, product: str) -> None:
    metar = parse_metar(text)
    assert (metar.product, metar.station, metar.body_c) == (product, "KMDW", 23)


def test_a_report_that_was_not_made_has_no_temperature() -> None:
    assert parse_metar("METAR KNYC 010551Z NIL=").reading is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no station"),
        ("METAR", "no station"),
        ("METAR 010551Z", "no station"),
        ("METAR KNYC", "no time"),
        ("METAR KNYC 0551Z", "no time"),
        ("METAR KNYC 320551Z", "320551Z does not exist"),
        ("METAR KNYC 012451Z", "012451Z does not exist"),
        (with_remarks("", "1/13"), "'1/13' is not TT/DD"),
        (with_remarks("", "144/13"), "'144/13' is not TT/DD"),
        (with_remarks("", "23/11 24/11"), "two temperature groups, the second '24/11'"),
        (with_remarks("T02280106 T02280106"), "'T02280106' repeats"),
        (with_remarks("T22280106"), "sign digit 2 of group 'T22280106'"),
        (with_remarks("T02282106"), "sign digit 2 of group 'T02282106'"),
        (with_remarks("T022801"), "'T022801' is neither"),
        (with_remarks("12142"), "sign digit 2 of group '12142'"),
        (with_remarks("401122084"), "sign digit 2 of group '401122084'"),
        (with_remarks("T02280106", "25/11"), "temperature of the T-group, 22.8 C, does not round"),
        (with_remarks("T02280106", "23/09"), "dew point of the T-group, 10.6 C, does not round"),
    ],
)
def test_a_malformed_group_is_an_error_that_quotes_it(text: str, complaint: str) -> None:
    with pytest.raises(GroupError, match=complaint):
        parse_metar(text)


def test_words_that_only_look_like_groups_are_left_alone() -> None:
    metar = parse_metar(
        "METAR KDEN 091753Z 20010KT 1 1/2SM R34R/2000FT TSRA BKN040CB 23/11 A2992 RMK AO2 "
        "PK WND 33027/0643 TSB12 TWR VIS 2 SLP156 60119 50013 933001 98096 P0001 T02280106"
    )
    assert metar == Metar(
        product="METAR",
        station="KDEN",
        day=9,
        hour=17,
        minute=53,
        body_c=23,
        dew_body_c=11,
        tenths=228,
        dew_tenths=106,
    )


FAHRENHEIT = st.integers(-60, 130)
TENTHS = FAHRENHEIT.map(tenths_c)


@given(temp=TENTHS, dew=st.none() | TENTHS, high=st.none() | TENTHS, low=st.none() | TENTHS)
def test_what_is_written_is_read_back(
    temp: int, dew: int | None, high: int | None, low: int | None
) -> None:
    words = [f"T{signed(temp)}{'' if dew is None else signed(dew)}"]
    words += [] if high is None else [f"1{signed(high)}"]
    words += [] if low is None else [f"2{signed(low)}"]
    dew_shown = "" if dew is None else body(dew)
    metar = parse_metar(with_remarks(" ".join(words), f"{body(temp)}/{dew_shown}"))
    assert (metar.tenths, metar.dew_tenths) == (temp, dew)
    assert (metar.max_6h_tenths, metar.min_6h_tenths) == (high, low)
    assert metar.max_6h_f == (None if high is None else whole_f(high))
    assert metar.reading == Reading("tgroup", whole_f(temp), whole_f(temp))


@given(truth=FAHRENHEIT)
def test_the_degree_the_station_held_is_in_body_and_t_group(truth: int) -> None:
    tenths = tenths_c(truth)
    exact = parse_metar(with_remarks(f"T{signed(tenths)}", f"{body(tenths)}/"))
    rough = parse_metar(with_remarks("", f"{body(tenths)}/"))
    assert exact.reading == Reading("tgroup", truth, truth)
    assert rough.reading is not None
    assert rough.reading.lo_f <= truth <= rough.reading.hi_f


@given(c=st.integers(-51, 55))
def test_a_whole_degree_of_the_body_is_read_back(c: int) -> None:
    metar = parse_metar(with_remarks("", f"{shown(c)}/M09"))
    assert (metar.body_c, metar.dew_body_c) == (c, -9)
    assert metar.reading == Reading("whole_c", *whole_f_of_whole_c(c))


@given(tenths=st.integers(-510, 550))
def test_tenths_that_no_whole_fahrenheit_gives_are_widened(tenths: int) -> None:
    reading = reading_of_tenths(tenths)
    if tenths_c(whole_f(tenths)) == tenths:
        assert reading == Reading("tgroup", whole_f(tenths), whole_f(tenths))
    else:
        assert reading.kind == "interp"
        assert reading.lo_f <= 32 + 0.18 * tenths <= reading.hi_f


@given(
    minutes=st.integers(0, 10 * 366 * 1440),
    off=st.floats(-10, 10),
)
def test_the_instant_is_the_one_of_that_day_of_the_month_nearest_by(
    minutes: int, off: float
) -> None:
    time = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    metar = Metar(product="METAR", station="KNYC", day=time.day, hour=time.hour, minute=time.minute)
    assert metar.time(time + timedelta(days=off)) == time


def test_six_hour_groups_are_due_just_before_the_synoptic_hours() -> None:
    noon = datetime(2026, 7, 9, 12, tzinfo=UTC)
    sent = noon - timedelta(minutes=9)
    assert six_hour_window(sent) == (sent - timedelta(hours=6), sent)
    assert six_hour_window(noon - timedelta(minutes=15)) is not None
    assert six_hour_window(noon - timedelta(minutes=69)) is None
    assert six_hour_window(noon + timedelta(hours=2, minutes=53)) is None
