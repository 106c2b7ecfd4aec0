"""The backtest: drives the step over a day and lets fill models fill its orders.

Here: the day's loop and what it returns. Not here: the decision (`policy`, `signal`, `risk`), the
fill rules (`fills`), the frames of the result (`records`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from kalshi_assets.trading import records
from kalshi_assets.trading.fills import MAKER_RULES, MakerRule, crosses, take
from kalshi_assets.trading.ledger import Ledger
from kalshi_assets.trading.market_day import MarketDay
from kalshi_assets.trading.orders import Fill, WorkingOrder
from kalshi_assets.trading.params import TradingParams
from kalshi_assets.trading.policy import Desk, MinuteSignals, minute_signals, step
from kalshi_assets.trading.records import Outcome, Run
from kalshi_assets.trading.signal import signals
from kalshi_assets.trading.terms import EventTerms

FILL_MODELS = tuple(MAKER_RULES)
DECIDING_MODEL = "conservative"

# A fact enters the first row that is not before its known_at, so a candle that ends at a minute is
# in the next row. The book at an order's arrival is therefore read one row later, and the first
# whole bar after the arrival is the one after that.
ROW_LAG_MINUTES = 1


@dataclass(frozen=True, kw_only=True)
class DayResult:
    """One event's backtest: frames of `backtest.decisions`, `.fills` and `.daily_pnl`."""

    decisions: pl.DataFrame
    fills: pl.DataFrame
    daily_pnl: pl.DataFrame


def run_day(
    panel: pl.DataFrame,
    *,
    terms: EventTerms,
    params: TradingParams,
    outcome: Outcome | None = None,
    fill_models: Sequence[str] = FILL_MODELS,
) -> DayResult:
    """Backtest one event: its decisions, and the fills and gains under each fill model.

    Parameters
    ----------
    panel
        The `signal.priced` panel of one event: brackets x minutes rows.
    terms, params
        The event's fee and tick; the trader's settings.
    outcome
        The settlement of the day; None: not settled, gains are null.
    fill_models
        Names in `fills.MAKER_RULES`.

    Raises
    ------
    ValueError
        An unknown fill model, a ladder with a missing bracket, or a winner outside it.
    """
    if unknown := [name for name in fill_models if name not in MAKER_RULES]:
        raise ValueError(f"unknown fill models {unknown}; known: {', '.join(MAKER_RULES)}")
    day = MarketDay.of(panel, params)
    wanted = signals(panel, params, terms.fee, terms.free_rows(panel, params))
    minutes = minute_signals(wanted)
    runs = {
        name: simulate(day, minutes, terms=terms, params=params, maker_rule=MAKER_RULES[name])
        for name in dict.fromkeys((*fill_models, DECIDING_MODEL))
    }
    filled = records.fills(day, {name: runs[name] for name in fill_models}, outcome)
    return DayResult(
        decisions=records.decisions(day, wanted, runs[DECIDING_MODEL]),
        fills=filled,
        daily_pnl=records.daily_pnl(filled, day.market_tickers, terms.ladder, fill_models, outcome),
    )


def simulate(
    day: MarketDay,
    minutes: Sequence[MinuteSignals],
    *,
    terms: EventTerms,
    params: TradingParams,
    maker_rule: MakerRule,
) -> Run:
    """Drive the step over `minutes`, in order, and fill its orders from `day`'s bars.

    Parameters
    ----------
    day
        Bars of the event.
    minutes
        Signals, one value per minute, ascending.
    terms, params
        As in `run_day`.
    maker_rule
        When resting orders fill.
    """
    desk = Desk(ledger=Ledger(len(day.market_tickers), terms.ladder))
    run = Run()
    now = day.first_minute
    for signal in minutes:
        now = signal.minute
        if desk.working:
            _advance(desk, run, now, day, terms, params, maker_rule)
        if signal.candidates or (signal.pull and desk.working):
            done = step(desk, signal, params, terms.fee)
            run.note(now, done)
    for working in desk.working.values():
        working.ended_at = max(now, working.order.placed_at)
        run.orders.append(working)
    return run


def _advance(
    desk: Desk,
    run: Run,
    now: int,
    day: MarketDay,
    terms: EventTerms,
    params: TradingParams,
    maker_rule: MakerRule,
) -> None:
    """Apply minute `now` to every working order: book its fills, remove it if it ends."""
    for bracket, working in list(desk.working.items()):
        order = working.order
        bar = day.bar(now, bracket)
        contracts, price_cc = 0, order.price_cc
        ends = now >= working.dies_at
        arrives = order.placed_at + ROW_LAG_MINUTES
        if now >= arrives and bar is not None:
            if order.execution == "taker":
                contracts, price_cc = take(order, bar, params)
                ends = True
            elif now == arrives:
                ends = ends or crosses(order, bar)
            elif now <= working.dies_at:
                contracts = maker_rule(order, working.remaining, bar, terms.tick_cc, params)
        if contracts:
            fill = _fill(working, contracts, price_cc, now, terms)
            desk.ledger.book(fill)
            run.changes.append((now, fill))
        if ends or working.remaining == 0:
            working.ended_at = now
            run.orders.append(working)
            del desk.working[bracket]


def _fill(
    working: WorkingOrder, contracts: int, price_cc: int, now: int, terms: EventTerms
) -> Fill:
    """Book `contracts` on the order; its fee is that of all charged fills, less fees paid."""
    order = working.order
    working.fills += (contracts,)
    if not terms.is_waived(order.bracket, now):
        working.charged += (contracts,)
    total_fee = terms.order_fee(price_cc, working.charged, order.execution)
    fill = Fill(
        bracket=order.bracket,
        side=order.side,
        price_cc=price_cc,
        contracts=contracts,
        fee_cc=total_fee - working.fee_cc,
    )
    working.fee_cc = total_fee
    working.filled_price_cc = price_cc
    working.filled_at = now
    return fill
