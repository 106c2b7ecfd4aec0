"""The account at an exchange: clients, lease, gateway, stream, for a session or a run of it.

Here: putting them together from addresses and a key. Not here: the session (`exchange_session`).
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.orders import OrderWriter
from kalshi_assets.exchange.rest import RetryPolicy
from kalshi_assets.exchange.signing import Signer
from kalshi_assets.exchange.throttle import TokenBucket
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.files import Files
from kalshi_assets.live import kill_switch
from kalshi_assets.live.exchange_ladder import ExchangeLadder
from kalshi_assets.live.exchange_session import SLICE_US, CannotStartError, Trading
from kalshi_assets.live.gate import GateLimits
from kalshi_assets.live.gateway import Gateway, GatewayParams, open_order_group
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.lease import Lease
from kalshi_assets.live.reconciliation import Bounds, Reconciler
from kalshi_assets.live.telemetry import Emit, silent
from kalshi_assets.stream.events import Event
from kalshi_assets.stream.feed import Feed
from kalshi_assets.stream.subscriptions import PRIVATE, PUBLIC
from kalshi_assets.units import SECOND_US

EXCHANGE_INDEX = 0
"""The shard of weather markets."""

Drain = Callable[[Feed], Sequence[Event]]
"""Takes what the stream said since the last call."""


def what_is_there(feed: Feed) -> Sequence[Event]:
    """Everything that has arrived."""
    return feed.next_events(0.0)


def monotonic_us() -> int:
    """Microseconds of a clock that only runs forward."""
    return time.monotonic_ns() // 1000


@dataclass(frozen=True, kw_only=True)
class Venue:
    """An account at an exchange.

    Attributes
    ----------
    account
        Its name, for lease and order IDs.
    api_url, ws_url, signer
        Addresses, and the key.
    drain
        How the stream is read between minutes.
    skew_us
        By how much the session's clock is ahead of the exchange's; None: not known, as at a sandbox
        whose time is another.
    write_bucket
        Limits the rate of writes; None: unlimited.
    bounds, retry
        Of reconciliation, and of its reads.
    sleep, elapsed_us, slice_us
        See `Trading`; reconciliation waits by the same `sleep`.
    emit
        Takes telemetry.
    on_step, on_write
        For drills: see `Gateway` and `Journal`.
    """

    account: str
    api_url: str
    ws_url: str
    signer: Signer
    drain: Drain = what_is_there
    skew_us: Callable[[Feed], int | None] = lambda feed: feed.clock_skew_us
    write_bucket: TokenBucket | None = None
    bounds: Bounds = field(default_factory=Bounds)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    sleep: Callable[[float], None] = time.sleep
    elapsed_us: Callable[[], int] = monotonic_us
    slice_us: int = SLICE_US
    emit: Emit = silent
    on_step: Callable[[str], None] = lambda name: None
    on_write: Callable[[str], None] = lambda name: None

    @contextmanager
    def trading(
        self,
        files: Files,
        session_id: str,
        journal: Journal,
        ladders: Mapping[LadderDay, ExchangeLadder],
        clock_us: Callable[[], int],
    ) -> Iterator[Trading]:
        """Everything that a session trades with; the lease is released at the end.

        Parameters
        ----------
        files, session_id, journal
            The data folder, the session and its journal, which has begun.
        ladders
            Their contracts must have been read.
        clock_us
            The session's time.

        Raises
        ------
        CannotStartError
            The kill switch is on, a contract is not known, or no order group could be made.
        LeaseError
            Another session holds the account.
        """
        if why := kill_switch.guard(files)(""):
            raise CannotStartError(why)
        if unknown := [str(key) for key, each in ladders.items() if each.event_ticker is None]:
            raise CannotStartError(f"the contract of {', '.join(unknown)} is not known")
        params = [each.day.params for each in ladders.values()]
        lifetime_us = min(round(each.order_lifetime_s * SECOND_US) for each in params)
        with ExitStack() as stack:
            lease = stack.enter_context(
                Lease(
                    files,
                    self.account,
                    session_id=session_id,
                    clock_us=clock_us,
                    longest_order_us=lifetime_us,
                )
            )
            holder = lease.holder()
            # The same session that starts again took the account itself.
            own = holder is not None and holder.session_id == session_id
            lease.acquire(taking_over=session_id if own else None)
            writer = stack.enter_context(
                OrderWriter(self.api_url, signer=self.signer, bucket=self.write_bucket)
            )
            reader = stack.enter_context(
                AccountReader(self.api_url, signer=self.signer, retry=self.retry)
            )
            try:
                group = open_order_group(
                    journal,
                    writer,
                    contracts_limit=sum(e.max_open_orders * e.order_contracts for e in params),
                    exchange_index=EXCHANGE_INDEX,
                )
            except RuntimeError as error:
                raise CannotStartError(str(error)) from error
            feed = stack.enter_context(
                Feed(
                    self.ws_url,
                    self.signer,
                    channels=(*PUBLIC, *PRIVATE),
                )
            )
            feed.follow([market for each in ladders.values() for market in each.markets])
            guards = [kill_switch.guard(files), lease.guard, _usable_book(feed)]
            reconciler = Reconciler(
                journal,
                reader,
                clock_us=clock_us,
                sleep=self.sleep,
                in_flight=lambda: gateway.in_flight(),
                bounds=self.bounds,
                emit=self.emit,
            )
            gateway = Gateway(
                journal,
                writer,
                GatewayParams(
                    limits=limits_of(ladders),
                    order_group_id=group,
                    exchange_index=EXCHANGE_INDEX,
                    lifetime_us=lifetime_us,
                ),
                clock_us=clock_us,
                guards=[*guards, reconciler.guard],
                emit=self.emit,
                on_step=self.on_step,
            )
            yield Trading(
                journal=journal,
                gateway=gateway,
                reconciler=reconciler,
                lease=lease,
                events=lambda: self.drain(feed),
                skew_us=lambda: self.skew_us(feed),
                switched_on=lambda: kill_switch.guard(files)(""),
                sleep=self.sleep,
                elapsed_us=self.elapsed_us,
                slice_us=self.slice_us,
            )


def limits_of(ladders: Mapping[LadderDay, ExchangeLadder]) -> GateLimits:
    """The gate's limits: those of the trading parameters, checked a second time."""
    params = [each.day.params for each in ladders.values()]
    return GateLimits(
        ladders={str(each.event_ticker): each.ladder() for each in ladders.values()},
        max_open_orders=sum(each.max_open_orders for each in params),
        max_order_contracts=max(each.order_contracts for each in params),
        max_position_contracts=max(each.max_position_contracts for each in params),
        max_event_loss_cc=max(each.max_ladder_loss_cc for each in params),
        max_account_loss_cc=min(each.max_daily_loss_cc for each in params),
    )


def _usable_book(feed: Feed) -> Callable[[str], str | None]:
    """A guard of the gateway: the market's book is known."""

    def why(market: str) -> str | None:
        book = feed.books.get(market)
        if book is None or not book.usable:
            return f"the book of {market} is not known"
        return None

    return why
