"""Routes for Visual Crossing's Timeline, archived climate reports and the settlement portal.

Here: paths, parameters, keys, the daily budget, plain-text errors. Not here: the rows
(`weather_wire`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from types import MappingProxyType
from zoneinfo import ZoneInfo

import polars as pl
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kalshi_assets.families.temperature.authorities import WEATHER_COMPANY_FROM
from kalshi_assets.families.temperature.cities import CITIES, City
from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.exchange_errors import WireError
from kalshi_assets.sandbox.weather_wire import (
    UNITS,
    Form,
    day_bounds,
    forecast_day,
    observed_day,
    portal_result,
)

TIMELINE = "/VisualCrossingWebServices/rest/services/timeline"
CLIMATE_REPORTS = "/json/cli.py"
PORTAL = "/kalshi/api/climate/primary"
STATIONS: Mapping[str, City] = MappingProxyType({c.station: c for c in CITIES.values()})
SECTIONS = frozenset({"days", "hours", "minutes"})
INCLUDES = SECTIONS | {"current", "alerts", "events", "obs", "remote", "fcst", "stats", "statsfcst"}
MOST_DAYS = 3_660
# Maximum distance of a requested point from a station.
AT_STATION_DEGREES = 0.05


@dataclass(frozen=True, kw_only=True)
class WeatherPlan:
    """Limits of a Visual Crossing account.

    The accepted key (None: any), whether sub-hourly rows are included, records per UTC day (None:
    unlimited), and status and text of the refusal when they are used up.
    """

    key: str | None = None
    subhourly: bool = True
    daily_records: int | None = None
    spent: tuple[int, str] = (429, "Maximum daily cost exceeded")


class WeatherRoutes:
    """The routes of the weather services.

    `clock` gives the simulated present, `wall_clock` Unix seconds for the daily budget.
    """

    def __init__(
        self,
        archive: Archive,
        *,
        clock: Callable[[], datetime],
        wall_clock: Callable[[], float],
        plan: WeatherPlan,
    ) -> None:
        self._archive = archive
        self._clock = clock
        self._wall_clock = wall_clock
        self._plan = plan
        self._spent: tuple[date, int] = (date.min, 0)
        self._lock = Lock()

    def routes(self) -> list[Route]:
        """All routes, in the order of matching."""
        return [
            Route(TIMELINE + "/{location}/{date1}/{date2}", self.timeline),
            Route(TIMELINE + "/{location}/{date1}", self.timeline),
            Route(CLIMATE_REPORTS, self.climate_reports),
            Route(PORTAL, self.portal),
        ]

    def climate_reports(self, request: Request) -> Response:
        """GET /json/cli.py?station=KMDW&year=2025: final daily maxima of the recorded days."""
        station, year = request.query_params.get("station"), request.query_params.get("year")
        if not station or not year or not re.fullmatch(r"\d{4}", year):
            raise WireError(422, "station and year are needed")
        days = self._archive.settlements.filter(
            (pl.col("station") == station) & (pl.col("date").dt.year() == int(year))
        ).sort("date")
        now, place = self._clock(), STATIONS.get(station)
        results = [
            {"station": station, "valid": day.isoformat(), "high": high}
            for day, high in days.select("date", "tmax_f").iter_rows()
            if _climate_day_end(place, day) <= now
        ]
        return JSONResponse({"results": results})

    def portal(self, request: Request) -> Response:
        """GET /kalshi/api/climate/primary?date=2026-08-15: the official maxima of a day.

        Empty for days before 2026-08-14. The recordings have no times of issue and no preliminary
        reports.
        """
        try:
            day = date.fromisoformat(request.query_params.get("date", ""))
        except ValueError:
            raise WireError(400, {"error": "date=YYYY-MM-DD is needed"}) from None
        now = self._clock()
        maxima: dict[str, int] = dict(
            self._archive.settlements.filter(pl.col("date") == day)
            .select("station", "tmax_f")
            .iter_rows()
        )
        results = [
            portal_result(
                city, day, maxima.get(station) if city.climate_day(day)[1] <= now else None
            )
            for station, city in STATIONS.items()
            if day >= WEATHER_COMPANY_FROM
        ]
        statuses = [result["status"] for result in results]
        return JSONResponse(
            {
                "officialReports": statuses.count("official"),
                "preliminaryReports": 0,
                "noReports": statuses.count("no_report"),
                "source": "sandbox",
                "results": results,
            }
        )

    def timeline(self, request: Request) -> Response:
        """GET .../timeline/{location}/{date1}[/{date2}]."""
        params = request.query_params
        key = params.get("key")
        if not key or self._plan.key not in (None, key):
            raise WireError(401, "No session or key found")
        location = request.path_params["location"]
        place = _station(location)
        now = self._clock()
        days = _days(request.path_params, now)
        form = _form(params, place, subhourly=self._plan.subhourly)
        rows, cost = (
            self._forecasts(place, days, params, form, now)
            if _asks_forecast(location, params, days[0])
            else self._observations(place, days, form, now)
        )
        self._spend(cost)
        offset = datetime.combine(days[0], datetime.min.time(), tzinfo=form.zone).utcoffset()
        station = {"id": place.station, "name": place.station, "distance": 0.0, "useCount": 0}
        body = {
            "queryCost": cost,
            "resolvedAddress": location,
            "address": location,
            "timezone": str(form.zone),
            "tzoffset": (offset or timedelta()).total_seconds() / 3600,
            "days": rows,
            "stations": {place.station: station},
        }
        return JSONResponse(body)

    def _observations(
        self, place: City, days: list[date], form: Form, now: datetime
    ) -> tuple[list[dict], int]:
        last = int(now.timestamp())
        held = self._archive.observations(place.station)
        rows, minutes = [], 0
        for day in days:
            start, end = day_bounds(day, form.zone)
            reports = held.filter(pl.col("valid_ts").is_between(start, min(end - 1, last))).rows()
            rows.append(observed_day(place.station, day, reports, form))
            minutes += sum(len(h.get("minutes", ())) for h in rows[-1].get("hours", ()))
        return rows, 24 * len(days) + minutes

    def _forecasts(
        self, place: City, days: list[date], params: QueryParams, form: Form, now: datetime
    ) -> tuple[list[dict], int]:
        held = self._archive.forecasts.filter(pl.col("station") == place.station)
        zone = ZoneInfo(place.timezone)
        rows = []
        for day in days:
            basis = datetime.combine(_basis(params, day), datetime.min.time(), tzinfo=UTC)
            rows.append(forecast_day(held, day, min(basis, now), zone, form))
        return rows, 24 * len(days)

    def _spend(self, records: int) -> None:
        if self._plan.daily_records is None:
            return
        today = datetime.fromtimestamp(self._wall_clock(), UTC).date()
        with self._lock:
            day, spent = self._spent
            spent = spent if day == today else 0
            if spent + records > self._plan.daily_records:
                raise WireError(*self._plan.spent)
            self._spent = today, spent + records


def _station(location: str) -> City:
    """The station with a name (`stn:KMDW`), or at coordinates (`41.7841,-87.7551`)."""
    if location.startswith("stn:"):
        place = STATIONS.get(location.removeprefix("stn:"))
        if place is None:
            raise WireError(400, f"Bad API Request:Unknown station in location {location}.")
        return place
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)", location)
    if found is None:
        raise WireError(400, "Bad API Request:Invalid location parameter value.")
    point = float(found[1]), float(found[2])
    nearest = min(STATIONS.values(), key=lambda place: _degrees(place, point))
    if _degrees(nearest, point) > AT_STATION_DEGREES:
        raise WireError(400, f"Bad API Request:No station is recorded at {location}.")
    return nearest


def _degrees(place: City, point: tuple[float, float]) -> float:
    return max(abs(place.latitude - point[0]), abs(place.longitude - point[1]))


def _asks_forecast(location: str, params: QueryParams, day: date) -> bool:
    """Whether to serve a past forecast; for a station name the basis is ignored."""
    if "forecastBasisDate" not in params and "forecastBasisDay" not in params:
        return False
    _basis(params, day)
    return not location.startswith("stn:")


def _days(path_params: dict[str, str], now: datetime) -> list[date]:
    first = _day(path_params["date1"], now)
    last = _day(path_params.get("date2", path_params["date1"]), now)
    if last < first:
        raise WireError(400, "Bad API Request:The end date is before the start date.")
    if (last - first).days >= MOST_DAYS:
        raise WireError(400, "Bad API Request:The date range is too long.")
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _day(text: str, now: datetime) -> date:
    if text in ("today", "yesterday"):
        return now.date() - timedelta(days=text == "yesterday")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise WireError(400, f"Bad API Request:Invalid date {text}.")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WireError(400, f"Bad API Request:Invalid date {text}.") from None


def _basis(params: QueryParams, day: date) -> date:
    if "forecastBasisDate" in params:
        return _day(params["forecastBasisDate"], datetime.combine(day, datetime.min.time()))
    ahead = params["forecastBasisDay"]
    if not ahead.isdigit():
        raise WireError(400, f"Bad API Request:Invalid forecastBasisDay {ahead}.")
    return day - timedelta(days=int(ahead))


def _form(params: QueryParams, place: City, *, subhourly: bool) -> Form:
    unit = UNITS.get(params.get("unitGroup", "us"))
    if unit is None:
        raise WireError(400, "Bad API Request:Invalid unitGroup parameter value.")
    included = {w for w in params.get("include", "").split(",") if w}
    if not included <= INCLUDES:
        raise WireError(400, "Bad API Request:Invalid include parameter value.")
    zone = params.get("timezone")
    if zone not in (None, "", "Z"):
        raise WireError(400, "Bad API Request:Invalid timezone parameter value.")
    sections = included & SECTIONS
    step = re.search(r"minuteinterval_(\d+)", params.get("options", ""))
    return Form(
        zone=UTC if zone else ZoneInfo(place.timezone),
        unit=unit,
        hours=not sections or bool(sections & {"hours", "minutes"}),
        minute_step=(int(step[1]) if step else 15) if "minutes" in sections and subhourly else None,
        keep=_chosen(params.get("elements", "")),
    )


def _chosen(elements: str) -> Callable[[str], bool]:
    """Predicate for requested elements: a list, or changes to the default (`add:`, `remove:`)."""
    words = [w for w in elements.split(",") if w]
    removed = {w.removeprefix("remove:") for w in words if w.startswith("remove:")}
    named = {w for w in words if not w.startswith(("add:", "remove:"))}
    if named:
        return lambda name: name in named
    return lambda name: name not in removed


def _climate_day_end(place: City | None, day: date) -> datetime:
    if place is not None:
        return place.climate_day(day)[1]
    return datetime.combine(day, datetime.min.time(), tzinfo=UTC) + timedelta(hours=36)
