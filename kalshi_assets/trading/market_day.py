"""One event's minutes as the fill models see them: bars by bracket and minute.

Here: turning the panel into integer prices that a loop can read fast. Not here: signals; the
decision never looks at bars.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
        Row of the panel per minute and bracket, [minutes, brackets]; -1: none.
    """

    market_tickers: tuple[str, ...]
    first_minute: int
    rows: NDArray[np.int64]
    bid_cc: list[int | None]
    ask_cc: list[int | None]
    low_cc: list[int | None]
    high_cc: list[int | None]
    takeable: list[bool]
    volume: list[float]

    @classmethod
    def of(cls, panel: pl.DataFrame, params: TradingParams) -> "MarketDay":
        """The bars of `panel`, one event's `panel.minute_panel_full`.

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
        rows = np.full((int(minutes.max()) - first + 1, tickers.height), -1, dtype=np.int64)
        rows[minutes - first, panel["bracket"].to_numpy()] = np.arange(panel.height)
        fresh = (pl.col("quote_source") == "recorded") & (
            pl.col("quote_age_s") <= params.max_quote_age_s
        )
        columns = panel.select(
            *(
                (pl.col(source) * PAYOFF_CC).round().cast(pl.Int32).alias(name)
                for source, name in (
                    ("bid", "bid_cc"),
                    ("ask", "ask_cc"),
                    ("low_1m", "low_cc"),
                    ("high_1m", "high_cc"),
                )
            ),
            takeable=fresh.fill_null(False),
            volume="volume_1m",
        ).to_dict(as_series=False)
        return cls(
            market_tickers=tuple(tickers["market_ticker"]),
            first_minute=first,
            rows=rows,
            **columns,
        )

    def bar(self, minute: int, bracket: int) -> Bar | None:
        """What traded and stood at `minute`; None: the panel has no such row."""
        row = int(self.rows[minute - self.first_minute, bracket])
        if row < 0:
            return None
        return Bar(
            bid_cc=self.bid_cc[row],
            ask_cc=self.ask_cc[row],
            takeable=self.takeable[row],
            low_cc=self.low_cc[row],
            high_cc=self.high_cc[row],
            volume=self.volume[row],
        )

    def mid_cc(self, minute: int, bracket: int) -> float | None:
        """Middle of the quotes at `minute`; None: not two-sided, or outside the panel."""
        if not 0 <= minute - self.first_minute < len(self.rows):
            return None
        bar = self.bar(minute, bracket)
        if bar is None or bar.bid_cc is None or bar.ask_cc is None:
            return None
        return (bar.bid_cc + bar.ask_cc) / 2
