"""Whatever goes wrong on the wire, a backfill ends with the same data or says what went wrong."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import stamina

from kalshi_assets.commands.backfill import Outcome, plan, run
from kalshi_assets.defs.lake_io import the_lake
from kalshi_assets.exchange.client import KalshiClient
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.services import WeatherService
from kalshi_assets.families.temperature.sources.client import WeatherClient
from kalshi_assets.families.temperature.sources.visual_crossing import VisualCrossingClient
from kalshi_assets.keys import LadderDay
from kalshi_assets.pipeline.services import KalshiService
from kalshi_assets.sandbox.faults import KINDS, Fault
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.settings import Settings
from kalshi_assets.tables import (
    EXAMPLES,
    LABELS,
    SETTLEMENTS,
    TABLES,
    Table,
)
from kalshi_assets_tests.chain.backfills import service_settings
from kalshi_assets_tests.chain.conftest import WORLD_CITY, WORLD_END
from kalshi_assets_tests.chain.spoilt import WITHOUT_EVENT

EXCHANGE = "/trade-api/v2"
TIMELINE = "/VisualCrossingWebServices"
REPORTS = "/json/cli.py"
DAY = city_day(WORLD_CITY, WORLD_END)

Backfill = Callable[..., Outcome]
Partitions = Mapping[tuple[Table, LadderDay], pl.DataFrame]


class ImpatientKalshi(KalshiService):
    """Without a read budget: the sandbox has none either."""

    @contextmanager
    def client(self, key: LadderDay, purpose: str) -> Iterator[KalshiClient]:
        with self._transport_for("kalshi", key, purpose) as transport:
            yield KalshiClient(Settings().kalshi_api_url, transport=transport)


class ImpatientWeather(WeatherService):
    """Without the half minutes between tries that the real service asks for."""

    @contextmanager
    def visual_crossing(self, key: LadderDay, purpose: str) -> Iterator[VisualCrossingClient]:
        with self._transport_for("visual_crossing", key, purpose) as transport:
            yield VisualCrossingClient(
                Settings().visual_crossing_url,
                "sandbox",
                transport=transport,
                sleep=lambda seconds: None,
            )

    @contextmanager
    def climate_reports(self, key: LadderDay, purpose: str) -> Iterator[WeatherClient]:
        with self._transport_for("climate_reports", key, purpose) as transport:
            yield WeatherClient(
                Settings().climate_report_url, transport=transport, sleep=lambda seconds: None
            )


@dg.resource
def impatient_kalshi(context: dg.InitResourceContext) -> Iterator[ImpatientKalshi]:
    with closing(ImpatientKalshi()) as service:
        yield service


@dg.resource
def impatient_weather(context: dg.InitResourceContext) -> Iterator[ImpatientWeather]:
    with closing(ImpatientWeather()) as service:
        yield service


@pytest.fixture(autouse=True)
def _without_waits() -> Iterator[None]:
    stamina.set_testing(True, attempts=10, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture
def backfilled(
    sandbox: Sandbox, undisturbed: Partitions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Backfill:
    """Backfills the day, on a lake that has its look-back, with faults on; how it ended."""
    _point_at(sandbox, tmp_path, monkeypatch)
    for (table, key), frame in undisturbed.items():
        if key != DAY:
            the_lake().write(table, key, frame)

    def backfill(*faults: Fault) -> Outcome:
        assert sandbox.faults is not None
        sandbox.faults.set(faults)
        try:
            return _backfill()
        finally:
            sandbox.faults.clear()

    return backfill


def _partitions() -> Partitions:
    lake = the_lake()
    return {(table, key): lake.read(table, key) for table in TABLES for key in lake.keys(table)}


@pytest.fixture(scope="module")
def undisturbed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Partitions:
    """What a backfill makes while nothing goes wrong."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("undisturbed")
        patch.delenv("DAGSTER_HOME", raising=False)
        patch.chdir(folder)
        _point_at(sandbox, folder, patch)
        assert _backfill().failed == {}
        return _partitions()


def _point_at(sandbox: Sandbox, folder: Path, patch: pytest.MonkeyPatch) -> None:
    for name, value in service_settings(sandbox, folder).items():
        patch.setenv(name, value)


def _backfill() -> Outcome:
    plans = plan(the_lake(), [DAY.ladder], DAY.date, DAY.date)
    return run(plans, lambda *_: None, kalshi=impatient_kalshi, weather=impatient_weather)


CURED = [
    Fault(kind="latency", every=2, seconds=0.02),
    Fault(kind="http_429", every=2),
    Fault(kind="http_500", every=2),
    Fault(kind="cut", every=3),
    Fault(kind="truncated_json", every=3),
    Fault(kind="empty_page", every=2),
    Fault(kind="repeated_cursor", every=2),
]

HOPELESS = [
    (Fault(kind="http_429", path=EXCHANGE), "GET /events/KXHIGHNY-26JUN30", "too many requests"),
    (Fault(kind="http_500", path=EXCHANGE + "/series"), "GET /series/KXHIGHNY", "internal_server"),
    (Fault(kind="cut", path=EXCHANGE + "/historical"), "GET /historical/", "peer closed"),
    (Fault(kind="truncated_json", path=EXCHANGE + "/markets/candlesticks"), "candle", "not JSON"),
    (
        Fault(kind="truncated_json", path=EXCHANGE + "/markets/trades"),
        "/markets/trades",
        "not JSON",
    ),
    (Fault(kind="empty_page", path=EXCHANGE), "GET /markets", "empty pages in a row"),
    (Fault(kind="repeated_cursor", path=EXCHANGE), "GET /markets", "cursor '~' was repeated"),
    (Fault(kind="http_429", path=TIMELINE), "/timeline/", "Maximum concurrent jobs"),
    (Fault(kind="http_500", path=TIMELINE), "/timeline/", "status 500"),
    (Fault(kind="cut", path=TIMELINE), "/timeline/", "peer closed"),
    (Fault(kind="truncated_json", path=TIMELINE), "/timeline/", "not whole JSON"),
]

CROSS_CHECKS = [
    (Fault(kind="http_429", path=REPORTS), "status 429"),
    (Fault(kind="http_500", path=REPORTS), "status 500"),
    (Fault(kind="truncated_json", path=REPORTS), "not whole JSON"),
]


def _name(fault: Fault) -> str:
    return f"{fault.kind}, every {fault.every} of {fault.path}"


def _assert_same(found: Partitions, wanted: Partitions) -> None:
    assert found.keys() == wanted.keys()
    different = [
        f"{table.full_name} {key}"
        for (table, key), frame in wanted.items()
        if not _facts(frame).equals(_facts(found[table, key]))
    ]
    assert different == []


def _facts(frame: pl.DataFrame) -> pl.DataFrame:
    """Without hashes: an answer with a spoilt cursor has the same rows, a page shows its hash."""
    return frame.drop("raw_sha256", "sha256", "size", strict=False)


@pytest.mark.slow
@pytest.mark.parametrize("fault", CURED, ids=_name)
def test_faults_now_and_then_leave_the_same_data(
    backfilled: Backfill, undisturbed: Partitions, fault: Fault
) -> None:
    assert backfilled(fault).failed == {}
    _assert_same(_partitions(), undisturbed)


def _assert_same_but_for_unheard(there: Partitions, undisturbed: Partitions) -> None:
    """Equal, though of a settlement not every source was heard: each takes only its own word."""
    found = dict(there)
    settled = found.pop((SETTLEMENTS, DAY), SETTLEMENTS.empty()).filter(
        pl.col("status") != "failed"
    )
    whole = undisturbed[SETTLEMENTS, DAY]
    assert settled.rows() == whole.filter(pl.col("source").is_in(settled["source"])).rows()
    if settled.height < whole.height:  # labels and examples carry every word on the outcome
        found = {key: frame for key, frame in found.items() if key[0] not in (LABELS, EXAMPLES)}
    _assert_same(found, {key: undisturbed[key] for key in found})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "endpoint", "cause"), HOPELESS, ids=lambda v: _name(v) if isinstance(v, Fault) else ""
)
def test_lasting_faults_end_in_an_error_that_says_where_and_why(
    backfilled: Backfill, undisturbed: Partitions, fault: Fault, endpoint: str, cause: str
) -> None:
    first = backfilled(fault).failed[DAY.ladder].first
    assert first
    assert all(endpoint in each.cause and cause in each.cause for each in first), first

    there = _partitions()
    assert there.keys() < undisturbed.keys()
    _assert_same_but_for_unheard(there, undisturbed)


@pytest.mark.parametrize(
    ("fault", "cause"), CROSS_CHECKS, ids=lambda v: _name(v) if isinstance(v, Fault) else ""
)
def test_a_lasting_fault_of_a_cross_check_costs_nothing_but_its_own_word(
    backfilled: Backfill, undisturbed: Partitions, fault: Fault, cause: str
) -> None:
    assert backfilled(fault).failed == {}
    there = dict(_partitions())
    (failed,) = there[SETTLEMENTS, DAY].filter(source="climate_report").to_dicts()
    assert failed["status"] == "failed"
    assert f"{DAY.ladder} {DAY.date}: GET " in failed["problem"]
    assert "/json/cli.py" in failed["problem"]
    assert cause in failed["problem"]

    paid = pl.col("source") == "exchange"
    assert there[SETTLEMENTS, DAY].filter(paid).equals(undisturbed[SETTLEMENTS, DAY].filter(paid))
    # Labels and examples carry every word on the outcome, with its time.
    for table in (SETTLEMENTS, LABELS, EXAMPLES):
        del there[table, DAY]
    _assert_same(there, {key: undisturbed[key] for key in undisturbed if key in there})
    assert len(there) == len(undisturbed) - 3


def test_what_failed_is_made_good_by_the_next_run(
    backfilled: Backfill, undisturbed: Partitions
) -> None:
    assert backfilled(Fault(kind="cut", path=EXCHANGE + "/markets/trades")).failed
    assert backfilled().failed == {}
    _assert_same(_partitions(), undisturbed)


def test_a_fault_of_one_service_does_not_keep_the_others_data_back(
    backfilled: Backfill,
) -> None:
    assert backfilled(Fault(kind="http_500", path=EXCHANGE)).failed
    assert {table for table, key in _partitions() if key == DAY} == WITHOUT_EVENT


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_no_fault_leaves_a_partition_that_differs_from_a_quiet_runs(
    backfilled: Backfill, undisturbed: Partitions, kind: str, every: int
) -> None:
    outcome = backfilled(Fault(kind=kind, every=every, seconds=0.01))
    there = dict(_partitions())
    assert bool(outcome.failed) == (there.keys() != undisturbed.keys())
    _assert_same_but_for_unheard(there, undisturbed)
