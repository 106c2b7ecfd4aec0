"""The journal of a session: what it meant to do, did, and learned; on disk before it acts.

Sizes are 1/100 contract, cash is 1/1,000,000 dollar, prices 1/10,000 dollar, instants microseconds
since the epoch.

Here: orders, cancels, fills and holdings, whose states only change as allowed. Not here: the file
(session_log), its tables (journal_schema), sending orders (gateway), comparing with the exchange
(reconciliation).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from kalshi_assets.lake.files import Files
from kalshi_assets.live.intents import OrderIntent
from kalshi_assets.live.journal_records import (
    DuplicateIntentError,
    Holding,
    JournaledFill,
    JournaledOrder,
    JournalError,
    check_change,
    state_of,
)
from kalshi_assets.live.journal_schema import ACKNOWLEDGED, INTENT, PARTLY_FILLED, REJECTED
from kalshi_assets.live.session_log import SessionLog
from kalshi_assets.units import HUNDREDTHS, MILLIONTHS

FOLDER = "live"
_ENDING = ".journal.sqlite"


def journal_name(session_id: str) -> str:
    """Name of a session's file below the data folder."""
    return f"{FOLDER}/{session_id}{_ENDING}"


def session_names(files: Files) -> list[str]:
    """The sessions that have a journal, in order."""
    names = files.names(FOLDER)
    return [name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING)]


def unfinished_sessions(files: Files, account: str) -> list[str]:
    """Sessions of an account that began and did not end; a start resumes them.

    Parameters
    ----------
    files
        The data folder.
    account
        The account.
    """
    found = []
    for session_id in session_names(files):
        with Journal.of(files, session_id, clock_us=lambda: 0) as journal:
            session = journal.session()
        if session is not None and session.account == account and session.ended_at_us is None:
            found.append(session_id)
    return found


class Journal(SessionLog):
    """The journal of a session; see `SessionLog` for its parameters."""

    @classmethod
    def of(
        cls,
        files: Files,
        session_id: str,
        *,
        clock_us: Callable[[], int],
        on_write: Callable[[str], None] = lambda name: None,
        key_id: str | None = None,
    ) -> "Journal":
        """The journal of a session, created if it is missing.

        Parameters
        ----------
        files, session_id
            The data folder and the session.
        clock_us, on_write, key_id
            See `SessionLog`.
        """
        files.create(journal_name(session_id), b"")
        path = files.address(journal_name(session_id))
        return cls(path, clock_us=clock_us, on_write=on_write, key_id=key_id)

    def open_account(self, positions: Mapping[str, tuple[int, int]], cash_millionths: int) -> None:
        """Record what the account held before the session's first order, once.

        Parameters
        ----------
        positions
            YES contracts (negative: NO) in 1/100, and what they cost, by market.
        cash_millionths
            Cash in 1/1,000,000 dollar.
        """
        with self._write("opening") as db:
            db.executemany(
                "INSERT INTO holdings (market_ticker, opening, opening_cash_millionths)"
                " VALUES (?, ?, ?)",
                [
                    (market, size, max(0, -size) * MILLIONTHS // HUNDREDTHS - cost)
                    for market, (size, cost) in positions.items()
                ],
            )
            db.execute("UPDATE session SET opening_cash_millionths = ?", (cash_millionths,))

    def intend(
        self,
        intent: OrderIntent,
        *,
        expires_at_s: int | None,
        order_group_id: str,
        exchange_index: int,
    ) -> JournaledOrder:
        """Write an order's intent; on return it is on disk.

        Parameters
        ----------
        intent
            The order.
        expires_at_s, order_group_id, exchange_index
            As it will be sent.

        Raises
        ------
        DuplicateIntentError
            The same decision is in the journal already.
        """
        now = self._clock()
        order = JournaledOrder(
            client_order_id=intent.client_order_id,
            account=intent.account,
            event_ticker=intent.event_ticker,
            strategy=intent.strategy,
            decided_at_us=intent.decided_at_us,
            bracket=intent.bracket,
            market_ticker=intent.market_ticker,
            side=intent.side,
            execution=intent.execution,
            price_cc=intent.price_cc,
            size=intent.size,
            expires_at_s=expires_at_s,
            order_group_id=order_group_id,
            exchange_index=exchange_index,
            state=INTENT,
            order_id=None,
            filled=0,
            booked=0,
            note="",
            created_at_us=now,
            updated_at_us=now,
        )
        columns = vars(order)
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        with self._lock:
            if self.order(order.client_order_id) is not None:
                raise DuplicateIntentError(
                    f"order {order.client_order_id} ({intent.strategy}, {intent.market_ticker}, "
                    f"{intent.side}) was journaled before and is not sent again"
                )
            with self._write(INTENT) as db:
                db.execute(
                    f"INSERT INTO orders ({names}) VALUES ({marks})",  # noqa: S608
                    tuple(columns.values()),
                )
        return order

    def advance(
        self,
        client_order_id: str,
        state: str,
        *,
        order_id: str | None = None,
        filled: int | None = None,
        note: str = "",
    ) -> JournaledOrder:
        """Record what became of an order; nothing is written if that is known already.

        Parameters
        ----------
        client_order_id, state
            The order and its new state.
        order_id, filled
            The exchange's ID, and what is filled in all; None: as before.
        note
            Why, such as the code of a refusal.

        Raises
        ------
        JournalError
            No such order, a transition that is not allowed, another ID, or less filled than before.
        """
        with self._lock:
            before = self._known(client_order_id)
            filled = before.filled if filled is None else filled
            order_id = before.order_id if order_id is None else order_id
            if (state, filled, order_id) == (before.state, before.filled, before.order_id):
                return before
            check_change(before, state, order_id, filled)
            now, note = self._clock(), self._mask(note)
            with self._write(state) as db:
                db.execute(
                    "UPDATE orders SET state = ?, order_id = ?, filled = ?, note = ?,"
                    " updated_at_us = ? WHERE client_order_id = ?",
                    (state, order_id, filled, note, now, client_order_id),
                )
                db.execute(
                    "INSERT INTO transitions (client_order_id, state, filled, note, at_us)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (client_order_id, state, filled, note, now),
                )
            return self._known(client_order_id)

    def book(self, fill: JournaledFill) -> bool:
        """Record an execution; False: it was recorded before.

        Raises
        ------
        JournalError
            No such order, or its fills exceed its size.
        """
        with self._lock:
            if self._rows("SELECT 1 FROM fills WHERE trade_id = ?", fill.trade_id):
                return False
            order = self._known(fill.client_order_id)
            booked = order.booked + fill.size
            if booked > order.size or order.state == REJECTED:
                raise JournalError(
                    f"order {order.client_order_id} ({order.state}, size {order.size}/100) has "
                    f"fills of {booked}/100 contracts"
                )
            sign = 1 if fill.side == "bid" else -1
            cash = -sign * fill.price_cc * fill.size
            columns = vars(fill) | {"recorded_at_us": self._clock()}
            with self._write("fill") as db:
                db.execute(
                    f"INSERT INTO fills ({', '.join(columns)})"  # noqa: S608
                    f" VALUES ({', '.join('?' * len(columns))})",
                    tuple(columns.values()),
                )
                db.execute(
                    "UPDATE orders SET booked = ?, filled = max(filled, ?)"
                    " WHERE client_order_id = ?",
                    (booked, booked, order.client_order_id),
                )
                db.execute(
                    "INSERT INTO holdings (market_ticker, size, cash_millionths) VALUES (?, ?, ?)"
                    " ON CONFLICT (market_ticker) DO UPDATE SET size = size + excluded.size,"
                    " cash_millionths = cash_millionths + excluded.cash_millionths",
                    (fill.market_ticker, sign * fill.size, cash - fill.fee_millionths),
                )
            if order.state in (ACKNOWLEDGED, PARTLY_FILLED):
                filled = max(order.filled, booked)
                self.advance(order.client_order_id, state_of(filled, order.size - filled))
        return True

    def ask_cancel(self, client_order_id: str | None, reason: str) -> int:
        """Record that a cancel will be sent; its number.

        Parameters
        ----------
        client_order_id
            The order; None: all.
        reason
            Why.
        """
        with self._write("cancel") as db:
            return int(
                db.execute(
                    "INSERT INTO cancels (client_order_id, reason, asked_at_us) VALUES (?, ?, ?)",
                    (client_order_id, reason, self._clock()),
                ).lastrowid
                or 0
            )

    def cancel_answered(self, number: int, outcome: str) -> None:
        """Record the answer to a cancel.

        Parameters
        ----------
        number
            As `ask_cancel` returned it.
        outcome
            The answer.
        """
        with self._write("cancel_answered") as db:
            db.execute(
                "UPDATE cancels SET outcome = ?, answered_at_us = ? WHERE id = ?",
                (self._mask(outcome), self._clock(), number),
            )

    def order(self, client_order_id: str) -> JournaledOrder | None:
        """One order."""
        found = self._orders("WHERE client_order_id = ?", [client_order_id])
        return found[0] if found else None

    def order_of_exchange(self, order_id: str) -> JournaledOrder | None:
        """The order with the exchange's ID."""
        found = self._orders("WHERE order_id = ?", [order_id])
        return found[0] if found else None

    def orders(self, states: Iterable[str] | None = None) -> list[JournaledOrder]:
        """Orders in the order of their intents; only those in `states`, if given."""
        if states is None:
            return self._orders("", [])
        wanted = sorted(states)
        return self._orders(f"WHERE state IN ({', '.join('?' * len(wanted))})", wanted)

    def unbooked(self) -> list[JournaledOrder]:
        """Orders whose fills are not all recorded."""
        return self._orders("WHERE filled > booked", [])

    def fills(self) -> list[JournaledFill]:
        """All executions, oldest first."""
        rows = self._rows("SELECT * FROM fills ORDER BY filled_at_us, trade_id")
        fields = JournaledFill.__dataclass_fields__
        return [
            JournaledFill(**{f: row[f] for f in fields} | {"is_taker": bool(row["is_taker"])})
            for row in rows
        ]

    def holdings(self) -> list[Holding]:
        """Positions by market, from booked fills."""
        return [Holding(**dict(row)) for row in self._rows("SELECT * FROM holdings")]

    def positions(self) -> dict[str, int]:
        """YES contracts (negative: NO) in 1/100 by market, fills without known fee included."""
        held = {each.market_ticker: each.opening + each.size for each in self.holdings()}
        for order in self.unbooked():
            market = order.market_ticker
            held[market] = held.get(market, 0) + order.sign * (order.filled - order.booked)
        return held

    def _orders(self, where: str, values: Sequence[object]) -> list[JournaledOrder]:
        rows = self._rows(f"SELECT * FROM orders {where} ORDER BY rowid", *values)  # noqa: S608
        return [JournaledOrder(**dict(row)) for row in rows]

    def _known(self, client_order_id: str) -> JournaledOrder:
        order = self.order(client_order_id)
        if order is None:
            raise JournalError(f"order {client_order_id} is not in {self.path}")
        return order
