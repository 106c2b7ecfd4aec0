"""What can go wrong between us and a weather service; every message names the place.

Here: the one hierarchy of the room's errors. Not here: contract violations of frames (`tables`).
"""

from datetime import date
from typing import TypeVar


class WeatherError(Exception):
    """A weather service did not give what was asked.

    The message reads ``<city> <climate day>: <endpoint>: <cause>``; it never holds a key.

    Attributes
    ----------
    city, day
        For whom it was asked.
    endpoint
        Method and address, without query.
    cause
        What was wrong and, where there is one, the remedy.
    """

    def __init__(self, cause: str, *, city: str, day: date, endpoint: str) -> None:
        super().__init__(f"{city} {day}: {endpoint}: {cause}")
        self.cause = cause
        self.city = city
        self.day = day
        self.endpoint = endpoint


E = TypeVar("E", bound=WeatherError)


class ServiceUnavailableError(WeatherError):
    """Server errors, timeouts or cut connections, at every try."""


class TruncatedAnswerError(WeatherError):
    """A JSON answer that ends too early or is not JSON, at every try."""


class RequestRefusedError(WeatherError):
    """The service understood and said no; asking again will not help."""


class KeyRefusedError(RequestRefusedError):
    """The key is missing, unknown or not entitled."""


class DailyCostExceededError(RequestRefusedError):
    """The plan's records are used up; nothing is asked again before the next UTC day."""


class ConcurrencyExceededError(WeatherError):
    """Too many requests at once, still so after backing off."""


class MalformedAnswerError(WeatherError):
    """JSON, but not of the shape that is known; the message names the record."""


class WrongStationError(WeatherError):
    """Every report came from other stations than the settlement station."""
