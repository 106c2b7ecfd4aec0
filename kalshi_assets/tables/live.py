"""Tables of schema `live`: what sessions decided, sent and filled, from their journals.

Of a shadow session orders and fills are simulated, under every fill model; of the exchange's they
have no fill model.
"""

import polars as pl

from kalshi_assets.tables.backtest import ORDER_ENDS, Decisions, Fills, Orders
from kalshi_assets.tables.contract import Contract, Table, UtcTime, column

MODES = ["shadow", "demo", "live"]

TRADING_ENDED = "trading ended"
"""Why a session ends by itself."""

PARITY_CAUSES = ["equal", "missing", "late_facts", "position", "unexplained"]
"""Why a decision is not the backtest's, the first that applies."""


class Sessions(Contract):
    """The sessions that traded a ladder on a day."""

    session_id: pl.String = column("Name of the session.")
    account: pl.String = column("Whose orders it sent, or would have sent.")
    mode: pl.String = column("shadow: orders are simulated.", isin=MODES)
    started_at: UtcTime = column("When it began.")
    ended_at: UtcTime = column("When it ended; null: it did not end by itself.", nullable=True)
    end_reason: pl.String = column("Why it ended.", nullable=True)
    versions: pl.String = column("What it loaded, as JSON: tables and their content.")
    decisions: pl.Int32 = column("Decisions on this ladder.", ge=0)
    failures: pl.Int32 = column("Minutes of this ladder that failed.", ge=0)


class LiveDecisions(Decisions):
    """What sessions decided for every bracket and minute; columns of `backtest.decisions`."""

    session_id: pl.String = column("Name of the session.")
    recorded_at: UtcTime = column("When the decision was in the journal.")


class LiveOrders(Orders):
    """Orders of sessions, simulated; columns of `backtest.orders`."""

    session_id: pl.String = column("Name of the session.")
    event_time: UtcTime = column("When it ended; null: it had not.", nullable=True)
    known_at: UtcTime = column("When that first became known; null: it had not.", nullable=True)
    end: pl.String = column(
        "As in `backtest.orders`; working: the session ended before the order did.",
        isin=[*ORDER_ENDS, "working"],
    )


class LiveFills(Fills):
    """Executions of sessions, simulated; columns of `backtest.fills`."""

    session_id: pl.String = column("Name of the session.")


class Parity(Contract):
    """Decisions of a session compared with the backtest of the same recorded day."""

    session_id: pl.String = column("Name of the session.")
    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    cause: pl.String = column(
        "equal; missing: the session decided nothing then; late_facts: it knew something else; "
        "position: it held something else; unexplained: a defect.",
        isin=PARITY_CAUSES,
    )
    rows: pl.Int32 = column("Brackets x minutes.", ge=0)
    share: pl.Float64 = column("Of the strategy's decisions of the day.", ge=0, le=1)
    first_row: pl.String = column("The first of them: market and minute.", nullable=True)


class Promotion(Contract):
    """Whether weeks of shadow allow trading live; every test must pass."""

    number: pl.Int8 = column("Order of the tests.", ge=1)
    test: pl.String = column("Name of the test; see promotion.toml.")
    passed: pl.Boolean = column("What cannot be computed has not passed.")
    found: pl.Float64 = column("What shadow sessions showed; null: not known.", nullable=True)
    bar: pl.Float64 = column("What must be reached.")
    missing: pl.String = column("What is missing, and for how long at the present rate.")


LIVE_SESSIONS = Table("live", "sessions", Sessions, key=("session_id",))
LIVE_DECISIONS = Table(
    "live",
    "decisions",
    LiveDecisions,
    key=("session_id", "strategy", "market_ticker", "minute"),
)
LIVE_ORDERS = Table(
    "live",
    "orders",
    LiveOrders,
    key=("session_id", "strategy", "fill_model", "order_id"),
    may_be_empty=True,
)
LIVE_FILLS = Table(
    "live",
    "fills",
    LiveFills,
    key=("session_id", "strategy", "fill_model", "fill"),
    may_be_empty=True,
)
LIVE_PROMOTION = Table("live", "promotion", Promotion, key=("number",))
LIVE_PARITY = Table("live", "parity", Parity, key=("session_id", "strategy", "cause"))
