"""The account of every date: its orders of all ladders, read from the catalogue.

Here: reading and going through the dates. Not here: one date (`trading.account`).
"""

from collections.abc import Callable, Iterator
from datetime import date

import duckdb
import polars as pl

from kalshi_assets.tables import ACCOUNT
from kalshi_assets.trading.account import AccountParams, LadderTerms, account_day

_ORDERS = """
select {ladder} as ladder, date as day, strategy, fill_model, order_id, market_ticker, side,
    execution, decided_at, event_time, price_cc, contracts
from backtest.orders order by day, strategy, fill_model, order_id
"""
_FILLS = """
select {ladder} as ladder, date as day, strategy, fill_model, order_id, market_ticker, side,
    execution, event_time, price_cc, contracts, fee_cc, pnl_cc
from backtest.fills order by day, strategy, fill_model, fill
"""


def accounts_of(
    catalogue: duckdb.DuckDBPyConnection,
    terms_of: Callable[[str, date], LadderTerms],
    params: AccountParams,
    *,
    ladder: str,
) -> pl.DataFrame:
    """`backtest.account`: a row per date, strategy and fill model with an order.

    Parameters
    ----------
    catalogue
        An open catalogue.
    terms_of
        Legs and fees of a ladder on a date.
    params
        The account's caps.
    ladder
        The family's name for a ladder, the column of the views.
    """
    orders, fills = (catalogue.sql(sql.format(ladder=ladder)).pl() for sql in (_ORDERS, _FILLS))
    made = list(_dates(orders, fills, terms_of, params))
    return ACCOUNT.arranged(pl.concat(made)) if made else ACCOUNT.empty()


def _dates(
    orders: pl.DataFrame,
    fills: pl.DataFrame,
    terms_of: Callable[[str, date], LadderTerms],
    params: AccountParams,
) -> Iterator[pl.DataFrame]:
    for day in orders["day"].unique().sort().to_list():
        own = orders.filter(day=day)
        ladders = {name: terms_of(name, day) for name in own["ladder"].unique().sort().to_list()}
        made = account_day(params, ladders, own, fills.filter(day=day))
        yield made.with_columns(day=pl.lit(day)).select(list(ACCOUNT.dtypes))
