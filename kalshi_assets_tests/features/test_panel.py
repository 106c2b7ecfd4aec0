from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.features.panel import minute_panel
from kalshi_assets.tables import MINUTE_PANEL
from kalshi_assets_tests.features.tapes import OPEN, Trade, candles, short_event, told_of, trades
from kalshi_assets_tests.lake.handmade import TICKERS

A, B = TICKERS[1], TICKERS[2]


def _panel(
    candle_frame: pl.DataFrame, trade_frame: pl.DataFrame, minutes: int = 60
) -> pl.DataFrame:
    return minute_panel(short_event(minutes), candle_frame, trade_frame)


def _at(panel: pl.DataFrame, market: str, minute: int) -> dict:
    row = panel.filter(
        pl.col("market_ticker") == market, pl.col("minute") == OPEN + timedelta(minutes=minute)
    )
    return row.row(0, named=True)


# -- the grid


def test_without_a_candle_and_a_trade_there_is_still_every_bracket_and_minute() -> None:
    panel = _panel(candles(), trades())
    assert panel.height == 4 * 61
    assert set(panel["quote_source"]) == {"none"}
    assert (
        panel.select("bid_cc", "ask_cc", "mid", "last_price_cc", "velocity_1m").null_count().row(0)
        == (panel.height,) * 5
    )
    assert (panel["volume_15m"] == 0).all()


def test_the_grid_runs_from_the_first_whole_minute_after_the_open_to_the_close() -> None:
    event = short_event(10).with_columns(open_time=pl.col("open_time") + pl.duration(seconds=30))
    minutes = minute_panel(event, candles(), trades())["minute"].unique().sort()
    assert minutes[0] == OPEN + timedelta(minutes=1)
    assert minutes[-1] == OPEN + timedelta(minutes=10)
    assert _panel(candles(), trades())["minutes_to_close"].max() == 60
    assert _panel(candles(), trades())["minutes_to_close"].min() == 0


def test_an_early_close_is_in_no_minute_before_it_was_known() -> None:
    regular = short_event(60)
    early = told_of(regular, 20.5, close_time=OPEN + timedelta(minutes=40))
    panel = minute_panel(early, candles(), trades())
    left = dict(panel.filter(market_ticker=A).select("minute", "minutes_to_close").iter_rows())
    to_close = [left[OPEN + timedelta(minutes=at)] for at in (0, 20, 21, 40)]
    assert to_close == [60, 40, 19, 0]
    assert panel["minute"].max() == OPEN + timedelta(minutes=40)
    past = pl.col("minute") <= OPEN + timedelta(minutes=20)
    assert panel.filter(past).equals(minute_panel(regular, candles(), trades()).filter(past))


def test_a_close_that_is_put_off_lengthens_the_panel_and_no_minute_before_knows() -> None:
    later = told_of(short_event(60), 60, close_time=OPEN + timedelta(minutes=90))
    panel = minute_panel(later, candles(), trades())
    left = panel.filter(market_ticker=A).sort("minute")["minutes_to_close"].to_list()
    assert left == [*range(60, 0, -1), *range(30, -1, -1)]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TICKERS),
            st.integers(0, 3600).map(lambda s: s / 60),
            st.sampled_from(["yes", "no"]),
            st.integers(1, 99),
            st.integers(1, 50),
        ),
        max_size=30,
    )
)
def test_any_tape_makes_a_panel_that_keeps_its_contract(made: list[Trade]) -> None:
    panel = _panel(candles(), trades(*made), minutes=70)
    assert MINUTE_PANEL.conform(panel).equals(panel)
    assert (panel["known_at"] <= panel["minute"]).all()
    assert panel["volume_1m"].sum() == sum(trade[4] for trade in made)
    bids = panel.filter(pl.col("bid_cc").is_not_null() & pl.col("ask_cc").is_not_null())
    assert (bids["bid_cc"] < bids["ask_cc"]).all()


# -- recorded quotes


def test_a_candle_enters_the_first_minute_at_which_it_is_known() -> None:
    panel = _panel(candles((A, 10, 40, 44)), trades())
    assert _at(panel, A, 10)["quote_source"] == "none"
    row = _at(panel, A, 11)
    assert (row["bid_cc"], row["ask_cc"], row["mid"]) == (4000, 4400, pytest.approx(0.42))
    assert row["spread_cents"] == pytest.approx(4)
    assert row["quote_source"] == "recorded"
    assert row["quote_age_s"] == 60
    assert _at(panel, B, 11)["quote_source"] == "none"


def test_a_recorded_quote_stands_until_it_changes_and_ages() -> None:
    panel = _panel(candles((A, 10, 40, 44), (A, 40, 50, 52)), trades())
    assert _at(panel, A, 40)["bid_cc"] == 4000
    assert _at(panel, A, 40)["quote_age_s"] == 1800
    assert _at(panel, A, 41)["bid_cc"] == 5000
    assert _at(panel, A, 41)["quote_age_s"] == 60


def test_bid_zero_and_ask_one_are_no_quotes() -> None:
    panel = _panel(candles((A, 10, 0, 44), (B, 10, 40, 100)), trades())
    assert _at(panel, A, 20)["bid_cc"] is None
    assert _at(panel, A, 20)["ask_cc"] == 4400
    assert _at(panel, B, 20)["ask_cc"] is None
    assert _at(panel, A, 20)["mid"] is None


def test_a_gap_between_candles_is_not_motion() -> None:
    panel = _panel(candles((A, 1, 40, 42), (A, 2, 41, 43), (A, 32, 46, 48)), trades())
    assert _at(panel, A, 3)["velocity_1m"] == pytest.approx(0.01)
    quiet = [_at(panel, A, minute) for minute in range(8, 33)]
    assert all(row["velocity_1m"] == 0 and row["velocity_5m"] == 0 for row in quiet)
    arrived = _at(panel, A, 33)
    assert arrived["velocity_5m"] == pytest.approx(0.05 / 5)
    assert arrived["velocity_15m"] == pytest.approx(0.05 / 15)
    assert _at(panel, A, 38)["velocity_5m"] == 0


# -- quotes inferred from trades


def test_a_taker_who_bought_shows_the_ask_and_one_who_sold_shows_the_bid() -> None:
    panel = _panel(candles(), trades((A, 5, "yes", 44, 1), (A, 7, "no", 40, 1)))
    assert _at(panel, A, 5)["quote_source"] == "none"
    row = _at(panel, A, 6)
    assert (row["bid_cc"], row["ask_cc"], row["quote_source"]) == (None, 4400, "inferred")
    row = _at(panel, A, 8)
    assert (row["bid_cc"], row["ask_cc"]) == (4000, 4400)


def test_an_inferred_quote_is_as_old_as_its_older_side() -> None:
    panel = _panel(candles(), trades((A, 5, "yes", 44, 1), (A, 7, "no", 40, 1)))
    assert _at(panel, A, 8)["quote_age_s"] == 180


@pytest.mark.parametrize(
    ("first", "second", "bid", "ask"),
    [
        (("yes", 40), ("no", 45), 4500, None),
        (("no", 45), ("yes", 40), None, 4000),
        (("yes", 45), ("no", 45), 4500, None),
        (("no", 40), ("yes", 45), 4000, 4500),
    ],
)
def test_of_a_crossed_pair_the_older_side_goes(
    first: tuple[str, int], second: tuple[str, int], bid: int | None, ask: int | None
) -> None:
    panel = _panel(candles(), trades((A, 5, *first, 1), (A, 6, *second, 1)))
    row = _at(panel, A, 10)
    assert (row["bid_cc"], row["ask_cc"]) == (bid, ask)


def test_a_crossed_pair_of_the_same_instant_leaves_the_ask() -> None:
    panel = _panel(candles(), trades((A, 5, "no", 45, 1), (A, 5, "yes", 40, 1)))
    row = _at(panel, A, 10)
    assert (row["bid_cc"], row["ask_cc"]) == (None, 4000)


def test_recorded_quotes_take_the_place_of_inferred_ones() -> None:
    panel = _panel(
        candles((A, 10, 50, 52)),
        trades((A, 5, "yes", 44, 1), (A, 5, "no", 40, 1), (A, 20, "yes", 60, 1)),
    )
    assert _at(panel, A, 10)["quote_source"] == "inferred"
    assert _at(panel, A, 30)["quote_source"] == "recorded"
    assert _at(panel, A, 30)["ask_cc"] == 5200


def test_a_block_trade_shows_no_quote_and_is_no_volume() -> None:
    panel = _panel(candles(), trades((A, 5, "yes", 44, 100), block=[0]))
    assert _at(panel, A, 10)["quote_source"] == "none"
    assert _at(panel, A, 10)["volume_15m"] == 0
    assert _at(panel, A, 10)["last_price_cc"] is None


# -- trades


def test_volume_and_flow_add_up_over_minutes() -> None:
    panel = _panel(
        candles(), trades((A, 5.2, "yes", 44, 3), (A, 5.5, "no", 40, 1), (A, 19, "yes", 45, 10))
    )
    row = _at(panel, A, 6)
    assert (row["volume_1m"], row["flow_1m"]) == (4, 2)
    assert (row["high_1m_cc"], row["low_1m_cc"], row["last_price_cc"]) == (4400, 4000, 4000)
    assert row["last_trade_age_s"] == 30
    assert _at(panel, A, 7)["volume_1m"] == 0
    assert _at(panel, A, 7)["high_1m_cc"] is None
    assert _at(panel, A, 20)["volume_15m"] == 14
    assert _at(panel, A, 20)["flow_15m"] == 12
    assert _at(panel, A, 21)["volume_15m"] == 10
    assert _at(panel, A, 50)["volume_15m"] == 0
    assert _at(panel, A, 50)["last_price_cc"] == 4500


def test_a_trade_on_the_minute_is_known_a_minute_later() -> None:
    panel = _panel(candles(), trades((A, 5, "yes", 44, 3)))
    assert _at(panel, A, 5)["volume_1m"] == 0
    assert _at(panel, A, 6)["volume_1m"] == 3
    assert _at(panel, A, 6)["known_at"] == OPEN + timedelta(minutes=5, seconds=2)


def test_candles_tell_the_volume_before_the_tape_begins_and_not_after() -> None:
    recorded = candles((A, 10, 40, 44), (A, 30, 40, 44), volume=7.0, traded=True)
    without = _panel(recorded, trades())
    assert _at(without, A, 11)["volume_1m"] == 7
    assert _at(without, A, 31)["volume_1m"] == 7
    assert _at(without, A, 11)["last_price_cc"] == 4200
    beside = _panel(recorded, trades((A, 20, "yes", 43, 2)))
    assert _at(beside, A, 11)["volume_1m"] == 7
    assert _at(beside, A, 21)["volume_1m"] == 2
    assert _at(beside, A, 31)["volume_1m"] == 0


def test_the_contract_of_the_event_is_known_before_any_quote() -> None:
    panel = _panel(candles(), trades())
    assert set(panel["known_at"]) == {short_event(60)["known_at"][0]}
