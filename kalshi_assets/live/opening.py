"""Opening a session: its ladders from the lake and the services, its name, what it loaded.

Here: putting the parts together. Not here: the parts.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.store import Lake
from kalshi_assets.live.day_so_far import DaySoFar, session_steps
from kalshi_assets.live.facts import Failed, LadderFacts
from kalshi_assets.live.ladder_session import LadderSession
from kalshi_assets.pipeline.family import LadderFamily
from kalshi_assets.pipeline.step import Step
from kalshi_assets.trading.strategies import Strategy


def open_ladder(
    key: LadderDay,
    family: LadderFamily,
    steps: Sequence[Step],
    *,
    lake: Lake,
    services: Mapping[str, Any],
    client: KalshiClient,
    strategies: Sequence[Strategy],
    weather_every_us: int,
    errors: tuple[type[Exception], ...],
    failed: Failed,
) -> LadderSession:
    """A ladder-day of a session.

    Parameters
    ----------
    key, family, steps
        The ladder-day, its family and every step of it.
    lake
        Holds the day's fits and earlier days.
    services
        Of steps, by name, with the session's clock.
    client
        Reads candles and trades.
    strategies, weather_every_us, errors, failed
        See `LadderSession` and `LadderFacts`.

    Raises
    ------
    MissingPartitionError, OutdatedPartitionError
        A fit of the day is missing or was made by another version; the message says how to make it.
    """
    plan = session_steps(family, steps)
    day = DaySoFar(key, family, steps, lake, services, lambda text: None)
    facts = LadderFacts(
        day,
        plan.fetched,
        services,
        client,
        weather_every_us=weather_every_us,
        failed=failed,
        errors=errors,
    )
    return LadderSession(day, facts, strategies)


def versions_of(ladders: Mapping[LadderDay, LadderSession]) -> dict[str, dict[str, str]]:
    """What each ladder loaded from the lake: a hash of every fit, and of the trading parameters."""
    return {
        str(key): {
            **{
                table.full_name: _hash(frame.write_json()) for table, frame in each.day.fits.items()
            },
            "trading.toml": _hash(each.day.params.model_dump_json()),
        }
        for key, each in ladders.items()
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
