from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.families.temperature.bulletins.climate_bulletin import (
    Bulletin,
    BulletinError,
    Extreme,
    corrected,
    parse_bulletin,
    part_of,
    statuses,
)
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets_tests.families.temperature.sources.bulletins import ZONES, bulletin
from kalshi_assets_tests.shared import ARCHIVE, SAMPLES, needs_archive, needs_samples

JULY_8, JULY_9 = date(2026, 7, 8), date(2026, 7, 9)
NEXT_MORNING = datetime(2026, 7, 9, 6, 26, tzinfo=UTC)
AFTERNOON = datetime(2026, 7, 9, 20, 35, tzinfo=UTC)
FOUR_PM = datetime(2026, 7, 9, 20, tzinfo=UTC)
MAXIMUM = "       85    347 PM 100    1993  85      0       93"

RECORDED = {
    # file: code, climate day, issued (UTC), valid until (UTC), final, maximum, its time (UTC)
    "aus_final": ("AUS", 8, "09 0658", "09 0600", True, 99, "08 2138"),
    "aus_intermediate": ("AUS", 9, "09 2147", "09 2100", False, 98, "09 2044"),
    "chi_final": ("MDW", 8, "09 0634", "09 0600", True, 89, "08 2056"),
    "chi_intermediate": ("MDW", 9, "09 2134", "09 2100", False, 87, "09 2034"),
    "den_final": ("DEN", 8, "09 0735", "09 0700", True, 94, "08 1912"),
    "den_intermediate": ("DEN", 9, "09 1231", "09 1200", False, 65, "09 0803"),
    "mia_final": ("MIA", 8, "09 0825", "09 0500", True, 92, "08 1928"),
    "mia_intermediate": ("MIA", 9, "09 2021", "09 2000", False, 92, "09 1957"),
    "nyc_final": ("NYC", 8, "09 0626", "09 0500", True, 85, "08 2047"),
    "nyc_intermediate": ("NYC", 9, "09 2035", "09 2000", False, 82, "09 1550"),
    "nyc_record": ("NYC", 2, "03 0619", "03 0500", True, 100, "02 1947"),
    "phl_final": ("PHL", 8, "09 0552", "09 0500", True, 86, "08 2124"),
    "phl_intermediate": ("PHL", 9, "09 2139", "09 2100", False, 81, "09 1358"),
}


def in_july(text: str) -> datetime:
    return datetime.strptime(f"2026 07 {text}", "%Y %m %d %H%M").replace(tzinfo=UTC)


def recorded(name: str) -> Bulletin:
    return parse_bulletin((SAMPLES / "nws" / f"{name}.txt").read_text())


@needs_samples
def test_every_recorded_bulletin_is_known() -> None:
    assert {path.stem for path in (SAMPLES / "nws").glob("*.txt")} == set(RECORDED)


@needs_samples
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_bulletin_says_station_day_and_maximum(name: str) -> None:
    cli, day, issued_at, valid_at, final, tmax_f, observed = RECORDED[name]
    found = recorded(name)
    assert (found.cli, found.date) == (cli, date(2026, 7, day))
    assert (found.issued_at, found.valid_at) == (in_july(issued_at), in_july(valid_at))
    assert found.final == final
    assert found.maximum == Extreme(
        value_f=tmax_f, time=in_july(observed), record=name == "nyc_record"
    )
    assert found.minimum.value_f is not None
    assert found.minimum.value_f <= tmax_f
    # The time of the maximum is in standard time: only so does it lie before the report's end.
    assert found.maximum.time is not None
    assert found.maximum.time <= found.valid_at


@needs_samples
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_climate_day_is_that_of_the_registry(name: str) -> None:
    found = recorded(name)
    (city,) = (city for city in CITIES.values() if city.cli == found.cli)
    start, end = city.climate_day(found.date)
    assert start < found.valid_at <= end
    assert found.final == (found.valid_at == end)


@needs_samples
@needs_archive
def test_recorded_final_maxima_are_the_archives_where_it_has_the_day() -> None:
    official = pl.read_parquet(ARCHIVE / "settlements.parquet")
    held = {(s, d): f for s, d, f in official.select("station", "date", "tmax_f").iter_rows()}
    stations = {city.cli: city.station for city in CITIES.values()}
    finals = [found for name in RECORDED if (found := recorded(name)).final]
    assert len(finals) == 7
    for found in finals:
        tmax_f = held.get((stations[found.cli], found.date), found.maximum.value_f)
        assert found.maximum.value_f == tmax_f


def test_the_issue_of_the_next_morning_is_final_and_speaks_for_the_whole_day() -> None:
    assert parse_bulletin(bulletin(NEXT_MORNING, JULY_8, MAXIMUM)) == Bulletin(
        cli="NYC",
        date=JULY_8,
        issued_at=NEXT_MORNING,
        valid_at=datetime(2026, 7, 9, 5, tzinfo=UTC),
        final=True,
        maximum=Extreme(value_f=85, time=datetime(2026, 7, 8, 20, 47, tzinfo=UTC), record=False),
        minimum=Extreme(value_f=64, time=datetime(2026, 7, 8, 9, 40, tzinfo=UTC), record=False),
    )


def test_the_issue_of_the_afternoon_speaks_until_the_time_it_names() -> None:
    found = parse_bulletin(bulletin(AFTERNOON, JULY_9, MAXIMUM, valid_at=FOUR_PM))
    assert (found.date, found.final, found.valid_at) == (JULY_9, False, FOUR_PM)


def test_yesterdays_maximum_sent_before_the_climate_day_ended_is_not_final() -> None:
    half_past_midnight = datetime(2026, 7, 9, 4, 30, tzinfo=UTC)
    found = parse_bulletin(bulletin(half_past_midnight, JULY_8, MAXIMUM))
    assert (found.final, found.valid_at) == (False, half_past_midnight)
    at_the_end = datetime(2026, 7, 9, 5, tzinfo=UTC)
    assert parse_bulletin(bulletin(at_the_end, JULY_8, MAXIMUM)).final


@pytest.mark.parametrize(
    ("row", "value_f", "record"),
    [
        ("       99   3:38 PM 105    2009  95      4       94", 99, False),
        ("      100R   247 PM 100    1901  84     16       84", 100, True),
        ("      -12   1212 AM  51    1993  30    -42       22", -12, False),
        ("        0              51    1993  30    -30       22", 0, False),
        ("       MM         MM  51    1993  30     MM       22", None, False),
        ("       MM", None, False),
    ],
)
def test_a_maximum_is_a_whole_degree_or_missing(
    row: str, value_f: int | None, record: bool
) -> None:
    found = parse_bulletin(bulletin(NEXT_MORNING, JULY_8, row)).maximum
    assert (found.value_f, found.record) == (value_f, record)
    assert (found.time is not None) == ("PM" in row or "AM" in row)


@pytest.mark.parametrize(
    ("row", "record", "estimated"),
    [
        ("       85    347 PM 100    1993  85      0       93", False, False),
        ("      100R   247 PM 100    1901  84     16       84", True, False),
        ("       85(E) 347 PM 100    1993  85      0       93", False, True),
        ("       85E   347 PM 100    1993  85      0       93", False, True),
        ("       85 E  347 PM 100    1993  85      0       93", False, True),
        ("      100R(E) 347 PM 100    1993  85      0       93", True, True),
        ("      100(E)R", True, True),
        ("       MM", False, False),
    ],
)
def test_a_value_is_read_with_its_flags(row: str, record: bool, estimated: bool) -> None:
    found = parse_bulletin(bulletin(NEXT_MORNING, JULY_8, row)).maximum
    assert found.value_f == {"100": 100, "85": 85, "MM": None}[row.split()[0].rstrip("(E)R")]
    assert (found.record, found.estimated) == (record, estimated)
    assert (found.time is not None) == ("PM" in row)


def without_maximum(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.startswith("  MAXIMUM"))


SEVEN_AM = datetime(2026, 7, 9, 11, tzinfo=UTC)
IN_THE_MORNING = bulletin(
    datetime(2026, 7, 9, 11, 31, tzinfo=UTC), JULY_9, MAXIMUM, valid_at=SEVEN_AM
)


@pytest.mark.parametrize(
    "text",
    [
        without_maximum(IN_THE_MORNING),
        IN_THE_MORNING.replace(MAXIMUM, ""),
        # The record stands where it always does, the value does not.
        IN_THE_MORNING.replace("       85    347 PM 100", "                    100"),
        IN_THE_MORNING.replace("       85    347 PM", "       MM         MM"),
    ],
    ids=["no row", "no value", "only the record", "missing"],
)
def test_a_morning_issue_may_know_the_minimum_only(text: str) -> None:
    assert text != IN_THE_MORNING
    found = parse_bulletin(text)
    assert (found.maximum.value_f, found.minimum.value_f, found.final) == (None, 64, False)
    assert statuses([found]) == {}


def test_a_final_issue_must_speak_of_the_maximum() -> None:
    final = bulletin(NEXT_MORNING, JULY_8, MAXIMUM)
    for text in (
        without_maximum(final),
        final.replace(MAXIMUM, ""),
        final.replace("       85    347 PM 100", "                    100"),
    ):
        with pytest.raises(BulletinError, match="no MAXIMUM with a value"):
            parse_bulletin(text)


LA_GUARDIA = bulletin(NEXT_MORNING, JULY_8, MAXIMUM.replace("85", "91", 1), cli="LGA")
CENTRAL_PARK = bulletin(NEXT_MORNING, JULY_8, MAXIMUM)


def below_one_header(*texts: str) -> str:
    head, _, first = texts[0].partition("CLI")
    rest = [text[text.index("CLI") :] for text in texts[1:]]
    return head + "CLI" + first + "".join(rest)


def below_one_issue_line(first: str, second: str) -> str:
    """The second station has a line of its own, and nothing else above its summary."""
    headline = second.index("...THE ")
    return first + f"CLI{second[second.index('CLI') + 3 :][:3]}\n\n" + second[headline:]


@pytest.mark.parametrize("join", [lambda *t: "".join(t), below_one_header, below_one_issue_line])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_stations_in_one_product_the_one_asked_for_is_read(
    join: Callable[..., str], order: tuple[int, int]
) -> None:
    product = join(*((CENTRAL_PARK, LA_GUARDIA)[n] for n in order))
    for cli, tmax_f in (("NYC", 85), ("LGA", 91)):
        found = parse_bulletin(part_of(product, cli))
        assert (found.cli, found.date, found.final) == (cli, JULY_8, True)
        assert (found.maximum.value_f, found.issued_at) == (tmax_f, NEXT_MORNING)
    with pytest.raises(BulletinError, match="expected one bulletin CLIJFK"):
        part_of(product, "JFK")


def test_of_two_places_below_one_station_line_the_one_of_that_name_is_read() -> None:
    names = {"CENTRAL PARK NY": CENTRAL_PARK, "LA GUARDIA NY": LA_GUARDIA}
    first, second = (text.replace("SOMEWHERE CLIMATE", f"{n} CLIMATE") for n, text in names.items())
    product = first + second[second.index("...THE ") :]
    park = part_of(product, "NYC", ("Central Park, New York",))
    assert parse_bulletin(park).maximum.value_f == 85
    assert parse_bulletin(part_of(product, "NYC", ("La Guardia",))).maximum.value_f == 91
    with pytest.raises(BulletinError, match="summaries of CENTRAL PARK NY, LA GUARDIA NY"):
        part_of(product, "NYC", ("Newark",))


def test_a_product_of_one_station_is_read_as_a_whole() -> None:
    assert part_of(CENTRAL_PARK, "NYC") == CENTRAL_PARK


@needs_samples
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_product_is_its_stations(name: str) -> None:
    text = (SAMPLES / "nws" / f"{name}.txt").read_text()
    (city,) = (city for city in CITIES.values() if city.cli == RECORDED[name][0])
    assert part_of(text, city.cli, (*city.rules_names, city.title)) == text


def test_a_correction_says_that_it_is_one() -> None:
    def sent(suffix: str) -> int:
        text = CENTRAL_PARK.replace("KOKX 090626", f"KOKX 090626{suffix}")
        return parse_bulletin(text).correction

    assert [sent(suffix) for suffix in ("", " CCA", " CCB", " RRA")] == [0, 1, 2, 0]


def test_midnight_and_noon_are_read_as_clocks_have_them() -> None:
    def at(clock: str) -> datetime | None:
        return parse_bulletin(bulletin(NEXT_MORNING, JULY_8, f" 85 {clock} ")).maximum.time

    assert at("1205 AM") == datetime(2026, 7, 8, 5, 5, tzinfo=UTC)
    assert at("12:05 PM") == datetime(2026, 7, 8, 17, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("CLINYC", "", "no station line"),
        ("CLINYC", "CLINYC\nCLILGA", "expected one station line CLIxxx, got 2"),
        ("CDUS41 KOKX 090626", "", "no transmission header"),
        ("CDUS41 KOKX 090626", "CDUS41 KOKX 090926", "header 090926 and issue line"),
        ("226 AM EDT", "226 AM", "no issue line"),
        ("226 AM EDT", "226 AM GMT", "unknown time zone 'GMT'; known: EST"),
        ("226 AM EDT", "1326 AM EDT", "clock time 13:26 AM does not exist"),
        ("JUL 09 2026", "JUX 09 2026", "date JUX 09 2026 does not exist"),
        ("CLIMATE SUMMARY FOR", "SUMMARY FOR", "no line CLIMATE SUMMARY FOR"),
        ("SUMMARY FOR JULY 8 2026", "SUMMARY FOR JULY 10 2026", "before 2026-07-10 began"),
        ("TEMPERATURE (F)\n YEST", "TEMPERATURE (C)\n YEST", r"no section TEMPERATURE \(F\)"),
        (" YESTERDAY\n  MAX", " THE DAY\n  MAX", "no word TODAY or YESTERDAY"),
        (" YESTERDAY\n  MAX", " TODAY\n  MAX", "values of TODAY, but no line VALID AS OF"),
        ("  MAXIMUM  ", "  HIGHEST  ", "no MAXIMUM with a value"),
        ("85    347 PM", "85.5  347 PM", "no MAXIMUM with a value"),
        ("85    347 PM", "85    367 PM", "clock time 3:67 PM does not exist"),
    ],
)
def test_a_bulletin_that_lacks_a_part_or_contradicts_itself_is_an_error(
    old: str, new: str, complaint: str
) -> None:
    text = bulletin(NEXT_MORNING, JULY_8, MAXIMUM)
    assert old in text
    with pytest.raises(BulletinError, match=complaint):
        parse_bulletin(text.replace(old, new, 1))


def test_values_of_the_day_so_far_must_say_until_when_and_not_later_than_their_issue() -> None:
    text = bulletin(AFTERNOON, JULY_9, MAXIMUM, valid_at=FOUR_PM)
    with pytest.raises(BulletinError, match="values of YESTERDAY, but a line VALID AS OF"):
        parse_bulletin(text.replace(" TODAY\n  MAX", " YESTERDAY\n  MAX"))
    later = bulletin(AFTERNOON, JULY_9, MAXIMUM, valid_at=AFTERNOON + timedelta(minutes=1))
    with pytest.raises(
        BulletinError, match="valid as of 09T20:36Z, which is after the time of issue"
    ):
        parse_bulletin(later)


@given(
    zone=st.sampled_from(sorted(ZONES)),
    day=st.dates(date(2020, 1, 1), date(2030, 12, 30)),
    minutes_after=st.integers(0, 600),
    tmax_f=st.integers(-60, 130),
    minute_of_max=st.integers(0, 1439),
)
def test_what_is_written_is_read_back(
    zone: str, day: date, minutes_after: int, tmax_f: int, minute_of_max: int
) -> None:
    std_offset_h = ZONES[zone] - zone.endswith("DT")
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=std_offset_h)
    observed = midnight + timedelta(minutes=minute_of_max)
    shown = observed + timedelta(hours=std_offset_h)
    row = f"  {tmax_f:>4}  {shown.strftime('%I:%M %p').lstrip('0')}  100"
    issued_at = midnight + timedelta(days=1, minutes=minutes_after)
    found = parse_bulletin(bulletin(issued_at, day, row, zone=zone))
    assert (found.date, found.final, found.issued_at) == (day, True, issued_at)
    assert found.valid_at == midnight + timedelta(days=1)
    assert found.maximum == Extreme(value_f=tmax_f, time=observed, record=False)


def issue(hours: float, value_f: int | None, *, final: bool = True) -> Bulletin:
    extreme = Extreme(value_f=value_f, time=None, record=False)
    at = NEXT_MORNING + timedelta(hours=hours)
    return Bulletin(
        cli="NYC",
        date=JULY_8,
        issued_at=at,
        valid_at=at,
        final=final,
        maximum=extreme,
        minimum=extreme,
    )


def test_the_first_final_issue_is_official_and_later_ones_only_revise_it() -> None:
    noon, evening = issue(-14, 80, final=False), issue(-8, 84, final=False)
    first, again, corrected = issue(0, 85), issue(1, 85), issue(30, 86)
    found = statuses([corrected, first, evening, again, noon])
    assert found == {"preliminary": evening, "official": first, "revised": corrected}
    assert statuses([noon, evening]) == {"preliminary": evening}
    assert statuses([first, again]) == {"official": first}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_a_correction_stands_in_the_place_of_the_issue_that_it_corrects(
    order: tuple[int, int, int],
) -> None:
    first = issue(0, 85)
    a, b = replace(issue(0, 86), correction=1), replace(issue(0, 87), correction=2)
    sent = [(first, a, b)[n] for n in order]
    assert statuses(sent) == {"official": b}
    assert corrected(sent) == [b]
    later = issue(2, 88)
    assert statuses([later, *sent]) == {"official": b, "revised": later}


def test_an_issue_without_a_maximum_counts_as_nothing() -> None:
    assert statuses([issue(0, None), issue(1, 85)]) == {"official": issue(1, 85)}
    assert statuses([issue(-8, None, final=False)]) == {}
