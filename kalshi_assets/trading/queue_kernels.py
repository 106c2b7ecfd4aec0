"""The place of a resting order in the queue at its price, from trades and sizes of the book.

The rules are those of hftbacktest's queue models: a level-2 book says how many contracts rest at a
price, not whose they are. Trades take from the front. A decrease that no trade explains is a
cancellation, and a probability model says how much of it was behind the order. Here: the state of
one order, and what moves it. Not here: which trades and changes concern an order, its life, fees.

Quantities are whole hundredths of a contract. `Queue.front` is a float, because a probability model
divides a cancellation; if the model is `RISK_AVERSE` it is a whole number, exactly. The logarithm
is that of contracts, not of hundredths.

Differences from hftbacktest 2.4.4:

- What is filled is taken off the state (`filled`), so that an order may be filled in many parts.
  There an order that was filled in part is taken off the book.
- The front does not fall below zero by cancellations: an order is not filled with more than was
  traded. There it does; no model has a probability for it, and the next change of the book puts the
  order at the end of the queue.
"""

from typing import NamedTuple

import numpy as np

from kalshi_assets.kernel_cache import njit

CONTRACT = 100
"""Hundredths of a contract."""

RISK_AVERSE = 0
"""Cancellations are behind the order as long as anything is; only trades bring it forward."""
LOG = 1
"""The share of a cancellation that is behind: f(behind) / (f(behind) + f(ahead)), f = ln(1 + x)."""
POWER = 2
"""The same with f = x^n."""

_SLACK = 1e-6  # hundredths: rounding of the front must not cost a contract


class Queue(NamedTuple):
    """An order's place in the queue.

    Attributes
    ----------
    front
        Hundredths of a contract ahead of the order; below zero: traded beyond those ahead and not
        yet given to the order.
    traded
        Hundredths traded at the price since the last change of the book, which will contain them.
    """

    front: float
    traded: int


@njit(cache=True)
def new_order(displayed: int) -> Queue:
    """The place of a new order: behind everything that rests at its price.

    Parameters
    ----------
    displayed
        Size of the book at the price on the order's side, hundredths; 0 if the order improves it.
    """
    return Queue(float(displayed), 0)


@njit(cache=True)
def traded_at(queue: Queue, quantity: int) -> Queue:
    """After a trade at the order's price by a taker of the other side.

    Parameters
    ----------
    queue
        Place before the trade.
    quantity
        Hundredths of a contract.
    """
    return Queue(queue.front - quantity, queue.traded + quantity)


@njit(cache=True)
def traded_through(queue: Queue, quantity: int) -> Queue:
    """After a trade beyond the order's price: nothing is left ahead of it.

    Parameters
    ----------
    queue
        Place before the trade.
    quantity
        Hundredths that the trade would have given to the order first, as its price was better.
    """
    return Queue(min(queue.front, 0.0) - quantity, queue.traded)


@njit(cache=True)
def book_changed(queue: Queue, before: int, after: int, model: int, power: float) -> Queue:
    """After the size at the order's price on its side changed.

    Parameters
    ----------
    queue
        Place before the change.
    before, after
        Hundredths resting at the price, not counting the order.
    model
        `RISK_AVERSE`, `LOG` or `POWER`.
    power
        Exponent of `POWER`; 3 is usual.
    """
    cancelled = before - after - queue.traded
    front = queue.front
    if front <= 0.0:
        return Queue(front, 0)
    if cancelled <= 0:
        return Queue(min(front, float(after)), 0)
    back = max(before - front, 0.0)
    behind = _behind(front, back, model, power) * cancelled
    front += min(back - behind, 0.0) - (cancelled - behind)
    return Queue(max(min(front, float(after)), 0.0), 0)


@njit(cache=True)
def _behind(front: float, back: float, model: int, power: float) -> float:
    """The share of a cancellation that is behind the order; `front` is above zero."""
    if model == RISK_AVERSE:
        return 1.0
    if model == LOG:
        ahead, after = np.log1p(front / CONTRACT), np.log1p(back / CONTRACT)
        return after / (after + ahead)
    # Of the ratio, so that no power overflows.
    if back <= front:
        ratio = (back / front) ** power
        return ratio / (1.0 + ratio)
    return 1.0 / (1.0 + (front / back) ** power)


@njit(cache=True)
def filled(queue: Queue, lot: int, most: int) -> tuple[int, Queue]:
    """What the trades so far fill of the order, and its place after that.

    Parameters
    ----------
    queue
        Place after a trade.
    lot
        The least quantity that an order fills, hundredths; less is kept for the next trade.
    most
        What is left of the order, hundredths; the trades' contracts beyond it are somebody else's.

    Returns
    -------
    quantity
        Hundredths, a multiple of `lot`.
    queue
        The place with less than a lot to give.
    """
    if queue.front >= 0.0:
        return 0, queue
    lots = int(np.floor((_SLACK - queue.front) / lot))
    given = min(lots, most // lot) * lot
    return given, Queue(queue.front + lots * lot, queue.traded)
