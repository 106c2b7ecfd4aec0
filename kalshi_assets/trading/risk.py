"""Limits: how many contracts of a wanted order may be sent.

Here: the position limit of a bracket and the day's loss limit over winners. Not here: whether an
order is worth sending (signal), or sizing by expected growth.
"""

from collections.abc import Iterable

from kalshi_assets.trading.ledger import Ledger
from kalshi_assets.trading.orders import PAYOFF_CC, Candidate, FeeOf, WorkingOrder, sign_of
from kalshi_assets.trading.params import TradingParams


def allowed_contracts(
    candidate: Candidate,
    ledger: Ledger,
    working: Iterable[WorkingOrder],
    params: TradingParams,
    fee: FeeOf,
) -> tuple[int, str]:
    """How many contracts of `candidate` the limits allow.

    An order that takes a position towards zero is always allowed up to zero. Otherwise no fill of
    it, nor of any of the `working` orders, may leave a winner under which the day loses more than
    the limit; once that is reached, only reducing is allowed.

    Returns
    -------
    tuple
        Contracts, and ``trade``; or 0 and the limit that said no.
    """
    sign = sign_of(candidate.side)
    held = sign * ledger.positions[candidate.bracket]
    wanted = min(params.order_contracts, params.max_position_contracts - held)
    if wanted <= 0:
        return 0, "position_limit"
    reducing = min(wanted, max(0, -held))
    if reducing < wanted:
        wanted = max(reducing, min(wanted, _affordable(candidate, ledger, working, params, fee)))
    return (wanted, "trade") if wanted > 0 else (0, "loss_limit")


def exposed_pnl(ledger: Ledger, working: Iterable[WorkingOrder], fee: FeeOf) -> list[int]:
    """Gain after fees per winner, cc, had exactly those working orders filled that hurt it."""
    pnl = ledger.pnl_by_winner()
    for each in working:
        order = each.order
        contracts = each.remaining
        sign = sign_of(order.side)
        # A maker's remaining fee is bounded by the fee of its remaining contracts.
        cost = sign * contracts * order.price_cc + fee(order.price_cc, contracts, order.execution)
        pays = sign * contracts * PAYOFF_CC - cost
        for winner in range(len(pnl)):
            gain = pays if winner == order.bracket else -cost
            if gain < 0:
                pnl[winner] += gain
    return pnl


def _affordable(
    candidate: Candidate,
    ledger: Ledger,
    working: Iterable[WorkingOrder],
    params: TradingParams,
    fee: FeeOf,
) -> int:
    sign = sign_of(candidate.side)
    cost = sign * candidate.price_cc + fee(candidate.price_cc, 1, candidate.execution)
    contracts = params.order_contracts
    for winner, pnl in enumerate(exposed_pnl(ledger, working, fee)):
        loss = cost - (sign * PAYOFF_CC if winner == candidate.bracket else 0)
        if loss > 0:
            contracts = min(contracts, max(0, pnl + params.max_daily_loss_cc) // loss)
    return contracts
