from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from kalshi_assets.families.temperature.authorities import authorities, official_maximum
from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.settlement.rule import (
    Settled,
    fair_price,
    final,
    outcomes,
    settled_as,
    settled_by,
    winning_brackets,
)
from kalshi_assets.tables import SETTLEMENTS

BEFORE, SINCE = date(2026, 8, 13), date(2026, 8, 14)
Row = tuple[str, str, int | None]


def events(day: date) -> pl.DataFrame:
    """Brackets up to 79, 80 to 81, 82 and above."""
    start, _ = CITIES["new_york"].climate_day(day)
    return pl.DataFrame(
        {
            "market_ticker": ["T80", "B80.5", "T81"],
            "bracket": [0, 1, 2],
            "lo": [None, 80, 82],
            "hi": [79, 81, None],
            "day_start": [start] * 3,
            "authorities": [list(authorities(day))] * 3,
        }
    )


def settlements(
    *rows: Row, day: date = BEFORE, hours: Sequence[float] | None = None
) -> pl.DataFrame:
    end = datetime(day.year, day.month, day.day, 5, tzinfo=UTC) + timedelta(days=1)
    records = [
        {
            "source": source,
            "status": status,
            "value": tmax_f,
            "winning_market": "B80.5" if source == "exchange" else None,
            "event_time": end,
            "issued_at": None,
            "known_at": end + timedelta(hours=after),
            "known_at_from": "assumed",
            "raw_sha256": "0",
        }
        for (source, status, tmax_f), after in zip(rows, hours or [0] * len(rows), strict=True)
    ]
    return SETTLEMENTS.conform(pl.DataFrame(records, schema=SETTLEMENTS.dtypes))


def settled(*rows: Row, day: date = BEFORE) -> tuple[str, int] | None:
    found = settled_by(settlements(*rows, day=day), events(day))
    return None if found is None else (found.source, found.winner)


def test_preliminary_and_official_of_several_sources_stand_side_by_side() -> None:
    rows: list[Row] = [
        ("climate_bulletin", "official", 82),
        ("climate_bulletin", "preliminary", 81),
        ("exchange", "finalized", None),
        ("weather_company", "official", 82),
        ("weather_company", "revised", 83),
    ]
    frame = settlements(*rows)
    assert frame.select("source", "status", "value").rows() == rows
    assert final(frame)["status"].to_list() == ["official", "finalized", "official"]
    assert winning_brackets(frame, events(BEFORE)) == {
        "climate_bulletin": [2],
        "exchange": [1],
        "weather_company": [2],
    }


@pytest.mark.parametrize("day", [BEFORE, SINCE])
def test_the_exchange_settles_whatever_the_others_say(day: date) -> None:
    others: list[Row] = [("weather_company", "official", 82), ("climate_report", "official", 70)]
    assert settled(("exchange", "finalized", 80), *others, day=day) == ("exchange", 1)
    assert settled(("exchange", "determined", None), *others, day=day) == ("exchange", 1)


def test_until_august_thirteenth_the_climate_report_is_the_authority() -> None:
    official: list[Row] = [("climate_report", "official", 79), ("weather_company", "official", 82)]
    assert settled(*official) == ("climate_report", 0)
    assert settled(("weather_company", "official", 82)) is None
    assert settled(("climate_bulletin", "official", 82)) == ("climate_bulletin", 2)


def test_since_august_fourteenth_it_is_the_weather_company() -> None:
    official: list[Row] = [("climate_report", "official", 79), ("weather_company", "official", 82)]
    assert settled(*official, day=SINCE) == ("weather_company", 2)
    assert settled(("climate_report", "official", 79), day=SINCE) is None
    assert authorities(SINCE) == ("exchange", "weather_company")


@pytest.mark.parametrize("status", ["preliminary", "revised"])
def test_what_is_not_final_settles_nothing(status: str) -> None:
    assert settled(("climate_bulletin", status, 82)) is None
    assert settled(("weather_company", status, 82), day=SINCE) is None


def test_nothing_said_settles_nothing() -> None:
    assert settled() is None


def test_a_source_that_pays_no_bracket_is_an_error() -> None:
    without_top = events(BEFORE).filter(pl.col("bracket") < 2)
    said = settlements(("climate_report", "official", 90))
    with pytest.raises(ValueError, match=r"climate_report pays atoms \[\]"):
        settled_by(said, without_top)


def end_of(day: date) -> datetime:
    return settlements(("exchange", "finalized", 80), day=day)["event_time"][0]


def test_an_outcome_is_known_when_the_word_that_settles_was() -> None:
    said: list[Row] = [
        ("climate_report", "official", 82),
        ("climate_bulletin", "preliminary", 79),
        ("exchange", "finalized", 80),
        ("weather_company", "official", 82),
    ]
    frame, end = settlements(*said, hours=(9, 1, 120, 10)), end_of(BEFORE)
    reported, paid = end + timedelta(hours=9), end + timedelta(hours=120)
    by_report = Settled("climate_report", 2, 82, reported)
    by_exchange = Settled("exchange", 1, 80, paid)
    assert outcomes(frame, events(BEFORE)) == [by_report, by_exchange]
    assert settled_by(frame, events(BEFORE)) == by_exchange
    moment = timedelta(microseconds=1)
    heard = [
        settled_by(frame, events(BEFORE), at)
        for at in (reported - moment, reported, paid - moment, paid)
    ]
    assert heard == [None, by_report, by_report, by_exchange]


def test_of_the_exchange_the_last_word_counts() -> None:
    said = settlements(("exchange", "determined", 80), ("exchange", "finalized", 82), hours=(9, 30))
    amended = said.with_columns(
        winning_market=pl.when(status="finalized").then(pl.lit("T81")).otherwise(pl.lit("B80.5"))
    )
    assert [each.winner for each in outcomes(amended, events(BEFORE))] == [1, 2]
    assert winning_brackets(amended, events(BEFORE)) == {"exchange": [2]}


def test_a_fair_price_ends_what_a_publisher_said_before() -> None:
    end, paid = end_of(BEFORE), end_of(BEFORE) + timedelta(hours=30)
    said = pl.concat(
        [
            said_at("climate_report", 82, 9),
            at_a_fair_price().with_columns(
                pl.lit(paid).cast(pl.Datetime("us", "UTC")).alias("known_at")
            ),
        ]
    )
    reported = Settled("climate_report", 2, 82, end + timedelta(hours=9))
    assert outcomes(said, events(BEFORE)) == [reported, Settled("exchange", None, None, paid)]
    assert settled_by(said, events(BEFORE), paid - timedelta(microseconds=1)) == reported
    assert settled_by(said, events(BEFORE)) is None


def said_at(source: str, tmax_f: int, hours: float) -> pl.DataFrame:
    return settlements((source, "official", tmax_f), hours=(hours,))


@pytest.mark.parametrize(
    ("day", "order"),
    [
        (BEFORE, ["climate_report", "climate_bulletin", "exchange", "weather_company"]),
        (SINCE, ["weather_company", "exchange", "climate_bulletin", "climate_report"]),
    ],
)
def test_models_of_the_weather_learn_the_number_of_the_authority_first(
    day: date, order: list[str]
) -> None:
    while order:
        rows: list[Row] = [
            (source, "finalized" if source == "exchange" else "official", 70 + n)
            for n, source in enumerate(order)
        ]
        assert official_maximum(settlements(*rows, day=day), day) == (70, end_of(day))
        order = order[1:]
    assert official_maximum(settlements(day=day), day) is None


@pytest.mark.parametrize("status", ["preliminary", "revised"])
def test_what_is_not_final_is_no_official_maximum(status: str) -> None:
    frame = settlements(("climate_bulletin", status, 82), ("exchange", "finalized", None))
    assert official_maximum(frame, BEFORE) is None


def test_an_official_maximum_is_known_from_its_row_on() -> None:
    frame, known_at = said_at("climate_report", 81, 120), end_of(BEFORE) + timedelta(hours=120)
    assert official_maximum(frame, BEFORE, known_at) == (81, known_at)
    assert official_maximum(frame, BEFORE, known_at - timedelta(microseconds=1)) is None


def test_the_versions_of_an_event_are_one_ladder() -> None:
    one = events(BEFORE).with_columns(known_at="day_start")
    two = pl.concat([one, one.with_columns(pl.col("known_at") + timedelta(hours=20))])
    frame = settlements(("climate_report", "official", 81))
    assert winning_brackets(frame, two) == {"climate_report": [1]}
    assert settled_by(frame, two) == settled_by(frame, one)


@pytest.mark.parametrize("source", ["exchange", "weather_company", "climate_report"])
def test_a_source_that_could_not_be_read_says_nothing_of_the_outcome(source: str) -> None:
    row: Row = (source, "failed", None)
    said = settlements(row)
    assert final(said).is_empty()
    assert winning_brackets(said, events(BEFORE)) == {}
    assert settled(row) is None
    assert settled(row, ("climate_bulletin", "official", 82)) == ("climate_bulletin", 2)


def at_a_fair_price(*rows: Row) -> pl.DataFrame:
    said = settlements(("exchange", "finalized", None), *rows)
    paid = pl.when(source="exchange").then(pl.lit([100, 2500, 7400], dtype=pl.List(pl.Int32)))
    return said.with_columns(payoffs_cc=paid, winning_market=pl.lit(None, pl.String))


def test_at_a_fair_price_no_bracket_won_whatever_the_publishers_say() -> None:
    said = at_a_fair_price(("climate_report", "official", 82))
    paid = fair_price(said)
    assert paid is not None
    assert paid.payoffs_cc == (100, 2500, 7400)
    assert settled_by(said, events(BEFORE)) is None
    assert settled_as(said, events(BEFORE)) == "fair_price"
    assert winning_brackets(said, events(BEFORE)) == {"climate_report": [2]}
    won = settlements(("exchange", "finalized", 80))
    assert fair_price(won) is None
    assert settled_as(won, events(BEFORE)) == "bracket"
    assert settled_as(won.clear(), events(BEFORE)) is None


def test_of_several_issues_of_one_status_the_first_settles_and_all_are_kept() -> None:
    first = settlements(("climate_report", "official", 79), ("exchange", "determined", 80))
    later = timedelta(hours=3)
    again = first.filter(source="climate_report").with_columns(
        pl.lit(82, pl.Int64).alias("value"),
        pl.col("known_at") + later,
        issued_at=pl.col("known_at") + later,
    )
    both = SETTLEMENTS.conform(pl.concat([again, first]))
    assert both.height == 3
    assert winning_brackets(both, events(BEFORE)) == {"climate_report": [0], "exchange": [1]}
    assert final(both)["value"].to_list() == [79, 80]
