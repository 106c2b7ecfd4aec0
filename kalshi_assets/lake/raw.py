"""Raw answers: every body as it came, compressed, named by content, and found again by request.

A recording transport sits below a client and keeps what passes, refusals too: a 404 decides as much
as a page of trades. A replaying transport answers the same requests from what was kept. Rows carry
the content hash, so that a number leads back to its bytes.

Of what was asked several times (after a 503, or an answer cut short) the last answer counts: it is
the one that decided. Where there was none at all, that is kept instead.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx

from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.errors import NotRecordedError
from kalshi_assets.lake.files import write_atomically

SECRET_PARAMETERS = frozenset({"key"})
# httpx has already undone these; a kept or replayed answer must not name them again.
_HOP_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_GZIP = 16 + zlib.MAX_WBITS


class RawTransport(httpx.BaseTransport):
    """Records or replays the requests of one service, city-day and purpose.

    Attributes
    ----------
    as_of
        What the present is to whoever decides by it (which candles are whole, which forecasts have
        been issued): when the recording began, also where it is replayed.
    """

    as_of: datetime


def utc_now() -> datetime:
    """The time it is."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class RawArchive:
    """All raw answers below one folder: ``<service>/city=<city>/date=<date>/<sha256>.json.gz``.

    Beside them lies a list per purpose, ``<purpose>.requests.json``: for every request the hash,
    status and type of its last answer. Lists from before refusals were kept have the hash only.
    """

    root: Path
    clock: Callable[[], datetime] = utc_now

    def folder(self, service: str, key: LadderDay) -> Path:
        """Where a service's answers for a city-day lie."""
        return self.root / service / f"{key.family.dimension}={key.ladder}" / f"date={key.date}"

    @contextmanager
    def recording(
        self, service: str, key: LadderDay, purpose: str, transport: httpx.BaseTransport
    ) -> Iterator[RawTransport]:
        """A transport that keeps every answer passing through it.

        On a clean exit the list of requests and content hashes is written beside the bodies. Where
        the day fails it is written under another name, ``<purpose>.requests.failed.json``, so that
        it neither replaces the list that the partition was made from nor is lost; the next clean
        exit removes it. A killed process leaves bodies without a list; the next run completes them.
        """
        recorder = _Recorder(self.folder(service, key), transport, self.clock)
        listed, failed = self._lists(service, key, purpose)
        try:
            yield recorder
        except Exception:
            if recorder.requests:
                _write_json(failed, recorder.requests)
            raise
        _write_json(listed, recorder.requests)
        failed.unlink(missing_ok=True)

    def replaying(self, service: str, key: LadderDay, purpose: str) -> RawTransport:
        """A transport that answers from what `recording` kept.

        Where the day never succeeded, from what it failed with.

        Raises
        ------
        NotRecordedError
            Nothing was recorded for this service, city-day and purpose.
        """
        for path in self._lists(service, key, purpose):
            if path.is_file():
                requests = json.loads(path.read_text("utf-8"))
                return _Replayer(self.folder(service, key), requests, self.clock)
        raise NotRecordedError(
            f"no raw answers of {service} for {purpose} of {key} below {self.root}"
        )

    def _lists(self, service: str, key: LadderDay, purpose: str) -> tuple[Path, Path]:
        """Where the lists of the last success and of a later failure lie."""
        folder = self.folder(service, key)
        return folder / f"{purpose}.requests.json", folder / f"{purpose}.requests.failed.json"

    def read(self, service: str, key: LadderDay, sha256: str) -> bytes:
        """The bytes with this content hash."""
        return _unpacked(self.folder(service, key) / f"{sha256}.json.gz")


class _Recorder(RawTransport):
    def __init__(
        self, folder: Path, inner: httpx.BaseTransport, clock: Callable[[], datetime]
    ) -> None:
        self.folder = folder
        self.inner = inner
        self.clock = clock
        self.as_of = clock()
        self.requests: dict[str, dict[str, Any]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = self.inner.handle_request(request)
            body = response.read()
        except httpx.RequestError as error:
            # Its words may hold the address, and so a key.
            self._keep(request, failure=type(error).__name__)
            raise
        kept = body if response.is_success else _without_secrets(body, request.url)
        sha256 = hashlib.sha256(kept).hexdigest()
        path = self.folder / f"{sha256}.json.gz"
        if not path.is_file():
            write_atomically(
                path, lambda p: p.write_bytes(gzip.compress(kept, compresslevel=3, mtime=0))
            )
        self._keep(
            request,
            sha256=sha256,
            status=response.status_code,
            content_type=response.headers.get("content-type"),
        )
        headers = [(k, v) for k, v in response.headers.multi_items() if k not in _HOP_HEADERS]
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)

    def _keep(self, request: httpx.Request, **answer: Any) -> None:
        self.requests[_name(request.url)] = {
            **answer,
            "fetched_at": self.clock().isoformat(timespec="seconds"),
            "as_of": self.as_of.isoformat(),
        }

    def close(self) -> None:
        """Leave the inner transport open: it outlives the recording and serves the next one."""


class _Replayer(RawTransport):
    def __init__(
        self, folder: Path, requests: dict[str, dict[str, Any]], clock: Callable[[], datetime]
    ) -> None:
        self.folder = folder
        self.requests = requests
        times = [kept.get("as_of") or kept["fetched_at"] for kept in requests.values()]
        self.as_of = max(map(datetime.fromisoformat, times)) if times else clock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = _name(request.url)
        kept = self.requests.get(name)
        if kept is None:
            raise NotRecordedError(f"{self.folder} holds no answer to {name}")
        if failure := kept.get("failure"):
            # Not as the error that it was: a service that cannot be reached would end the run.
            raise httpx.ReadError(f"no answer when it was asked, {failure}", request=request)
        content_type = kept.get("content_type", "application/json")
        return httpx.Response(
            kept.get("status", httpx.codes.OK),
            headers={} if content_type is None else {"content-type": content_type},
            content=_unpacked(self.folder / f"{kept['sha256']}.json.gz"),
            request=request,
        )


def _write_json(path: Path, requests: dict[str, dict[str, Any]]) -> None:
    write_atomically(path, lambda p: p.write_text(json.dumps(requests, indent=1), "utf-8"))


def _without_secrets(body: bytes, url: httpx.URL) -> bytes:
    # A refusal may repeat the key that it refuses.
    for name in SECRET_PARAMETERS & url.params.keys():
        value = url.params[name]
        for form in {value, quote(value, safe=""), quote_plus(value)} - {""}:
            body = body.replace(form.encode(), b"***")
    return body


def _unpacked(path: Path) -> bytes:
    return zlib.decompress(path.read_bytes(), wbits=_GZIP)


def _name(url: httpx.URL) -> str:
    # Without host and secrets: the same request to another address is the same request.
    pairs = url.query.decode("ascii").split("&")
    query = "&".join(p for p in pairs if p.partition("=")[0] not in SECRET_PARAMETERS)
    return f"{url.path}?{query}" if query else url.path
