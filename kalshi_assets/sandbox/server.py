"""Running the sandbox in the foreground, in a thread, or as a child process.

Here: sockets, keys, the state file, starting and stopping. Not here: what is served (`app`).
"""

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kalshi_assets.sandbox.app import Trading, create_app
from kalshi_assets.sandbox.archive import Archive
from kalshi_assets.sandbox.buckets import BASIC_READ, BucketSize
from kalshi_assets.sandbox.faults import Faults
from kalshi_assets.sandbox.gate import API
from kalshi_assets.sandbox.heartbeat import PING_INTERVAL_S, HeartbeatProtocol
from kalshi_assets.sandbox.venue.streams import WS_PATH
from kalshi_assets.units import CC_A_DOLLAR

HOST = "127.0.0.1"
STDIN = 0
KEY_ID = "5a9d0b0c-0000-4000-8000-000000000001"
WEATHER_KEY = "sandbox"
PEM_NAME = "sandbox.pem"
STATE_NAME = "sandbox.json"
LOG_NAME = "sandbox.log"
SERVE_COMMAND = (sys.executable, "-m", "kalshi_assets.cli", "sandbox", "serve", "--until-eof")


class SandboxError(RuntimeError):
    """The sandbox did not start; the message gives the reason."""


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Addresses of a running sandbox, and the keys that it accepts.

    `url` is the root URL, also of the weather services. `faults` is None if the sandbox runs in
    another process, whose ID is `pid`; use POST /sandbox/faults there.
    """

    url: str
    key_id: str
    private_key_pem: bytes = field(repr=False)
    weather_key: str = WEATHER_KEY
    faults: Faults | None = None
    pid: int | None = None

    @property
    def api_url(self) -> str:
        """Root URL of the exchange, with /trade-api/v2."""
        return self.url + API

    @property
    def ws_url(self) -> str:
        """URL of the WebSocket; only a sandbox with `trading` has one."""
        return "ws" + self.url.removeprefix("http") + WS_PATH


@contextmanager
def running(
    archive_root: Path, *, port: int = 0, pem: bytes | None = None, **options: Any
) -> Iterator[Sandbox]:
    """A sandbox in a thread of this process, on the loopback interface.

    Port 0 selects a free port; `pem` is the private key of an earlier one, instead of a new key.
    `options` are arguments of `create_app` except `keys`.

    Raises
    ------
    ArchiveError
        The folder is not an archive.
    """
    options["faults"] = options.get("faults") or Faults()
    sandbox, server, listener = _bound(archive_root, port, options, pem)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True
    )
    thread.start()
    try:
        yield sandbox
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def serve(
    archive_root: Path,
    *,
    port: int,
    state_dir: Path,
    until_eof: bool = False,
    announce: Callable[[Mapping[str, Any]], None] = lambda state: None,
    **options: Any,
) -> None:
    """Serve until interrupted (used by the command line).

    Writes `sandbox.pem`, an Ed25519 key that only the owner can read, and then `sandbox.json` (url,
    api_url, key_id, pem, weather_key, pid) to `state_dir`. A key that is there already is used
    again, so that clients outlive a restart. The port is bound before, so that clients can connect
    as soon as the file exists.

    Parameters
    ----------
    until_eof
        Also stop at the end of standard input, so that the sandbox never outlives its parent.
    announce
        Called with the content of `sandbox.json` once clients can connect.
    options
        Arguments of `create_app` except `keys`.

    Raises
    ------
    ArchiveError
        The folder is not an archive.
    SandboxError
        The port is in use.
    """
    pem = (state_dir / PEM_NAME).resolve()
    kept = pem.read_bytes() if pem.is_file() else None
    sandbox, server, listener = _bound(archive_root, port, options, kept)
    state_dir.mkdir(parents=True, exist_ok=True)
    _write_atomically(pem, sandbox.private_key_pem)
    state = {
        "url": sandbox.url,
        "api_url": sandbox.api_url,
        "key_id": KEY_ID,
        "pem": str(pem),
        "weather_key": WEATHER_KEY,
        "pid": os.getpid(),
    }
    _write_atomically(state_dir / STATE_NAME, json.dumps(state, indent=2).encode())
    announce(state)
    if until_eof:
        threading.Thread(target=_end_at_eof, args=(server,), name="eof", daemon=True).start()
    server.run(sockets=[listener])


@contextmanager
def launched(
    archive_root: Path,
    *,
    port: int = 0,
    state_dir: Path,
    command: Sequence[str] = SERVE_COMMAND,
    trading: Trading | None = None,
    read_bucket: BucketSize = BASIC_READ,
    patience_s: float = 60.0,
) -> Iterator[Sandbox]:
    """A sandbox in a child process, which ends on leaving the context and with this process.

    Parameters
    ----------
    state_dir
        Folder for the child's key, state and log.
    command
        Starts the child; ``--archive DIR --port N --state-dir DIR`` are added. Its standard input
        is a pipe that is closed when this process ends.
    trading, read_bucket
        Passed on as options of ``sandbox serve`` if `trading` is given; capacities are one second's
        tokens, and there is no `buffer_limit`.
    patience_s
        Seconds to wait for the first response.

    Raises
    ------
    SandboxError
        The child ended or did not respond in time; the message includes its output.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    (state_dir / STATE_NAME).unlink(missing_ok=True)
    arguments = ["--archive", str(archive_root), "--port", str(port), "--state-dir", str(state_dir)]
    arguments += _options(trading, read_bucket)
    with (state_dir / LOG_NAME).open("wb") as log:
        child = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.PIPE, stdout=log, stderr=log
        )
    try:
        yield _answering(child, state_dir, patience_s)
    finally:
        stop(child, 10.0)
        if child.stdin is not None:
            child.stdin.close()


def stop(child: subprocess.Popen, patience_s: float) -> None:
    """Terminate a child process; kill it if it has not ended after `patience_s` seconds."""
    child.terminate()
    try:
        child.wait(timeout=patience_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _options(trading: Trading | None, read_bucket: BucketSize) -> list[str]:
    if trading is None:
        return []
    options = {
        "--start": trading.start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "--speed": trading.speed,
        "--balance": trading.balance_cc // CC_A_DOLLAR,
        "--books": trading.books,
        "--read-lag": trading.read_lag_s,
        "--write-rate": trading.write_bucket.refill_rate,
        "--read-rate": read_bucket.refill_rate,
    }
    return [
        text for name, value in options.items() if value is not None for text in (name, str(value))
    ]


def connect(state_dir: Path) -> Sandbox | None:
    """The sandbox described by `sandbox.json` in `state_dir`; None if there is none."""
    try:
        state = json.loads((state_dir / STATE_NAME).read_text(encoding="utf-8"))
        pem = Path(state["pem"]).read_bytes()
    except FileNotFoundError:
        return None
    known = {name: state[name] for name in ("url", "key_id", "weather_key", "pid")}
    return Sandbox(private_key_pem=pem, **known)


def _answering(child: subprocess.Popen, state_dir: Path, patience_s: float) -> Sandbox:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise SandboxError(
                f"the sandbox exited with code {child.returncode}: {_log(state_dir)}"
            )
        sandbox = connect(state_dir)
        if sandbox is not None:
            httpx.get(f"{sandbox.api_url}/exchange/status", timeout=patience_s).raise_for_status()
            return sandbox
        time.sleep(0.05)
    raise SandboxError(f"the sandbox did not respond in {patience_s} s: {_log(state_dir)}")


def _log(state_dir: Path) -> str:
    return (state_dir / LOG_NAME).read_text(encoding="utf-8", errors="replace")[-2000:].strip()


def _end_at_eof(server: uvicorn.Server) -> None:
    # A thread that reads sys.stdin would hold its lock and keep the interpreter from exiting.
    while os.read(STDIN, 4096):
        pass
    server.should_exit = True


def _bound(
    archive_root: Path, port: int, options: Mapping[str, Any], pem: bytes | None
) -> tuple[Sandbox, uvicorn.Server, socket.socket]:
    private_key = _private_key(pem)
    app = create_app(Archive(archive_root), keys={KEY_ID: private_key.public_key()}, **options)
    listener = _listen(port)
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app,
        access_log=False,
        lifespan="on",
        log_config=None,
        log_level=logging.ERROR,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
        ws=HeartbeatProtocol,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_INTERVAL_S,
    )
    sandbox = Sandbox(url=url, key_id=KEY_ID, private_key_pem=pem, faults=options.get("faults"))
    return sandbox, uvicorn.Server(config), listener


def _private_key(pem: bytes | None) -> Ed25519PrivateKey:
    if pem is None:
        return Ed25519PrivateKey.generate()
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise SandboxError(f"{PEM_NAME} is not an Ed25519 key; remove it to get a new one")
    return key


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise SandboxError(
            f"port {port} on {HOST} is not available ({error.strerror}); choose another, or 0"
        ) from error
    listener.listen(2048)
    return listener


def _write_atomically(path: Path, content: bytes) -> None:
    """Write the file atomically, readable by the owner only."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(name, path)
