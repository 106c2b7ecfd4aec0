"""The facts of a ladder's day as they appear: what the day's ingest fetches, minute by minute.

Contract and weather come from the declared steps, candles and trades from short windows of the same
endpoints. A service that fails leaves what was known: it grows old, and the gates close on old
facts. Here: when what is asked, and keeping what was answered. Not here: what follows from it
(`day_so_far`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.errors import ExchangeError
from kalshi_assets.exchange.ingest import IngestError
from kalshi_assets.ladder.terms import latest_terms
from kalshi_assets.live.day_so_far import DaySoFar
from kalshi_assets.pipeline.step import Step, Work
from kalshi_assets.tables import CANDLES, EVENTS, TRADES, Table
from kalshi_assets.units import MINUTE_US, SECOND_US

Failed = Callable[[str, Exception], object]
"""Told of a service that failed: the table, and why."""

# Candles and trades may become visible late.
_AGAIN = timedelta(minutes=3)
# A contract changes rarely: an early close, another price grid.
_CONTRACT_EVERY_US = 10 * MINUTE_US


@dataclass
class _Asked:
    """A step that reads services, and when it is due."""

    work: Work
    every_us: int
    due_us: int = 0
    answered_us: int = 0


class LadderFacts:
    """Fetches a ladder-day's facts into its `DaySoFar`.

    Parameters
    ----------
    day
        Receives the facts.
    fetched
        Steps that read services.
    services
        Of those steps, by name, with the session's clock.
    client
        Reads candles and trades.
    weather_every_us
        How often the model's sources are asked.
    failed
        Told of every failure.
    errors
        What a service raises when it cannot answer.
    """

    def __init__(
        self,
        day: DaySoFar,
        fetched: Sequence[Step],
        services: Mapping[str, Any],
        client: KalshiClient,
        *,
        weather_every_us: int,
        failed: Failed,
        errors: tuple[type[Exception], ...],
    ) -> None:
        self._day, self._client, self._failed = day, client, failed
        self._errors: tuple[type[Exception], ...] = (*errors, ExchangeError, IngestError)
        self._asked = [
            _Asked(
                Work(each, day, services, lambda text: None),
                _CONTRACT_EVERY_US if EVENTS in each.makes else weather_every_us,
            )
            for each in fetched
        ]
        self._since: dict[Table, datetime] = {}

    def ages_us(self, now_us: int) -> dict[str, int]:
        """How long ago each table of services was read, by its name."""
        return {
            each.work.step.makes[0].full_name: now_us - each.answered_us
            for each in self._asked
            if each.answered_us
        }

    def reread_contract(self) -> None:
        """Ask for the contract at the next refresh: something about it changed."""
        for each in self._asked:
            if EVENTS in each.work.step.makes:
                each.due_us = 0

    def refresh(self, now_us: int) -> None:
        """Fetch what is due.

        Parameters
        ----------
        now_us
            The present; nothing known later is used.
        """
        for each in self._asked:
            if now_us >= each.due_us:
                self._ask(each, now_us)
        if self._day.known(EVENTS) is not None:
            now = datetime.fromtimestamp(now_us / SECOND_US, UTC)
            self._minutes(CANDLES, self._client.batch_candles, now)
            self._minutes(TRADES, self._client.event_trades, now)

    def _ask(self, asked: _Asked, now_us: int) -> None:
        name = asked.work.step.makes[0].full_name
        try:
            made = asked.work.make(self._day.key)
        except self._errors as error:
            self._failed(name, error)
            # Sooner than usual, but not at once: it may have been asked too often.
            asked.due_us = now_us + min(asked.every_us, MINUTE_US)
            if EVENTS not in asked.work.step.makes:
                self._without(asked.work.step.makes)
            return
        for table, each in made.items():
            self._day.tell(table, each.frame)
        asked.due_us, asked.answered_us = now_us + asked.every_us, now_us

    def _without(self, tables: Sequence[Table]) -> None:
        """Nothing is known of tables that were never read: what follows is not known, either."""
        for table in tables:
            if self._day.known(table) is None:
                self._day.tell(table, table.empty())

    def _minutes(
        self,
        table: Table,
        read: Callable[[Sequence[str], datetime, datetime], pl.DataFrame],
        now: datetime,
    ) -> None:
        """Add the rows of a window since the last one."""
        events = self._day.known(EVENTS)
        assert events is not None
        terms = latest_terms(events)
        opened: datetime = terms.select(pl.min("open_time")).item()
        start = self._since.get(table, opened)
        before = self._day.known(table)
        try:
            rows = read(terms.sort("bracket")["market_ticker"].to_list(), start, now)
        except self._errors as error:
            self._failed(table.full_name, error)
            self._without([table])
            return
        rows = rows.filter(pl.col("known_at") <= now)
        parts = [rows] if before is None else [rows, before]
        self._day.tell(table, table.arranged(pl.concat(parts).unique(table.key, keep="first")))
        self._since[table] = max(now - _AGAIN, start)
