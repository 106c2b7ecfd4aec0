"""What the stream says of our orders, taken into the journal as it comes.

The stream may be late, silent or doubled: nothing here ever takes back what is known, and orders
that the journal does not know are left to reconciliation. Here: one update at a time. Not here:
decoding frames (exchange.wire_stream), reading lists (reconciliation).
"""

from kalshi_assets.live.journal import Journal
from kalshi_assets.live.journal_records import JournaledFill, JournaledOrder, state_of
from kalshi_assets.live.journal_schema import DONE, REJECTED


def observe_order(
    journal: Journal,
    *,
    client_order_id: str | None,
    order_id: str,
    status: str,
    filled: int,
    remaining: int,
    reason: str = "",
) -> JournaledOrder | None:
    """Take the state of an order from the stream; None: not ours, not newer, or not believed.

    Parameters
    ----------
    journal
        The session's.
    client_order_id, order_id
        The order, by our ID or else by the exchange's.
    status, filled, remaining
        As the exchange says; sizes in 1/100 contract.
    reason
        Why it changed, such as ExpiryCancel.
    """
    order = journal.order(client_order_id) if client_order_id else None
    order = order or journal.order_of_exchange(order_id)
    if order is None or order.state == REJECTED or filled < order.filled:
        return None
    ended = status in ("canceled", "executed")
    if not ended and (status != "resting" or order.state == DONE):
        return None
    if not ended and order.is_unresolved and order.order_id is not None:
        # A cancel whose effect is not known: an older message would undo it.
        return None
    state = DONE if ended else state_of(filled, remaining)
    return journal.advance(
        order.client_order_id, state, order_id=order_id, filled=filled, note=reason
    )


def observe_fill(
    journal: Journal,
    *,
    trade_id: str,
    order_id: str,
    client_order_id: str | None,
    price_cc: int,
    size: int,
    fee_millionths: int,
    is_taker: bool,
    filled_at_us: int,
) -> JournaledFill | None:
    """Take an execution from the stream; None: not ours, or known.

    Parameters
    ----------
    journal
        The session's.
    trade_id, order_id, client_order_id
        The execution and its order.
    price_cc, size, fee_millionths, is_taker, filled_at_us
        Price in YES terms, size in 1/100 contract, the fee charged, and when.
    """
    order = journal.order(client_order_id) if client_order_id else None
    order = order or journal.order_of_exchange(order_id)
    if order is None or order.state == REJECTED:
        return None
    fill = JournaledFill(
        trade_id=trade_id,
        client_order_id=order.client_order_id,
        market_ticker=order.market_ticker,
        side=order.side,
        is_taker=is_taker,
        price_cc=price_cc,
        size=size,
        fee_millionths=fee_millionths,
        filled_at_us=filled_at_us,
    )
    if not journal.book(fill):
        return None
    if order.is_unresolved and order.order_id is None:
        # An execution proves that the exchange has the order.
        filled = max(order.filled, order.booked + size)
        journal.advance(
            order.client_order_id,
            state_of(filled, order.size - filled),
            order_id=order_id,
            filled=filled,
            note="seen to fill",
        )
    return fill
