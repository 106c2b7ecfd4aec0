"""The venue's own books on disk: account, orders, fills, positions, settlements, groups.

Here: one SQLite file, so that they survive a killed process. Not here: what they mean.

Everything that one request or one step of time changed is written in one transaction, before the
request is answered and before frames are sent.
"""

import json
import sqlite3
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from kalshi_assets.exchange.fees import OrderFees
from kalshi_assets.sandbox.venue.account import Account, Position, Settlement
from kalshi_assets.sandbox.venue.groups import Group
from kalshi_assets.sandbox.venue.orders import FEE_MULTIPLIER, FEE_TYPE, Fill, Order

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    kind TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID
"""
_STATE = ("state", "venue", 0)


class BooksError(RuntimeError):
    """The file cannot be used; the message says what to do."""


@dataclass(kw_only=True)
class Kept:
    """What an earlier run left, or the beginning."""

    account: Account
    now_us: int = 0
    kill_until_us: int = 0
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)
    closes: dict[str, int] = field(default_factory=dict)


class Books:
    """The file at `path`; None: in memory only.

    Raises
    ------
    BooksError
        The file is not a SQLite database.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._base = sqlite3.connect(path or ":memory:", check_same_thread=False)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.execute(_SCHEMA)
            self._base.commit()
        except sqlite3.DatabaseError as error:
            raise BooksError(f"{path} cannot hold the sandbox's books: {error}") from error
        self._changed: dict[tuple[str, str, int], Any] = {}
        self._initial = 0

    def load(self, initial: int) -> Kept:
        """Everything kept; a new account has `initial` micro in cash."""
        rows: dict[str, list[Any]] = {}
        query = "SELECT kind, body FROM kept ORDER BY kind, number"
        for kind, body in self._base.execute(query):
            rows.setdefault(kind, []).append(json.loads(body))
        state = rows.get("state", [{"initial": initial, "cash": initial}])[0]
        self._initial = state["initial"]
        positions = [Position(**row) for row in rows.get("position", ())]
        groups = [Group(**row) for row in rows.get("group", ())]
        return Kept(
            account=Account(
                initial=state["initial"],
                cash=state["cash"],
                positions={p.ticker: p for p in positions},
                settlements=[Settlement(**row) for row in rows.get("settlement", ())],
            ),
            now_us=state.get("now_us", 0),
            kill_until_us=state.get("kill_until_us", 0),
            orders=[_order(row) for row in rows.get("order", ())],
            fills=[Fill(**row) for row in rows.get("fill", ())],
            groups={g.group_id: g for g in groups},
            closes={row["ticker"]: row["close_us"] for row in rows.get("close", ())},
        )

    def keep_order(self, order: Order) -> None:
        """Keep an order's state of the time of the next commit."""
        self._changed["order", order.order_id, order.number] = order

    def keep_fill(self, fill: Fill) -> None:
        """Keep a fill."""
        self._changed["fill", str(fill.number), fill.number] = fill

    def keep_position(self, position: Position) -> None:
        """Keep a position's state of the time of the next commit."""
        self._changed["position", position.ticker, 0] = position

    def keep_settlement(self, settlement: Settlement) -> None:
        """Keep a settlement."""
        self._changed["settlement", settlement.ticker, settlement.settled_us] = settlement

    def keep_group(self, group: Group) -> None:
        """Keep a group's state of the time of the next commit."""
        self._changed["group", group.group_id, group.number] = group

    def keep_close(self, ticker: str, close_us: int) -> None:
        """Keep a close time that was moved."""
        self._changed["close", ticker, 0] = {"ticker": ticker, "close_us": close_us}

    def commit(self, now_us: int, cash: int, kill_until_us: int) -> None:
        """Write everything that changed, with time and cash, in one transaction.

        Parameters
        ----------
        now_us
            The simulated present.
        cash
            Micro.
        kill_until_us
            Until when new orders are cancelled at once.
        """
        state = {
            "initial": self._initial,
            "cash": cash,
            "now_us": now_us,
            "kill_until_us": kill_until_us,
        }
        rows = [(*key, _json(value)) for key, value in self._changed.items()]
        with self._base:
            self._base.executemany(
                "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", [*rows, (*_STATE, _json(state))]
            )
        self._changed.clear()

    def close(self) -> None:
        """Close the file."""
        self._base.close()


def _json(value: Any) -> str:
    if isinstance(value, Order):
        body = {**vars(value), "fees": str(value.fees.accumulated)}
    else:
        body = value if isinstance(value, dict) else asdict(value)
    return json.dumps(body, separators=(",", ":"))


def _order(row: dict[str, Any]) -> Order:
    fees = OrderFees(fee_type=FEE_TYPE, multiplier=FEE_MULTIPLIER)
    fees.accumulated = Decimal(row["fees"])
    return Order(**{**row, "fees": fees})
