"""The end of a session: everything is cancelled, read, and only then called closed.

For `finally`: it ends within bounds whatever the exchange does, and never raises because of it.
Here: cancelling and verifying. Not here: the kill switch, which does without a journal.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kalshi_assets.exchange.wire_orders import Done
from kalshi_assets.live.gateway import Gateway
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.journal_schema import OPEN
from kalshi_assets.live.kill_switch import TRIES_A_ROUND
from kalshi_assets.live.reconciliation import Reconciler, Report
from kalshi_assets.units import SECOND_US


@dataclass(frozen=True, kw_only=True)
class Closing:
    """How a session ended.

    Attributes
    ----------
    verified
        Whether everything was cancelled, no order of the journal is open, and the last
        reconciliation found no difference.
    open_orders
        Client order IDs of those that may still fill, until their expiry.
    report
        The last reconciliation.
    """

    verified: bool
    open_orders: tuple[str, ...]
    report: Report


def close_out(
    journal: Journal,
    gateway: Gateway,
    reconciler: Reconciler,
    *,
    reason: str,
    clock_us: Callable[[], int],
    sleep: Callable[[float], None],
    patience_us: int = 60 * SECOND_US,
    wait_s: float = 1.0,
) -> Closing:
    """Cancel everything and reconcile until no order is open, or the patience has ended.

    Parameters
    ----------
    journal, gateway, reconciler
        The session's.
    reason
        Why it ends.
    clock_us, sleep
        Microseconds since the epoch, and waiting for seconds.
    patience_us, wait_s
        How long, and the wait between rounds; a round that has begun is finished.
    """
    started, cancelled = clock_us(), False
    while True:
        for _ in range(TRIES_A_ROUND):
            cancelled = cancelled or isinstance(gateway.cancel_all(reason), Done)
        report = reconciler.run("end")
        still_open = journal.orders(OPEN)
        if cancelled and not still_open and not report.findings:
            return Closing(verified=True, open_orders=(), report=report)
        if clock_us() - started >= patience_us:
            names = tuple(order.client_order_id for order in still_open)
            return Closing(verified=False, open_orders=names, report=report)
        for order in still_open:
            if order.order_id is not None and not order.is_unresolved:
                gateway.cancel(order.client_order_id, reason)
        sleep(wait_s)
