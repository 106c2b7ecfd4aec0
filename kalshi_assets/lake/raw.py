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
from typing import Any
from urllib.parse import quote, quote_plus

import httpx

from kalshi_assets.keys import LadderDay
from kalshi_assets.lake.errors import NotRecordedError
from kalshi_assets.lake.files import Files

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
    """All raw answers, ``raw/<service>/city=<city>/date=<date>/<sha256>.json.gz``.

    Beside them lies a list per purpose, ``<purpose>.requests.json``: for every request the hash,
    status and type of its last answer. Lists from before refusals were kept have the hash only.
    """

    files: Files
    clock: Callable[[], datetime] = utc_now

    def folder(self, service: str, key: LadderDay) -> str:
        """Where a service's answers for a city-day lie."""
        return f"raw/{service}/{key.family.dimension}={key.ladder}/date={key.date}"

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
        recorder = _Recorder(self, self.folder(service, key), transport)
        listed, failed = self._lists(service, key, purpose)
        try:
            yield recorder
        except Exception:
            if recorder.requests:
                self.files.write(failed, recorder.listed)
            raise
        self.files.write(listed, recorder.listed)
        self.files.delete(failed)

    def replaying(self, service: str, key: LadderDay, purpose: str) -> RawTransport:
        """A transport that answers from what `recording` kept.

        Where the day never succeeded, from what it failed with.

        Raises
        ------
        NotRecordedError
            Nothing was recorded for this service, city-day and purpose.
        """
        for listed in self._lists(service, key, purpose):
            if self.files.exists(listed):
                requests = json.loads(self.files.read(listed))
                return _Replayer(self, self.folder(service, key), requests)
        below = self.files.address("raw")
        raise NotRecordedError(f"no raw answers of {service} for {purpose} of {key} below {below}")

    def _lists(self, service: str, key: LadderDay, purpose: str) -> tuple[str, str]:
        """Where the lists of the last success and of a later failure lie."""
        names = f"{self.folder(service, key)}/{purpose}.requests"
        return f"{names}.json", f"{names}.failed.json"

    def read(self, service: str, key: LadderDay, sha256: str) -> bytes:
        """The bytes with this content hash."""
        return _unpacked(self.files, self.folder(service, key), sha256)


class _Recorder(RawTransport):
    def __init__(self, archive: RawArchive, folder: str, inner: httpx.BaseTransport) -> None:
        self.files = archive.files
        self.folder = folder
        self.inner = inner
        self.clock = archive.clock
        self.as_of = archive.clock()
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
        name = _name_of(self.folder, sha256)
        if not self.files.exists(name):
            self.files.write(name, gzip.compress(kept, compresslevel=3, mtime=0))
        self._keep(
            request,
            sha256=sha256,
            status=response.status_code,
            content_type=response.headers.get("content-type"),
        )
        headers = [(k, v) for k, v in response.headers.multi_items() if k not in _HOP_HEADERS]
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)

    @property
    def listed(self) -> bytes:
        """The list of requests as it is kept."""
        return json.dumps(self.requests, indent=1).encode()

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
        self, archive: RawArchive, folder: str, requests: dict[str, dict[str, Any]]
    ) -> None:
        self.files = archive.files
        self.folder = folder
        self.requests = requests
        times = [kept.get("as_of") or kept["fetched_at"] for kept in requests.values()]
        self.as_of = max(map(datetime.fromisoformat, times)) if times else archive.clock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = _name(request.url)
        kept = self.requests.get(name)
        if kept is None:
            folder = self.files.address(self.folder)
            raise NotRecordedError(f"{folder} holds no answer to {name}")
        if failure := kept.get("failure"):
            # Not as the error that it was: a service that cannot be reached would end the run.
            raise httpx.ReadError(f"no answer when it was asked, {failure}", request=request)
        content_type = kept.get("content_type", "application/json")
        return httpx.Response(
            kept.get("status", httpx.codes.OK),
            headers={} if content_type is None else {"content-type": content_type},
            content=_unpacked(self.files, self.folder, kept["sha256"]),
            request=request,
        )


def _without_secrets(body: bytes, url: httpx.URL) -> bytes:
    # A refusal may repeat the key that it refuses.
    for name in SECRET_PARAMETERS & url.params.keys():
        value = url.params[name]
        for form in {value, quote(value, safe=""), quote_plus(value)} - {""}:
            body = body.replace(form.encode(), b"***")
    return body


def _name_of(folder: str, sha256: str) -> str:
    return f"{folder}/{sha256}.json.gz"


def _unpacked(files: Files, folder: str, sha256: str) -> bytes:
    return zlib.decompress(files.read(_name_of(folder, sha256)), wbits=_GZIP)


def _name(url: httpx.URL) -> str:
    # Without host and secrets: the same request to another address is the same request.
    pairs = url.query.decode("ascii").split("&")
    query = "&".join(p for p in pairs if p.partition("=")[0] not in SECRET_PARAMETERS)
    return f"{url.path}?{query}" if query else url.path
