"""A Timeline answer built from its description, and a service that gives it."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from kalshi_assets.families.temperature.cities import City
from kalshi_assets.families.temperature.sources.plan import Budget
from kalshi_assets.families.temperature.sources.visual_crossing import VisualCrossingClient

KEY = "s3cret/key+1"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
JSON = {"content-type": "application/json;charset=UTF-8"}
PLAIN = {"content-type": "text/plain;charset=UTF-8"}


def row(time: datetime, temp: object, station: str, **other: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"datetime": f"{time:%H:%M:%S}"}
    fields["datetimeEpoch"] = int(time.timestamp())
    fields |= {"temp": temp, "dew": 40.1, "stations": [station], "source": "obs"}
    return fields | other


def hour(time: datetime, temp: object, station: str, minutes=(), **other) -> dict[str, Any]:
    fields = row(time, temp, station, **other)
    return fields | ({"minutes": list(minutes)} if minutes else {})


def timeline(hours: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Hours in days of UTC, as the service gives them for timezone=Z."""
    days: dict[date, dict[str, Any]] = {}
    for record in hours:
        day = datetime.fromtimestamp(record["datetimeEpoch"], UTC).date()
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        at_midnight = {
            "datetime": f"{day}",
            "datetimeEpoch": int(midnight.timestamp()),
            "tempmax": 99.0,
            "source": "obs",
            "hours": [],
        }
        days.setdefault(day, at_midnight)["hours"].append(record)
    return {"queryCost": 48, "timezone": "Z", "tzoffset": 0.0, "days": list(days.values())}


def two_days_of_minutes(
    city: City, day: date, temp: Callable[[datetime], float | None]
) -> dict[str, Any]:
    """Every five minutes of the UTC days `day` and the next, from the city's station."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    hours = []
    for n in range(48):
        start = midnight + timedelta(hours=n)
        times = [start + timedelta(minutes=5 * k) for k in range(12)]
        minutes = [row(t, temp(t), city.station) for t in times]
        hours.append(hour(start, temp(start), city.station, minutes))
    return timeline(hours)


class Service:
    """Answers requests in turn, the last answer again and again, and remembers what was asked."""

    def __init__(self, *answers: httpx.Response | Exception | dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.URL] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict):
            return httpx.Response(200, headers=JSON, content=json.dumps(answer).encode())
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def client(
        self,
        clock: Callable[[], datetime] = lambda: NOW,
        key: str = KEY,
        budget: Budget | None = None,
    ) -> VisualCrossingClient:
        return VisualCrossingClient(
            "https://weather.test",
            key,
            budget=budget,
            transport=httpx.MockTransport(self),
            clock=clock,
            sleep=self.slept.append,
        )


def plain(status: int, text: str) -> httpx.Response:
    return httpx.Response(status, headers=PLAIN, content=text.encode())
