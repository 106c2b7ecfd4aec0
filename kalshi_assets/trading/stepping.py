"""A strategy under a fill model, minute by minute, on a day that grows: what a session runs.

The calls are those of the backtest, so that the decisions of a day are, too. Here: one minute after
the other. Not here: whole days at once (`engine`), the decision (`desk_kernels`), fills
(`exchange_kernels`), where the day comes from (`live`).
"""

from collections.abc import Sequence

import numpy as np

from kalshi_assets.instants import NEVER
from kalshi_assets.tables.backtest import DECIDING_MODEL, REASONS
from kalshi_assets.trading.calling import Asked
from kalshi_assets.trading.day import TradingDay
from kalshi_assets.trading.desk_kernels import (
    FILLS,
    FULL,
    OPEN,
    ORDERS,
    Decided,
    decide,
    new_desk,
    new_scratch,
)
from kalshi_assets.trading.engine import Run, fill_rule, limits_of
from kalshi_assets.trading.exchange_kernels import advance
from kalshi_assets.trading.strategies import NOT_WANTED, MinuteStrategy, Strategy, Wanted
from kalshi_assets.units import Array, Ints

_ROOM = 1024
_VETO = REASONS.index("veto")
_UNTIL_THE_END = np.iinfo(np.int64).max


class SteppedRun:
    """One strategy under one fill model, as far as the day has come.

    Parameters
    ----------
    strategy
        Whose orders they are.
    fill_model
        Name in `tables.backtest.FILL_MODELS`.
    day
        The day at its start: its brackets and limits count.
    """

    def __init__(
        self, strategy: Strategy | MinuteStrategy, fill_model: str, day: TradingDay
    ) -> None:
        self.strategy, self.fill_model = strategy, fill_model
        self._asked = Asked(strategy)
        brackets = len(day.first)
        self._desk = new_desk(
            brackets, orders=_ROOM, fills=2 * _ROOM, open_orders=day.params.max_open_orders
        )
        self._scratch = new_scratch(brackets, day.terms.kernel.atoms)
        self._now, self._next = int(NEVER), 0
        self._first = day.first
        self._decided = nothing_decided(day)
        self._wanted: Wanted | None = None

    def step(self, day: TradingDay, minute: int, wanted: Wanted | None = None) -> None:
        """Let happen what happened until a minute, then decide.

        Parameters
        ----------
        day
            The day so far: quotes up to the minute after, trades up to a minute after.
        minute
            Position in the day; one that was decided before is left as it is, so that minutes can
            be tried again after a failure.
        wanted
            What the strategy wants of this day, if several runs share it; None: it is asked.
        """
        if minute < self._next:
            return
        self._grow(day)
        now = int(day.instants[minute])
        self._advance(day, now)
        if wanted is None:
            wanted = self._asked.wanted(day, minute, self._desk.position)
        limits = limits_of(day, wanted)
        rows = day.first + minute
        self._decided.reason[rows] = wanted.wants.reason[rows]
        decide(
            self._desk,
            now,
            minute,
            day.first,
            day.rows,
            wanted.wants,
            day.terms.kernel,
            limits,
            day.terms.prices,
            self._scratch,
            True,
            self._decided,
        )
        self._decided.position[rows] = self._desk.position
        self._wanted, self._next = wanted, minute + 1

    def finish(self, day: TradingDay) -> None:
        """Let everything happen that is left of a whole day."""
        self._grow(day)
        self._advance(day, _UNTIL_THE_END)

    def run(self) -> Run:
        """What was decided, sent and filled so far; decisions of `DECIDING_MODEL` alone."""
        assert self._wanted is not None, "before the first step"
        counts = self._desk.counts
        desk = self._desk._replace(
            orders=self._desk.orders[: counts[ORDERS]], fills=self._desk.fills[: counts[FILLS]]
        )
        return Run(
            strategy=self.strategy.name,
            fill_model=self.fill_model,
            desk=desk,
            wanted=self._wanted,
            decided=self._decided if self.decides else None,
        )

    @property
    def decides(self) -> bool:
        """Whether decisions are recorded of this run."""
        return self.fill_model == DECIDING_MODEL

    @property
    def position(self) -> Ints:
        """YES contracts by bracket; negative: NO."""
        return self._desk.position

    @property
    def counts(self) -> Ints:
        """`Desk.counts`."""
        return self._desk.counts

    def reasons(self, day: TradingDay, minute: int) -> list[str]:
        """Why there was no order at a minute, or ``trade``, by bracket.

        Parameters
        ----------
        day, minute
            As of the last step.
        """
        rows = day.first + minute
        of_veto = len(REASONS) - 1 + day.rows.veto[rows].astype(np.int64)
        reason = self._decided.reason[rows]
        words = [*REASONS, *day.vetoes]
        return [words[n] for n in np.where(reason == _VETO, of_veto, reason).tolist()]

    def used(self, day: TradingDay, minute: int) -> Array:
        """Probabilities used at a minute, by bracket; NaN: not known.

        Parameters
        ----------
        day, minute
            As of the last step.
        """
        assert self._wanted is not None, "before the first step"
        return self._wanted.wants.used[day.first + minute]

    def _advance(self, day: TradingDay, until: int) -> None:
        if self._desk.counts[OPEN]:
            advance(
                self._desk,
                until,
                int(np.searchsorted(day.tape.at, self._now, side="right")),
                day.instants,
                day.first,
                day.rows,
                day.volume_1m,
                day.tape,
                day.terms.kernel,
                fill_rule(day, self.fill_model),
            )
        self._now = until

    def _grow(self, day: TradingDay) -> None:
        """Make room for more orders, and for a day that became longer or shorter."""
        counts, desk = self._desk.counts, self._desk
        assert not counts[FULL], "an order or a fill was lost"
        if counts[ORDERS] + len(day.first) > len(desk.orders):
            desk = desk._replace(orders=_doubled(desk.orders))
        # A minute's trades may fill every working order several times.
        if counts[FILLS] + _ROOM > len(desk.fills):
            desk = desk._replace(fills=_doubled(desk.fills))
        self._desk = desk
        if len(self._decided.reason) != day.panel.height:
            self._decided = _moved(self._decided, self._first, day)
            self._first = day.first


def nothing_decided(day: TradingDay) -> Decided:
    """Room for decisions on every row of a day."""
    size = day.panel.height
    return Decided(
        reason=np.full(size, NOT_WANTED, np.int8),
        want=np.zeros(size, np.int8),
        price=np.zeros(size, np.int32),
        contracts=np.zeros(size, np.int32),
        position=np.zeros(size, np.int32),
    )


def _moved(decided: Decided, first: Ints, day: TradingDay) -> Decided:
    """Decisions in the rows of a day of another length."""
    out, brackets = nothing_decided(day), len(first)
    minutes = min(len(decided.reason) // brackets, len(day.instants))
    for before, after in zip(first.tolist(), day.first.tolist(), strict=True):
        for name in Decided._fields:
            old, new = getattr(decided, name), getattr(out, name)
            new[after : after + minutes] = old[before : before + minutes]
    return out


def _doubled(rows: Ints) -> Ints:
    return np.concatenate([rows, np.zeros_like(rows)])


def new_runs(
    strategies: Sequence[Strategy | MinuteStrategy], fill_models: Sequence[str], day: TradingDay
) -> list[SteppedRun]:
    """Every strategy under every fill model.

    Parameters
    ----------
    strategies, fill_models
        Of different names.
    day
        The day at its start.
    """
    return [SteppedRun(each, model, day) for each in strategies for model in fill_models]
