"""The tables of a journal, and the states that an order passes through.

Here: SQL, states and their transitions. Not here: reading and writing (journal).
"""

import polars as pl

from kalshi_assets.tables import DECISIONS, FILLS, ORDERS, Table

VERSION = 1

INTENT, SENT = "intent", "sent"
ACKNOWLEDGED, PARTLY_FILLED = "acknowledged", "partly_filled"
DONE, REJECTED, UNKNOWN = "done", "rejected", "unknown"

UNRESOLVED = frozenset({INTENT, SENT, UNKNOWN})
"""Nobody knows yet whether the exchange has the order."""
OPEN = UNRESOLVED | {ACKNOWLEDGED, PARTLY_FILLED}
"""The order may still fill."""

TRANSITIONS = {
    INTENT: frozenset({SENT, ACKNOWLEDGED, PARTLY_FILLED, DONE, REJECTED, UNKNOWN}),
    SENT: frozenset({ACKNOWLEDGED, PARTLY_FILLED, DONE, REJECTED, UNKNOWN}),
    UNKNOWN: frozenset({ACKNOWLEDGED, PARTLY_FILLED, DONE, REJECTED}),
    ACKNOWLEDGED: frozenset({PARTLY_FILLED, DONE, UNKNOWN}),
    PARTLY_FILLED: frozenset({PARTLY_FILLED, DONE, UNKNOWN}),
    DONE: frozenset[str](),
    REJECTED: frozenset[str](),
}

_STATES = ", ".join(f"'{state}'" for state in TRANSITIONS)
_AFFINITIES = {pl.String: "TEXT", pl.Float64: "REAL", pl.Float32: "REAL"}


FRAMES: dict[str, Table] = {
    "decisions": DECISIONS,
    "simulated_orders": ORDERS,
    "simulated_fills": FILLS,
}
"""Tables of the journal that hold the columns of a table of the lake, and when a row was kept."""


def _frame_table(name: str, table: Table) -> str:
    """A table with the columns of `table`; instants are integer microseconds."""
    columns = ",\n  ".join(
        f"{name} {_AFFINITIES.get(dtype.base_type(), 'INTEGER')}"
        for name, dtype in pl.Schema(table.dtypes).items()
    )
    return f"""CREATE TABLE {name} (
  {columns},
  recorded_at_us INTEGER NOT NULL,
  PRIMARY KEY ({", ".join(table.key)})
) STRICT;
"""


SCHEMA = f"""
CREATE TABLE session (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  session_id TEXT NOT NULL,
  account TEXT NOT NULL,
  mode TEXT NOT NULL,
  started_at_us INTEGER NOT NULL,
  versions TEXT NOT NULL,
  opening_cash_millionths INTEGER,
  ended_at_us INTEGER,
  end_reason TEXT
) STRICT;

CREATE TABLE orders (
  client_order_id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  event_ticker TEXT NOT NULL,
  strategy TEXT NOT NULL,
  decided_at_us INTEGER NOT NULL,
  bracket INTEGER NOT NULL,
  market_ticker TEXT NOT NULL,
  side TEXT NOT NULL CHECK (side IN ('bid', 'ask')),
  execution TEXT NOT NULL CHECK (execution IN ('maker', 'taker')),
  price_cc INTEGER NOT NULL CHECK (price_cc BETWEEN 1 AND 9999),
  size INTEGER NOT NULL CHECK (size > 0),
  expires_at_s INTEGER,
  order_group_id TEXT NOT NULL,
  exchange_index INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ({_STATES})),
  order_id TEXT UNIQUE,
  filled INTEGER NOT NULL DEFAULT 0 CHECK (filled BETWEEN 0 AND size),
  booked INTEGER NOT NULL DEFAULT 0 CHECK (booked BETWEEN 0 AND size),
  note TEXT NOT NULL DEFAULT '',
  created_at_us INTEGER NOT NULL,
  updated_at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_by_state ON orders (state);
CREATE INDEX orders_unbooked ON orders (client_order_id) WHERE filled > booked;

CREATE TABLE transitions (
  id INTEGER PRIMARY KEY,
  client_order_id TEXT NOT NULL REFERENCES orders,
  state TEXT NOT NULL,
  filled INTEGER NOT NULL,
  note TEXT NOT NULL,
  at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE fills (
  trade_id TEXT PRIMARY KEY,
  client_order_id TEXT NOT NULL REFERENCES orders,
  market_ticker TEXT NOT NULL,
  side TEXT NOT NULL CHECK (side IN ('bid', 'ask')),
  is_taker INTEGER NOT NULL,
  price_cc INTEGER NOT NULL,
  size INTEGER NOT NULL CHECK (size > 0),
  fee_millionths INTEGER NOT NULL,
  filled_at_us INTEGER NOT NULL,
  recorded_at_us INTEGER NOT NULL
) STRICT;

CREATE TABLE holdings (
  market_ticker TEXT PRIMARY KEY,
  opening INTEGER NOT NULL DEFAULT 0,
  opening_cash_millionths INTEGER NOT NULL DEFAULT 0,
  size INTEGER NOT NULL DEFAULT 0,
  cash_millionths INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE cancels (
  id INTEGER PRIMARY KEY,
  client_order_id TEXT REFERENCES orders,
  reason TEXT NOT NULL,
  asked_at_us INTEGER NOT NULL,
  outcome TEXT,
  answered_at_us INTEGER
) STRICT;

{"".join(_frame_table(name, table) for name, table in FRAMES.items())}
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL,
  kind TEXT NOT NULL,
  data TEXT NOT NULL
) STRICT;

CREATE TABLE heartbeats (
  at_us INTEGER PRIMARY KEY,
  data TEXT NOT NULL
) STRICT;
"""
