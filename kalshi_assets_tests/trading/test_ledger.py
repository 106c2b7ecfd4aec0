import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalshi_assets.trading.ledger import Ledger
from kalshi_assets.trading.orders import PAYOFF_CC, Fill

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
    pays = PAYOFF_CC if fill.bracket == winner else 0
    each = pays - fill.price_cc if fill.side == "bid" else fill.price_cc - pays
    return each * fill.contracts


@given(FILLS, st.integers(0, 5))
def test_money_is_conserved(fills: list[Fill], winner: int) -> None:
    ledger = Ledger(6)
    for fill in fills:
        ledger.book(fill)
    settled = ledger.settle(winner)
    assert settled == sum(gain(fill, winner) for fill in fills) - ledger.fees_cc
    assert settled == ledger.cash_cc + PAYOFF_CC * ledger.positions[winner]
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
