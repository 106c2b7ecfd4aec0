"""The gate before every order: limits checked again, independently of the engine.

Plain Python over the journal, so that an error of the engine does not pass twice. Whatever is not
known refuses the order. Here: the limits and the check. Not here: the engine's own limits
(trading.desk_kernels), sending (gateway).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kalshi_assets.live.intents import OrderIntent
from kalshi_assets.live.journal_records import Holding, JournaledOrder
from kalshi_assets.units import CC_A_DOLLAR, HUNDREDTHS, MILLIONTHS

_PAID = MILLIONTHS // HUNDREDTHS
_MILLIONTHS_A_CC = MILLIONTHS // CC_A_DOLLAR


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The markets of an event, and which of them pay YES together.

    Attributes
    ----------
    markets
        Tickers by bracket, lowest first.
    outcomes
        For every possible outcome the markets that pay; of a partition, one each.
    """

    markets: tuple[str, ...]
    outcomes: tuple[frozenset[str], ...]

    @classmethod
    def partition(cls, markets: Sequence[str]) -> "Ladder":
        """A ladder of which exactly one market pays."""
        return cls(markets=tuple(markets), outcomes=tuple(frozenset([m]) for m in markets))


@dataclass(frozen=True, kw_only=True)
class GateLimits:
    """What no order may exceed; money in 1/10,000 dollar.

    Attributes
    ----------
    ladders
        By event ticker; orders of other events are refused.
    max_open_orders, max_order_contracts, max_position_contracts
        Orders that may still fill, of the session; contracts of an order; contracts held in a
        market, working orders included.
    max_event_loss_cc, max_account_loss_cc
        Loss under the worst outcome of an event, and summed over events, if every working order
        that loses there fills.
    maker_fee_cc, taker_fee_cc
        Bounds on the fee of a contract that is not booked yet.
    min_lifetime_us, max_lifetime_us
        Of orders that rest: from the decision to their expiry.
    """

    ladders: Mapping[str, Ladder]
    max_open_orders: int
    max_order_contracts: int
    max_position_contracts: int
    max_event_loss_cc: int
    max_account_loss_cc: int
    maker_fee_cc: int = 44
    taker_fee_cc: int = 175
    min_lifetime_us: int = 2_000_000
    max_lifetime_us: int = 600_000_000


@dataclass(frozen=True, kw_only=True)
class AccountState:
    """What the journal says of the account: holdings, and orders that may fill or lack fills."""

    holdings: Sequence[Holding]
    orders: Sequence[JournaledOrder] = field(default=())


def refusal(
    intent: OrderIntent, state: AccountState, limits: GateLimits, lifetime_us: int
) -> str | None:
    """Why an order may not be sent; None: it may.

    Parameters
    ----------
    intent
        The order.
    state, limits
        The account, and its limits.
    lifetime_us
        From now to the order's expiry, if it rests.
    """
    ladder = limits.ladders.get(intent.event_ticker)
    if ladder is None:
        return f"unknown event {intent.event_ticker}: its worst case cannot be computed"
    if intent.market_ticker not in ladder.markets:
        return f"market {intent.market_ticker} is not one of event {intent.event_ticker}"
    if intent.side not in ("bid", "ask") or intent.execution not in ("maker", "taker"):
        return f"unknown side {intent.side!r} or execution {intent.execution!r}"
    if not 0 < intent.price_cc < CC_A_DOLLAR:
        return f"price {intent.price_cc} cc is not between 0 and a dollar"
    if not 0 < intent.contracts <= limits.max_order_contracts:
        return f"{intent.contracts} contracts are not from 1 to {limits.max_order_contracts}"
    if intent.execution == "maker" and not (
        limits.min_lifetime_us <= lifetime_us <= limits.max_lifetime_us
    ):
        return (
            f"lifetime {lifetime_us / 1e6:g} s is not from {limits.min_lifetime_us / 1e6:g} to "
            f"{limits.max_lifetime_us / 1e6:g} s"
        )
    working = [order for order in state.orders if order.is_open]
    if len(working) >= limits.max_open_orders:
        return f"{len(working)} orders are open, at most {limits.max_open_orders} may be"
    return _position_refusal(intent, state, limits) or _loss_refusal(intent, state, limits)


def worst_case_millionths(
    ladder: Ladder, exposures: Iterable[tuple[str, int, int, int]], holdings: Iterable[Holding]
) -> int:
    """Gain under the worst outcome of an event, 1/1,000,000 dollar; below 0: a loss.

    Parameters
    ----------
    ladder
        The event.
    exposures
        Market, sign, size in 1/100 contract and cost a contract in 1/10,000 dollar of what may
        still fill: counted where it loses.
    holdings
        Positions; those of other events are left out.
    """
    held = [each for each in holdings if each.market_ticker in ladder.markets]
    cash = sum(each.cash_millionths + each.opening_cash_millionths for each in held)
    worst = None
    for pays in ladder.outcomes:
        gain = cash + sum(
            _PAID * (each.opening + each.size) for each in held if each.market_ticker in pays
        )
        for market, sign, size, cost_cc in exposures:
            paid_cc = CC_A_DOLLAR if market in pays else 0
            own = size * (sign * paid_cc - cost_cc)
            gain += min(0, own)
        worst = gain if worst is None else min(worst, gain)
    if worst is None:
        raise ValueError("a ladder without outcomes has no worst case")
    return worst


def exposures(
    orders: Iterable[JournaledOrder], limits: GateLimits
) -> list[tuple[str, int, int, int]]:
    """What orders may still add, as of `worst_case_millionths`: unfilled parts, and unbooked fills.

    Parameters
    ----------
    orders
        Orders of the journal.
    limits
        For the bounds on fees.
    """
    return [
        (order.market_ticker, order.sign, size, _cost_cc(order, limits))
        for order in orders
        if (size := (order.size if order.is_open else order.filled) - order.booked)
    ]


def _cost_cc(order: JournaledOrder | OrderIntent, limits: GateLimits) -> int:
    fee = limits.taker_fee_cc if order.execution == "taker" else limits.maker_fee_cc
    return (order.price_cc if order.side == "bid" else -order.price_cc) + fee


def _position_refusal(intent: OrderIntent, state: AccountState, limits: GateLimits) -> str | None:
    sign = 1 if intent.side == "bid" else -1
    market = intent.market_ticker
    held = sum(h.opening + h.size for h in state.holdings if h.market_ticker == market)
    same_side = sum(
        (order.size if order.is_open else order.filled) - order.booked
        for order in state.orders
        if order.market_ticker == market and order.sign == sign
    )
    after = sign * held + same_side + intent.size
    if after > limits.max_position_contracts * HUNDREDTHS:
        return (
            f"would hold {after / HUNDREDTHS:g} contracts on that side of {market}, at "
            f"most {limits.max_position_contracts} are allowed"
        )
    return None


def _loss_refusal(intent: OrderIntent, state: AccountState, limits: GateLimits) -> str | None:
    sign = 1 if intent.side == "bid" else -1
    new = (intent.market_ticker, sign, intent.size, _cost_cc(intent, limits))
    before, total = 0, 0
    worst = 0
    for event, ladder in limits.ladders.items():
        own = [order for order in state.orders if order.event_ticker == event]
        open_ = exposures(own, limits)
        worst_now = worst_case_millionths(ladder, open_, state.holdings)
        if event == intent.event_ticker:
            before = worst_now
            worst = worst_now = worst_case_millionths(ladder, [*open_, new], state.holdings)
        total += min(0, worst_now)
    if worst >= before:
        return None
    if worst < -limits.max_event_loss_cc * _MILLIONTHS_A_CC:
        return (
            f"could lose {-worst / 1e6:.2f} dollars in {intent.event_ticker}, at most "
            f"{limits.max_event_loss_cc / CC_A_DOLLAR:.2f} is allowed"
        )
    if total < -limits.max_account_loss_cc * _MILLIONTHS_A_CC:
        return (
            f"could lose {-total / 1e6:.2f} dollars in all events, at most "
            f"{limits.max_account_loss_cc / CC_A_DOLLAR:.2f} is allowed"
        )
    return None
