"""Reconciliation: the journal is made to agree with the exchange, or trading is blocked.

At the start, after every reconnect and on a timer: orders, executions, positions, settlements and
balance, page by page. What the journal missed is repaired; what differs after reading again within
bounds blocks a market or everything. Nothing is traded before the first success.

Here: reading, repairing, the report, the guard. Not here: the comparison (comparison).
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kalshi_assets.exchange.account import AccountReader
from kalshi_assets.exchange.errors import ExchangeError, PaginationError
from kalshi_assets.live.comparison import (
    ACCOUNT,
    AccountView,
    Comparison,
    Finding,
    JournalView,
    LagBounds,
    cash_expected,
    compare_orders,
    compare_positions,
    millionths_of,
    size_of,
)
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.journal_records import JournalError, Session
from kalshi_assets.live.telemetry import Emit, Event, silent
from kalshi_assets.units import SECOND_US

MARGIN_S = 60
"""Lists are read from so long before the session began: clocks differ."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long a difference is read again before it counts, and how long a report holds.

    Attributes
    ----------
    lag
        See `LagBounds`.
    attempts, wait_s
        Reads of the whole account, and the wait between them.
    max_age_us
        An older report allows no order.
    """

    lag: LagBounds = field(default_factory=LagBounds)
    attempts: int = 10
    wait_s: float = 0.5
    max_age_us: int = 120 * SECOND_US


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a reconciliation found.

    Attributes
    ----------
    occasion
        start, reconnect, timer or end.
    started_at_us, ended_at_us, attempts
        When, and how often the account was read.
    repaired
        What the journal learned, in words.
    findings
        What stays different.
    cash_difference_millionths
        Balance less the expected cash, see `cash_expected`: it blocks nothing. None: not read, or
        orders rest, whose collateral may be in the balance or not.
    """

    occasion: str
    started_at_us: int
    ended_at_us: int
    attempts: int
    repaired: tuple[str, ...]
    findings: tuple[Finding, ...]
    cash_difference_millionths: int | None

    @property
    def may_trade(self) -> bool:
        """Whether any order may be sent."""
        return all(finding.market != ACCOUNT for finding in self.findings)

    @property
    def blocked_markets(self) -> frozenset[str]:
        """Markets in which no order may be sent."""
        return frozenset(finding.market for finding in self.findings if finding.market != ACCOUNT)


class Reconciler:
    """Compares account and journal, and guards orders by the result. Thread-safe.

    Parameters
    ----------
    journal, reader
        Both sides.
    clock_us, sleep
        Microseconds since the epoch, and waiting for seconds.
    in_flight
        Client order IDs whose request is on its way.
    bounds
        See `Bounds`.
    emit
        Takes telemetry.
    """

    def __init__(
        self,
        journal: Journal,
        reader: AccountReader,
        *,
        clock_us: Callable[[], int],
        sleep: Callable[[float], None],
        in_flight: Callable[[], frozenset[str]] = frozenset,
        bounds: Bounds | None = None,
        emit: Emit = silent,
    ) -> None:
        self._journal = journal
        self._reader = reader
        self._clock = clock_us
        self._sleep = sleep
        self._in_flight = in_flight
        self._bounds = bounds or Bounds()
        self._emit = emit
        self._lock = threading.Lock()
        self._report: Report | None = None

    def guard(self, market: str) -> str | None:
        """Why the last reconciliation forbids an order of a market; None: it does not."""
        report = self._report
        if report is None:
            return "not reconciled yet"
        age = self._clock() - report.ended_at_us
        if age > self._bounds.max_age_us:
            return f"last reconciled {age / SECOND_US:.0f} s ago"
        for finding in report.findings:
            if finding.market in (ACCOUNT, market):
                return f"reconciliation: {finding.kind}: {finding.detail}"
        return None

    def run(self, occasion: str) -> Report:
        """Reconcile; the report is in force and in the journal on return.

        A read that fails is a finding that blocks everything, not an error.
        """
        with self._lock:
            started, repaired = self._clock(), list[str]()
            findings, attempts, difference = list[Finding](), 0, None
            while attempts < self._bounds.attempts:
                if attempts:
                    self._sleep(self._bounds.wait_s)
                attempts += 1
                try:
                    findings, difference = self._once(repaired)
                except (ExchangeError, JournalError, ValueError) as error:
                    findings = [_failed(error)]
                if not any(finding.may_pass for finding in findings):
                    break
            report = Report(
                occasion=occasion,
                started_at_us=started,
                ended_at_us=self._clock(),
                attempts=attempts,
                repaired=tuple(repaired),
                findings=tuple(findings),
                cash_difference_millionths=difference,
            )
            self._report = self._recorded(report)
            return self._report

    def _once(self, repaired: list[str]) -> tuple[list[Finding], int | None]:
        """Read, repair, compare; what stays different, and the difference of cash."""
        session = self._journal.session()
        if session is None:
            raise JournalError("the journal's session has not begun")
        in_flight = self._in_flight()
        account = self._read(session)
        in_flight |= self._in_flight()
        comparison = compare_orders(account, self._view(session, in_flight), self._bounds.lag)
        self._repair(comparison, repaired)
        findings = comparison.findings
        if session.opening_cash_millionths is None:
            if not findings and not self._journal.orders():
                positions = {
                    ticker: (size, account.costs[ticker])
                    for ticker, size in account.positions.items()
                }
                self._journal.open_account(positions, account.cash_millionths)
            elif not findings:
                raise JournalError("orders were journaled before the account's opening")
            return findings, None
        if in_flight:
            # Their fills cannot be told from missed ones; positions are compared without them.
            return findings, None
        findings = [*findings, *compare_positions(account, self._view(session, in_flight))]
        return findings, self._cash_difference(account, session)

    def _read(self, session: Session) -> AccountView:
        read_at_us = self._clock()
        since_s = session.started_at_us // SECOND_US - MARGIN_S
        reader = self._reader
        orders = {order.order_id: order for order in reader.orders(min_ts_s=since_s)}
        for order in reader.orders(status="resting"):
            orders.setdefault(order.order_id, order)
        positions = reader.positions()
        settled = reader.settlements(min_ts_s=since_s)
        return AccountView(
            read_at_us=read_at_us,
            orders=orders,
            fills=reader.fills(min_ts_s=since_s),
            positions={each.ticker: size_of(each.contracts) for each in positions},
            costs={each.ticker: millionths_of(each.exposure) for each in positions},
            settled={each.ticker: millionths_of(each.revenue) for each in settled},
            cash_millionths=millionths_of(reader.balance().dollars),
        )

    def _view(self, session: Session, in_flight: frozenset[str]) -> JournalView:
        return JournalView(
            started_at_us=session.started_at_us,
            orders=self._journal.orders(),
            fills=self._journal.fills(),
            positions=self._journal.positions(),
            in_flight=in_flight,
        )

    def _repair(self, comparison: Comparison, repaired: list[str]) -> None:
        for change in comparison.changes:
            self._journal.advance(
                change.client_order_id,
                change.state,
                order_id=change.order_id,
                filled=change.filled,
                note=change.note,
            )
            repaired.append(
                f"order {change.client_order_id}: {change.state}, {change.filled}/100 filled"
                + f" ({change.note})" * bool(change.note)
            )
        repaired += [
            f"trade {fill.trade_id}: {fill.size}/100 in {fill.market_ticker}"
            for fill in comparison.fills
            if self._journal.book(fill)
        ]

    def _cash_difference(self, account: AccountView, session: Session) -> int | None:
        if any(order.status == "resting" for order in account.orders.values()):
            return None
        holdings = self._journal.holdings()
        expected = cash_expected(
            session.opening_cash_millionths or 0,
            sum(each.cash_millionths for each in holdings),
            account.positions,
            {each.market_ticker: each.opening for each in holdings},
            sum(account.settled.values()),
        )
        return account.cash_millionths - expected

    def _recorded(self, report: Report) -> Report:
        """The report, in the journal; one that could not be written allows no order."""
        data: dict[str, Any] = asdict(report)
        try:
            self._journal.event("reconciliation", data)
        except JournalError as error:
            report = Report(**{**vars(report), "findings": (*report.findings, _failed(error))})
        differences = [*report.repaired, *(f"{f.kind}: {f.detail}" for f in report.findings)]
        took_ms = (report.ended_at_us - report.started_at_us) / 1000
        self._emit(
            Event(
                type="reconcile",
                data={"differences": differences, "took_ms": took_ms, "occasion": report.occasion},
                source="session",
                at_us=report.ended_at_us,
            )
        )
        return report


def differences(findings: Sequence[Finding]) -> str:
    """Findings as one line, for a message."""
    return "; ".join(f"{finding.kind}: {finding.detail}" for finding in findings)


def _failed(error: Exception) -> Finding:
    # The reader has retried failed requests already; a list that lies, or a journal that changed
    # under the comparison, is read again.
    return Finding(
        kind="read_failed",
        market=ACCOUNT,
        detail=f"{type(error).__name__}: {error}",
        may_pass=isinstance(error, PaginationError | JournalError),
    )
