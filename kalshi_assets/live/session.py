"""A session: ladders side by side, minute after minute, until their trading ends.

A failure takes its own ladder and minute: it is journaled and tried again a minute later, the other
ladders go on. However a session ends, it ends in its journal.

Here: the loop. Not here: what happens in a ladder's minute (`ladder_session`), the journal's form
(`journal`), starting a session (`commands`, `defs`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from kalshi_assets.keys import LadderDay
from kalshi_assets.live.clock import Clock, SessionStopped
from kalshi_assets.live.journal import Journal
from kalshi_assets.live.ladder_session import LadderSession, Said
from kalshi_assets.live.status import Board
from kalshi_assets.tables.live import TRADING_ENDED
from kalshi_assets.units import MINUTE_US, SECOND_US

SETTLE_US = 2 * SECOND_US
"""After a minute ends, how long its candles and trades take to be complete."""

Progress = Callable[[LadderDay, LadderSession, Said], object]


class Ladder(Protocol):
    """What a session asks of a ladder."""

    @property
    def is_over(self) -> bool:
        """Whether its trading ended."""

    @property
    def deadline_us(self) -> int:
        """When it is given up, microseconds."""


def any_trades(ladders: Iterable[Ladder], now_us: int) -> bool:
    """Whether a ladder trades still; one that never ends is given up some hours after its day.

    Parameters
    ----------
    ladders, now_us
        The session's, and its time.
    """
    return any(not each.is_over and now_us < each.deadline_us for each in ladders)


def how_it_ended(ladders: Mapping[LadderDay, Ladder]) -> str:
    """Why a session ended that was not stopped."""
    given_up = [str(key) for key, each in ladders.items() if not each.is_over]
    return f"given up: {', '.join(given_up)}" if given_up else TRADING_ENDED


class ShadowSession:
    """Runs ladders in shadow: real data, simulated orders.

    Parameters
    ----------
    ladders
        By ladder-day.
    journal
        Begun; receives decisions, simulated orders and fills, failures and heartbeats.
    clock
        The session's time.
    board
        Receives the state.
    progress
        Told of every ladder's minute.
    """

    def __init__(
        self,
        ladders: Mapping[LadderDay, LadderSession],
        journal: Journal,
        clock: Clock,
        board: Board,
        progress: Progress = lambda key, ladder, said: None,
    ) -> None:
        self.ladders = dict(ladders)
        self._journal, self._clock = journal, clock
        self._board, self._progress = board, progress

    def run(self) -> str:
        """Run until every ladder's trading has ended, or the session is stopped.

        Returns
        -------
        str
            Why it ended, as journaled.
        """
        reason = "failed"
        try:
            while any_trades(self.ladders.values(), self._clock.now_us()):
                self._minute()
                now = self._clock.now_us()
                self._clock.wait_until(now - now % MINUTE_US + MINUTE_US + SETTLE_US)
            reason = how_it_ended(self.ladders)
        except SessionStopped as stopped:
            reason = f"stopped: {stopped}"
        finally:
            self._journal.end(reason)
            self._board.end(reason)
        return reason

    def _minute(self) -> None:
        for key, ladder in self.ladders.items():
            if not ladder.is_over:
                # Each at its own present: services that do not answer may take a minute each.
                self._one(key, ladder, self._clock.now_us())
            self._beat()

    def _one(self, key: LadderDay, ladder: LadderSession, now: int) -> None:
        try:
            said = ladder.advance(now)
        except Exception as error:  # noqa: BLE001 (one ladder's failure must not end the others)
            why = f"{type(error).__name__}: {error}"
            self._journal.event(
                "ladder_failed",
                {"ladder": str(key), "event_ticker": ladder.event_ticker, "error": why},
            )
            self._board.failure(key, why, now)
            return
        if said is not None:
            self._journal.keep_decisions(said.decisions)
            self._journal.keep_simulated(said.orders, said.fills)
            self._board.minute(key, ladder, said, now)
            self._progress(key, ladder, said)

    def _beat(self) -> None:
        self._journal.beat({"ladders": {str(k): v.is_over for k, v in self.ladders.items()}})
        self._board.beat(self._clock.now_us())
