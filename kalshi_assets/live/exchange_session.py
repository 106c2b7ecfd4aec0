"""A session that trades at an exchange: the loop, and everything that ends it.

Nothing is sent before the account was reconciled. Between minutes the stream is read, the lease is
renewed and the kill switch is looked at; orders are cancelled when the stream is lost, and however
the session ends, it cancels everything and verifies that nothing rests.

Here: the loop. Not here: a ladder's minute (`exchange_ladder`), opening the parts (`venue`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kalshi_assets.keys import LadderDay
from kalshi_assets.live.clock import Clock, SessionStopped
from kalshi_assets.live.closing import Closing, close_out
from kalshi_assets.live.exchange_ladder import ExchangeLadder
from kalshi_assets.live.gateway import Gateway
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.journal_schema import OPEN
from kalshi_assets.live.lease import Lease, LeaseError
from kalshi_assets.live.reconciliation import Reconciler, differences
from kalshi_assets.live.session import SETTLE_US, any_trades, how_it_ended
from kalshi_assets.live.status import Board
from kalshi_assets.live.updates import observe_fill, observe_order
from kalshi_assets.stream.events import Closed, Event, Filled, Lifecycle, Missed, OrderChanged
from kalshi_assets.units import MINUTE_US, SECOND_US

SLICE_US = 5 * SECOND_US
RECONCILE_EVERY_US = MINUTE_US
MOST_UNRESOLVED = 5
MOST_SKEW_US = 1_500_000


class CannotStartError(RuntimeError):
    """The session must not trade; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Trading:
    """What a session trades with.

    Attributes
    ----------
    journal, gateway, reconciler, lease
        Of the account.
    events
        Takes what the stream said since the last call.
    skew_us
        By how much this machine's clock is ahead of the exchange's; None: not known.
    switched_on
        Why trading is forbidden by the kill switch; None: it is not.
    sleep, elapsed_us
        Waits for seconds while the account is read again at the end, and measures how long that
        takes, in microseconds.
    slice_us
        How long the stream, the lease and the kill switch are left alone at most.
    """

    journal: Journal
    gateway: Gateway
    reconciler: Reconciler
    lease: Lease
    events: Callable[[], Sequence[Event]]
    skew_us: Callable[[], int | None]
    switched_on: Callable[[], str | None]
    sleep: Callable[[float], None]
    elapsed_us: Callable[[], int]
    slice_us: int = SLICE_US


class ExchangeSession:
    """Runs ladders at an exchange.

    Parameters
    ----------
    ladders
        By ladder-day.
    trading
        What it trades with; the journal has begun and the lease is held.
    clock
        The session's time.
    board
        Receives the state.
    """

    def __init__(
        self,
        ladders: Mapping[LadderDay, ExchangeLadder],
        trading: Trading,
        clock: Clock,
        board: Board,
    ) -> None:
        self.ladders = dict(ladders)
        self._of, self._clock, self._board = trading, clock, board
        self._reconciled_us = 0
        self._must_reconcile = ""
        self.closing: Closing | None = None

    def run(self) -> str:
        """Trade until every ladder's trading has ended, or the session is stopped.

        Returns
        -------
        str
            Why it ended, as journaled.

        Raises
        ------
        CannotStartError
            The account does not agree with the journal; nothing was sent.
        """
        reason = "failed"
        try:
            self._start()
            while any_trades(self.ladders.values(), self._clock.now_us()):
                self._minute()
                now = self._clock.now_us()
                self._wait_until(now - now % MINUTE_US + MINUTE_US + SETTLE_US)
            reason = how_it_ended(self.ladders)
        except SessionStopped as stopped:
            reason = f"stopped: {stopped}"
        except CannotStartError as error:
            reason = f"not started: {error}"
            raise
        finally:
            self._end(reason)
        return reason

    def _start(self) -> None:
        if why := self._of.switched_on():
            raise CannotStartError(why)
        report = self._of.reconciler.run("start")
        self._reconciled_us = self._clock.now_us()
        if not report.may_trade:
            raise CannotStartError(
                f"the account does not agree with the journal: {differences(report.findings)}"
            )
        # What an earlier run of this session left rests without anybody who follows it.
        for order in self._of.journal.orders(OPEN):
            self._of.gateway.cancel(order.client_order_id, "left by a run before")

    def _minute(self) -> None:
        now = self._clock.now_us()
        if self._must_reconcile or now - self._reconciled_us >= RECONCILE_EVERY_US:
            occasion = "reconnect" if self._must_reconcile else "timer"
            report = self._of.reconciler.run(occasion)
            self._reconciled_us, self._must_reconcile = self._clock.now_us(), ""
            self._board.alarm = differences(report.findings)
        for key, ladder in self.ladders.items():
            if not ladder.is_over:
                self._one(key, ladder, now)
        self._of.journal.beat({"ladders": {str(k): v.is_over for k, v in self.ladders.items()}})
        self._board.beat(now)

    def _one(self, key: LadderDay, ladder: ExchangeLadder, now: int) -> None:
        try:
            decisions = ladder.advance(now, self._of.gateway)
        except Exception as error:  # noqa: BLE001 (one ladder's failure must not end the others)
            why = f"{type(error).__name__}: {error}"
            self._of.journal.event(
                "ladder_failed",
                {"ladder": str(key), "event_ticker": ladder.event_ticker, "error": why},
            )
            self._board.failure(key, why, now)
            self._pull(ladder.markets, "its ladder failed")
            return
        if decisions is not None:
            self._of.journal.keep_decisions(decisions)
            self._board.exchange_minute(key, ladder, decisions, now)

    def _wait_until(self, at_us: int) -> None:
        """Let time pass in slices, reading the stream and keeping the account."""
        while (now := self._clock.now_us()) < at_us:
            self._clock.wait_until(min(now + self._of.slice_us, at_us))
            for event in self._of.events():
                self._take(event)
            try:
                self._of.lease.renew()
            except LeaseError as error:
                raise SessionStopped(str(error)) from error
            self._trip()

    def _trip(self) -> None:
        """End the session where going on would be dangerous."""
        if why := self._of.switched_on():
            raise SessionStopped(why)
        skew = self._of.skew_us()
        if skew is not None and abs(skew) > MOST_SKEW_US:
            raise SessionStopped(f"the clock is {skew / SECOND_US:+.1f} s off the exchange's")
        unresolved = [order for order in self._of.journal.orders(OPEN) if order.is_unresolved]
        if len(unresolved) > MOST_UNRESOLVED:
            raise SessionStopped(f"the outcome of {len(unresolved)} orders is not known")

    def _take(self, event: Event) -> None:
        journal = self._of.journal
        match event:
            case Filled(fill=fill):
                observe_fill(
                    journal,
                    trade_id=fill.trade_id,
                    order_id=fill.order_id,
                    client_order_id=fill.client_order_id,
                    price_cc=fill.yes_price_cc,
                    size=fill.size,
                    fee_millionths=fill.fee_millionths,
                    is_taker=fill.is_taker,
                    filled_at_us=fill.time_ms * 1000,
                )
            case OrderChanged(order=order):
                observe_order(
                    journal,
                    client_order_id=order.client_order_id,
                    order_id=order.order_id,
                    status=order.status,
                    filled=order.filled,
                    remaining=order.remaining,
                    reason=order.reason or "",
                )
            case Closed(cause=cause) if not self._must_reconcile:
                journal.event("stream_lost", {"cause": cause})
                self._must_reconcile = cause
                markets = [m for each in self.ladders.values() for m in each.markets]
                self._pull(markets, f"the stream was lost: {cause}")
            case Lifecycle(body=body):
                for each in self.ladders.values():
                    if body.get("market_ticker") in each.markets:
                        each.facts.reread_contract()
            case Missed(channel=channel, cause=cause):
                journal.event("stream_missed", {"channel": channel, "cause": cause})
                self._must_reconcile = self._must_reconcile or cause

    def _pull(self, markets: Sequence[str], reason: str) -> None:
        """Cancel what rests in some markets."""
        for order in self._of.journal.orders(OPEN):
            if order.market_ticker in markets:
                self._of.gateway.cancel(order.client_order_id, reason)

    def _end(self, reason: str) -> None:
        try:
            self.closing = close_out(
                self._of.journal,
                self._of.gateway,
                self._of.reconciler,
                reason=reason,
                clock_us=self._of.elapsed_us,
                sleep=self._of.sleep,
            )
            if not self.closing.verified:
                reason += f"; not verified, {len(self.closing.open_orders)} orders may fill"
        finally:
            self._of.journal.end(reason)
            self._board.end(reason)
