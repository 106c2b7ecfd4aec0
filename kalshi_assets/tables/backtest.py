"""Tables of schema `backtest`: what the engine decided, what filled, what it earned.

Money is integers of 1/10,000 dollar (`_cc`).
"""

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, UtcTime, column

STRATEGIES = ["value", "move", "sets"]
"""Those that ship; a strategy of the user's has a name of its own."""

FILL_MODELS = ["touch", "through", "queue"]
DECIDING_MODEL = "through"
"""The pessimistic one, whose account decisions are recorded of, and which pages show."""

REASONS = [
    "trade",
    "no_quote",
    "input_unknown",
    "market_invalid",
    "dead_bracket",
    "stale_quote",
    "extreme_probability",
    "wide_spread",
    "low_volume",
    "veto",
    "no_prediction",
    "signal_unknown",
    "signal_too_weak",
    "move_too_small",
    "no_set",
    "inferred_quote",
    "edge_too_small",
    "too_late",
    "not_wanted",
    "order_working",
    "size_zero",
    "position_limit",
    "open_orders_limit",
    "order_rate_limit",
    "price_collar",
    "loss_limit",
]
"""Reasons of a decision: an order, or the first gate or limit that prevented one, in their order.
A veto is given in the family's words."""

ORDER_ENDS = ["filled", "expired", "cancelled", "crossed", "closed", "unfilled"]


class Decisions(Contract):
    """What every strategy decided for every bracket and minute, and why it sent no order."""

    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the lowest.", ge=0)
    minute: UtcTime = column("Time of the decision; nothing known later is used.")
    known_at: UtcTime = column("The latest known_at among the row's inputs.")
    reason: pl.String = column(
        "trade, or the first gate or limit that prevented an order; for a veto, the family's own "
        "reason. Limits are those of the account under the fill model `through`."
    )
    side: pl.String = column(
        "Side with the greater edge: bid buys YES, ask sells it; of an order, its side.",
        isin=["bid", "ask"],
        nullable=True,
    )
    execution: pl.String = column(
        "maker: rests in the book; taker: crosses the spread; null: no order.",
        isin=["maker", "taker"],
        nullable=True,
    )
    price_cc: pl.Int32 = column(
        "Limit price of the order, in YES terms.", unit="cc", ge=0, le=10_000, nullable=True
    )
    contracts: pl.Int32 = column("Size of the order.", unit="contracts", ge=0)
    edge_cents: pl.Float64 = column(
        "value: expected gain per contract on that side, after fees. move: predicted move in the "
        "direction of the signal. sets: gain of a complete set after fees.",
        unit="cents",
        nullable=True,
    )
    p_used: pl.Float64 = column(
        "Probability used for the edge; null: not known.", ge=0, le=1, nullable=True
    )
    p_mkt: pl.Float64 = column(
        "Market-implied probability; null: not known.", ge=0, le=1, nullable=True
    )
    position: pl.Int32 = column(
        "YES contracts held at the decision; negative: NO.", unit="contracts"
    )
    signal: pl.Float32 = column(
        "Of move: the sum of the next four; null: other strategies, or not known.", nullable=True
    )
    signal_ras: pl.Float32 = column("Weighted relative acceleration.", nullable=True)
    signal_velocity: pl.Float32 = column("Weighted velocity of five minutes.", nullable=True)
    signal_flow: pl.Float32 = column("Weighted flow percentile less a half.", nullable=True)
    signal_pressure: pl.Float32 = column("The family's weighted pressure.", nullable=True)


class Orders(Contract):
    """Every order of the backtest under each fill model, and its end."""

    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    fill_model: pl.String = column("Name of the fill model.", isin=FILL_MODELS)
    order_id: pl.String = column("Event, strategy, time of the decision, bracket, side.")
    market_ticker: pl.String = column("The market.")
    side: pl.String = column("bid buys YES, ask sells it.", isin=["bid", "ask"])
    execution: pl.String = column(
        "maker: rests in the book; taker: crosses the spread.", isin=["maker", "taker"]
    )
    decided_at: UtcTime = column("Minute of the decision.")
    placed_at: UtcTime = column("When it reached the book.")
    event_time: UtcTime = column("When it ended.")
    known_at: UtcTime = column("When that first became known.")
    price_cc: pl.Int32 = column("Limit price, in YES terms.", unit="cc", ge=0, le=10_000)
    contracts: pl.Int32 = column("Contracts ordered.", unit="contracts", gt=0)
    filled: pl.Int32 = column("Contracts filled.", unit="contracts", ge=0)
    fee_cc: pl.Int64 = column("Fees, exact.", unit="cc", ge=0)
    end: pl.String = column(
        "filled: in full; expired, cancelled: after its lifetime or by the engine; crossed: "
        "post-only and refused; closed: refused, trading had ended; unfilled: immediate, and "
        "filled in part or not at all.",
        isin=ORDER_ENDS,
    )


class Fills(Contract):
    """Every execution of the backtest under each fill model."""

    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    fill_model: pl.String = column("Name of the fill model.", isin=FILL_MODELS)
    fill: pl.Int32 = column("Number of the fill within strategy and model.", ge=0)
    order_id: pl.String = column("See `backtest.orders`.")
    market_ticker: pl.String = column("The market.")
    side: pl.String = column("bid buys YES, ask sells it.", isin=["bid", "ask"])
    execution: pl.String = column("maker or taker.", isin=["maker", "taker"])
    event_time: UtcTime = column("When it filled.")
    known_at: UtcTime = column("When that was known: the same.")
    price_cc: pl.Int32 = column("Price, in YES terms.", unit="cc", ge=0, le=10_000)
    contracts: pl.Int32 = column("Contracts.", unit="contracts", gt=0)
    fee_cc: pl.Int64 = column("Fee, exact.", unit="cc", ge=0)
    pnl_cc: pl.Int64 = column(
        "Gain at settlement after the fee; null: not settled.", unit="cc", nullable=True
    )
    mark_out_1m_cc: pl.Float64 = column(
        "Mid one minute after the fill less its price; for an ask, the reverse.",
        unit="cc",
        nullable=True,
    )
    mark_out_5m_cc: pl.Float64 = column("The same after five minutes.", unit="cc", nullable=True)


class Ledger(Contract):
    """Double entries: the postings of every entry sum to zero."""

    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    fill_model: pl.String = column("Name of the fill model.", isin=FILL_MODELS)
    entry: pl.Int32 = column("Number of the entry.", ge=0)
    account: pl.String = column(
        "cash; position: contracts at cost; fees: paid; settlement: realised gain.",
        isin=["cash", "position", "fees", "settlement"],
    )
    market_ticker: pl.String = column("The market.")
    event_time: UtcTime = column("When it was booked.")
    amount_cc: pl.Int64 = column("Debit; negative: credit.", unit="cc")
    contracts: pl.Int32 = column(
        "Change of YES contracts held, on postings to position; else 0.", unit="contracts"
    )


class DailyPnl(Contract):
    """The day's result of every strategy under each fill model, side by side."""

    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    fill_model: pl.String = column("Name of the fill model.", isin=FILL_MODELS)
    settled_by: pl.String = column(
        "Source whose result settled the day; unsettled: none yet.",
    )
    value: pl.Int64 = column(
        "Settlement value, in ticks; null: unsettled, or not stated.", nullable=True
    )
    winning_bracket: pl.Int8 = column(
        "Position of the bracket that paid; for nested legs, of the atom that contains the "
        "settlement value; null: unsettled, or settled at a fair price.",
        nullable=True,
    )
    orders: pl.Int32 = column("Orders sent.", ge=0)
    maker_fills: pl.Int32 = column("Maker orders with a fill.", ge=0)
    taker_fills: pl.Int32 = column("Taker orders with a fill.", ge=0)
    contracts: pl.Int32 = column("Contracts filled.", unit="contracts", ge=0)
    gross_cc: pl.Int64 = column("Gain before fees; null: unsettled.", unit="cc", nullable=True)
    fees_cc: pl.Int64 = column("Fees.", unit="cc", ge=0)
    net_cc: pl.Int64 = column("Gain after fees; null: unsettled.", unit="cc", nullable=True)
    worst_case_cc: pl.Int64 = column("Gain after fees under the worst possible outcome.", unit="cc")


class Metrics(Contract):
    """Sums of the day's orders and fills by circumstance; they add up over days."""

    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    fill_model: pl.String = column("Name of the fill model.", isin=FILL_MODELS)
    by: pl.String = column(
        "all, or what the bucket is: the time of day (hours of the ladder's day), the regime, the "
        "execution, the market, what tested a trader on the day (a day counts once for each).",
        isin=["all", "time_of_day", "regime", "execution", "market_ticker", "stress"],
    )
    bucket: pl.String = column("The bucket, at the time of the decision.")
    orders: pl.Int32 = column("Orders sent.", ge=0)
    orders_filled: pl.Int64 = column("Orders with a fill.", ge=0)
    ordered: pl.Int64 = column("Contracts ordered.", unit="contracts", ge=0)
    fills: pl.Int64 = column("Executions.", ge=0)
    contracts: pl.Int32 = column("Contracts filled.", unit="contracts", ge=0)
    fees_cc: pl.Int64 = column("Fees.", unit="cc", ge=0)
    net_cc: pl.Int64 = column(
        "Gain at settlement after fees; null: not settled.", unit="cc", nullable=True
    )
    marked: pl.Int64 = column(
        "Contracts filled whose mark-outs of one and five minutes are known.",
        unit="contracts",
        ge=0,
    )
    hits: pl.Int64 = column("Those of them with a gain.", unit="contracts", ge=0)
    mark_out_1m_cc: pl.Float64 = column(
        "Sum over these contracts of the mark-out after one minute.", unit="cc"
    )
    mark_out_5m_cc: pl.Float64 = column("The same after five minutes.", unit="cc")


CONTROLS = ["none", "market_only", "day_before", "other_winner"]


class Sensitivity(Contract):
    """What a strategy earns if two parameters are changed, beside controls that must not earn."""

    surface: pl.String = column("Name in sensitivity.toml.")
    control: pl.String = column(
        "none: the day as it was; market_only: the market's PMF as the forecast; day_before: the "
        "forecast of a day earlier; other_winner: the bracket pays that won on the last settled "
        "day before.",
        isin=CONTROLS,
    )
    x: pl.Float64 = column("Value of the surface's first parameter.")
    y: pl.Float64 = column("Value of its second parameter.")
    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    fill_model: pl.String = column("Name of the fill model.", isin=FILL_MODELS)
    orders: pl.Int64 = column("Orders sent.", ge=0)
    contracts: pl.Int64 = column("Contracts filled.", unit="contracts", ge=0)
    fees_cc: pl.Int64 = column("Fees.", unit="cc", ge=0)
    net_cc: pl.Int64 = column("Gain after fees; null: not settled.", unit="cc", nullable=True)


class Performance(Contract):
    """Results of all settled days by circumstance: counts, gains, cents per contract."""

    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    fill_model: pl.String = column("Name of the fill model.", isin=FILL_MODELS)
    by: pl.String = column("all, or what the bucket is; as in backtest.metrics, ladder or season.")
    bucket: pl.String = column("The bucket, at the time of the decision.")
    orders: pl.Int64 = column("Orders sent.", ge=0)
    orders_filled: pl.Int64 = column("Orders with a fill.", ge=0)
    fills: pl.Int64 = column("Executions.", ge=0)
    contracts: pl.Int64 = column("Contracts filled.", unit="contracts", ge=0)
    fees_cc: pl.Int64 = column("Fees.", unit="cc", ge=0)
    net_cc: pl.Int64 = column("Gain after fees.", unit="cc", nullable=True)
    hit_rate: pl.Float64 = column(
        "Share of contracts that gained within five minutes of the fill; null: none is known.",
        ge=0,
        le=1,
        nullable=True,
    )
    mark_out_1m_cents: pl.Float64 = column(
        "Mean over contracts of the mid's move in favour one minute after the fill.",
        unit="cents",
        nullable=True,
    )
    mark_out_5m_cents: pl.Float64 = column(
        "The same after five minutes.", unit="cents", nullable=True
    )


class Account(Contract):
    """One account over all ladders of a date: the orders that its caps allow, and their gain."""

    day: pl.Date = column("Date of the ladders.")
    strategy: pl.String = column("Name of the strategy.")  # type: ignore[assignment]
    fill_model: pl.String = column("Name of the fill model.", isin=FILL_MODELS)
    opening_cc: pl.Int64 = column("Stated opening balance.", unit="cc", gt=0)
    orders: pl.Int64 = column("Orders that the ladders sent, each from an account of its own.")
    left_out: pl.Int64 = column("Of them those that one account could not carry.", ge=0)
    alone_cc: pl.Int64 = column("Gain of all orders; null: not settled.", unit="cc", nullable=True)
    net_cc: pl.Int64 = column(
        "Gain of the orders that were carried; null: not settled.", unit="cc", nullable=True
    )
    worst_cc: pl.Int64 = column(
        "Lowest gain at any time under the worst outcome of every ladder.", unit="cc", le=0
    )
    exposure_cc: pl.Int64 = column(
        "Greatest sum at any time of what the ladders could lose.", unit="cc", ge=0
    )


class Report(Contract):
    """Scores of each PMF at full hours of local standard time against the day's outcome."""

    source: pl.String = column("Source of the PMF: market, fused, or the model, such as weather.")
    lst_hour: pl.Int8 = column("Local standard hour of the climate day.", unit="h", ge=0, le=23)
    minute: UtcTime = column("The same instant, UTC.")
    p_win: pl.Float64 = column("Probability of the bracket that paid.", ge=0, le=1, nullable=True)
    log_loss: pl.Float64 = column("-ln(p_win), floored at 1e-6.", unit="nats", ge=0, nullable=True)
    brier_score: pl.Float64 = column("Sum over brackets of (p - o)^2.", ge=0, le=2, nullable=True)
    rps: pl.Float64 = column(
        "Ranked probability score, over the ladder.", ge=0, le=1, nullable=True
    )


DECISIONS = Table(
    "backtest",
    "decisions",
    Decisions,
    key=("strategy", "market_ticker", "minute"),
    point_in_time="minute",
)
ORDERS = Table(
    "backtest", "orders", Orders, key=("strategy", "fill_model", "order_id"), may_be_empty=True
)
FILLS = Table("backtest", "fills", Fills, key=("strategy", "fill_model", "fill"), may_be_empty=True)
LEDGER = Table(
    "backtest",
    "ledger",
    Ledger,
    key=("strategy", "fill_model", "entry", "account"),
    may_be_empty=True,
)
DAILY_PNL = Table("backtest", "daily_pnl", DailyPnl, key=("strategy", "fill_model"))
METRICS = Table("backtest", "metrics", Metrics, key=("strategy", "fill_model", "by", "bucket"))
SENSITIVITY = Table(
    "backtest",
    "sensitivity",
    Sensitivity,
    key=("surface", "control", "x", "y", "fill_model"),
    may_be_empty=True,
)
ACCOUNT = Table(
    "backtest", "account", Account, key=("day", "strategy", "fill_model"), may_be_empty=True
)
PERFORMANCE = Table(
    "backtest",
    "performance",
    Performance,
    key=("strategy", "fill_model", "by", "bucket"),
    may_be_empty=True,
)
REPORT = Table("backtest", "report", Report, key=("source", "lst_hour"))
