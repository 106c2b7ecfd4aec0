"""One ladder-day of a shadow session: minute by minute, what the backtest would have done.

A minute is decided when the quotes of the next and the trades until then are known, because what
fills an order at once depends on them. Orders are simulated under every fill model, none is sent.

Here: the minutes of a ladder. Not here: the loop over ladders and time (`session`), the facts
(`facts`), decisions (`trading`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from kalshi_assets.live.day_so_far import DaySoFar
from kalshi_assets.live.facts import LadderFacts
from kalshi_assets.tables import EVENTS
from kalshi_assets.tables.backtest import FILL_MODELS
from kalshi_assets.trading import records
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.stepping import SteppedRun, new_runs
from kalshi_assets.trading.strategies import MinuteStrategy, Strategy
from kalshi_assets.units import MINUTE_US

BEHIND_US = MINUTE_US
"""How long after a minute everything is known that decides what fills then."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What became known of a ladder at a call.

    Attributes
    ----------
    decisions
        Rows of `backtest.decisions` of the minutes since the last call.
    orders, fills
        All simulated orders and fills so far, as `backtest.orders` and `backtest.fills`.
    """

    decisions: pl.DataFrame
    orders: pl.DataFrame
    fills: pl.DataFrame


class LadderSession:
    """A ladder-day.

    Parameters
    ----------
    day, facts
        The day, and what fetches its facts.
    strategies
        Run side by side.
    """

    def __init__(
        self, day: DaySoFar, facts: LadderFacts, strategies: Sequence[Strategy | MinuteStrategy]
    ) -> None:
        self.day, self.facts = day, facts
        self._strategies = tuple(strategies)
        self.runs: list[SteppedRun] = []
        self.decided = 0
        self.latest: TradingDay | None = None
        self.is_over = False

    @property
    def event_ticker(self) -> str | None:
        """The event; None: not known yet."""
        events = self.day.known(EVENTS)
        return None if events is None else str(events["event_ticker"][0])

    @property
    def deadline_us(self) -> int:
        """When a session gives it up, if it has not ended by then."""
        return self.day.deadline_us

    @property
    def minutes(self) -> int:
        """Minutes of the whole day, from the open to the close; 0: not known yet."""
        return 0 if self.latest is None else len(self.latest.instants)

    def advance(self, now_us: int) -> Said | None:
        """Decide every minute that is due; None: there is none, or no contract is known.

        Parameters
        ----------
        now_us
            The present.
        """
        self.facts.refresh(now_us)
        if self.day.known(EVENTS) is None:
            return None
        day = self.latest = self.day.trading_day(now_us)
        if not self.runs:
            self.runs = new_runs(self._strategies, tuple(FILL_MODELS), day)
        due = int((day.instants <= now_us - BEHIND_US).sum())
        first = self.decided
        if due <= first:
            return None
        # Those that judge whole days are asked once for all fill models.
        wanted = {s.name: s.wanted(day) for s in self._strategies if isinstance(s, Strategy)}
        for run in self.runs:
            for minute in range(first, due):
                run.step(day, minute, wanted.get(run.strategy.name))
            if due == len(day.instants):
                run.finish(day)
        self.decided, self.is_over = due, due == len(day.instants)
        runs = [run.run() for run in self.runs]
        return Said(
            decisions=records.decisions(day, runs, range(first, self.decided)),
            orders=records.orders(day, runs),
            fills=records.fills(day, runs, None),
        )
