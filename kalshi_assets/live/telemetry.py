"""Telemetry: every event of orders and feeds as one JSON line, durable, ordered, without a secret.

The file is ``telemetry/YYYY/MM/DD/exec-<session>.jsonl`` below the data folder, by the UTC day of
the event. Telemetry never drives state: the journal is the truth.

Here: the types of events and writing them. Not here: masking (masking), reading and shipping.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from kalshi_assets.lake.files import Files
from kalshi_assets.live.masking import ensure_safe_payload, masking
from kalshi_assets.units import SECOND_US

VERSION = 1

REQUIRED: Mapping[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "intent": "side price_cc contracts execution decision_id p_used p_mkt edge_cc book",
        "sent": "attempt latency_us",
        "ack": "status remaining",
        "partial_fill": "price_cc contracts fee_cc liquidity remaining trade_id",
        "fill": "price_cc contracts fee_cc liquidity remaining trade_id",
        "cancel": "reason remaining confirmed",
        "reject": "http_status code message retriable attempt",
        "unknown": "asked error",
        "reconcile": "differences took_ms",
        "heartbeat": "open_orders positions worst_case_cc feed_age_ms",
        "ws_connect": "channel",
        "ws_disconnect": "channel",
        "ws_reconnect": "channel",
        "ws_gap": "channel",
        "ws_malformed": "channel",
        "ws_heartbeat_timeout": "channel",
        "monitor": "monitor status metrics",
        "kill_switch": "on by cancelled resting_after",
        "override": "reason_code memo by until",
        "roll": "from_event to_event cancelled",
    }.items()
}
"""Types of events, and the fields that their `data` must have."""

_IDS = (
    "family",
    "series",
    "event_ticker",
    "market_ticker",
    "client_order_id",
    "order_id",
    "exchange_ts",
)
# Crockford's base 32, as of ULIDs.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of telemetry.

    Attributes
    ----------
    type, data
        Of `REQUIRED`, and its details.
    source
        session, gateway, feed, monitor or operator.
    at_us
        When it happened, microseconds since the epoch.
    ids
        family, series, event_ticker, market_ticker, client_order_id, order_id, exchange_ts; what is
        not given is null.
    """

    type: str
    data: Mapping[str, Any]
    source: str
    at_us: int
    ids: Mapping[str, str | None] = field(default_factory=dict)


Emit = Callable[[Event], None]


def silent(event: Event) -> None:
    """Emits nothing."""


class Telemetry:
    """Writes events; one writer a session.

    Parameters
    ----------
    files
        The data folder.
    session_id, mode
        Of the session; mode is shadow, demo or live.
    random
        So many random bytes, for the IDs of events.
    key_id
        ID of the key in use, never written.
    """

    def __init__(
        self,
        files: Files,
        *,
        session_id: str,
        mode: str,
        random: Callable[[int], bytes],
        key_id: str | None = None,
    ) -> None:
        self._files = files
        self._session_id = session_id
        self._random = random
        self._log = structlog.wrap_logger(
            _Lines(files, session_id),
            processors=[
                _Masked(key_id),
                structlog.processors.JSONRenderer(serializer=_json),
            ],
            wrapper_class=structlog.BoundLogger,
        ).bind(v=VERSION, session_id=session_id, mode=mode)

    def emit(self, event: Event) -> None:
        """Write one event; on return it is on disk.

        Raises
        ------
        ValueError
            An unknown type, source field or ID, or a missing field of `data`.
        """
        required = REQUIRED.get(event.type)
        if required is None:
            raise ValueError(f"unknown type of telemetry {event.type!r}; see REQUIRED")
        if missing := sorted(required - event.data.keys()):
            raise ValueError(f"telemetry {event.type} lacks {', '.join(missing)}")
        if unknown := sorted(event.ids.keys() - set(_IDS)):
            raise ValueError(f"telemetry has no IDs {', '.join(unknown)}; known: {', '.join(_IDS)}")
        self._log.info(
            None,
            event_id=ulid(event.at_us, self._random(10)),
            ts=_rfc3339(event.at_us),
            type=event.type,
            source=event.source,
            **{name: event.ids.get(name) for name in _IDS},
            data=dict(event.data),
        )


def telemetry_name(at_us: int, session_id: str) -> str:
    """Name of the file of an event below the data folder.

    Parameters
    ----------
    at_us
        When it happened.
    session_id
        Its session.
    """
    day = _time(at_us).strftime("%Y/%m/%d")
    return f"telemetry/{day}/exec-{session_id}.jsonl"


def ulid(at_us: int, entropy: bytes) -> str:
    """A ULID: 26 characters that sort by millisecond.

    Parameters
    ----------
    at_us
        Instant.
    entropy
        10 random bytes.
    """
    if len(entropy) != 10:
        raise ValueError(f"a ULID takes 10 random bytes, not {len(entropy)}")
    number = (at_us // 1000 << 80) | int.from_bytes(entropy, "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


class _Masked:
    """The processor of structlog that masks a line, and checks that nothing is left."""

    def __init__(self, key_id: str | None) -> None:
        self._key_id = key_id
        self._mask = masking(key_id)

    def __call__(self, logger: Any, method: str, line: Any) -> Any:
        line.pop("event", None)
        safe = self._mask(line)
        ensure_safe_payload(safe, self._key_id)
        return safe


class _Lines:
    """The logger of structlog that appends a line to the file of its day."""

    def __init__(self, files: Files, session_id: str) -> None:
        self._files = files
        self._session_id = session_id

    def info(self, line: str) -> None:
        at = datetime.fromisoformat(json.loads(line)["ts"])
        name = telemetry_name((at - _EPOCH) // timedelta(microseconds=1), self._session_id)
        self._files.append(name, line.encode() + b"\n", flush=True)


def _json(line: Any, **options: Any) -> str:
    return json.dumps(line, separators=(",", ":"), default=str)


def _time(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def _rfc3339(at_us: int) -> str:
    second = _time(at_us - at_us % SECOND_US).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{second}.{at_us % SECOND_US:06d}Z"
