"""What the clients of weather services share: opening, closing, asking, errors that say for whom.

Here: the frame that a service's own client fills with what it asks. Not here: the wire
(`service`), or what any service says.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import ClassVar, Self

import httpx

from kalshi_assets.families.temperature.sources.errors import E, MalformedAnswerError
from kalshi_assets.families.temperature.sources.service import Answer, Ask, Secret, WeatherService


class WeatherClient:
    """Asks one weather service, one request at a time; as a context it closes itself.

    Parameters
    ----------
    base_url
        Scheme and host.
    transport
        Replaces the network.
    sleep
        Waits seconds, where the service says that too much is asked at once.
    timeout_s
        Of connecting, and of every read.
    secret
        Added to every query.
    """

    headers: ClassVar[Mapping[str, str] | None] = None

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        timeout_s: float = 30.0,
        secret: Secret | None = None,
    ) -> None:
        self._service = WeatherService(
            base_url,
            transport=transport,
            sleep=sleep,
            timeout_s=timeout_s,
            secret=secret,
            headers=self.headers,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._service.close()

    def get(self, ask: Ask) -> Answer:
        """The answer to `ask`.

        Raises
        ------
        WeatherError
            One of its subclasses; see `errors`.
        """
        return self._service.get(ask)

    def error(self, kind: type[E], ask: Ask, cause: str) -> E:
        """An error about what was asked: it names city, day and endpoint."""
        return self._service.error(kind, ask, cause)

    @contextmanager
    def reading(self, ask: Ask) -> Iterator[None]:
        """A `ValueError` within says that the answer to `ask` is malformed.

        Raises
        ------
        MalformedAnswerError
            It names city, day and endpoint.
        """
        try:
            yield
        except ValueError as error:
            raise self.error(MalformedAnswerError, ask, str(error)) from error
