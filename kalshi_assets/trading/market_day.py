"""One event's minutes as the fill models see them: bars by bracket and minute.

Here: turning the panel into integer prices that a loop can read fast. Not here: signals; the
decision never looks at bars.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.trading.fills import Bar
from kalshi_assets.trading.orders import PAYOFF_CC
from kalshi_assets.trading.params import TradingParams


@dataclass(frozen=True, kw_only=True)
class MarketDay:
    """The panel's quotes and trades of one event.

    Attributes
    ----------
    market_tickers
        The brackets' markets, coldest first.
    first_minute
        Minutes since the epoch.
    rows
        Row of the panel per bracket and minute, [brackets][minutes]; -1: none.
    columns
        The fields of `Bar`, one list each, by row of the panel.
    """

    market_tickers: tuple[str, ...]
    first_minute: int
    rows: list[list[int]]
    columns: tuple[list[Any], ...]

    @classmethod
    def of(cls, panel: pl.DataFrame, params: TradingParams) -> "MarketDay":
        """The bars of `panel`, one event's `panel.minute_panel_full`, priced or not.

        Raises
        ------
        ValueError
            The panel is empty, or its brackets are not 0, 1, ... each with one market.
        """
        tickers = panel.select("bracket", "market_ticker").unique().sort("bracket")
        if tickers["bracket"].to_list() != list(range(tickers.height)) or panel.is_empty():
            raise ValueError(
                "the panel must hold one event with brackets 0, 1, ... and one market each; "
                f"it holds {tickers.rows()}"
            )
        minutes = (panel["minute"].dt.epoch("s") // 60).to_numpy()
        first = int(minutes.min())
        rows = np.full((tickers.height, int(minutes.max()) - first + 1), -1, dtype=np.int64)
        rows[panel["bracket"].to_numpy(), minutes - first] = np.arange(panel.height)
        fresh = (pl.col("quote_source") == "recorded") & (
            pl.col("quote_age_s") <= params.max_quote_age_s
        )
        columns = panel.select(
            bid_cc=_in_cc("bid"),
            ask_cc=_in_cc("ask"),
            takeable=fresh.fill_null(False),
            low_cc=_in_cc("low_1m"),
            high_cc=_in_cc("high_1m"),
            volume="volume_1m",
        )
        return cls(
            market_tickers=tuple(tickers["market_ticker"]),
            first_minute=first,
            rows=rows.tolist(),
            columns=tuple(columns[name].to_list() for name in Bar._fields),
        )

    def bar(self, minute: int, bracket: int) -> Bar | None:
        """What traded and stood at `minute`; None: the panel has no such row."""
        row = self.rows[bracket][minute - self.first_minute]
        return None if row < 0 else Bar(*[column[row] for column in self.columns])

    def mid_cc(self, minute: int, bracket: int) -> float | None:
        """Middle of the quotes at `minute`; None: not two-sided, or outside the panel."""
        if not 0 <= minute - self.first_minute < len(self.rows[0]):
            return None
        bar = self.bar(minute, bracket)
        if bar is None or bar.bid_cc is None or bar.ask_cc is None:
            return None
        return (bar.bid_cc + bar.ask_cc) / 2


def _in_cc(dollars: str) -> pl.Expr:
    return (pl.col(dollars) * PAYOFF_CC).round().cast(pl.Int32)
