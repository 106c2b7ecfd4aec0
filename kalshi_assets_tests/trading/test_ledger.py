import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.trading.ledger import Ledger
from kalshi_assets.trading.orders import Fill
from kalshi_assets.units import CC_A_DOLLAR

FILLS = st.lists(
    st.builds(
        Fill,
        bracket=st.integers(0, 5),
        side=st.sampled_from(["bid", "ask"]),
        price_cc=st.integers(0, 10_000),
        contracts=st.integers(1, 500),
        fee_cc=st.integers(0, 5_000),
    ),
    max_size=40,
)


def gain(fill: Fill, winner: int) -> int:
    """What one contract costs and pays, added up contract by contract."""
    pays = CC_A_DOLLAR if fill.bracket == winner else 0
    each = pays - fill.price_cc if fill.side == "bid" else fill.price_cc - pays
    return each * fill.contracts


@given(FILLS, st.integers(0, 5))
def test_money_is_conserved(fills: list[Fill], winner: int) -> None:
    ledger = Ledger(6)
    for fill in fills:
        ledger.book(fill)
    settled = ledger.settle(winner)
    assert settled == sum(gain(fill, winner) for fill in fills) - ledger.fees_cc
    assert settled == ledger.cash_cc + CC_A_DOLLAR * ledger.positions[winner]
    assert ledger.fees_cc == sum(fill.fee_cc for fill in fills)
    assert settled == ledger.pnl_by_winner()[winner] >= ledger.worst_case_cc()


@given(FILLS, st.integers(0, 5))
def test_two_accounts_that_trade_with_each_other_lose_only_the_fees(
    fills: list[Fill], winner: int
) -> None:
    ours, theirs = Ledger(6), Ledger(6)
    for fill in fills:
        ours.book(fill)
        theirs.book(fill._replace(side="ask" if fill.side == "bid" else "bid"))
    assert ours.settle(winner) + theirs.settle(winner) == -(ours.fees_cc + theirs.fees_cc)


def test_a_winner_outside_the_ladder_is_an_error() -> None:
    with pytest.raises(ValueError, match="winning bracket 6 is not in a ladder of 6"):
        Ledger(6).settle(6)


def test_at_a_fair_price_each_bracket_pays_what_the_exchange_states() -> None:
    ledger = Ledger(6)
    ledger.book(Fill(bracket=3, side="bid", price_cc=5_000, contracts=10, fee_cc=35))
    ledger.book(Fill(bracket=2, side="ask", price_cc=3_000, contracts=4, fee_cc=0))
    assert ledger.settle_at((100, 100, 2_400, 7_200, 100, 100)) == 10 * 2_200 + 4 * 600 - 35


@given(FILLS, st.integers(0, 5))
def test_a_winner_is_a_fair_price_of_one_dollar(fills: list[Fill], winner: int) -> None:
    ledger = Ledger(6)
    for fill in fills:
        ledger.book(fill)
    payoffs = [CC_A_DOLLAR * (bracket == winner) for bracket in range(6)]
    assert ledger.settle_at(payoffs) == ledger.settle(winner)


@pytest.mark.parametrize(
    ("payoffs", "complaint"),
    [((0,) * 5, "5 payoffs for a ladder of 6"), ((0,) * 5 + (10_001,), "not all from 0 to 10000")],
)
def test_a_fair_price_of_another_ladder_or_beyond_a_dollar_is_an_error(
    payoffs: tuple[int, ...], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Ledger(6).settle_at(payoffs)
