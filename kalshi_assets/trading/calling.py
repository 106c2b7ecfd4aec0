"""A user's strategy that judges single minutes, asked as a session goes.

Here: what it wants at a minute, in the form of a strategy that judges whole days. Not here: whole
days of it (`engine`), the two kinds (`strategies`).
"""

from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.engine import refuse_impossible
from kalshi_assets.trading.strategies import (
    NOT_WANTED,
    Minute,
    MinuteStrategy,
    Quote,
    Strategy,
    Wanted,
    gated,
    set_want,
)
from kalshi_assets.units import Ints


class Asked:
    """One strategy on one desk, asked minute after minute.

    Parameters
    ----------
    strategy
        Of either kind.
    """

    def __init__(self, strategy: Strategy | MinuteStrategy) -> None:
        self.strategy = strategy
        self._said: list[tuple[int, Quote]] = []

    def wanted(self, day: TradingDay, minute: int, position: Ints) -> Wanted:
        """What it wants at a minute, and wanted at those before.

        Parameters
        ----------
        day
            The day so far.
        minute
            Position in the day; each once, in order.
        position
            YES contracts held by bracket; negative: NO.

        Raises
        ------
        ValueError
            It wants an order that the exchange would not understand.
        """
        if isinstance(self.strategy, Strategy):
            return self.strategy.wanted(day)
        wants = gated(day)
        rows = day.first + minute
        now = Minute(
            at=int(day.instants[minute]),
            bid_cc=day.rows.bid[rows].tolist(),
            ask_cc=day.rows.ask[rows].tolist(),
            p_used=wants.used[rows].tolist(),
            p_mkt=day.rows.market[rows].tolist(),
            allowed=(wants.reason[rows] == NOT_WANTED).tolist(),
            position=position.tolist(),
        )
        for quote in self.strategy.quotes(now):
            refuse_impossible(self.strategy.name, quote, day.terms.prices)
            if now.allowed[quote.bracket]:
                self._said.append((minute, quote))
        for m, quote in self._said:
            set_want(wants, int(day.first[quote.bracket]) + m, quote)
        return Wanted(wants=wants, slippage_cc=0, hold_minutes=0, sized_by_kelly=False)
