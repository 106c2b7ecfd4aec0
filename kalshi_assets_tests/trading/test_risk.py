from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from kalshi_assets.trading.ledger import Ledger
from kalshi_assets.trading.orders import Candidate, Fill, Order, WorkingOrder
from kalshi_assets.trading.risk import allowed_contracts, exposed_pnl
from kalshi_assets.trading.terms import EventTerms
from kalshi_assets_tests.trading.panels import params

TERMS = EventTerms(fee_type="quadratic", fee_multiplier=1.0)
CENTS = st.integers(1, 99).map(lambda cents: cents * 100)
SIDES = st.sampled_from(["bid", "ask"])


def ledger(*fills: tuple[int, str, int, int]) -> Ledger:
    book = Ledger(3)
    for bracket, side, price_cc, contracts in fills:
        book.book(
            Fill(bracket=bracket, side=side, price_cc=price_cc, contracts=contracts, fee_cc=0)
        )
    return book


def working(bracket: int, side: str, price_cc: int, contracts: int) -> WorkingOrder:
    order = Order(
        order_id=bracket,
        bracket=bracket,
        side=side,
        execution="maker",
        price_cc=price_cc,
        contracts=contracts,
        decided_at=0,
        placed_at=1,
        expires_at=6,
    )
    return WorkingOrder(order=order, dies_at=6)


def wants(bracket: int, side: str, price_cc: int = 5000, execution: str = "maker") -> Candidate:
    return Candidate(bracket=bracket, side=side, execution=execution, price_cc=price_cc)


def allowed(candidate: Candidate, book: Ledger, *orders: WorkingOrder, **changes: int):
    return allowed_contracts(candidate, book, orders, params(**changes), TERMS.fee)


def test_an_order_is_cut_to_the_room_left_in_its_bracket() -> None:
    assert allowed(wants(0, "bid"), ledger(), max_position_contracts=50) == (10, "trade")
    held = ledger((0, "bid", 5000, 44))
    assert allowed(wants(0, "bid"), held, max_position_contracts=50) == (6, "trade")
    full = ledger((0, "bid", 5000, 50))
    assert allowed(wants(0, "bid"), full, max_position_contracts=50) == (0, "position_limit")
    assert allowed(wants(0, "ask"), full, max_position_contracts=50) == (10, "trade")
    short = ledger((0, "ask", 5000, 50))
    assert allowed(wants(0, "ask"), short, max_position_contracts=50) == (0, "position_limit")


def test_an_order_is_cut_to_what_the_worst_winner_may_still_lose() -> None:
    assert allowed(wants(0, "bid"), ledger(), max_daily_loss_cc=20_000) == (4, "trade")
    assert allowed(wants(0, "bid"), ledger(), max_daily_loss_cc=4_999) == (0, "loss_limit")
    assert allowed(wants(0, "ask", 2000), ledger(), max_daily_loss_cc=20_000) == (2, "trade")


def test_once_the_loss_limit_is_reached_only_reducing_is_allowed() -> None:
    held = ledger((0, "bid", 5000, 4))
    assert allowed(wants(0, "bid"), held, max_daily_loss_cc=20_000) == (0, "loss_limit")
    assert allowed(wants(1, "bid"), held, max_daily_loss_cc=20_000) == (0, "loss_limit")
    assert allowed(wants(0, "ask", 3000), held, max_daily_loss_cc=20_000) == (5, "trade")


def test_closing_a_position_is_refused_where_it_deepens_the_worst_case() -> None:
    short = ledger((0, "ask", 3000, 2), (1, "ask", 3000, 2))
    assert short.worst_case_cc() == -8_000
    assert allowed(wants(1, "bid", 6000), short, max_daily_loss_cc=8_000) == (0, "loss_limit")


def test_resting_orders_count_against_the_loss_limit() -> None:
    resting = working(1, "bid", 5000, 3)
    assert allowed(wants(0, "bid"), ledger(), resting, max_daily_loss_cc=20_000) == (1, "trade")


@given(
    held=st.lists(st.tuples(st.integers(0, 2), SIDES, CENTS, st.integers(1, 30)), max_size=6),
    orders=st.lists(st.tuples(SIDES, CENTS, st.integers(1, 30)), max_size=3),
)
@settings(deadline=None)
def test_exposure_is_the_worst_over_every_subset_of_working_orders(
    held: list[tuple[int, str, int, int]], orders: list[tuple[str, int, int]]
) -> None:
    book = ledger(*held)
    resting = [working(bracket, *order) for bracket, order in enumerate(orders)]
    worst = [
        min(
            ledger(
                *held,
                *(
                    (each.order.bracket, each.order.side, each.order.price_cc, each.remaining)
                    for each, fills in zip(resting, subset, strict=True)
                    if fills
                ),
            ).pnl_by_winner()[winner]
            for subset in product([False, True], repeat=len(resting))
        )
        for winner in range(3)
    ]
    assert exposed_pnl(book, resting, TERMS.fee) == worst


@given(
    held=st.lists(st.tuples(st.integers(0, 2), SIDES, CENTS, st.integers(1, 5)), max_size=4),
    bracket=st.integers(0, 2),
    side=SIDES,
    price=CENTS,
    execution=st.sampled_from(["maker", "taker"]),
    share=st.floats(0, 1),
)
@settings(deadline=None)
def test_no_fill_of_an_allowed_order_breaks_the_loss_limit_or_deepens_a_broken_one(
    held: list[tuple[int, str, int, int]],
    bracket: int,
    side: str,
    price: int,
    execution: str,
    share: float,
) -> None:
    book = ledger(*held)
    before = book.worst_case_cc()
    contracts, _ = allowed(wants(bracket, side, price, execution), book, max_daily_loss_cc=40_000)
    filled = round(share * contracts)
    fee = TERMS.fee(price, filled, execution)
    book.book(Fill(bracket=bracket, side=side, price_cc=price, contracts=filled, fee_cc=fee))
    assert book.worst_case_cc() >= min(before, -40_000)
