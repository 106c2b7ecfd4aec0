"""Tables of schema `backtest`: what the engine decided, what filled, what it earned.

Money is integers of 1/10,000 dollar (`_cc`).
"""

import polars as pl

from kalshi_assets.tables.contract import Contract, Table, UtcTime, column

FILL_MODELS = ["conservative", "touch"]
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
    "inferred_quote",
    "edge_too_small",
    "too_late",
    "order_working",
    "position_limit",
    "loss_limit",
]


class Decisions(Contract):
    """What the engine did about every bracket and minute, and why not where it did nothing."""

    market_ticker: pl.String = column("The market.")
    bracket: pl.Int8 = column("Position in the ladder, 0 is the coldest.", ge=0)
    minute: UtcTime = column("When it decided; nothing later is in it.")
    known_at: UtcTime = column("The latest known_at among the row's inputs.")
    reason: pl.String = column(
        "trade, or the first gate that said no; in place of veto the family's word for it."
    )
    side: pl.String = column(
        "The better side: bid buys YES, ask sells it.", isin=["bid", "ask"], nullable=True
    )
    execution: pl.String = column(
        "maker rests, taker crosses; null: no order.", isin=["maker", "taker"], nullable=True
    )
    price_cc: pl.Int32 = column(
        "Price of the order, in YES terms.", unit="cc", ge=0, le=10_000, nullable=True
    )
    contracts: pl.Int32 = column("Size of the order.", unit="contracts", ge=0)
    edge_cents: pl.Float64 = column(
        "Expected gain a contract of the better side, after fees.", unit="cents", nullable=True
    )
    p_used: pl.Float64 = column(
        "The probability behind it; null: not known.", ge=0, le=1, nullable=True
    )
    p_mkt: pl.Float64 = column("The market's; null: not known.", ge=0, le=1, nullable=True)
    position: pl.Int32 = column("YES contracts held when deciding; negative: NO.", unit="contracts")


class Fills(Contract):
    """Every order of the backtest, and what each fill model says became of it."""

    fill_model: pl.String = column("Which fill model.", isin=FILL_MODELS)
    order_id: pl.Int32 = column("Number of the order within the day and model.", ge=0)
    market_ticker: pl.String = column("The market.")
    side: pl.String = column("bid buys YES, ask sells it.", isin=["bid", "ask"])
    execution: pl.String = column("maker rests, taker crosses.", isin=["maker", "taker"])
    placed_at: UtcTime = column("When the order reached the book.")
    event_time: UtcTime = column("When it filled, expired or was cancelled.")
    known_at: UtcTime = column("When that could first be known.")
    price_cc: pl.Int32 = column("Price, in YES terms.", unit="cc", ge=0, le=10_000)
    contracts: pl.Int32 = column("Ordered.", unit="contracts", gt=0)
    filled: pl.Int32 = column("Filled.", unit="contracts", ge=0)
    fee_cc: pl.Int64 = column("Fee, exact.", unit="cc", ge=0)
    outcome: pl.String = column("What became of it.", isin=["filled", "partial", "cancelled"])
    pnl_cc: pl.Int64 = column(
        "Gain at settlement after the fee; null: not settled.", unit="cc", nullable=True
    )
    mark_out_5m_cc: pl.Float64 = column(
        "Mid five minutes later less price, signed by side.", unit="cc", nullable=True
    )


class DailyPnl(Contract):
    """The day's result under each fill model, side by side."""

    fill_model: pl.String = column("Which fill model.", isin=FILL_MODELS)
    settled_by: pl.String = column(
        "Whose result settled the day; unsettled: none yet.",
    )
    value: pl.Int64 = column(
        "The number that settled, in ticks; null: unsettled, or not stated.", nullable=True
    )
    winning_bracket: pl.Int8 = column(
        "Position of the bracket that paid, where legs nest of the atom that the number lies in; "
        "null: unsettled, or settled at a fair price.",
        nullable=True,
    )
    orders: pl.Int32 = column("Orders sent.", ge=0)
    maker_fills: pl.Int32 = column("Maker orders with a fill.", ge=0)
    taker_fills: pl.Int32 = column("Taker orders with a fill.", ge=0)
    contracts: pl.Int32 = column("Contracts filled.", unit="contracts", ge=0)
    gross_cc: pl.Int64 = column("Gain before fees; null: unsettled.", unit="cc", nullable=True)
    fees_cc: pl.Int64 = column("Fees.", unit="cc", ge=0)
    net_cc: pl.Int64 = column("Gain after fees; null: unsettled.", unit="cc", nullable=True)
    worst_case_cc: pl.Int64 = column("Gain after fees had the worst bracket paid.", unit="cc")


class Report(Contract):
    """How good each PMF was: scores at fixed local-standard hours against the day's outcome."""

    source: pl.String = column("Whose PMF: market, fused, or the model, such as weather.")
    lst_hour: pl.Int8 = column("Local standard hour of the climate day.", unit="h", ge=0, le=23)
    minute: UtcTime = column("The same instant, UTC.")
    p_win: pl.Float64 = column(
        "Probability it gave to the bracket that paid.", ge=0, le=1, nullable=True
    )
    log_loss: pl.Float64 = column("-ln(p_win), floored at 1e-6.", unit="nats", ge=0, nullable=True)
    brier_score: pl.Float64 = column("Sum over brackets of (p - o)^2.", ge=0, le=2, nullable=True)
    rps: pl.Float64 = column(
        "Ranked probability score, over the ladder.", ge=0, le=1, nullable=True
    )


DECISIONS = Table(
    "backtest", "decisions", Decisions, key=("market_ticker", "minute"), point_in_time="minute"
)
FILLS = Table("backtest", "fills", Fills, key=("fill_model", "order_id"), may_be_empty=True)
DAILY_PNL = Table("backtest", "daily_pnl", DailyPnl, key=("fill_model",))
REPORT = Table("backtest", "report", Report, key=("source", "lst_hour"))
