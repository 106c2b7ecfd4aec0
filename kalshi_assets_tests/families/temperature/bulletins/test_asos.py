from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import polars as pl
import pytest

from kalshi_assets.families.temperature.bulletins.asos import LineError, observations_of, parse_line
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.tables import OBSERVATIONS
from kalshi_assets_tests.shared import ARCHIVE, SAMPLES, needs_archive, needs_samples

NEW_YORK = CITIES["new_york"]
CHICAGO = CITIES["chicago"]
EST = NEW_YORK.std_offset_h
EASTERN = timezone(timedelta(hours=EST))
APRIL_1 = date(2025, 4, 1)
SAMPLE = SAMPLES / "nws" / "asos-5min-KNYC-202504-head.dat"


def line(
    lst: datetime,
    report: str = "14/13 A2960 450 93 500 000/00 RMK AO2 T01440133 $",
    *,
    city: str = "new_york",
    utc: datetime | None = None,
) -> str:
    of = CITIES[city]
    sent = utc or lst.replace(tzinfo=UTC) - timedelta(hours=of.std_offset_h)
    text = f"5-MIN {of.station} {sent:%d%H%M}Z AUTO 00000KT 4SM {report}"
    head = f"94728{of.station} {of.cli}{lst:%Y%m%d%H%M}{len(text):03d}{lst:%m/%d/%y %H:%M}:31"
    return f"{head}  {text}"


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2025, 4, 1, hour, minute, tzinfo=EASTERN)


def test_the_head_is_standard_time_and_the_report_utc() -> None:
    report = parse_line(line(at(0, 45)), EST)
    assert report.time == datetime(2025, 4, 1, 5, 45, tzinfo=UTC)
    assert (report.metar.tenths, report.metar.maintenance) == (144, True)


def test_the_turn_of_a_month_is_the_same_instant() -> None:
    report = parse_line(line(datetime(2025, 4, 30, 23, 55, tzinfo=EASTERN)), EST)
    assert report.time == datetime(2025, 5, 1, 4, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ("", "not a five-minute line"),
        ("94728KNYC NYC2025 5-MIN", "not a five-minute line"),
        (line(at(0)).replace("202504010000", "202513010000"), "202513010000 does not exist"),
        (line(at(0), "1/13 A2960 RMK AO2"), "'1/13' is not TT/DD"),
        (line(at(0)).replace("5-MIN KNYC", "5-MIN KLGA"), "report of KLGA in a line of KNYC"),
        (
            line(at(0), utc=at(4)),
            r"the header says 01T05:00Z at UTC-5, the report 01T04:00Z",
        ),
    ],
)
def test_a_line_that_contradicts_itself_is_an_error_that_quotes_it(
    bad: str, complaint: str
) -> None:
    with pytest.raises(LineError, match=complaint):
        parse_line(bad, EST)


def observed(lines: list[str], city: str = "new_york", day: date = APRIL_1) -> pl.DataFrame:
    return observations_of(lines, CITIES[city], day, raw_sha256="0")


def test_each_line_of_the_climate_day_becomes_an_interval_known_twenty_minutes_later() -> None:
    before = line(datetime(2025, 3, 31, 23, 55, tzinfo=EASTERN))
    frame = observed([before, line(at(0)), line(at(0, 5), "14/13 A2961 RMK AO2 $")])
    assert frame.equals(OBSERVATIONS.conform(frame))
    assert frame.select("kind", "temp_f", "lo_f", "hi_f").rows() == [
        ("tgroup", 57.9, 58, 58),
        ("whole_c", 57.2, 57, 58),
    ]
    delay = frame["known_at"] - frame["event_time"]
    assert delay.to_list() == [timedelta(minutes=20)] * 2


def test_a_six_hour_group_is_the_exact_maximum_of_its_window() -> None:
    noon = line(at(12, 50), "14/13 A2960 450 93 500 000/00 RMK AO2 T01440133 10156 20144 50013")
    frame = observed([noon]).sort("kind")
    assert frame.select("kind", "temp_f", "lo_f", "hi_f").rows() == [
        ("max_6h", 60.0, 60, 60),
        ("tgroup", 57.9, 58, 58),
    ]
    window = frame["event_time"] - frame["max_since"]
    assert window.to_list() == [timedelta(hours=6), None]


def test_lines_that_cannot_be_read_are_left_out_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    frame = observed([line(at(0)), "rubbish", line(at(0, 5), "1/13 A2960"), line(at(0, 5))])
    assert frame.height == 2
    assert (
        "new_york 2025-04-01: skipped 2 malformed lines, first: not a five-minute line"
        in caplog.text
    )


def test_lines_of_another_station_are_not_the_citys() -> None:
    assert observed([line(at(0), city="chicago")]).equals(OBSERVATIONS.empty())


@needs_samples
def test_every_recorded_line_parses() -> None:
    lines = SAMPLE.read_text().splitlines()
    reports = [parse_line(text, EST) for text in lines]
    assert len(reports) == 40
    assert {report.metar.station for report in reports} == {"KNYC"}
    steps = {b.time - a.time for a, b in pairwise(reports)}
    assert steps == {timedelta(minutes=5)}
    assert all(report.metar.reading is not None for report in reports)
    # The groups of the synoptic hour stand in both lines before it.
    sixes = [report for report in reports if report.metar.max_6h_tenths is not None]
    assert [f"{report.time:%H:%M}" for report in sixes] == ["05:45", "05:50"]
    assert {report.metar.max_6h_f for report in sixes} == {60}


@needs_samples
@needs_archive
def test_recorded_lines_are_the_archives_observations_of_the_same_instants() -> None:
    archive = pl.read_parquet(ARCHIVE / "observations" / "station=KNYC" / "part.parquet")
    held = {
        time: (tenths, body)
        for time, tenths, body in archive.select("valid_utc", "temp_c", "temp_c_whole").rows()
    }
    for text in SAMPLE.read_text().splitlines():
        report = parse_line(text, EST)
        tenths, whole_c = held[report.time]
        assert report.metar.body_c == whole_c
        assert report.metar.tenths == (None if tenths is None else round(10 * tenths))


@needs_samples
def test_the_recorded_lines_make_a_days_observations() -> None:
    frame = observed(SAMPLE.read_text().splitlines())
    temperatures = frame.filter(pl.col("max_since").is_null())
    assert temperatures["kind"].value_counts().sort("kind").rows() == [
        ("tgroup", 39),
        ("whole_c", 1),
    ]
    assert temperatures["lo_f"].max() == 58
