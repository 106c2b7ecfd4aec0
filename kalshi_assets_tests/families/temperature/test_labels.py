from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.families.temperature.labels import labels
from kalshi_assets.features.panel import minute_panel
from kalshi_assets.settlement.rule import outcome_known_at, pays_as_known
from kalshi_assets.tables import OBSERVATIONS, SETTLEMENTS
from kalshi_assets.tables.panel import LABELS
from kalshi_assets_tests.features.tapes import (
    OPEN,
    Quote,
    busy_tape,
    candles,
    past,
    short_event,
    spliced,
    told_of,
    trades,
)
from kalshi_assets_tests.lake.handmade import TICKERS, frame_of

COLD, A, B, HOT = TICKERS
# The day begins with the market, so that a short tape sees reports.
EVENT = short_event(120).with_columns(
    tick_grid=pl.lit("[[0, 10000, 100]]"),
    day_start=pl.col("open_time"),
    day_end=pl.col("open_time") + pl.duration(hours=24),
)
DIRECTIONS = ["y_dir_1m", "y_dir_5m"]


def at(minutes: float) -> datetime:
    return OPEN + timedelta(minutes=minutes)


def _reports(*rows: tuple[float, int], lag: float = 10) -> pl.DataFrame:
    """Exact reports of (minutes since the open, whole degrees), known ten minutes later."""
    if not rows:
        return OBSERVATIONS.empty()
    return frame_of(
        OBSERVATIONS,
        event_time=[at(minute) for minute, _ in rows],
        known_at=[at(minute + lag) for minute, _ in rows],
        max_since=None,
        kind="tgroup",
        temp_f=[float(f) for _, f in rows],
        lo_f=[f for _, f in rows],
        hi_f=[f for _, f in rows],
    )


def _labels(
    *quotes: Quote, reports: pl.DataFrame | None = None, event: pl.DataFrame = EVENT
) -> Callable[[str, int], dict]:
    panel = minute_panel(event, candles(*quotes), trades())
    seen = _reports() if reports is None else reports
    found = LABELS.conform(labels(panel, event, seen, SETTLEMENTS.empty()))
    return lambda market, minute: found.row(
        by_predicate=(pl.col("market_ticker") == market) & (pl.col("minute") == at(minute)),
        named=True,
    )


# A candle of minute n is in the panel from n + 1 on, and is the entry of minute n.


def test_the_entry_is_the_price_after_the_latency_and_not_that_of_the_minute() -> None:
    label = _labels((A, 1, 40, 42), (A, 10, 44, 46))
    assert label(A, 9)["entry_mid"] == 0.41
    assert label(A, 10)["entry_mid"] == 0.45
    assert label(A, 10)["move_1m_cents"] == 0
    assert label(A, 9)["move_1m_cents"] == 4
    assert label(A, 4)["move_5m_cents"] == 0
    assert label(A, 5)["move_5m_cents"] == 4
    assert label(A, 9)["known_at"] == at(15)


def test_beyond_the_close_there_is_no_label() -> None:
    label = _labels((A, 1, 40, 42))
    assert label(A, 118)["move_1m_cents"] == 0
    assert label(A, 119)["move_1m_cents"] is None
    assert label(A, 120)["entry_mid"] is None
    assert label(A, 114)["y_dir_5m"] == 0
    assert label(A, 115)["y_dir_5m"] is None


def test_an_event_shorter_than_the_horizon_has_rows_and_no_labels() -> None:
    event = EVENT.with_columns(close_time=pl.lit(at(3)).cast(EVENT.schema["close_time"]))
    label = _labels((A, 1, 40, 42), event=event)
    assert label(A, 1)["entry_mid"] == 0.41
    assert label(A, 1)["y_dir_5m"] is None
    assert label(A, 1)["y_win_5m"] is None


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        ((40, 42), (41, 43), 1),  # a cent, and half the spread is a cent
        ((40, 42), (40, 43), 0),  # half a cent
        ((40, 44), (41, 45), 0),  # a cent, and half the spread is two
        ((40, 44), (38, 42), -1),
        ((40, 41), (39, 41), 0),  # half a cent is less than a tick
    ],
)
def test_a_move_less_than_a_tick_or_half_the_spread_is_no_direction(
    before: tuple[int, int], after: tuple[int, int], direction: int
) -> None:
    label = _labels((A, 1, *before), (A, 10, *after))
    assert [label(A, 9)["y_dir_1m"], label(A, 9)["y_dir_5m"]] == [direction, direction]


def test_the_tick_is_that_of_the_price() -> None:
    fine_tails = EVENT.with_columns(
        tick_grid=pl.lit("[[0, 1000, 10], [1000, 9000, 100], [9000, 10000, 10]]")
    )
    tape = candles((A, 1, 4, 5), (A, 10, 4, 5), (B, 1, 40, 41), (B, 10, 40, 41))
    moved = tape.with_columns(
        yes_bid_close_cc=pl.when(pl.col("event_time") == at(10))
        .then(pl.col("yes_bid_close_cc") + 60)
        .otherwise("yes_bid_close_cc"),
        yes_ask_close_cc=pl.when(pl.col("event_time") == at(10))
        .then(pl.col("yes_ask_close_cc") + 60)
        .otherwise("yes_ask_close_cc"),
    )
    for event, expected in ((fine_tails, [1, 0]), (EVENT, [0, 0])):
        panel = minute_panel(event, moved, trades())
        rows = labels(panel, event, _reports(), SETTLEMENTS.empty()).filter(minute=at(9))
        assert [rows.filter(market_ticker=m)["y_dir_1m"].item() for m in (A, B)] == expected


# -- the greatest of the curve


def test_the_dearest_bracket_after_the_horizon_wins() -> None:
    quotes = [(m, 1, 20 + n, 22 + n) for n, m in enumerate(TICKERS)]
    label = _labels(*quotes, (A, 20, 50, 52))
    assert [label(m, 10)["y_win_5m"] for m in TICKERS] == [False, False, False, True]
    assert [label(m, 15)["y_win_5m"] for m in TICKERS] == [False, True, False, False]
    assert [label(m, 15)["y_win_1m"] for m in TICKERS] == [False, False, False, True]


def test_a_bracket_that_nobody_bids_for_is_as_dear_as_half_its_ask() -> None:
    label = _labels((COLD, 1, 0, 2), (A, 1, 0, 1), (B, 1, 30, 34), (HOT, 1, 60, 64))
    assert [label(m, 10)["y_win_1m"] for m in TICKERS] == [False, False, False, True]


@pytest.mark.parametrize(("bid", "known"), [(40, False), (60, True)])
def test_without_a_quote_of_some_bracket_only_a_price_above_a_half_wins(
    bid: int, known: bool
) -> None:
    label = _labels((COLD, 1, 1, 3), (A, 1, 2, 4), (HOT, 1, bid, bid + 2))
    won = [label(m, 10)["y_win_1m"] for m in TICKERS]
    assert won == ([False, False, False, True] if known else [None] * 4)


def test_a_tie_has_no_winner() -> None:
    label = _labels((COLD, 1, 1, 3), (A, 1, 40, 42), (B, 1, 40, 42), (HOT, 1, 2, 4))
    assert [label(m, 10)["y_win_1m"] for m in TICKERS] == [None] * 4


# -- the evidence


def test_a_bracket_is_passed_when_it_was_measured_and_when_it_was_known() -> None:
    label = _labels(reports=_reports((0, 66), (20, 68), (25, 70), (40, 70)))
    sensor = [label(COLD, t)["y_cross_sensor_5m"] for t in (19, 20, 24, 25)]
    assert sensor == [False, True, True, False]
    known = [label(COLD, t)["y_cross_known_5m"] for t in (29, 30, 34, 35)]
    assert known == [False, True, True, False]
    one = [label(COLD, t)["y_cross_known_1m"] for t in (33, 34, 35)]
    assert one == [False, True, False]
    assert label(A, 30)["y_cross_known_5m"] is False


def test_the_top_bracket_cannot_be_passed_and_says_nothing() -> None:
    label = _labels(reports=_reports((0, 66), (20, 90)))
    assert label(HOT, 20)["y_cross_known_5m"] is None


def test_before_a_report_by_the_horizon_nothing_is_known_of_the_evidence() -> None:
    label = _labels(reports=_reports((20, 66)))
    assert [label(A, t)["y_cross_sensor_5m"] for t in (14, 15)] == [None, False]
    assert [label(A, t)["y_cross_known_5m"] for t in (24, 25)] == [None, False]
    assert _labels()(A, 30)["y_cross_known_5m"] is None


# -- the settlement


def test_one_bracket_pays_and_before_the_settlement_none_is_named() -> None:
    panel = minute_panel(EVENT, candles((A, 1, 40, 42)), trades())
    settled = frame_of(
        SETTLEMENTS, source=["exchange"], status="finalized", winning_market=B, value=72
    )
    found = labels(panel, EVENT, _reports(), settled)
    assert set(found.filter(pl.col("pays"))["market_ticker"]) == {B}
    assert found["pays"].null_count() == 0
    open_yet = labels(panel, EVENT, _reports(), SETTLEMENTS.empty())
    assert open_yet["pays"].null_count() == open_yet.height


def test_every_final_word_on_the_outcome_is_there_with_its_time() -> None:
    panel = minute_panel(EVENT, candles((A, 1, 40, 42)), trades())
    said = frame_of(
        SETTLEMENTS,
        source=["climate_report", "exchange", "climate_report"],
        status=["official", "finalized", "preliminary"],
        winning_market=[None, B, None],
        value=[71, 72, 75],
        known_at=[at(300), at(9000), at(200)],
    )
    found = LABELS.conform(labels(panel, EVENT, _reports(), said))
    assert set(found.filter("pays")["market_ticker"]) == {B}
    assert found["outcome_known_at"].unique().to_list() == [[at(300), at(9000)]]
    paid = dict(found.select("market_ticker", "outcome_pays").iter_rows())
    assert paid == {COLD: [False, False], A: [True, False], B: [False, True], HOT: [False, False]}
    heard = {n: set(pays_as_known(found, at(n)).filter("pays")["market_ticker"])
             for n in (299, 300, 8999, 9000)}  # fmt: skip
    assert heard == {299: set(), 300: {A}, 8999: {A}, 9000: {B}}
    assert pays_as_known(found, at(299))["pays"].null_count() == found.height
    assert outcome_known_at(found, at(299)) is None
    assert outcome_known_at(found, at(8999)) == at(300)


def test_another_price_grid_is_in_no_label_before_it_was_known() -> None:
    moves = ((A, 1, 40, 41), (A, 10, 41, 41), (A, 40, 40, 41), (A, 50, 41, 41))
    finer = told_of(EVENT, 30, tick_grid="[[0, 10000, 10]]")
    label = _labels(*moves, event=finer)
    assert [label(A, t)["y_dir_1m"] for t in (9, 49)] == [0, 1]
    assert [_labels(*moves)(A, t)["y_dir_1m"] for t in (9, 49)] == [0, 0]


def test_at_a_fair_price_nobody_pays_and_the_label_says_why() -> None:
    panel = minute_panel(EVENT, candles((A, 1, 40, 42)), trades())
    said = frame_of(
        SETTLEMENTS,
        source=["exchange", "climate_report"],
        status=["finalized", "official"],
        value=[None, 72],
        payoffs_cc=[[100, 9_900, 0], None],
    )
    found = labels(panel, EVENT, _reports(), said)
    assert found["pays"].null_count() == found.height
    assert set(found["settled_as"]) == {"fair_price"}
    settled = labels(panel, EVENT, _reports(), said.filter(source="climate_report"))
    assert set(settled["settled_as"]) == {"bracket"}
    open_yet = labels(panel, EVENT, _reports(), SETTLEMENTS.empty())
    assert set(open_yet["settled_as"]) == {None}


# -- point in time

REPORTS = _reports(*((5 * n, 62 + n) for n in range(24)), lag=3)
LATER_REPORTS = _reports(*((5 * n + 1, 75 - n) for n in range(24)), lag=3)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2), st.integers(0, 119))
def test_a_label_does_not_know_what_comes_after_its_horizon(seed: int, t: int) -> None:
    tape, other = busy_tape(seed, 120), busy_tape(seed + 10, 120)
    whole = labels(minute_panel(EVENT, *tape), EVENT, REPORTS, SETTLEMENTS.empty())
    for horizon in (1, 5):
        end = t + 1 + horizon
        cut = [past(frame, end) for frame in tape]
        mixed = [spliced(*frames, end) for frames in zip(tape, other, strict=True)]
        evidence = (past(REPORTS, t + horizon), spliced(REPORTS, LATER_REPORTS, t + horizon))
        names = [f"{name}_{horizon}m" for name in ("y_dir", "y_win", "y_cross_known")]
        row = pl.col("minute") == at(t)
        expected = whole.filter(row).select("entry_mid", f"move_{horizon}m_cents", *names)
        for (candle, trade), reports in zip((cut, mixed), evidence, strict=True):
            found = labels(minute_panel(EVENT, candle, trade), EVENT, reports, SETTLEMENTS.empty())
            assert found.filter(row).select(expected.columns).equals(expected)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 119), st.sampled_from([1, 5]))
def test_a_passage_by_the_sensor_does_not_know_what_is_measured_later(t: int, horizon: int) -> None:
    panel = minute_panel(EVENT, candles(), trades())
    measured = pl.col("event_time") <= at(t + horizon)
    name, row = f"y_cross_sensor_{horizon}m", pl.col("minute") == at(t)
    mixed = pl.concat([REPORTS.filter(measured), LATER_REPORTS.filter(~measured)])
    whole, cut, other = (
        labels(panel, EVENT, reports, SETTLEMENTS.empty()).filter(row)[name]
        for reports in (REPORTS, REPORTS.filter(measured), mixed)
    )
    assert cut.equals(whole)
    assert other.equals(whole)
