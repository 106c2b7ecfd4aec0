"""How many requests every provider was sent, by UTC day, over all processes of the machine.

Here: a file for each provider and day that grows by a byte a request, so that processes never wait
for each other and a killed one loses nothing. Not here: what was asked or answered (`raw`).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import httpx

from kalshi_assets.lake.files import Files

_SENT: Counter[str] = Counter()


def sent_by_this_process() -> Counter[str]:
    """Requests by provider since this process began."""
    return _SENT.copy()


@dataclass(frozen=True)
class RequestCounts:
    """All counts below ``requests``: ``<day>/<provider>``, a byte a request."""

    files: Files

    def add(self, provider: str, day: date) -> None:
        """Count one request."""
        _SENT[provider] += 1
        self.files.append(f"requests/{day}/{provider}", b".")

    def of(self, day: date) -> dict[str, int]:
        """Requests of a UTC day by provider."""
        folder = f"requests/{day}"
        return {
            name: self.files.stamp(f"{folder}/{name}").size for name in self.files.names(folder)
        }


class CountedTransport(httpx.BaseTransport):
    """Counts every request that it passes on, answered or not.

    Parameters
    ----------
    inner
        Sends them; it is not closed with this one, since it serves others, too.
    counts, provider
        Where they are counted, and as whose.
    clock
        The present, aware.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        counts: RequestCounts,
        provider: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._inner = inner
        self._counts = counts
        self._provider = provider
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Count and send."""
        self._counts.add(self._provider, self._clock().astimezone(UTC).date())
        return self._inner.handle_request(request)
