"""Errors of requests to weather services; every message names city, day and endpoint.

Here: the hierarchy of these errors. Not here: contract violations of frames (`tables`).
"""

from datetime import date
from typing import TypeVar


class WeatherError(Exception):
    """A request to a weather service failed.

    The message reads ``<city> <climate day>: <endpoint>: <cause>``; it never contains a key.

    Attributes
    ----------
    city, day
        The city-day for which the request was made.
    endpoint
        Method and address, without query.
    cause
        The error and, if there is one, the remedy.
    """

    def __init__(self, cause: str, *, city: str, day: date, endpoint: str) -> None:
        super().__init__(f"{city} {day}: {endpoint}: {cause}")
        self.cause = cause
        self.city = city
        self.day = day
        self.endpoint = endpoint


E = TypeVar("E", bound=WeatherError)


class ServiceUnavailableError(WeatherError):
    """Server errors, timeouts or lost connections at every attempt."""


class TruncatedAnswerError(WeatherError):
    """A response that is truncated or not JSON at every attempt."""


class RequestRefusedError(WeatherError):
    """The service refused the request; asking again will not help."""


class KeyRefusedError(RequestRefusedError):
    """The key is missing, unknown or not authorised."""


class DailyCostExceededError(RequestRefusedError):
    """The plan's records are used up; no more requests before the next UTC day."""


class ConcurrencyExceededError(WeatherError):
    """Too many concurrent requests, even after backing off."""


class MalformedAnswerError(WeatherError):
    """JSON of an unexpected shape; the message quotes the record."""


class WrongStationError(WeatherError):
    """Every report came from other stations than the settlement station."""
