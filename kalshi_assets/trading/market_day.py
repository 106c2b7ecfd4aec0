"""One event's minutes as input of the fill models: bars by bracket and minute.

Here: turning the panel into integer prices that a loop can read fast. Not here: signals; decisions
never use bars.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kalshi_assets.trading.fills import Bar
from kalshi_assets.trading.params import TradingParams
from kalshi_assets.units import CC_A_DOLLAR, MINUTE_US


@dataclass(frozen=True, kw_only=True)
class MarketDay:
    """The panel's quotes and trades of one event.

    Attributes
    ----------
    market_tickers
        The brackets' markets, lowest first.
    first_minute
        Minutes since the epoch.
    rows
        Row of the panel per bracket and minute, shape (brackets, minutes); -1: none.
    panel
        One event's `panel.minute_panel_full`, priced or not.
    max_quote_age_s
        Older quotes cannot be taken.
    """

    market_tickers: tuple[str, ...]
    first_minute: int
    rows: NDArray[np.int64]
    panel: pl.DataFrame
    max_quote_age_s: float

    @classmethod
    def of(cls, panel: pl.DataFrame, params: TradingParams) -> "MarketDay":
        """The bars of `panel`.

        Parameters
        ----------
        panel
            One event's `panel.minute_panel_full`, priced or not.
        params
            Greatest age of quotes.

        Raises
        ------
        ValueError
            The panel is empty, or its brackets are not 0, 1, ... each with one market.
        """
        markets = _markets(panel)
        if not markets or [bracket for bracket, _ in markets] != list(range(len(markets))):
            raise ValueError(
                "the panel must hold one event with brackets 0, 1, ... and one market each; "
                f"it holds {markets}"
            )
        minutes = panel["minute"].to_physical().to_numpy() // MINUTE_US
        first = int(minutes.min())
        rows = np.full((len(markets), int(minutes.max()) - first + 1), -1, dtype=np.int64)
        rows[panel["bracket"].to_numpy(), minutes - first] = np.arange(panel.height)
        return cls(
            market_tickers=tuple(ticker for _, ticker in markets),
            first_minute=first,
            rows=rows,
            panel=panel,
            max_quote_age_s=params.max_quote_age_s,
        )

    @cached_property
    def bars(self) -> pl.DataFrame:
        """The fields of `Bar`, by row of the panel; on most days no order needs them."""
        fresh = (pl.col("quote_source") == "recorded") & (
            pl.col("quote_age_s") <= self.max_quote_age_s
        )
        return self.panel.select(
            bid_cc=_price("bid_cc"),
            ask_cc=_price("ask_cc"),
            takeable=fresh.fill_null(False),
            low_cc=_price("low_1m_cc"),
            high_cc=_price("high_1m_cc"),
            volume=pl.col("volume_1m").fill_nan(None),
        )

    def bar(self, minute: int, bracket: int) -> Bar | None:
        """Trades and quotes of a minute; None: the panel has no such row.

        Parameters
        ----------
        minute
            Minutes since the epoch.
        bracket
            Position in the ladder.
        """
        row = int(self.rows[bracket, minute - self.first_minute])
        return None if row < 0 else Bar(*self.bars.row(row))

    def mid_cc(self, minute: int, bracket: int) -> float | None:
        """Mid of a minute, cc; None: not two-sided, or outside the panel.

        Parameters
        ----------
        minute, bracket
            As in `bar`.
        """
        if not 0 <= minute - self.first_minute < self.rows.shape[1]:
            return None
        bar = self.bar(minute, bracket)
        if bar is None or bar.bid_cc is None or bar.ask_cc is None:
            return None
        return (bar.bid_cc + bar.ask_cc) / 2


def _markets(panel: pl.DataFrame) -> list[tuple[int, str]]:
    """Every bracket with its market, by bracket."""
    if panel.is_empty():
        return []
    brackets, tickers = panel["bracket"].to_numpy(), panel["market_ticker"]
    changes = (np.diff(brackets) != 0) | (tickers[1:] != tickers[:-1]).to_numpy()
    # In a sorted panel these are as many rows as brackets.
    first = np.concatenate([[0], np.flatnonzero(changes) + 1])
    return sorted(set(zip(brackets[first].tolist(), tickers.gather(first).to_list(), strict=True)))


def _price(name: str) -> pl.Expr:
    """Whole cc; null for null and for invalid prices."""
    return pl.when(pl.col(name).is_between(0, CC_A_DOLLAR)).then(name).cast(pl.Int32)
