"""Which days test a trader of temperatures."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import city, city_day
from kalshi_assets.families.temperature.stress import STRESSES, stress
from kalshi_assets.keys import LadderDay
from kalshi_assets.tables import FORECASTS, OBSERVATIONS, SETTLEMENTS
from kalshi_assets_tests.lake.handmade import events as handmade_events

KEY = city_day("new_york", date(2026, 6, 15))
START = city(KEY.ladder).climate_day(KEY.date)[0]
EVENT = handmade_events()
# Warmest at 15, 80 degrees.
USUAL = [60 + 20 * max(0.0, 1 - abs(hour - 15) / 12) for hour in range(24)]


def reports(temps: Sequence[float | None], key: LadderDay = KEY) -> pl.DataFrame:
    """A report an hour, half past; None: none."""
    start = city(key.ladder).climate_day(key.date)[0]
    rows = [
        {
            "event_time": start + timedelta(hours=hour, minutes=30),
            "known_at": start + timedelta(hours=hour, minutes=35),
            "max_since": None,
            "station": "KNYC",
            "temp_f": temp,
            "kind": "tgroup",
            "lo_f": int(temp),
            "hi_f": int(temp),
            "source": "test",
            "raw_sha256": "",
        }
        for hour, temp in enumerate(temps)
        if temp is not None
    ]
    return OBSERVATIONS.arranged(pl.DataFrame(rows, schema=OBSERVATIONS.dtypes))


def forecast(value: float) -> pl.DataFrame:
    row = dict.fromkeys(FORECASTS.dtypes) | {
        "event_time": START - timedelta(hours=6),
        "known_at": START - timedelta(hours=5),
        "station": "KNYC",
        "variable": "tmax",
        "valid_time": START,
        "value_f": value,
        "source": "test",
        "raw_sha256": "",
    }
    return pl.DataFrame([row], schema=FORECASTS.dtypes)


def settled(*values: int) -> pl.DataFrame:
    """Statements of the climate report: the first preliminary if there are two."""
    statuses = ["official"] if len(values) == 1 else ["preliminary", "official"]
    rows = [
        dict.fromkeys(SETTLEMENTS.dtypes)
        | {
            "source": "climate_report",
            "status": status,
            "value": value,
            "event_time": START + timedelta(days=1),
            "known_at": START + timedelta(days=1, hours=hours),
            "known_at_from": "issue_time",
        }
        for hours, (status, value) in enumerate(zip(statuses, values, strict=True))
    ]
    return pl.DataFrame(rows, schema=SETTLEMENTS.dtypes)


def found(
    temps: Sequence[float | None] = USUAL,
    *,
    settlements: pl.DataFrame | None = None,
    expected: float = 80.0,
    key: LadderDay = KEY,
) -> tuple[str, ...]:
    return stress(key, EVENT, settlements, reports(temps, key), forecast(expected))


def test_an_ordinary_day_is_none_of_them() -> None:
    assert found() == ()


def test_a_maximum_at_night_is_by_local_standard_time() -> None:
    assert "maximum at night" in found([90.0, *USUAL[1:]])
    late = [*USUAL[:17], *[70.0] * 6, 81.0]
    assert "maximum at night" in found(late)


def test_a_front_is_ten_degrees_within_an_hour() -> None:
    fallen = [*USUAL[:16], *[USUAL[15] - 10.0] * 8]
    assert found(fallen) == ("front",)
    assert found([*USUAL[:16], *[USUAL[15] - 9.0] * 8]) == ()


@pytest.mark.parametrize("missing", [range(9, 10), range(1), range(23, 24)])
def test_more_than_an_hour_without_a_report_is_a_gap(missing: range) -> None:
    holed = [None if hour in missing else temp for hour, temp in enumerate(USUAL)]
    assert found(holed) == ("feed gap",)


def test_without_reports_a_day_is_a_gap_and_nothing_is_made_up() -> None:
    assert found([None] * 24) == ("feed gap",)


def test_a_clock_change_is_a_property_of_the_date() -> None:
    assert found(key=city_day("new_york", date(2026, 3, 8))) == ("clock change",)
    assert found(key=city_day("new_york", date(2026, 11, 1))) == ("clock change",)
    assert found(key=city_day("phoenix", date(2026, 3, 8))) == ()


def test_publishers_that_differ_are_told_before_the_day_is_final() -> None:
    assert "publishers differ" in found(settlements=settled(80, 81))


def test_a_forecast_five_degrees_off_is_a_miss() -> None:
    for expected, miss in ((75.0, True), (76.0, False), (85.0, True)):
        said = stress(KEY, EVENT, settled(80), reports(USUAL), forecast(expected))
        assert ("forecast missed" in said) is miss
    assert "forecast missed" not in found(expected=60.0)


def test_every_name_is_one_of_the_list() -> None:
    assert len(set(STRESSES)) == len(STRESSES)
    assert datetime(2026, 6, 15, 5, tzinfo=UTC) == START
