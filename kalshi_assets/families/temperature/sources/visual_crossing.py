"""The Visual Crossing Timeline: observations of the settlement station, and forecasts for it.

Here: requests, and frames of `weather.observations` and `weather.forecasts` with the dropped
values. Not here: HTTP (`client`), the account's plan (`plan`), parsing a response (`timeline`),
rounding and plausibility (`bulletins`).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx
import polars as pl

from kalshi_assets.families.temperature.bulletins.forward_fill import is_copy
from kalshi_assets.families.temperature.bulletins.intervals import decode
from kalshi_assets.families.temperature.cities import City
from kalshi_assets.families.temperature.evidence import FILLED
from kalshi_assets.families.temperature.sources.client import Answer, Ask, Secret, WeatherClient
from kalshi_assets.families.temperature.sources.errors import (
    ConcurrencyExceededError,
    DailyCostExceededError,
    WrongStationError,
)
from kalshi_assets.families.temperature.sources.plan import Budget, says_concurrency
from kalshi_assets.families.temperature.sources.timeline import (
    Dropped,
    Report,
    forecast_rows,
    station_reports,
)
from kalshi_assets.tables.contract import Table
from kalshi_assets.tables.weather import (
    DROPPED_FORECASTS,
    DROPPED_OBSERVATIONS,
    FORECASTS,
    OBSERVATIONS,
)

KEY_SETTING = "VISUAL_CROSSING_KEY"
PATH = "/VisualCrossingWebServices/rest/services/timeline"
UTC_TIME = pl.Datetime("us", "UTC")
# From the measurement, and from the run of the model, until the value can be read.
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
# Without a timezone: with Z the days, and therefore tempmax, would be those of UTC.
_FORECAST_PARAMS = {
    "unitGroup": "us",
    "include": "days,hours",
    "elements": "datetimeEpoch,tempmax,temp,source",
    "contentType": "json",
}

# The columns by which copies of a report are recognised.
_SHOWN: dict[str, pl.DataType] = {
    "event_time": UTC_TIME,
    "temp_f": pl.Float64(),
    "dew_f": pl.Float64(),
    "wind_mph": pl.Float64(),
    "wind_deg": pl.Float64(),
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sifted:
    """The values that a provider sent for a climate day: accepted and dropped."""

    rows: pl.DataFrame
    dropped: pl.DataFrame


class VisualCrossingClient(WeatherClient):
    """A client of the Timeline; for the other parameters see `WeatherClient`.

    Parameters
    ----------
    key
        The account's key; empty: none is sent, for services that need none.
    budget
        Shared by the clients of an account, so that a used-up plan stops them all.
    clock
        The present time, aware.
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
    ) -> None:
        super().__init__(
            base_url,
            transport=transport,
            sleep=sleep,
            secret=Secret(parameter="key", value=key, setting=KEY_SETTING),
        )
        self._clock = clock
        self._budget = budget if budget is not None else Budget()

    def now(self) -> datetime:
        """The present time."""
        return self._clock()

    def timeline(self, ask: Ask) -> Answer:
        """The response to `ask`, unless the plan is used up.

        Raises
        ------
        DailyCostExceededError
            The plan is used up, as this or another process found out on the same UTC day.
        WeatherError
            Any other of its subclasses.
        """
        with self._budget.turn():
            spent_until = self._budget.spent_until
            if spent_until is not None and self._clock() < spent_until:
                cause = f"the plan is used up; not asked before {spent_until:%Y-%m-%dT%H:%MZ}"
                raise self.error(DailyCostExceededError, ask, cause)
            try:
                return self.get(ask)
            except DailyCostExceededError:
                self._budget.spend(self._clock())
                raise
            except ConcurrencyExceededError as error:
                if says_concurrency(error.cause):
                    raise
                # There is only one request at a time, so this must mean that the plan is used up.
                until = self._budget.spend(self._clock())
                cause = (
                    f"{error.cause}; at every attempt, so the plan is assumed to be used up: not "
                    f"asked before {until:%Y-%m-%dT%H:%MZ}"
                )
                raise self.error(DailyCostExceededError, ask, cause) from error


def fetch_observations(client: VisualCrossingClient, city: City, day: date) -> pl.DataFrame:
    """The accepted rows of `sifted_observations`."""
    return sifted_observations(client, city, day).rows


def sifted_observations(client: VisualCrossingClient, city: City, day: date) -> Sifted:
    """The settlement station's reports within a climate day, as intervals.

    Copies of an earlier report are kept, with kind ``filled``; see `forward_fill`. Implausible
    values are dropped; see `plausible`. A report that is confirmed only by a later one, as after a
    jump, is known when that one is known.

    Returns
    -------
    Sifted
        `tables.OBSERVATIONS` and `tables.DROPPED_OBSERVATIONS`; empty if the station did not
        report.

    Raises
    ------
    WrongStationError
        There are reports, but all are from other stations.
    WeatherError
        Any other of its subclasses.
    """
    ask = _ask(city, day, f"stn:{city.station}", _OBSERVATION_PARAMS)
    answer = client.timeline(ask)
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
    frame = _frame(found.reports, city, answer)
    dropped = [
        _dropped(each, city, answer, each.report.time, OBSERVATION_LAG) for each in found.dropped
    ]
    with client.reading(ask):
        return Sifted(
            OBSERVATIONS.conform(frame), _left_out(DROPPED_OBSERVATIONS, dropped, city, day)
        )


def fetch_forecasts(client: VisualCrossingClient, city: City, day: date) -> pl.DataFrame:
    """The accepted rows of `sifted_forecasts`."""
    return sifted_forecasts(client, city, day).rows


def sifted_forecasts(client: VisualCrossingClient, city: City, day: date) -> Sifted:
    """Forecasts for a climate day, from the runs at 00:00Z of the previous day and of the day.

    Future runs are not requested. Forecasts are requested for the station's coordinates: for a
    station identifier the service returns observations instead of past forecasts. If a response
    contains no forecast, its values are among those dropped.

    Returns
    -------
    Sifted
        `tables.FORECASTS` and `tables.DROPPED_FORECASTS`; empty if there is no forecast.

    Raises
    ------
    WeatherError
        One of its subclasses.
    """
    found: list[dict[str, object]] = []
    dropped: list[dict[str, object]] = []
    point = f"{city.latitude:.4f},{city.longitude:.4f}"
    for basis_day in (day - timedelta(days=1), day):
        basis = datetime(basis_day.year, basis_day.month, basis_day.day, tzinfo=UTC)
        if basis > client.now():
            continue
        ask = _ask(city, day, point, {**_FORECAST_PARAMS, "forecastBasisDate": f"{basis_day}"})
        answer = client.timeline(ask)
        with client.reading(ask):
            rows = forecast_rows(answer.payload, city, day)
        run = {"event_time": basis, "known_at": basis + FORECAST_LAG, "station": city.station}
        found += (
            run
            | {"variable": variable, "valid_time": report.time, "value_f": report.temp_f}
            | {"source": report.source, "raw_sha256": answer.raw_sha256}
            for variable, reports in (("tmax", [rows.tmax]), ("temp", rows.temps))
            for report in reports
            if report is not None
        )
        dropped += (_dropped(each, city, answer, basis, FORECAST_LAG) for each in rows.dropped)
    with client.reading(_ask(city, day, point, {})):
        return Sifted(
            FORECASTS.conform(pl.DataFrame(found, schema=FORECASTS.dtypes)),
            _left_out(DROPPED_FORECASTS, dropped, city, day),
        )


def _dropped(
    each: Dropped, city: City, answer: Answer, event_time: datetime, lag: timedelta
) -> dict[str, object]:
    return {
        "event_time": event_time,
        "known_at": event_time + lag,
        "station": city.station,
        "variable": each.variable,
        "valid_time": each.report.time,
        "value_f": each.report.temp_f,
        "reason": each.reason,
        "source": each.report.source,
        "raw_sha256": answer.raw_sha256,
    }


def _left_out(
    table: Table, rows: Sequence[Mapping[str, object]], city: City, day: date
) -> pl.DataFrame:
    frame = table.conform(pl.DataFrame(rows, schema=table.dtypes))
    if rows:
        counts = ", ".join(f"{n} {reason}" for reason, n in left_out_counts(frame).items())
        _log.warning("%s %s: left out, see %s: %s", city.name, day, table.full_name, counts)
    return frame


def left_out_counts(dropped: pl.DataFrame) -> dict[str, int]:
    """The number of dropped values by reason."""
    return dict(dropped.group_by("reason").len().sort("reason").iter_rows())


def _ask(city: City, day: date, location: str, params: Mapping[str, str]) -> Ask:
    # Two days, because a climate day extends into the next civil and UTC day.
    path = f"{PATH}/{location}/{day}/{day + timedelta(days=1)}"
    return Ask(city=city.name, day=day, path=path, params=params)


def _frame(reports: Sequence[Report], city: City, answer: Answer) -> pl.DataFrame:
    """`tables.OBSERVATIONS` of reports."""
    shown = [(r.time, r.temp_f, r.dew_f, r.wind_mph, r.wind_deg) for r in reports]
    copies = pl.DataFrame(shown, schema=_SHOWN, orient="row").select(is_copy()).to_series()
    readings = [decode(report.temp_f) for report in reports]
    known_at = [max(r.time, r.shown_at or r.time) + OBSERVATION_LAG for r in reports]
    return pl.DataFrame(
        {
            "event_time": [report.time for report in reports],
            "known_at": known_at,
            "max_since": [None] * len(reports),
            "station": [city.station] * len(reports),
            "temp_f": [report.temp_f for report in reports],
            "kind": [FILLED if c else r.kind for c, r in zip(copies, readings, strict=True)],
            "lo_f": [reading.lo_f for reading in readings],
            "hi_f": [reading.hi_f for reading in readings],
            "source": [report.source for report in reports],
            "raw_sha256": [answer.raw_sha256] * len(reports),
        },
        schema=OBSERVATIONS.dtypes,
    )
