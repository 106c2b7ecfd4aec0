"""Messages of a connection in the order in which a session took them, raw.

They are all that a session knows of the stream: the same messages give the same events, live or
from a recording. Here: the types. Not here: what the exchange's frames mean (`stream`), storing
them (`recording`).
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """Kinds of messages; the values are those of recordings.

    Attributes
    ----------
    OPENED
        A connection was made.
    RECEIVED
        A frame arrived.
    SENT
        A command left.
    CLOSED
        The connection ended, or could not be made.
    STATE
        The subscriptions, where a recording goes on in another file.
    """

    OPENED = "opened"
    RECEIVED = "received"
    SENT = "sent"
    CLOSED = "closed"
    STATE = "state"


class Message(NamedTuple):
    """One message.

    Attributes
    ----------
    at_us
        Local time, microseconds: for a frame that of its arrival.
    content
        Of `RECEIVED` and `SENT` the frame's text as it was; of the others a JSON object.
    """

    kind: Kind
    at_us: int
    content: bytes

    @property
    def facts(self) -> Mapping[str, Any]:
        """The object of a message that is not a frame."""
        return json.loads(self.content)


def stating(kind: Kind, at_us: int, **facts: Any) -> Message:
    """A message that states facts.

    Parameters
    ----------
    kind, at_us
        See `Message`.
    facts
        Plain values by name.
    """
    return Message(kind, at_us, json.dumps(facts, separators=(",", ":")).encode())
