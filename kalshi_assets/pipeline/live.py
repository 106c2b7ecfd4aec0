"""Steps that bring what sessions did into the lake, and compare it with the backtest.

Journals are read through a service, since no step knows how sessions keep them.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import polars as pl

from kalshi_assets.pages.markdown import table as markdown_table
from kalshi_assets.pipeline.step import Input, Made, Markdown, Service, Step, step
from kalshi_assets.tables import (
    DECISIONS,
    EVENTS,
    LIVE_DECISIONS,
    LIVE_FILLS,
    LIVE_ORDERS,
    LIVE_PARITY,
    LIVE_SESSIONS,
    Table,
)
from kalshi_assets.trading.parity import parity


class Journals(Protocol):
    """Where sessions keep what they did."""

    def of_event(self, event_ticker: str) -> Mapping[Table, pl.DataFrame]:
        """Frames of `LIVE_SESSIONS`, `LIVE_DECISIONS`, `LIVE_ORDERS` and `LIVE_FILLS`.

        Raises
        ------
        LookupError
            No session traded the event.
        """


def _ingest(events: pl.DataFrame, journals: Journals) -> Mapping[Table, pl.DataFrame]:
    return journals.of_event(events["event_ticker"][0])


def _describe_sessions(made: Made) -> Mapping[str, Any]:
    shown = made.frame.select("session_id", "mode", "started_at", "end_reason", "decisions")
    return {"sessions": Markdown(markdown_table(shown))}


def _describe_parity(made: Made) -> Mapping[str, Any]:
    rows = dict(made.frame.group_by("cause").agg(pl.col("rows").sum()).iter_rows())
    return {
        "equal": rows.get("equal", 0) / max(sum(rows.values()), 1),
        "unexplained": rows.get("unexplained", 0),
        "causes": Markdown(markdown_table(made.frame.drop("session_id"))),
    }


LIVE_STEPS: tuple[Step, ...] = (
    step(
        (LIVE_SESSIONS, LIVE_DECISIONS, LIVE_ORDERS, LIVE_FILLS),
        _ingest,
        events=Input(EVENTS),
        journals=Service(),
        kinds={"sqlite"},
        describe=_describe_sessions,
    ),
    step(
        LIVE_PARITY,
        parity,
        session=Input(LIVE_DECISIONS),
        backtest=Input(DECISIONS),
        kinds={"polars"},
        describe=_describe_parity,
    ),
)
