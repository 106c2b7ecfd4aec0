"""Limits: how many contracts of a wanted order may be sent.

Here: the position limit of a bracket and the day's loss limit over outcomes. Not here: whether an
order is worth sending (signal), or sizing by expected growth.
"""

from collections.abc import Iterable

from kalshi_assets.trading.ledger import Ledger
from kalshi_assets.trading.orders import Candidate, FeeOf, Order, WorkingOrder, sign_of
from kalshi_assets.trading.params import TradingParams
from kalshi_assets.units import CC_A_DOLLAR


def allowed_contracts(
    candidate: Candidate,
    ledger: Ledger,
    working: Iterable[WorkingOrder],
    params: TradingParams,
    fee: FeeOf,
) -> tuple[int, str]:
    """Number of contracts of `candidate` that the limits allow.

    No fill of it, in whole or part, together with any fills of the `working` orders, may leave an
    outcome under which the day loses more than the limit. So where some outcome loses that much
    already, only orders that gain under it pass: those that reduce the worst case. (Closing a
    position is not the test: buying back one of two short brackets deepens the loss of the other.)

    Parameters
    ----------
    candidate
        The wanted order.
    ledger, working
        Positions and working orders of the account.
    params
        Limits.
    fee
        The exchange's.

    Returns
    -------
    tuple
        Contracts, and ``trade``; or 0 and the limit that was reached.
    """
    held = sign_of(candidate.side) * ledger.positions[candidate.bracket]
    wanted = min(params.order_contracts, params.max_position_contracts - held)
    if wanted <= 0:
        return 0, "position_limit"
    contracts = min(wanted, _affordable(candidate, ledger, working, params, fee))
    return (contracts, "trade") if contracts > 0 else (0, "loss_limit")


def exposed_pnl(ledger: Ledger, working: Iterable[WorkingOrder], fee: FeeOf) -> list[int]:
    """Gain after fees per atom, cc, if exactly the working orders that hurt it filled.

    Parameters
    ----------
    ledger, working, fee
        As in `allowed_contracts`.
    """
    pnl = ledger.pnl_by_winner()
    hurt = 0
    for each in working:
        order = each.order
        lost, won = _gain_a_contract(order, fee)
        elsewhere = min(0, lost) * each.remaining
        hurt += elsewhere
        for atom in range(*ledger.pays[order.bracket]):
            pnl[atom] += min(0, won) * each.remaining - elsewhere
    return [gain + hurt for gain in pnl]


def _gain_a_contract(order: Order | Candidate, fee: FeeOf) -> tuple[int, int]:
    """Gain of a contract, cc, when its bracket does not pay and when it does.

    The fee is that of a contract filled alone, the most that it can be.
    """
    sign = sign_of(order.side)
    lost = -sign * order.price_cc - fee(order.price_cc, 1, order.execution)
    return lost, lost + sign * CC_A_DOLLAR


def _affordable(
    candidate: Candidate,
    ledger: Ledger,
    working: Iterable[WorkingOrder],
    params: TradingParams,
    fee: FeeOf,
) -> int:
    lost, won = _gain_a_contract(candidate, fee)
    contracts = params.order_contracts
    first, end = ledger.pays[candidate.bracket]
    for atom, pnl in enumerate(exposed_pnl(ledger, working, fee)):
        gain = won if first <= atom < end else lost
        if gain < 0:
            contracts = min(contracts, max(0, pnl + params.max_daily_loss_cc) // -gain)
    return contracts
