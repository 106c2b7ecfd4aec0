"""What publishers said stays while they cannot be read; a replay replaces it by nothing less."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.official import (
    PublishedMaximum,
    settlements_of,
    with_publishers,
)
from kalshi_assets.lake.errors import NotRecordedError
from kalshi_assets.tables.weather import SETTLEMENTS

CITY, DAY = CITIES["new_york"], date(2025, 4, 28)


def _said(tmax_f: int) -> pl.DataFrame:
    maximum = PublishedMaximum(
        source="climate_report",
        status="official",
        tmax_f=tmax_f,
        issued_at=datetime(2025, 4, 29, 6, tzinfo=UTC),
        known_from_issue=True,
        raw_sha256="0" * 64,
    )
    return settlements_of([maximum], CITY, DAY)


def _refused() -> pl.DataFrame:
    raise RuntimeError("status 503")


def _rows(settlements: pl.DataFrame) -> set[tuple[str, str, int | None]]:
    return set(settlements.select("source", "status", "value").iter_rows())


def test_what_a_publisher_said_stays_beside_the_fault_that_hides_it_now() -> None:
    asked = {"climate_report": _refused}
    first = with_publishers(SETTLEMENTS.empty(), {"climate_report": lambda: _said(76)}, CITY, DAY)
    again = with_publishers(SETTLEMENTS.empty(), asked, CITY, DAY, first)
    assert _rows(again) == {
        ("climate_report", "official", 76),
        ("climate_report", "failed", None),
    }
    # The fault goes with the next answer, and is not kept twice.
    twice = with_publishers(SETTLEMENTS.empty(), asked, CITY, DAY, again)
    assert _rows(twice) == _rows(again)
    answered = with_publishers(
        SETTLEMENTS.empty(), {"climate_report": lambda: _said(77)}, CITY, DAY, again
    )
    assert _rows(answered) == {("climate_report", "official", 77)}


def test_a_replay_that_lacks_an_answer_refuses_the_day() -> None:
    def not_recorded() -> pl.DataFrame:
        raise NotRecordedError("no answers are kept")

    with pytest.raises(NotRecordedError):
        with_publishers(SETTLEMENTS.empty(), {"climate_report": not_recorded}, CITY, DAY)
