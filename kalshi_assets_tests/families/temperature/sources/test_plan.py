"""The plan's end: recognised in any words, paid for once, known to every process until midnight."""

import multiprocessing
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.sources.errors import (
    ConcurrencyExceededError,
    DailyCostExceededError,
    KeyRefusedError,
    RequestRefusedError,
)
from kalshi_assets.families.temperature.sources.plan import (
    Budget,
    says_concurrency,
    says_plan_spent,
)
from kalshi_assets.families.temperature.sources.visual_crossing import (
    VisualCrossingClient,
    fetch_observations,
)
from kalshi_assets.lake.files import Files
from kalshi_assets_tests.families.temperature.sources.vc import (
    JSON,
    KEY,
    NOW,
    Service,
    plain,
    timeline,
)

CHICAGO, NEW_YORK = CITIES["chicago"], CITIES["new_york"]
MAY_5, MAY_6 = date(2025, 5, 5), date(2025, 5, 6)
URL = "https://weather.test"
SPENT = [
    "You have exceeded the maximum number of daily result records for your account.",
    "You have exceeded the maximum number of daily result records for your account. Please add a "
    "credit card to continue retrieving results.",
    "This account has exceeded the maximum number of daily records",
    "Maximum daily cost exceeded",
    "Maximum monthly cost exceeded.",
]
BUSY = [
    "Maximum concurrent jobs has been exceeded",
    "Maximum concurrency exceeded",
    "You have exceeded the maximum number of concurrent requests for today's plan",
]


@pytest.mark.parametrize("status", [429, 400, 403])
@pytest.mark.parametrize("text", SPENT)
def test_the_plans_end_costs_one_request_in_whatever_words(status: int, text: str) -> None:
    service, budget = Service(plain(status, text)), Budget()
    with pytest.raises(DailyCostExceededError, match=text[:40]):
        fetch_observations(service.client(budget=budget), CHICAGO, MAY_5)
    with pytest.raises(DailyCostExceededError, match="not asked before 2026-11-21T00:00Z"):
        fetch_observations(service.client(budget=budget), NEW_YORK, MAY_6)
    assert (len(service.asked), service.slept) == (1, [])


@pytest.mark.parametrize("text", BUSY)
def test_too_much_at_once_is_not_the_plans_end(text: str) -> None:
    assert says_concurrency(text)
    assert not says_plan_spent(text)
    service, budget = Service(plain(429, text)), Budget()
    with pytest.raises(ConcurrencyExceededError):
        fetch_observations(service.client(budget=budget), CHICAGO, MAY_5)
    assert service.slept == [30.0, 60.0, 120.0]
    assert budget.spent_until is None


@pytest.mark.parametrize(
    "text",
    [
        "The maximum forecast horizon is 15 days from today",
        "no records found for location today",
        "Service limit: maintenance today 10-11 UTC",
    ],
)
def test_other_refusals_do_not_close_the_account_for_the_day(text: str) -> None:
    assert not says_plan_spent(text)


@pytest.mark.parametrize("text", ["", "Nope.", "Too many requests"])
def test_a_refusal_in_unknown_words_is_the_plans_end_when_it_is_repeated(text: str) -> None:
    service, budget = Service(plain(429, text)), Budget()
    with pytest.raises(
        DailyCostExceededError, match="at every attempt, so the plan is assumed to be"
    ):
        fetch_observations(service.client(budget=budget), CHICAGO, MAY_5)
    assert len(service.asked) == 4
    with pytest.raises(DailyCostExceededError):
        fetch_observations(service.client(budget=budget), CHICAGO, MAY_6)
    assert len(service.asked) == 4


def test_a_refusal_in_unknown_words_that_passes_is_none() -> None:
    service, budget = Service(plain(429, "Nope."), timeline([])), Budget()
    assert fetch_observations(service.client(budget=budget), CHICAGO, MAY_5).is_empty()
    assert budget.spent_until is None


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (plain(403, "Your plan does not hold sub-hourly data"), KeyRefusedError),
        (plain(401, "No account found with daily records"), KeyRefusedError),
        (plain(400, "Bad API Request:Invalid location parameter value."), RequestRefusedError),
        (plain(400, "Maximum query cost exceeded"), RequestRefusedError),
    ],
)
def test_other_refusals_do_not_mark_the_plan(refusal: httpx.Response, error: type) -> None:
    service, budget = Service(refusal), Budget()
    with pytest.raises(error) as caught:
        fetch_observations(service.client(budget=budget), CHICAGO, MAY_5)
    assert not isinstance(caught.value, DailyCostExceededError)
    assert budget.spent_until is None


def test_a_used_up_plan_is_known_to_other_processes_until_the_next_utc_day(tmp_path: Path) -> None:
    now = [NOW]
    spent = Service(plain(429, SPENT[0]))
    budget = Budget.kept(Files(tmp_path), URL, KEY)
    with pytest.raises(DailyCostExceededError):
        fetch_observations(spent.client(lambda: now[0], budget=budget), CHICAGO, MAY_5)

    restarted = Service(timeline([]))
    client = restarted.client(lambda: now[0], budget=Budget.kept(Files(tmp_path), URL, KEY))
    now[0] = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(DailyCostExceededError, match="not asked before 2026-11-21T00:00Z"):
        fetch_observations(client, NEW_YORK, MAY_5)
    assert restarted.asked == []
    now[0] = datetime(2026, 11, 21, tzinfo=UTC)
    assert fetch_observations(client, NEW_YORK, MAY_5).is_empty()


def test_another_accounts_plan_is_another_and_no_file_holds_the_key(tmp_path: Path) -> None:
    Budget.kept(Files(tmp_path), URL, KEY).spend(NOW)
    assert Budget.kept(Files(tmp_path), URL, "another").spent_until is None
    assert Budget.kept(Files(tmp_path), "https://elsewhere.test", KEY).spent_until is None
    assert not [
        f for f in (tmp_path / "plans").iterdir() if "s3cret" in f.name + f.read_text("utf-8")
    ]


def _ask_days(folder: Path, asked: Path, start: int) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        with asked.open("a") as file:
            file.write(f"{request.url.path}\n")
        return httpx.Response(429, content=SPENT[0].encode())

    for day in range(start, start + 5):
        budget = Budget.kept(Files(folder), URL, KEY)
        client = VisualCrossingClient(
            URL, KEY, transport=httpx.MockTransport(refuse), budget=budget, clock=lambda: NOW
        )
        with client, pytest.raises(DailyCostExceededError):
            fetch_observations(client, CHICAGO, date(2025, 5, day))


def test_four_processes_at_once_pay_for_the_plans_end_once(tmp_path: Path) -> None:
    asked = tmp_path / "asked.txt"
    spawn = multiprocessing.get_context("spawn")
    workers = [
        spawn.Process(target=_ask_days, args=(tmp_path / "plans", asked, 1 + 5 * n))
        for n in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(asked.read_text("utf-8").splitlines()) == 1


def test_a_json_answer_is_never_searched_for_words() -> None:
    body = b'{"days": [], "note": "daily records exceeded"}'
    service = Service(httpx.Response(200, headers=JSON, content=body))
    assert fetch_observations(service.client(), CHICAGO, MAY_5).is_empty()
