"""The state of a session as plain values, for its page, its metrics and its health.

Here: what is shown. Not here: serving it (`session_page`).
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from kalshi_assets.keys import LadderDay
from kalshi_assets.live.exchange_ladder import ExchangeLadder
from kalshi_assets.live.ladder_session import LadderSession, Said
from kalshi_assets.tables import EVENTS
from kalshi_assets.trading.desk_kernels import CASH, FEES, FILLS, OPEN, ORDERS
from kalshi_assets.trading.ledger import worst_case_cc
from kalshi_assets.units import SECOND_US

_TAIL = 40


@dataclass
class Board:
    """The latest state, for other threads.

    Attributes
    ----------
    session, mode
        The session's name and mode.
    started_us
        When it began, microseconds.
    kill_switch
        Reads the state of the kill switch.
    """

    session: str
    mode: str
    started_us: int
    decisions: int = 0
    orders: int = 0
    failures: int = 0
    beat_us: int = 0
    kill_switch: Callable[[], str] = lambda: "unknown"
    alarm: str = ""
    ended: str = ""
    _ladders: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _tail: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=_TAIL))
    _strategies: list[str] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _version: int = 0

    def minute(self, key: LadderDay, ladder: LadderSession, said: Said, now_us: int) -> None:
        """Take over a ladder's minute.

        Parameters
        ----------
        key, ladder, said
            The ladder and what it decided.
        now_us
            The session's time.
        """
        self._strategies = [run.strategy.name for run in ladder.runs if run.decides]
        self._ladders[str(key)] = ladder_status(key, ladder, now_us)
        self._count(said.decisions)

    def _count(self, decisions: pl.DataFrame) -> None:
        sent = decisions.filter(reason="trade")
        self.decisions += decisions.height
        self.orders += sent.height
        for row in sent.iter_rows(named=True):
            self._tail.appendleft(
                (
                    f"{row['minute']:%H:%M}",
                    f"{row['strategy']}: {row['side']} {row['contracts']} {row['market_ticker']} "
                    f"at {row['price_cc'] / 100:g} cents ({row['execution']})",
                )
            )
        self._tell()

    def exchange_minute(
        self, key: LadderDay, ladder: ExchangeLadder, decisions: pl.DataFrame, now_us: int
    ) -> None:
        """Take over a minute of a ladder that trades at an exchange.

        Parameters
        ----------
        key, ladder, decisions
            The ladder and what it decided.
        now_us
            The session's time.
        """
        self._strategies = decisions["strategy"].unique(maintain_order=True).to_list()
        self._ladders[str(key)] = exchange_status(key, ladder, decisions, now_us)
        self._count(decisions)

    def failure(self, key: LadderDay, said: str, now_us: int) -> None:
        """Take over a failed minute, or a service that was not read.

        Parameters
        ----------
        key, said, now_us
            The ladder, what went wrong, and when.
        """
        self.failures += 1
        self._tail.appendleft((_clock(now_us)[11:16], f"{key}: {said}"))
        self._tell()

    def end(self, reason: str) -> None:
        """The session ended; nothing comes after.

        Parameters
        ----------
        reason
            Why.
        """
        self.ended = reason
        self._tell()

    def beat(self, now_us: int) -> None:
        """The session is alive."""
        self.beat_us = now_us
        self._tell()

    def state(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        with self._changed:
            return {
                "version": self._version,
                "session": self.session,
                "mode": self.mode,
                "now": _clock(self.beat_us or self.started_us),
                "started": _clock(self.started_us),
                "alarm": self.alarm,
                "ended": self.ended,
                "kill_switch": self.kill_switch(),
                "decisions": self.decisions,
                "orders": self.orders,
                "failures": self.failures,
                "strategies": list(self._strategies),
                "ladders": list(self._ladders.values()),
                "tail": [list(each) for each in self._tail],
            }

    def wait_for(self, version: int, timeout_s: float) -> int:
        """The version of the state, once it is another than `version` or time is up.

        Parameters
        ----------
        version
            As last seen.
        timeout_s
            How long to wait at most, seconds.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout_s)
            return self._version

    def _tell(self) -> None:
        with self._changed:
            self._version += 1
            self._changed.notify_all()


def ladder_status(key: LadderDay, ladder: LadderSession, now_us: int) -> dict[str, Any]:
    """What is known of a ladder at its last decided minute.

    Parameters
    ----------
    key, ladder
        The ladder.
    now_us
        The session's time.
    """
    ages = {name: age / SECOND_US for name, age in ladder.facts.ages_us(now_us).items()}
    status: dict[str, Any] = {
        "key": str(key),
        "event": ladder.event_ticker,
        "minute": None,
        "done": ladder.decided,
        "minutes": ladder.minutes,
        "over": ladder.is_over,
        "ages_s": ages,
        "brackets": [],
        "runs": [],
    }
    day = ladder.latest
    if day is None or not ladder.decided:
        return status
    m = ladder.decided - 1
    at = day.first + m
    reasons = {
        run.strategy.name: (run.reasons(day, m), run.position) for run in ladder.runs if run.decides
    }
    used = ladder.runs[0].used(day, m)
    events = ladder.day.known(EVENTS)
    assert events is not None
    labels = dict(events.select("market_ticker", "label").iter_rows())
    status["minute"] = _clock(int(day.instants[m]))[:16]
    status["brackets"] = [
        {
            "label": labels.get(ticker) or ticker,
            "bid_cc": _known(day.rows.bid[r]),
            "ask_cc": _known(day.rows.ask[r]),
            "p_mkt": _known(day.rows.market[r]),
            "p_used": _known(used[b]),
            "reason": {name: words[b] for name, (words, _) in reasons.items()},
            "held": {name: int(position[b]) for name, (_, position) in reasons.items()},
        }
        for b, (ticker, r) in enumerate(zip(day.markets, at.tolist(), strict=True))
    ]
    terms = day.terms.kernel
    status["runs"] = [
        {
            "strategy": run.strategy.name,
            "fill_model": run.fill_model,
            "orders": int(run.counts[ORDERS]),
            "working": int(run.counts[OPEN]),
            "fills": int(run.counts[FILLS]),
            "fees_cc": int(run.counts[FEES]),
            "worst_cc": worst_case_cc(run.position, terms.runs, terms.atoms, int(run.counts[CASH])),
        }
        for run in ladder.runs
    ]
    return status


def exchange_status(
    key: LadderDay, ladder: ExchangeLadder, decisions: pl.DataFrame, now_us: int
) -> dict[str, Any]:
    """What is known of a ladder that trades at an exchange.

    Parameters
    ----------
    key, ladder, decisions
        The ladder and what it decided last.
    now_us
        The session's time.
    """
    ages = {name: age / SECOND_US for name, age in ladder.facts.ages_us(now_us).items()}
    day, events = ladder.latest, ladder.day.known(EVENTS)
    assert day is not None, "before the first minute"
    assert events is not None, "before the contract was read"
    labels = dict(events.select("market_ticker", "label").iter_rows())
    rows = {row["market_ticker"]: row for row in decisions.iter_rows(named=True)}
    at = dict(zip(day.markets, (day.first + ladder.decided).tolist(), strict=True))
    return {
        "key": str(key),
        "event": ladder.event_ticker,
        "minute": _clock(int(day.instants[ladder.decided]))[:16],
        "done": ladder.decided + 1,
        "minutes": ladder.minutes,
        "over": ladder.is_over,
        "ages_s": ages,
        "brackets": [
            {
                "label": labels.get(ticker) or ticker,
                "bid_cc": _known(day.rows.bid[at[ticker]]),
                "ask_cc": _known(day.rows.ask[at[ticker]]),
                "p_mkt": row["p_mkt"],
                "p_used": row["p_used"],
                "reason": {row["strategy"]: row["reason"]},
                "held": {row["strategy"]: row["position"]},
            }
            for ticker in day.markets
            if (row := rows.get(ticker)) is not None
        ],
        "runs": [],
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _clock(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us / SECOND_US, UTC):%Y-%m-%d %H:%M:%S}"
