from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kalshi_assets.exchange.fees import fee_cc
from kalshi_assets.families.temperature.trading import REASONS
from kalshi_assets.trading.engine import DayResult, run_day
from kalshi_assets.trading.ledger import Ledger
from kalshi_assets.trading.policy import Desk, minute_signals, step
from kalshi_assets.trading.records import Outcome
from kalshi_assets.trading.signal import signals
from kalshi_assets.trading.terms import EventTerms
from kalshi_assets_tests.trading.panels import column, minute, panel, params, random_panel

TERMS = EventTerms(fee_type="quadratic", fee_multiplier=1.0)
FIRST_WINS = Outcome(settled_by="exchange", value=79, winning_bracket=0)
LAST_WINS = Outcome(settled_by="exchange", value=90, winning_bracket=5)
MAKES, TAKES = 0.515, 0.60


def run(frame: pl.DataFrame, outcome: Outcome | None = FIRST_WINS, **changes: Any) -> DayResult:
    return run_day(frame, terms=TERMS, params=params(**changes), outcome=outcome)


def orders(result: DayResult, model: str = "conservative") -> list[dict[str, Any]]:
    return result.fills.filter(fill_model=model).sort("order_id").to_dicts()


def one_opinion(fused: float, at: dict[int, dict[str, Any]], minutes: int = 12) -> pl.DataFrame:
    """A panel where bracket 0 is worth an order at minute 0 only; `at` bends it by minute."""
    names = {name for change in at.values() for name in change}
    plain = {"volume_1m": 0.0, "low_1m": np.nan, "high_1m": np.nan, "bid": 0.48, "ask": 0.50}
    plain |= {"hazard_next_5m": 0.0, "quote_source": "recorded", "dead": False}
    bent = {
        name: column(minutes, plain[name], {k: v[name] for k, v in at.items() if name in v})
        for name in names
    }
    return panel(minutes, p_calibrated=column(minutes, 0.49, {0: fused}), **bent)


TRADE_THROUGH = {"low_1m": 0.46, "high_1m": 0.49, "volume_1m": 60.0}
TRADE_AT = {"low_1m": 0.48, "high_1m": 0.49, "volume_1m": 60.0}


def test_a_maker_order_fills_when_a_later_minute_trades_through_it() -> None:
    result = run(one_opinion(MAKES, {3: TRADE_THROUGH}))
    (order,) = orders(result)
    assert order["price_cc"] == 4800
    assert (order["placed_at"], order["event_time"]) == (minute(1), minute(6))
    assert (order["filled"], order["outcome"], order["fee_cc"]) == (6, "partial", 0)
    assert order["pnl_cc"] == 6 * (10_000 - 4800)
    assert order["mark_out_5m_cc"] == pytest.approx(100.0)


@pytest.mark.parametrize("early", [0, 1, 2])
def test_nothing_fills_in_or_before_the_minute_of_placement(early: int) -> None:
    (order,) = orders(run(one_opinion(MAKES, {early: TRADE_THROUGH})), "touch")
    assert (order["filled"], order["outcome"]) == (0, "cancelled")


def test_a_touch_fills_only_the_touch_model() -> None:
    result = run(one_opinion(MAKES, {3: TRADE_AT}))
    assert [order["filled"] for order in orders(result)] == [0]
    assert [order["filled"] for order in orders(result, "touch")] == [10]


def test_an_order_lives_its_lifetime_and_no_longer() -> None:
    last, after = {6: TRADE_THROUGH}, {7: TRADE_THROUGH}
    assert orders(run(one_opinion(MAKES, last)))[0]["filled"] == 6
    (order,) = orders(run(one_opinion(MAKES, after)))
    assert (order["filled"], order["event_time"]) == (0, minute(6))


def test_a_closing_hazard_gate_cancels_but_the_cancel_takes_its_latency() -> None:
    hazard = {2: {"hazard_next_5m": 0.5}}
    (order,) = orders(run(one_opinion(MAKES, hazard | {4: TRADE_THROUGH})))
    assert (order["filled"], order["outcome"], order["event_time"]) == (0, "cancelled", minute(3))
    (order,) = orders(run(one_opinion(MAKES, hazard | {3: TRADE_THROUGH})))
    assert (order["filled"], order["event_time"]) == (6, minute(3))


def test_a_bracket_that_dies_pulls_its_order() -> None:
    (order,) = orders(run(one_opinion(MAKES, {2: {"dead": True}, 5: TRADE_THROUGH})))
    assert (order["filled"], order["event_time"]) == (0, minute(3))


def test_a_post_only_order_that_arrives_in_a_moved_market_is_refused() -> None:
    moved = {2: {"bid": 0.46, "ask": 0.48}, 3: TRADE_THROUGH}
    (order,) = orders(run(one_opinion(MAKES, moved)), "touch")
    assert (order["filled"], order["event_time"]) == (0, minute(2))


def test_a_taker_order_pays_the_later_minutes_quote_and_the_exact_fee() -> None:
    result = run(one_opinion(TAKES, {2: {"bid": 0.49, "ask": 0.51, "volume_1m": 70.0}}))
    (order,) = orders(result)
    assert (order["execution"], order["price_cc"], order["filled"]) == ("taker", 5100, 7)
    assert (order["placed_at"], order["event_time"]) == (minute(1), minute(2))
    assert order["outcome"] == "partial"
    # ceil(0.07 x 7 x 0.51 x 0.49 dollars, 1e-4) = 0.1225
    assert order["fee_cc"] == fee_cc(5100, 7, "quadratic", 1.0, "taker") == 1225
    assert order["pnl_cc"] == 7 * 4900 - 1225


def test_a_taker_order_fills_nothing_beyond_its_limit_or_on_an_inferred_quote() -> None:
    for change in ({"bid": 0.50, "ask": 0.52}, {"quote_source": "inferred"}):
        (order,) = orders(run(one_opinion(TAKES, {2: {"volume_1m": 70.0, **change}})))
        assert (order["filled"], order["event_time"]) == (0, minute(2))


def test_a_maker_order_that_fills_in_pieces_pays_the_fee_of_one_order() -> None:
    terms = EventTerms(fee_type="quadratic_with_maker_fees", fee_multiplier=1.0)
    thin = {"low_1m": 0.46, "high_1m": 0.49, "volume_1m": 10.0}
    frame = one_opinion(MAKES, dict.fromkeys(range(2, 7), thin))
    result = run_day(frame, terms=terms, params=params(), outcome=FIRST_WINS)
    order = result.fills.row(0, named=True)
    assert order["filled"] == 4
    assert order["fee_cc"] == fee_cc(4800, 4, "quadratic_with_maker_fees", 1.0, "maker")
    assert order["pnl_cc"] == 4 * 5200 - order["fee_cc"]


def test_positions_stop_at_the_limit_and_every_refusal_says_why() -> None:
    frame = panel(
        60,
        p_calibrated=column(60, 0.49, dict.fromkeys(range(60), MAKES)),
        **{
            name: column(60, np.nan, dict.fromkeys(range(60), value))
            for name, value in (("low_1m", 0.46), ("high_1m", 0.49))
        },
        volume_1m=column(60, 0.0, dict.fromkeys(range(60), 1000.0)),
    )
    result = run(frame, max_position_contracts=25)
    first = result.decisions.filter(bracket=0).sort("minute")
    assert first["position"].max() == 25
    assert first.filter(reason="trade")["contracts"].to_list() == [10, 10, 5]
    assert set(first["reason"]) == {"trade", "order_working", "position_limit"}
    assert first.filter(pl.col("reason") == "position_limit")["execution"].null_count() > 0
    assert result.daily_pnl["contracts"].to_list() == [25, 25]


def test_the_loss_limit_stops_the_day_and_then_lets_it_only_reduce() -> None:
    fused = {number: MAKES if number < 30 else 0.465 for number in range(60)}
    trades = {"low_1m": 0.46, "high_1m": 0.52}
    frame = panel(
        60,
        p_calibrated=column(60, 0.49, fused),
        **{name: column(60, np.nan, dict.fromkeys(range(60), v)) for name, v in trades.items()},
        volume_1m=column(60, 0.0, dict.fromkeys(range(60), 1000.0)),
    )
    result = run(frame, LAST_WINS, max_daily_loss_cc=4 * 4800)
    first = result.decisions.filter(bracket=0).sort("minute")
    before, after = first.filter(pl.col("minute") < minute(30)), first[30:]
    assert before["position"].max() == 4
    assert "loss_limit" in before["reason"].to_list()
    reducing = after.filter(reason="trade").row(0, named=True)
    assert (reducing["side"], reducing["position"]) == ("ask", 4)
    assert result.daily_pnl.filter(fill_model="conservative")["worst_case_cc"].item() >= -4 * 4800


def test_no_edge_means_no_orders_and_no_money() -> None:
    result = run(random_panel(3).with_columns(p_calibrated=pl.col("p_mkt")))
    assert result.fills.is_empty()
    assert "trade" not in result.decisions["reason"].to_list()
    assert result.daily_pnl.select("orders", "fees_cc", "net_cc", "worst_case_cc").rows() == [
        (0, 0, 0, 0),
        (0, 0, 0, 0),
    ]


def test_an_unsettled_day_has_no_gains_but_all_the_rest() -> None:
    result = run(one_opinion(MAKES, {3: TRADE_THROUGH}), None)
    assert result.fills["pnl_cc"].null_count() == result.fills.height
    assert result.daily_pnl["settled_by"].unique().to_list() == ["unsettled"]
    assert result.daily_pnl.select("gross_cc", "net_cc", "winning_bracket").null_count().row(0) == (
        2,
        2,
        2,
    )
    assert result.daily_pnl["worst_case_cc"].to_list() == [-6 * 4800, -10 * 4800]


FAIR = (100, 100, 2_400, 7_200, 100, 100)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_a_day_at_a_fair_price_is_paid_at_the_stated_values(seed: int) -> None:
    outcome = Outcome(settled_by="exchange", value=None, winning_bracket=None, payoffs_cc=FAIR)
    panel = random_panel(seed)
    result = run(panel, outcome)
    bracket_of = dict(panel.select("market_ticker", "bracket").unique().iter_rows())
    for fill in result.fills.iter_rows(named=True):
        sign = 1 if fill["side"] == "bid" else -1
        each = FAIR[bracket_of[fill["market_ticker"]]] - fill["price_cc"]
        assert fill["pnl_cc"] == sign * fill["filled"] * each - fill["fee_cc"]
    for day in result.daily_pnl.iter_rows(named=True):
        own = result.fills.filter(fill_model=day["fill_model"])
        assert day["net_cc"] == own["pnl_cc"].sum()
        assert (day["settled_by"], day["winning_bracket"]) == ("exchange", None)


def test_an_outcome_has_either_a_winner_or_a_fair_price() -> None:
    for winner, paid in ((None, None), (0, FAIR)):
        with pytest.raises(ValueError, match="either one bracket pays or all pay a fair price"):
            Outcome(settled_by="exchange", value=None, winning_bracket=winner, payoffs_cc=paid)


def test_every_reason_that_needs_state_is_reached_on_random_days() -> None:
    said: Counter[str] = Counter()
    for seed in range(6):
        result = run(random_panel(seed), max_position_contracts=12, max_daily_loss_cc=100_000)
        said.update(result.decisions["reason"].to_list())
    assert {"trade", "order_working", "position_limit", "loss_limit", "too_late", "hazard"} <= set(
        said
    )
    assert set(said) <= set(REASONS)


@given(seed=st.integers(0, 10_000), winner=st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_orders_ledger_and_day_tell_the_same_money(seed: int, winner: int) -> None:
    outcome = Outcome(settled_by="exchange", value=None, winning_bracket=winner)
    result = run(random_panel(seed), outcome)
    for day in result.daily_pnl.iter_rows(named=True):
        own = result.fills.filter(fill_model=day["fill_model"])
        assert day["orders"] == own.height
        assert day["contracts"] == own["filled"].sum()
        assert day["fees_cc"] == own["fee_cc"].sum()
        assert day["net_cc"] == own["pnl_cc"].sum() == day["gross_cc"] - day["fees_cc"]
        assert day["worst_case_cc"] <= day["net_cc"]
        assert day["maker_fills"] + day["taker_fills"] == own.filter(pl.col("filled") > 0).height
    decided = result.decisions.filter(reason="trade")
    sent = result.fills.filter(fill_model="conservative")
    assert (decided.height, decided["contracts"].sum()) == (sent.height, sent["contracts"].sum())


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_positions_and_loss_never_leave_their_limits(seed: int) -> None:
    result = run(random_panel(seed), max_position_contracts=15, max_daily_loss_cc=150_000)
    assert result.decisions["position"].abs().max() <= 15
    assert result.daily_pnl["worst_case_cc"].min() >= -150_000


def test_for_the_same_orders_touch_fills_at_least_what_conservative_fills() -> None:
    # Orders so far apart that neither model's fills change what is sent next.
    sends = range(0, 120, 8)
    frame = random_panel(11)
    frame = frame.with_columns(p_mkt=(pl.col("bid_cc") + pl.col("ask_cc")) / 20_000)
    decides = ((pl.col("minute") - minute(0)).dt.total_minutes() % 8) == 0
    frame = frame.with_columns(
        quote_source=pl.lit("recorded"),
        p_calibrated=pl.when(decides).then("p_calibrated").otherwise("p_mkt"),
        veto=pl.lit(""),
    )
    result = run(frame, max_position_contracts=10**6, max_daily_loss_cc=10**9)
    keys = ["order_id", "market_ticker", "side", "execution", "placed_at", "contracts"]
    both = result.fills.filter(fill_model="conservative").join(
        result.fills.filter(fill_model="touch"), on=keys, suffix="_touch"
    )
    assert both.height == len(orders(result)) == len(orders(result, "touch")) > len(sends)
    assert (both["filled_touch"] >= both["filled"]).all()
    assert both["filled_touch"].sum() > both["filled"].sum() > 0


@pytest.mark.parametrize("cut", [1, 17, 60, 103])
def test_decisions_up_to_a_minute_know_nothing_later(cut: int) -> None:
    frame = random_panel(5)
    until = pl.col("minute") <= minute(cut)
    whole = run(frame).decisions.filter(until)
    assert_frame_equal(run(frame.filter(until), None).decisions, whole, check_exact=True)
    other = random_panel(6).filter(~until)
    swapped = run(pl.concat([frame.filter(until), other]), LAST_WINS).decisions.filter(until)
    assert_frame_equal(swapped, whole, check_exact=True)


def test_the_order_of_the_panels_rows_does_not_matter() -> None:
    frame = random_panel(9)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=1)
    for ours, theirs in zip(vars(run(frame)).values(), vars(run(shuffled)).values(), strict=True):
        assert_frame_equal(ours, theirs, check_exact=True)


def test_a_session_that_steps_minute_by_minute_sends_the_backtests_first_orders() -> None:
    frame, rules = random_panel(2), params()
    desk = Desk(ledger=Ledger(6))
    for number in range(120):
        rows = signals(frame.filter(minute=minute(number)), rules, TERMS.fee)
        (now,) = minute_signals(rows)
        done = step(desk, now, rules, TERMS.fee)
        if done.orders:
            break
    first = run(frame).decisions.filter(reason="trade").sort("minute", "bracket")
    first = first.filter(minute=first["minute"][0])
    assert [
        (order.bracket, order.side, order.execution, order.price_cc, order.contracts)
        for order in done.orders
    ] == first.select("bracket", "side", "execution", "price_cc", "contracts").rows()


def test_a_session_and_the_backtest_give_the_step_the_same_minutes() -> None:
    frame, rules = random_panel(4, minutes=40), params()
    one_by_one = [
        now
        for number in range(40)
        for now in minute_signals(signals(frame.filter(minute=minute(number)), rules, TERMS.fee))
    ]
    assert one_by_one == minute_signals(signals(frame, rules, TERMS.fee))


def test_a_panel_with_a_missing_bracket_is_an_error() -> None:
    with pytest.raises(ValueError, match="one event with brackets 0, 1"):
        run(panel(3).filter(pl.col("bracket") != 2))


def test_an_unknown_fill_model_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"\['magic'\].*conservative, touch"):
        run_day(panel(3), terms=TERMS, params=params(), fill_models=["conservative", "magic"])
