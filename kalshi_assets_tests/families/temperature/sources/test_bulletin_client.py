import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import httpx
import polars as pl
import pytest

from kalshi_assets.families.temperature.cities import CITIES
from kalshi_assets.families.temperature.sources.bulletin_client import (
    BulletinClient,
    Issue,
    bulletin_evidence,
    bulletin_settlements,
    fetch_bulletins,
)
from kalshi_assets.families.temperature.sources.errors import MalformedAnswerError
from kalshi_assets.tables import OBSERVATIONS, SETTLEMENTS
from kalshi_assets_tests.families.temperature.sources.bulletins import bulletin
from kalshi_assets_tests.shared import SAMPLES, needs_samples

NEW_YORK = CITIES["new_york"]
JULY_9 = date(2026, 7, 9)
START, END = NEW_YORK.climate_day(JULY_9)
LD_JSON = {"content-type": "application/ld+json"}

AFTERNOON = START + timedelta(hours=15, minutes=35)
FOUR_PM = START + timedelta(hours=15)
MORNING = END + timedelta(hours=1, minutes=26)
LATER = END + timedelta(days=2)


def row(tmax_f: int) -> str:
    return f"  {tmax_f}   1050 AM 106"


TEXTS = {
    AFTERNOON: bulletin(AFTERNOON, JULY_9, row(82), valid_at=FOUR_PM),
    MORNING: bulletin(MORNING, JULY_9, row(84)),
    LATER: bulletin(LATER, JULY_9, row(85)),
}


class Products:
    """The service's list of products and their texts, by time of issue."""

    def __init__(self, texts: Mapping[datetime, str]) -> None:
        self.texts = {f"{time:%d%H%M}": (time, text) for time, text in texts.items()}
        self.asked: list[str] = []
        self.headers: httpx.Headers | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        self.headers = request.headers
        name = request.url.path.rpartition("/")[2]
        if name in self.texts:
            body = {"id": name, "productText": self.texts[name][1]}
        else:
            body = {
                "@graph": [
                    {"id": name, "issuanceTime": time.isoformat()}
                    for name, (time, _) in reversed(self.texts.items())
                ]
            }
        return httpx.Response(200, headers=LD_JSON, content=json.dumps(body).encode())


def fetched(service: object) -> list[Issue]:
    transport = httpx.MockTransport(service)  # type: ignore[arg-type]
    with BulletinClient("https://nws.test", transport=transport) as client:
        return fetch_bulletins(client, NEW_YORK, JULY_9)


def test_the_bulletins_of_a_day_come_in_order_of_issue() -> None:
    service = Products(TEXTS)
    issues = fetched(service)
    assert [issue.bulletin.issued_at for issue in issues] == [AFTERNOON, MORNING, LATER]
    assert service.asked[0] == "/products/types/CLI/locations/NYC"
    assert service.headers is not None
    assert service.headers["user-agent"] == "kalshi-assets"


def test_only_bulletins_from_the_days_beginning_to_four_days_after_it_are_read() -> None:
    before = START - timedelta(hours=6)
    after = END + timedelta(days=5)
    others = {
        before: bulletin(before, JULY_9 - timedelta(days=1), row(90), valid_at=before),
        after: bulletin(after, JULY_9 + timedelta(days=4), row(91)),
    }
    service = Products(TEXTS | others)
    assert len(fetched(service)) == 3
    assert len(service.asked) == 4


def test_a_bulletin_of_another_day_is_not_the_days() -> None:
    morning = START + timedelta(hours=2)
    yesterday = bulletin(morning, JULY_9 - timedelta(days=1), row(90))
    assert fetched(Products({morning: yesterday})) == []


def test_preliminary_official_and_revised_stand_side_by_side_with_their_issue_times() -> None:
    frame = bulletin_settlements(fetched(Products(TEXTS)), NEW_YORK, JULY_9)
    assert frame.equals(SETTLEMENTS.conform(frame))
    columns = ("source", "status", "value", "issued_at", "known_at", "known_at_from")
    assert frame.select(columns).rows() == [
        ("climate_bulletin", "official", 84, MORNING, MORNING, "issue_time"),
        ("climate_bulletin", "preliminary", 82, AFTERNOON, AFTERNOON, "issue_time"),
        ("climate_bulletin", "revised", 85, LATER, LATER, "issue_time"),
    ]
    assert frame["raw_sha256"].n_unique() == 3


def test_every_issue_before_the_final_one_proves_the_maximum_so_far() -> None:
    frame = bulletin_evidence(fetched(Products(TEXTS)), NEW_YORK, JULY_9)
    assert frame.equals(OBSERVATIONS.conform(frame))
    columns = ("event_time", "known_at", "max_since", "kind", "lo_f", "hi_f")
    assert frame.select(columns).rows() == [(FOUR_PM, AFTERNOON, START, "max_so_far", 82, 82)]


def test_no_bulletins_are_no_rows() -> None:
    assert fetched(Products({})) == []
    assert bulletin_settlements([], NEW_YORK, JULY_9).equals(SETTLEMENTS.empty())
    assert bulletin_evidence([], NEW_YORK, JULY_9).equals(OBSERVATIONS.empty())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (TEXTS[MORNING].replace("MAXIMUM", "HIGHEST", 1), "no MAXIMUM with a value"),
        (TEXTS[MORNING].replace("CLINYC", "CLILGA"), "expected one bulletin CLINYC, got CLILGA"),
    ],
)
def test_a_bulletin_that_cannot_be_read_is_an_error_that_names_it(
    text: str, complaint: str
) -> None:
    name = f"{MORNING:%d%H%M}"
    with pytest.raises(MalformedAnswerError, match=complaint) as caught:
        fetched(Products({MORNING: text}))
    assert f"new_york 2026-07-09: GET https://nws.test/products/{name}: " in str(caught.value)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "'@graph' is not a list of products"),
        ({"@graph": [{"id": "a"}]}, "id and issuanceTime expected"),
        ({"@graph": [{"id": "a", "issuanceTime": "2026-07-09T20:00"}]}, "without a time zone"),
    ],
)
def test_a_list_of_another_shape_is_an_error(body: object, complaint: str) -> None:
    content = json.dumps(body).encode()
    with pytest.raises(MalformedAnswerError, match=complaint):
        fetched(lambda request: httpx.Response(200, headers=LD_JSON, content=content))


@needs_samples
def test_the_recorded_afternoon_bulletin_proves_its_maximum() -> None:
    text = (SAMPLES / "nws" / "nyc_intermediate.txt").read_text()
    issues = fetched(Products({datetime(2026, 7, 9, 20, 35, tzinfo=UTC): text}))
    evidence = bulletin_evidence(issues, NEW_YORK, JULY_9)
    assert evidence["lo_f"].to_list() == [82]
    status = bulletin_settlements(issues, NEW_YORK, JULY_9).select(pl.col("status"))
    assert status.to_series().to_list() == ["preliminary"]


SEVEN_THIRTY = START + timedelta(hours=7, minutes=31)
MINIMUM_ONLY = "\n".join(
    line
    for line in bulletin(SEVEN_THIRTY, JULY_9, row(0), valid_at=START + timedelta(hours=7)).split(
        "\n"
    )
    if not line.startswith("  MAXIMUM")
)


@pytest.mark.parametrize(
    "text",
    [MINIMUM_ONLY, MINIMUM_ONLY.replace("TEMPERATURE (F)\n", "TEMPERATURE (C)\n"), "no report"],
    ids=["minimum only", "unreadable", "something else"],
)
def test_a_bulletin_without_a_maximum_does_not_block_the_final_one(text: str) -> None:
    issues = fetched(Products(TEXTS | {SEVEN_THIRTY: text}))
    frame = bulletin_settlements(issues, NEW_YORK, JULY_9)
    assert frame.select("status", "value").rows() == [
        ("official", 84),
        ("preliminary", 82),
        ("revised", 85),
    ]
    assert bulletin_evidence(issues, NEW_YORK, JULY_9)["lo_f"].to_list() == [82]


def test_what_was_left_out_is_named(caplog: pytest.LogCaptureFixture) -> None:
    fetched(Products(TEXTS | {SEVEN_THIRTY: "no report"}))
    assert f"new_york 2026-07-09: GET https://nws.test/products/{SEVEN_THIRTY:%d%H%M}: " in (
        caplog.text
    )
    assert "left out" in caplog.text


def test_a_product_that_the_service_does_not_give_keeps_none_of_the_others_back() -> None:
    service = Products(TEXTS)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(f"{AFTERNOON:%d%H%M}"):
            return httpx.Response(404, headers=LD_JSON, content=b"{}")
        return service(request)

    assert [issue.bulletin.issued_at for issue in fetched(answer)] == [MORNING, LATER]


def test_a_product_of_two_stations_gives_the_one_asked_for() -> None:
    other = bulletin(MORNING, JULY_9, row(99), cli="LGA")
    for text in (other + TEXTS[MORNING], TEXTS[MORNING] + other):
        (issue,) = fetched(Products({MORNING: text}))
        assert (issue.bulletin.cli, issue.bulletin.maximum.value_f) == ("NYC", 84)


def test_a_correction_under_the_same_time_stands_for_the_issue() -> None:
    first = TEXTS[MORNING]
    again = bulletin(MORNING, JULY_9, row(83)).replace(
        f"KOKX {MORNING:%d%H%M}", f"KOKX {MORNING:%d%H%M} CCA"
    )
    for texts in ((first, again), (again, first)):
        issues = fetched(
            Products(dict(zip((MORNING, MORNING + timedelta(minutes=9)), texts, strict=True)))
        )
        frame = bulletin_settlements(issues, NEW_YORK, JULY_9)
        assert frame.select("status", "value").rows() == [("official", 83)]
