"""The Visual Crossing Timeline: observations of the settlement station, and forecasts for it.

Here: what is asked, the plan's cost, and frames of `weather.observations` and `weather.forecasts`.
Not here: the wire (`service`), the shape of an answer (`timeline`), rounding (`reports`).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx
import polars as pl

from kalshi_assets.cities import City
from kalshi_assets.tables.weather import FORECASTS, OBSERVATIONS
from kalshi_assets.weather.evidence import FILLED
from kalshi_assets.weather.reports.forward_fill import is_copy
from kalshi_assets.weather.reports.intervals import decode_temp_f
from kalshi_assets.weather.sources.client import WeatherClient
from kalshi_assets.weather.sources.errors import (
    DailyCostExceededError,
    WrongStationError,
)
from kalshi_assets.weather.sources.service import Answer, Ask, Secret
from kalshi_assets.weather.sources.timeline import (
    Report,
    forecast_rows,
    station_reports,
)

KEY_SETTING = "VISUAL_CROSSING_KEY"
PATH = "/VisualCrossingWebServices/rest/services/timeline"
UTC_TIME = pl.Datetime("us", "UTC")
OBSERVATION_LAG = timedelta(minutes=10)
FORECAST_LAG = timedelta(hours=6)

_OBSERVATION_PARAMS = {
    "unitGroup": "us",
    "include": "obs,minutes",
    "options": "useobs,minuteinterval_5,nonulls",
    "maxStations": "1",
    "maxDistance": "0",
    "timezone": "Z",
    "elements": (
        "datetimeEpoch,temp,dew,humidity,windspeed,winddir,cloudcover,conditions,stations,source"
    ),
    "contentType": "json",
}
# No timezone here: with Z the days, and so tempmax, would be those of UTC.
_FORECAST_PARAMS = {
    "unitGroup": "us",
    "include": "days,hours",
    "elements": "datetimeEpoch,tempmax,temp,source",
    "contentType": "json",
}

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Budget:
    """The account's plan as far as this process knows it; clients of one account share one.

    Attributes
    ----------
    cost
        Records charged so far: the sum of `queryCost` over the answers.
    spent_until
        When the plan may be asked again, after the service said that it is used up.
    """

    cost: float = 0.0
    spent_until: datetime | None = None


class VisualCrossingClient(WeatherClient):
    """Asks the Timeline for the settlement station of a city, one request at a time.

    Parameters
    ----------
    base_url
        Scheme and host.
    key
        The account's key; empty: none is sent, for services that need none.
    transport
        Replaces the network.
    budget
        Shared by the clients of one account, so that a used-up plan stops them all.
    clock
        The present, aware.
    sleep
        Waits seconds, where the service says that too much is asked at once.
    timeout_s
        Of connecting, and of every read.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        budget: Budget | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], object] = time.sleep,
        timeout_s: float = 30.0,
    ) -> None:
        super().__init__(
            base_url,
            transport=transport,
            sleep=sleep,
            timeout_s=timeout_s,
            secret=Secret(parameter="key", value=key, setting=KEY_SETTING),
        )
        self._clock = clock
        self._budget = budget if budget is not None else Budget()

    @property
    def cost(self) -> float:
        """Records charged so far: the sum of `queryCost` over the answers."""
        return self._budget.cost

    def now(self) -> datetime:
        """The clock's present."""
        return self._clock()

    def timeline(self, city: City, day: date, params: Mapping[str, str]) -> Answer:
        """The Timeline of the city's station for `day` and the day after.

        Two days, because a climate day reaches into the next one of any other calendar.

        Raises
        ------
        DailyCostExceededError
            The plan is used up, now or earlier on the same UTC day.
        WeatherError
            Any other of its subclasses.
        """
        ask = _ask(city, day, params)
        spent_until = self._budget.spent_until
        if spent_until is not None and self._clock() < spent_until:
            cause = f"the plan is used up; not asked before {spent_until:%Y-%m-%dT%H:%MZ}"
            raise self.error(DailyCostExceededError, ask, cause)
        try:
            answer = self.get(ask)
        except DailyCostExceededError:
            midnight = self._clock().astimezone(UTC).replace(hour=0, minute=0, second=0)
            self._budget.spent_until = midnight.replace(microsecond=0) + timedelta(days=1)
            raise
        charged = answer.payload.get("queryCost")
        if isinstance(charged, int | float):
            self._budget.cost += charged
        return answer


def fetch_observations(
    client: VisualCrossingClient, city: City, day: date, *, lag: timedelta = OBSERVATION_LAG
) -> pl.DataFrame:
    """The settlement station's reports within a climate day, as intervals.

    Copies of an earlier report are kept, marked ``filled``; see `forward_fill`.

    Parameters
    ----------
    client, city, day
        Whom to ask, and for what.
    lag
        From measurement to when the report could be read.

    Returns
    -------
    pl.DataFrame
        `tables.OBSERVATIONS`; without rows where the station reported nothing.

    Raises
    ------
    WrongStationError
        There are reports, and every one comes from other stations.
    WeatherError
        Any other of its subclasses.
    """
    answer = client.timeline(city, day, _OBSERVATION_PARAMS)
    ask = _ask(city, day, {})
    with client.reading(ask):
        found = station_reports(answer.payload, city, day)
    if found.rejected:
        cause = (
            f"{found.rejected} reports are not of {city.station} alone but of "
            f"{', '.join(sorted(found.stations_seen))}"
        )
        if not found.reports:
            remedy = "; is the request locked to the station (stn:, maxStations=1, maxDistance=0)?"
            raise client.error(WrongStationError, ask, cause + remedy)
        _log.warning("%s %s: %s; %d kept", city.name, day, cause, len(found.reports))
    frame = (
        _frame(found.reports)
        .lazy()
        .with_columns(decode_temp_f(pl.col("temp_f")).alias("reading"), copy=is_copy())
        .unnest("reading")
        .with_columns(
            kind=pl.when("copy").then(pl.lit(FILLED)).otherwise("kind"),
            known_at=pl.col("event_time") + lag,
            max_since=pl.lit(None, UTC_TIME),
            station=pl.lit(city.station),
            raw_sha256=pl.lit(answer.raw_sha256),
        )
        .select(OBSERVATIONS.dtypes.keys())
        .collect()
    )
    with client.reading(ask):
        return OBSERVATIONS.conform(frame)


def fetch_forecasts(
    client: VisualCrossingClient, city: City, day: date, *, lag: timedelta = FORECAST_LAG
) -> pl.DataFrame:
    """Forecasts for a climate day, of the runs at 00:00Z of the day before and of the day itself.

    A run that has not happened yet is not asked for.

    Parameters
    ----------
    client, city, day
        Whom to ask, and for what.
    lag
        From the run to when its forecast could be read.

    Returns
    -------
    pl.DataFrame
        `tables.FORECASTS`; without rows where there is no forecast.

    Raises
    ------
    WeatherError
        One of its subclasses.
    """
    found: list[dict[str, object]] = []
    ask = _ask(city, day, {})
    for basis_day in (day - timedelta(days=1), day):
        basis = datetime(basis_day.year, basis_day.month, basis_day.day, tzinfo=UTC)
        if basis > client.now():
            continue
        params = {**_FORECAST_PARAMS, "forecastBasisDate": f"{basis_day}"}
        answer = client.timeline(city, day, params)
        with client.reading(ask):
            rows = forecast_rows(answer.payload, city, day)
        run = {"event_time": basis, "known_at": basis + lag, "station": city.station}
        found += (
            run | {"raw_sha256": answer.raw_sha256, "variable": variable, **_forecast(report)}
            for variable, reports in (("tmax", [rows.tmax]), ("temp", rows.temps))
            for report in reports
            if report is not None
        )
    with client.reading(ask):
        return FORECASTS.conform(pl.DataFrame(found, schema=FORECASTS.dtypes))


def _ask(city: City, day: date, params: Mapping[str, str]) -> Ask:
    path = f"{PATH}/stn:{city.station}/{day}/{day + timedelta(days=1)}"
    return Ask(city=city.name, day=day, path=path, params=params)


def _forecast(report: Report) -> dict[str, object]:
    return {"valid_time": report.time, "value_f": report.temp_f, "source": report.source}


def _frame(reports: Sequence[Report]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event_time": [report.time for report in reports],
            "temp_f": [report.temp_f for report in reports],
            "source": [report.source for report in reports],
            "dew_f": [report.dew_f for report in reports],
            "wind_mph": [report.wind_mph for report in reports],
            "wind_deg": [report.wind_deg for report in reports],
        },
        schema={
            "event_time": UTC_TIME,
            "temp_f": pl.Float64,
            "source": pl.String,
            "dew_f": pl.Float64,
            "wind_mph": pl.Float64,
            "wind_deg": pl.Float64,
        },
    )
