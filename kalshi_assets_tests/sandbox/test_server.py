import json
import socket
import stat
import sys
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kalshi_assets.sandbox.archive import ArchiveError
from kalshi_assets.sandbox.server import SandboxError, connect, launched, running, serve

SERVE = """
import sys
from pathlib import Path
from kalshi_assets.sandbox.server import serve
given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
serve(
    Path(given["--archive"]), port=int(given["--port"]), state_dir=Path(given["--state-dir"])
)
"""
COMMAND = (sys.executable, "-c", SERVE)


def test_a_running_sandbox_answers_and_then_is_gone(tiny_root: Path) -> None:
    with running(tiny_root) as sandbox:
        assert httpx.get(f"{sandbox.api_url}/exchange/status").status_code == 200
        assert sandbox.api_url == f"{sandbox.url}/trade-api/v2"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sandbox.api_url}/exchange/status")


def test_a_folder_that_is_no_archive_stops_it_at_once(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"markets\.parquet is missing"), running(tmp_path):
        pass


def test_a_taken_port_is_named(tiny_root: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match=f"port {port} .* choose another"):
            serve(tiny_root, port=port, state_dir=tmp_path)


def test_a_launched_sandbox_announces_itself_and_ends(tiny_root: Path, tmp_path: Path) -> None:
    with launched(tiny_root, state_dir=tmp_path / "state", command=COMMAND) as sandbox:
        state = json.loads((tmp_path / "state" / "sandbox.json").read_text())
        assert state.keys() == {"url", "api_url", "key_id", "pem", "weather_key", "pid"}
        assert state["api_url"] == sandbox.api_url
        assert stat.S_IMODE(Path(state["pem"]).stat().st_mode) == 0o600
        key = load_pem_private_key(sandbox.private_key_pem, password=None)
        assert isinstance(key, Ed25519PrivateKey)
        assert connect(tmp_path / "state") == sandbox
        assert sandbox.faults is None
        assert httpx.get(f"{sandbox.api_url}/exchange/status").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sandbox.api_url}/exchange/status")


def test_a_launch_that_fails_says_what_the_child_said(tmp_path: Path) -> None:
    with (
        pytest.raises(SandboxError, match=r"markets\.parquet is missing"),
        launched(tmp_path, state_dir=tmp_path, command=COMMAND),
    ):
        pass


def test_nothing_announced_is_nothing_to_connect_to(tmp_path: Path) -> None:
    assert connect(tmp_path) is None
