"""The exchange pays: its word is stored whatever the publishers beside it answer."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import polars as pl
import pytest
import stamina

from kalshi_assets.definitions import build
from kalshi_assets.defs.lake_io import ASSET_KEYS, LakeIOManager, the_lake
from kalshi_assets.defs.partitions import dagster_key
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.exchange.ingest import fetch_event
from kalshi_assets.families.temperature.cities import CITIES, city_day
from kalshi_assets.families.temperature.listing import listing_of
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.keys import LadderDay
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.tables import EVENTS, SETTLEMENTS
from kalshi_assets_tests.exchange.fake_exchange import EVENT, FakeExchange, exchange, settled

CHICAGO, DAY = CITIES["chicago"], date(2026, 9, 15)
KEY = city_day("chicago", DAY)
JSON = {"content-type": "application/json"}
WON = "KXHIGHCHI-26SEP15-B80.5"

Answer = Callable[[httpx.Request], httpx.Response]


def on_the_day(value: Any) -> Any:
    """A payload of the exchange's event of June, as one of September, when the portal settles."""
    text = json.dumps(value)
    for june, september in (("26JUN15", "26SEP15"), ("Jun 15", "Sep 15"), ("2026-06-", "2026-09-")):
        text = text.replace(june, september)
    return json.loads(text)


def the_exchange(rows: list[dict[str, Any]] | None = None) -> FakeExchange:
    """The event, finalized at 81, or with other markets."""
    fake = exchange(settled() if rows is None else rows)
    fake.routes = {
        path.replace(EVENT, "KXHIGHCHI-26SEP15"): on_the_day(answer)
        for path, answer in fake.routes.items()
    }
    return fake


def body(value: Any, status: int = 200) -> Answer:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return lambda request: httpx.Response(status, headers=JSON, content=content)


def raising(error: Exception) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


def result(station: dict[str, Any], high: object = 81, **data: Any) -> dict[str, Any]:
    said = {"maxTemp": high, "reportDate": f"{DAY}", "issueTime": "2026-09-16T06:34:00Z"}
    return {"status": "official", "station": station, "data": said | data}


def portal(*results: dict[str, Any]) -> Answer:
    return body({"results": list(results)})


def report(high: object = 81, **fields: Any) -> Answer:
    return body({"results": [{"station": "KMDW", "valid": f"{DAY}", "high": high} | fields]})


MIDWAY, NAMELESS = {"icao": "KMDW"}, {"cliId": "CLIXXX"}
GOOD_PORTAL, GOOD_REPORT = portal(result(MIDWAY)), report()


@dataclass
class Services:
    """The clients of a run, on answers instead of a network."""

    exchange: FakeExchange = field(default_factory=the_exchange)
    portal: Answer = GOOD_PORTAL
    report: Answer = GOOD_REPORT


class Asked:
    """Whom the platform's clients ask now; the platform itself is built once."""

    services = Services()


class Kalshi(KalshiService):
    """Clients of the exchange at hand."""

    @contextmanager
    def client(self, key: LadderDay, purpose: str) -> Iterator[KalshiClient]:
        yield Asked.services.exchange.client()


class Weather(WeatherService):
    """Clients of the publishers at hand."""

    @contextmanager
    def climate_reports(self, key: LadderDay, purpose: str) -> Iterator[WeatherClient]:
        transport = httpx.MockTransport(Asked.services.report)
        yield WeatherClient("https://iowa.test", transport=transport, sleep=_at_once)

    @contextmanager
    def weather_company(self, key: LadderDay, purpose: str) -> Iterator[WeatherClient]:
        transport = httpx.MockTransport(Asked.services.portal)
        yield WeatherClient("https://portal.test", transport=transport, sleep=_at_once)


def _at_once(seconds: float) -> None:
    """No wait."""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("KALSHI_ASSETS_DATA", str(tmp_path / "data"))
    stamina.set_testing(True, attempts=2, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture
def event() -> None:
    """`market.events` of the day is there."""
    contract = fetch_event(the_exchange().client(), listing_of(CHICAGO, DAY))
    the_lake().write(EVENTS, KEY, contract.to_frame())


@dg.resource
def weather(context: dg.InitResourceContext) -> Weather:
    """Each run has its own: what cannot be reached is not asked again in a run."""
    return Weather()


@cache
def platform() -> dg.JobDefinition:
    definitions = build(lake=LakeIOManager(), kalshi=Kalshi(), weather=weather)
    return definitions.resolve_implicit_global_asset_job_def()


def made(services: Services) -> dg.ExecuteInProcessResult:
    Asked.services = services
    with dg.DagsterInstance.ephemeral() as instance:
        return platform().execute_in_process(
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            asset_selection=[ASSET_KEYS[SETTLEMENTS]],
            partition_key=dagster_key(KEY),
            instance=instance,
            raise_on_error=False,
        )


def stored() -> pl.DataFrame:
    return the_lake().read(SETTLEMENTS, KEY)


def verdict(run: dg.ExecuteInProcessResult, check: str) -> dg.AssetCheckEvaluation:
    return next(e for e in run.get_asset_check_evaluations() if e.check_name == check)


FAULTS: dict[str, tuple[Services, str, str]] = {
    # what goes wrong: the services, whose fault, its cause
    "portal 404": (Services(portal=body({"error": "no"}, 404)), "weather_company", "status 404"),
    "portal 403": (Services(portal=body({"error": "no"}, 403)), "weather_company", "status 403"),
    "portal 503": (Services(portal=body({"error": "no"}, 503)), "weather_company", "status 503"),
    "portal names no station": (
        Services(portal=portal(result(NAMELESS, 90))),
        "weather_company",
        "a result without station and icao",
    ),
    "portal's issue time in words": (
        Services(portal=portal(result(MIDWAY, issueTime="early morning"))),
        "weather_company",
        "issueTime is not an ISO 8601 time",
    ),
    "portal -9999": (Services(portal=portal(result(MIDWAY, -9999))), "weather_company", "-9999"),
    "portal 999": (Services(portal=portal(result(MIDWAY, 999))), "weather_company", "999"),
    "portal timeout": (
        Services(portal=raising(httpx.ReadTimeout("timed out"))),
        "weather_company",
        "timed out",
    ),
    "portal unreachable": (
        Services(portal=raising(httpx.ConnectError("refused"))),
        "weather_company",
        "refused",
    ),
    "portal malformed": (Services(portal=body(b'{"results": [')), "weather_company", "not whole"),
    "portal a list": (Services(portal=body([])), "weather_company", "a JSON object expected"),
    "reader of the portal breaks": (
        Services(portal=raising(RuntimeError("nobody thought of it"))),
        "weather_company",
        "RuntimeError: nobody thought of it",
    ),
    "report 503": (Services(report=body({"error": "no"}, 503)), "climate_report", "status 503"),
    "report 404": (Services(report=body({"error": "no"}, 404)), "climate_report", "status 404"),
    "report -9999": (Services(report=report(-9999)), "climate_report", "-9999"),
    "report of 1e300": (Services(report=report(1e300)), "climate_report", "1e+300"),
    "report a list of values": (Services(report=report([81])), "climate_report", "[81]"),
    "report of another station": (
        Services(report=report(station="KORD")),
        "climate_report",
        "reports of KORD, but KMDW was requested",
    ),
    "report malformed": (Services(report=body(b"<html>")), "climate_report", "not whole JSON"),
}


@pytest.mark.usefixtures("event")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_exchanges_word_is_stored_whatever_a_publisher_answers(fault: str) -> None:
    services, source, cause = FAULTS[fault]
    run = made(services)
    assert run.success
    rows = {row["source"]: row for row in stored().to_dicts()}
    assert rows.keys() == {"exchange", "weather_company", "climate_report"}
    assert (rows["exchange"]["winning_market"], rows["exchange"]["value"]) == (WON, 81)

    failed = rows.pop(source)
    assert (failed["status"], failed["value"], failed["winning_market"]) == ("failed", None, None)
    assert cause in failed["problem"]
    assert failed["problem"].startswith(f"chicago {DAY}: ")
    assert {row["value"] for row in rows.values()} == {81}

    warned = verdict(run, "sources_read")
    assert (warned.passed, warned.severity) == (False, dg.AssetCheckSeverity.WARN)
    found = str(warned.metadata["found"].value)
    assert f"{source}: " in found
    assert cause in found
    assert cause in str(_metadata(run)["not read"].value)
    assert all(e.passed for e in run.get_asset_check_evaluations() if e.blocking)


def _metadata(run: dg.ExecuteInProcessResult) -> Any:
    (made_,) = run.asset_materializations_for_node("weather__settlements")
    return made_.metadata


@pytest.mark.usefixtures("event")
def test_another_stations_row_without_a_name_costs_nothing() -> None:
    run = made(Services(portal=portal(result(NAMELESS, 90), result(MIDWAY))))
    assert run.success
    assert verdict(run, "sources_read").passed
    portals = stored().filter(source="weather_company")
    assert portals.select("status", "value").rows() == [("official", 81)]


@pytest.mark.usefixtures("event")
def test_all_publishers_at_fault_leave_the_exchange_alone() -> None:
    nothing = body({"error": "no"}, 503)
    run = made(Services(portal=nothing, report=nothing))
    assert run.success
    assert stored().select("source", "status").rows() == [
        ("climate_report", "failed"),
        ("exchange", "finalized"),
        ("weather_company", "failed"),
    ]


@pytest.mark.usefixtures("event")
def test_an_exchange_that_fails_fails_the_day() -> None:
    fake = the_exchange()
    fake.routes["/markets"] = httpx.Response(500, json={"error": {"code": "internal_error"}})
    assert not made(Services(exchange=fake)).success
    assert not the_lake().has(SETTLEMENTS, KEY)


def test_publishers_are_stored_where_the_event_is_not_there() -> None:
    run = made(Services(portal=body({"error": "no"}, 404)))
    assert run.success
    assert stored().select("source", "status", "value").rows() == [
        ("climate_report", "official", 81),
        ("weather_company", "failed", None),
    ]


def test_a_day_of_which_nobody_says_anything_is_not_green() -> None:
    nothing = body({"error": "no"}, 503)
    assert not made(Services(portal=nothing, report=nothing)).success
    assert not the_lake().has(SETTLEMENTS, KEY)


@pytest.mark.usefixtures("event")
def test_a_fair_price_is_stored_beside_the_publishers_and_named() -> None:
    values = ("0.0100", "0.0100", "0.2400", "0.7200", "0.0100", "0.0100")
    rows = [
        market | {"result": "scalar", "settlement_value_dollars": value, "expiration_value": ""}
        for market, value in zip(settled(), values, strict=True)
    ]
    run = made(Services(exchange=the_exchange(rows)))
    assert run.success
    found = stored().select("source", "value", "winning_market", "payoffs_cc").rows()
    assert found == [
        ("climate_report", 81, None, None),
        ("exchange", None, None, [100, 100, 2400, 7200, 100, 100]),
        ("weather_company", 81, None, None),
    ]
    named = verdict(run, "one_bracket_pays")
    assert (named.passed, named.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert str(KEY) in str(named.metadata["found"].value)
    assert "0.01, 0.01, 0.24, 0.72, 0.01, 0.01" in str(named.metadata["found"].value)
    assert all(e.passed for e in run.get_asset_check_evaluations() if e.blocking)
