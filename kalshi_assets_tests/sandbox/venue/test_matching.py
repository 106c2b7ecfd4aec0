"""Price-time priority against a replayed background, and what it does to the account."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.exchange_errors import WireError
from kalshi_assets.sandbox.venue.background import Print, Quote
from kalshi_assets.sandbox.venue.events import Filled, LevelChanged, OrderChanged, Top, Traded
from kalshi_assets.sandbox.venue.levels import Book
from kalshi_assets.sandbox.world import generate
from kalshi_assets_tests.sandbox.tiny import CHI_BIN, CHI_LOW, CHI_OPEN
from kalshi_assets_tests.sandbox.venue.tools import START, START_US, Trader
from kalshi_assets_tests.shared import ARCHIVE, needs_archive


@pytest.fixture
def trader(tiny_root: Path) -> Trader:
    return Trader(tiny_root)


def _trade(trader: Trader, price: int, contracts: int, taker: str) -> None:
    market = trader.venue.markets[CHI_BIN]
    print_ = Print(trader.venue.now_us, CHI_BIN, "recorded", price, contracts * 100, taker)  # type: ignore[arg-type]
    trader.venue.matching.print(market, print_)


def _quote(trader: Trader, bid: int, ask: int) -> None:
    market = trader.venue.markets[CHI_BIN]
    trader.venue.matching.quote(market, Quote(trader.venue.now_us, CHI_BIN, bid, ask, None))


def _fills(trader: Trader) -> list[tuple[int, int, bool]]:
    return [(e.fill.price_cc, e.fill.size, e.fill.is_taker) for e in trader.seen(Filled)]


def _size(trader: Trader, side, price: int) -> int:
    return trader.venue.book(CHI_BIN).size(side, price)


def test_a_taker_sweeps_levels_from_the_best_price_to_its_limit(trader: Trader) -> None:
    first, second = _size(trader, "ask", 5200), _size(trader, "ask", 5300)
    wanted = first + second + 700
    receipt = trader.create(count=f"{wanted / 100:.2f}", price="0.5300")

    assert _fills(trader) == [(5200, first, True), (5300, second, True)]
    assert receipt.filled == first + second
    assert (receipt.order.status, receipt.order.remaining) == ("resting", 700)
    assert _size(trader, "bid", 5300) == 700
    trader.venue.account.check_conservation()


def test_an_order_rests_behind_what_stands_at_its_price(trader: Trader) -> None:
    ahead = _size(trader, "bid", 3200)
    order = trader.create(price="0.3200", count="4.00").order
    assert trader.entry.queue_position(order.order_id) == ahead
    _trade(trader, 3200, ahead // 100 + 1, "no")

    assert _fills(trader) == [(3200, 100, False)]
    assert order.remaining == 300
    assert trader.entry.queue_position(order.order_id) == 0


def test_background_that_leaves_goes_from_the_back_of_the_queue(trader: Trader) -> None:
    order = trader.create(price="0.3200").order
    ahead = trader.entry.queue_position(order.order_id)
    book = trader.venue.book(CHI_BIN)
    book.rest("bid", 3200, 900, None)
    book.withdraw("bid", 3200, 900)
    assert trader.entry.queue_position(order.order_id) == ahead
    book.withdraw("bid", 3200, 200)
    assert trader.entry.queue_position(order.order_id) == ahead - 200


def test_a_recorded_trade_fills_better_priced_own_orders_first(trader: Trader) -> None:
    worse = trader.create(side="ask", price="0.5000", count="2.00").order
    better = trader.create(side="ask", price="0.4900", count="2.00").order
    _trade(trader, 5200, 3, "yes")

    assert _fills(trader) == [(4900, 200, False), (5000, 100, False)]
    assert (better.status, worse.remaining) == ("executed", 100)
    assert trader.venue.account.positions[CHI_BIN].contracts == -300


def test_a_recorded_trade_is_shown_as_it_was_recorded(trader: Trader) -> None:
    trader.create(side="ask", price="0.4900", count="2.00")
    _trade(trader, 5200, 3, "yes")
    assert [(t.trade_id, t.size, t.price_cc) for t in trader.seen(Traded)] == [
        ("recorded", 300, 5200)
    ]


def test_the_background_keeps_its_best_level_after_a_trade_that_empties_it(
    trader: Trader,
) -> None:
    _trade(trader, 5200, 100_000, "yes")
    assert _size(trader, "ask", 5200) == 100
    assert trader.seen(Top)[-1].ask_cc == 5200


def test_background_that_refills_its_level_meets_an_own_order_that_took_it(
    trader: Trader,
) -> None:
    order = trader.create(price="0.5300", count="900.00").order
    _trade(trader, 5200, 5, "yes")
    assert _fills(trader)[-1] == (5300, 100, False)
    assert order.status == "resting"
    top = trader.seen(Top)[-1]
    assert (top.bid_cc, top.ask_cc) == (5300, 5400)


def test_two_seconds_after_a_recorded_trade_the_background_has_its_sizes_again(
    tiny_root: Path,
) -> None:
    # The first quotes come with minute 1, the trades 0.6 s after minutes 1 and 2.
    trader = Trader(tiny_root, start=CHI_OPEN + timedelta(minutes=1, seconds=0.5))
    market = trader.venue.markets[CHI_BIN]
    full = trader.venue.book(CHI_BIN).depth("ask")
    market.book.withdraw("ask", full[0][0], full[0][1])
    trader.run(seconds=2.0)
    assert trader.venue.book(CHI_BIN).depth("ask") == full[1:]
    trader.run(seconds=1.0)
    assert trader.venue.book(CHI_BIN).depth("ask") == full


def test_a_quote_that_reaches_an_own_order_fills_it_at_its_price(trader: Trader) -> None:
    order = trader.create(price="0.4000", count="3.00").order
    _quote(trader, 3000, 3900)

    assert _fills(trader)[0][:2] == (4000, 300)
    assert order.status == "executed"
    assert order.maker_fees == 0
    assert trader.seen(Traded)[0].trade_id == trader.seen(Filled)[0].fill.trade_id
    assert trader.venue.book(CHI_BIN).best("ask") == 3900


def test_a_quote_fills_no_more_than_arrives(trader: Trader) -> None:
    order = trader.create(price="0.4000", count="1000.00").order
    _quote(trader, 3000, 3900)
    book = trader.venue.book(CHI_BIN)
    assert 0 < order.remaining < 100_000
    bid, ask = book.best("bid"), book.best("ask")
    assert bid == 4000
    assert ask is not None
    assert ask > bid


def test_the_book_is_never_crossed_between_two_published_changes(trader: Trader) -> None:
    trader.create(price="0.4000", count="1000.00")
    trader.create(side="ask", price="0.4500", count="5.00")
    trader.events.clear()
    book = Book()
    for side in ("bid", "ask"):
        for price, size in trader.venue.book(CHI_BIN).depth(side):
            book.rest(side, price, size, None)
    trader.run(minutes=90)
    changes = [e for e in trader.seen(LevelChanged) if e.ticker == CHI_BIN]
    for change in changes:
        if change.by > 0:
            book.rest(change.side, change.price_cc, change.by, None)
        else:
            book.withdraw(change.side, change.price_cc, -change.by)
        bid, ask = book.best("bid"), book.best("ask")
        assert bid is None or ask is None or bid < ask
    assert len(changes) > 100
    for side in ("bid", "ask"):
        assert book.depth(side) == trader.venue.book(CHI_BIN).depth(side)


def test_self_trade_at_the_cross_cancels_the_taker_and_keeps_its_fills(trader: Trader) -> None:
    trader.create(side="ask", price="0.5300", count="1.00")
    at_best = _size(trader, "ask", 5200)
    behind = _size(trader, "ask", 5300) - 100
    receipt = trader.create(price="0.5300", count="500.00")

    assert receipt.filled == at_best + behind
    assert (receipt.order.status, receipt.order.remaining) == ("canceled", 0)
    assert receipt.order.reason == "SelfTradeCancel"


def test_self_trade_prevention_maker_cancels_what_rests_and_goes_on(trader: Trader) -> None:
    own = trader.create(side="ask", price="0.5000", count="1.00").order
    receipt = trader.create(price="0.5200", count="2.00", self_trade_prevention_type="maker")
    assert (own.status, own.reason) == ("canceled", "SelfTradeCancel")
    assert _fills(trader) == [(5200, 200, True)]
    assert receipt.order.status == "executed"


def test_what_an_immediate_order_cannot_take_is_cancelled(trader: Trader) -> None:
    at_best = _size(trader, "ask", 5200)
    receipt = trader.create(price="0.5200", count="900.00", time_in_force="immediate_or_cancel")
    assert receipt.filled == at_best
    assert (receipt.order.status, receipt.order.remaining) == ("canceled", 0)


def test_fill_or_kill_takes_everything_or_nothing(trader: Trader) -> None:
    at_best = _size(trader, "ask", 5200) / 100
    with pytest.raises(WireError, match="fill_or_kill_insufficient_resting_volume") as refused:
        trader.create(price="0.5200", count=f"{at_best + 1:.2f}", time_in_force="fill_or_kill")
    assert refused.value.status == 409
    receipt = trader.create(price="0.5200", count=f"{at_best:.2f}", time_in_force="fill_or_kill")
    assert receipt.order.status == "executed"
    assert len(trader.venue.orders) == 1


def test_an_order_expires_at_its_second(trader: Trader) -> None:
    order = trader.create(expiration_time=START_US // 1_000_000 + 5).order
    trader.run(seconds=4.9)
    assert order.status == "resting"
    trader.run(seconds=0.1)
    assert (order.status, order.reason) == ("canceled", "ExpiryCancel")


def test_orders_of_a_market_without_quotes_rest(trader: Trader) -> None:
    order = trader.create(ticker=CHI_LOW).order
    assert trader.entry.queue_position(order.order_id) == 0
    assert trader.venue.book(CHI_LOW).depth("ask") == []


def test_orders_are_published_with_every_new_state(trader: Trader) -> None:
    order = trader.create(price="0.5200", count="1.00").order
    states = [e.order.status for e in trader.seen(OrderChanged)]
    assert order.status == "executed"
    assert len(states) == 2


def test_a_generated_day_has_a_book_with_depth_that_own_orders_meet(tmp_path: Path) -> None:
    day = date(2026, 6, 1)
    generate(tmp_path / "world", cities=["chicago"], start=day, end=day, seed=3)
    trader = Trader(tmp_path / "world", start=datetime(2026, 6, 1, 12, tzinfo=UTC))
    quoted = [t for t in trader.venue.markets if trader.venue.book(t).best("bid")]
    for ticker in quoted:
        book = trader.venue.book(ticker)
        bid = book.best("bid")
        assert bid is not None
        trader.create(ticker=ticker, price=f"{bid / 10_000:.2f}", count="20.00")
    trader.run(hours=30)
    trader.venue.account.check_conservation()

    assert len(quoted) >= 3
    assert [f.is_taker for f in trader.venue.fills].count(False) >= 3
    assert trader.venue.matching.resting() == []
    assert len(trader.venue.account.settlements) >= 1


@needs_archive
def test_a_recorded_day_is_replayed_without_a_crossed_book() -> None:
    trader = Trader(ARCHIVE, start=datetime(2025, 5, 4, 13, tzinfo=UTC))
    trader.run(hours=41)
    tops, trades = trader.seen(Top), trader.seen(Traded)
    own = Archive(ARCHIVE).trades("KXHIGHCHI-25MAY05")
    day = [t for t in trades if t.ticker.startswith("KXHIGHCHI-25MAY05")]

    assert not [t for t in tops if t.bid_cc and t.ask_cc and t.bid_cc >= t.ask_cc]
    assert [t.trade_id for t in day] == own.sort("created_us", "trade_id")["trade_id"].to_list()
    assert len(tops) > 4_000


def _cash_by_fills(trader: Trader) -> int:
    """Cash by another formula: a short contract is a sale of YES that leaves a dollar behind."""
    cash, contracts = trader.venue.account.initial, 0
    for fill in trader.venue.fills:
        sign = 1 if fill.side == "bid" else -1
        cash -= sign * fill.price_cc * fill.size + fill.fee
        contracts += sign * fill.size
    return cash - max(-contracts, 0) * 10_000


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["bid", "ask"]),
            st.integers(25, 60),
            st.integers(1, 90_000),
            st.sampled_from(["good_till_canceled", "immediate_or_cancel"]),
            st.sampled_from(["taker_at_cross", "maker"]),
            st.integers(0, 200),
        ),
        max_size=12,
    )
)
def test_money_is_conserved_whatever_is_ordered(
    tiny_root: Path, steps: list[tuple[str, int, int, str, str, int]]
) -> None:
    trader = Trader(tiny_root, start=START, dollars=5_000)
    refused: list[str] = []
    for side, cents, size, time_in_force, prevention, seconds in steps:
        try:
            trader.create(
                side=side,
                price=f"0.{cents:02d}",
                count=f"{size / 100:.2f}",
                time_in_force=time_in_force,
                self_trade_prevention_type=prevention,
            )
        except WireError as error:
            refused.append(str(error))
        trader.run(seconds=seconds)
        account = trader.venue.account
        account.check_conservation()
        assert account.cash % 100 == 0
        assert account.cash == _cash_by_fills(trader)
        assert account.cash >= account.locked(trader.venue.matching.resting()) - 100 * 100
    tops = [t for t in trader.seen(Top) if t.bid_cc is not None and t.ask_cc is not None]
    assert all(t.bid_cc < t.ask_cc for t in tops)
    assert all("insufficient_balance" in text for text in refused)
    for order in trader.venue.orders.values():
        assert order.filled + order.remaining <= order.initial
        assert (order.status == "resting") == (order.remaining > 0)
