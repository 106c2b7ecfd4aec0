"""The doctor: nothing to say about a sound machine, and what to do about every fault."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kalshi_assets.commands.doctor import MAX_SKEW_S, Line, examine
from kalshi_assets.defs.lake_io import the_lake, the_request_counts
from kalshi_assets.families.temperature.cities import city_day
from kalshi_assets.families.temperature.services import visual_crossing_plan
from kalshi_assets.sandbox.server import Sandbox
from kalshi_assets.settings import Settings
from kalshi_assets.tables import DECISIONS
from kalshi_assets_tests.commands.conftest import CLOSED, LAST, PROJECT, Command

DAY = city_day("new_york", LAST)


def _line(subject: str) -> Line:
    return next(line for line in examine() if line.subject == subject)


@pytest.fixture
def sound(at_sandbox: Sandbox, command: Command, home: Path) -> Sandbox:
    shutil.copy(PROJECT / "dagster.yaml", home)
    assert command("catalog").code == 0
    return at_sandbox


def test_a_sound_machine_is_ok_on_every_line(sound: Sandbox, command: Command) -> None:
    said = command("doctor")
    assert said.code == 0, said.out
    subjects = [line.subject for line in examine()]
    assert subjects == [
        "configuration",
        "disk",
        "lake",
        "catalogue",
        "dagster",
        "exchange",
        "clock",
        "credentials",
        "visual crossing",
        "climate reports",
        "settlements",
        "requests",
    ]
    assert said.out.count("ok  ") == len(subjects)
    assert "1 cities active, shadow" in said.out
    assert f"key {sound.key_id} is accepted" in said.out
    assert "empty; fill it with: kalshi-assets backfill" in said.out


def test_a_fault_ends_in_code_1_and_the_other_lines_are_still_there(
    sound: Sandbox, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL_CROSSING_KEY")
    said = command("doctor")
    assert said.code == 1
    assert "!!  visual crossing  no key; set VISUAL_CROSSING_KEY" in said.out
    assert said.out.count("ok  ") == 11


def test_requests_are_shown_by_provider_and_utc_day(sound: Sandbox) -> None:
    counts = the_request_counts()
    for day, provider in ((28, "kalshi"), (28, "visual_crossing"), (28, "kalshi"), (27, "kalshi")):
        counts.add(provider, date(2026, 11, day))
    (line,) = [
        line
        for line in examine(lambda: datetime(2026, 11, 28, 3, tzinfo=UTC))
        if line.subject == "requests"
    ]
    assert line.ok
    assert line.text == "2026-11-28Z kalshi 2, visual_crossing 1; 2026-11-27Z kalshi 1"


def test_a_used_up_plan_is_said_with_the_time_it_ends(sound: Sandbox) -> None:
    visual_crossing_plan(Settings()).spend(datetime.now(UTC))
    line = _line("visual crossing")
    assert not line.ok
    assert "the plan is used up; no requests before" in line.text


def test_a_machine_without_a_key_is_told_what_works(
    sound: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KALSHI_API_KEY_ID")
    monkeypatch.delenv("KALSHI_PRIVATE_KEY_PEM_PATH")
    line = _line("credentials")
    assert line.ok
    assert "no key: market data works" in line.text


@pytest.mark.parametrize("left", ["KALSHI_API_KEY_ID", "KALSHI_PRIVATE_KEY_PEM_PATH"])
def test_half_a_key_names_both_settings(
    sound: Sandbox, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    monkeypatch.delenv(left)
    line = _line("credentials")
    assert not line.ok
    assert "set both KALSHI_API_KEY_ID and KALSHI_PRIVATE_KEY_PEM_PATH" in line.text


def test_a_key_file_that_is_not_there_is_named(
    sound: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PEM_PATH", "gone.pem")
    assert "KALSHI_PRIVATE_KEY_PEM_PATH=gone.pem: No such file" in _line("credentials").text


def test_a_key_file_that_holds_no_key_is_a_line_not_a_crash(
    sound: Sandbox, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    (home / "letter.pem").write_text("Dear exchange,", "utf-8")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PEM_PATH", "letter.pem")
    line = _line("credentials")
    assert not line.ok
    assert "PEM" in line.text


def test_another_s_key_is_refused_with_the_reason(sound: Sandbox, home: Path) -> None:
    stranger = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (home / "sandbox.pem").write_bytes(stranger)
    line = _line("credentials")
    assert not line.ok
    assert "key ID and private key must be a pair" in line.text


def test_a_key_id_of_another_environment_is_refused_with_the_reason(
    sound: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KALSHI_API_KEY_ID", "11111111-0000-4000-8000-000000000001")
    line = _line("credentials")
    assert not line.ok
    assert "demo keys do not work on production" in line.text


def test_services_out_of_reach_are_named_with_their_settings(
    sound: Sandbox, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setenv("KALSHI_API_URL", f"{CLOSED}/trade-api/v2")
    monkeypatch.setenv("VISUAL_CROSSING_URL", CLOSED)
    monkeypatch.setenv("CLIMATE_REPORT_URL", CLOSED)
    said = command("doctor")
    assert said.code == 1
    wrong = [line for line in said.out.splitlines() if line.startswith("!!")]
    assert [line.split()[1] for line in wrong] == ["exchange", "credentials", "visual", "climate"]
    assert "check KALSHI_API_URL and the network" in wrong[0]
    assert all("Connection refused" in line for line in wrong)


def test_an_unknown_city_in_the_settings_is_named_and_the_rest_is_looked_at(
    sound: Sandbox, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setenv("KALSHI_ASSETS_CITIES", "new_york,gotham")
    said = command("doctor")
    assert said.code == 1
    first, *others = said.out.splitlines()
    assert "KALSHI_ASSETS_CITIES names gotham, not in the registry" in first
    assert "choose from: new_york, chicago" in first
    assert others


@pytest.mark.parametrize("content", [None, b"not a database at all, but long enough to look at"])
def test_a_catalogue_that_is_missing_or_broken_says_how_to_make_it(
    sound: Sandbox, home: Path, content: bytes | None
) -> None:
    path = home / "data" / "kalshi.duckdb"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    line = _line("catalogue")
    assert not line.ok
    assert "with: kalshi-assets catalog" in line.text


def test_a_lake_filled_from_elsewhere_names_both_origins(sound: Sandbox) -> None:
    lake = the_lake()
    lake.claim("recordings")
    lake.write(DECISIONS, DAY, DECISIONS.empty())
    line = _line("lake")
    assert not line.ok
    assert "1 city-days from 'recordings', but the services are 'a generated world'" in line.text
    assert "set KALSHI_ASSETS_DATA to another folder" in line.text


def test_a_lake_of_unknown_origin_is_a_line_not_a_crash(sound: Sandbox) -> None:
    the_lake().write(DECISIONS, DAY, DECISIONS.empty())
    line = _line("lake")
    assert not line.ok
    assert "of unknown origin" in line.text


def test_a_folder_without_dagster_s_file_is_told_where_to_run(sound: Sandbox, home: Path) -> None:
    (home / "dagster.yaml").unlink()
    line = _line("dagster")
    assert not line.ok
    assert "run from the project folder" in line.text


@contextmanager
def _server_whose_clock_says(when: datetime) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"{}"
            self.send_response_only(200)
            self.send_header("date", format_datetime(when, usegmt=True))
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("skew", "ok"), [(0.0, True), (MAX_SKEW_S, True), (-60.0, False), (60.0, False)]
)
def test_a_clock_that_is_off_is_measured_against_the_exchange_s(
    sound: Sandbox, monkeypatch: pytest.MonkeyPatch, skew: float, ok: bool
) -> None:
    now = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)
    with _server_whose_clock_says(now + timedelta(seconds=skew)) as url:
        monkeypatch.setenv("KALSHI_API_URL", url)
        line = next(line for line in examine(lambda: now) if line.subject == "clock")
    assert line.ok is ok
    assert f"{abs(skew):.0f} s from the exchange's" in line.text
    assert ("set the clock by NTP" in line.text) is not ok


def test_no_secret_is_ever_printed(
    sound: Sandbox, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setenv("VISUAL_CROSSING_KEY", "s3cr3t-of-the-desk")
    monkeypatch.setenv("VISUAL_CROSSING_URL", CLOSED)
    said = command("doctor")
    assert "s3cr3t" not in said.out + said.err
    assert "PRIVATE KEY" not in said.out + said.err
