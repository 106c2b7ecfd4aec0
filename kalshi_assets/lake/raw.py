"""Raw answers: every body as it came, compressed, named by content, and found again by request.

A recording transport sits below a client and keeps what passes; a replaying transport answers the
same requests from what was kept. Rows carry the content hash, so that a number leads back to its
bytes.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from kalshi_assets.lake.files import write_atomically
from kalshi_assets.partitions import CityDay

SECRET_PARAMETERS = frozenset({"key"})
# httpx has already undone these; a kept or replayed answer must not name them again.
_HOP_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_GZIP = 16 + zlib.MAX_WBITS


class NotRecordedError(LookupError):
    """A replayed client asked for something that was never recorded."""


@dataclass(frozen=True)
class RawArchive:
    """All raw answers below one folder: ``<service>/city=<city>/date=<date>/<sha256>.json.gz``."""

    root: Path

    def folder(self, service: str, key: CityDay) -> Path:
        """Where a service's answers for a city-day lie."""
        return self.root / service / f"city={key.city}" / f"date={key.date}"

    @contextmanager
    def recording(
        self, service: str, key: CityDay, purpose: str, transport: httpx.BaseTransport
    ) -> Iterator[httpx.BaseTransport]:
        """A transport that keeps every good answer passing through it.

        On a clean exit the list of requests and content hashes is written beside the bodies; a
        killed process leaves bodies without a list, which the next run completes.
        """
        recorder = _Recorder(self.folder(service, key), transport)
        yield recorder
        write_atomically(
            self.folder(service, key) / f"{purpose}.requests.json",
            lambda path: path.write_text(json.dumps(recorder.requests, indent=1), "utf-8"),
        )

    def replaying(self, service: str, key: CityDay, purpose: str) -> httpx.BaseTransport:
        """A transport that answers from what `recording` kept.

        Raises
        ------
        NotRecordedError
            Nothing was recorded for this service, city-day and purpose.
        """
        folder = self.folder(service, key)
        try:
            requests = json.loads((folder / f"{purpose}.requests.json").read_text("utf-8"))
        except FileNotFoundError:
            raise NotRecordedError(
                f"no raw answers of {service} for {purpose} of {key} below {self.root}"
            ) from None
        return _Replayer(folder, requests)

    def read(self, service: str, key: CityDay, sha256: str) -> bytes:
        """The bytes with this content hash."""
        return _unpacked(self.folder(service, key) / f"{sha256}.json.gz")


class _Recorder(httpx.BaseTransport):
    def __init__(self, folder: Path, inner: httpx.BaseTransport) -> None:
        self.folder = folder
        self.inner = inner
        self.requests: dict[str, dict[str, str]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        body = response.read()
        if response.status_code == httpx.codes.OK:
            sha256 = hashlib.sha256(body).hexdigest()
            path = self.folder / f"{sha256}.json.gz"
            if not path.is_file():
                write_atomically(
                    path, lambda p: p.write_bytes(gzip.compress(body, compresslevel=3, mtime=0))
                )
            self.requests[_name(request.url)] = {
                "sha256": sha256,
                "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        headers = [(k, v) for k, v in response.headers.multi_items() if k not in _HOP_HEADERS]
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)

    def close(self) -> None:
        """Leave the inner transport open: it outlives the recording and serves the next one."""


class _Replayer(httpx.BaseTransport):
    def __init__(self, folder: Path, requests: dict[str, dict[str, str]]) -> None:
        self.folder = folder
        self.requests = requests

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = _name(request.url)
        kept = self.requests.get(name)
        if kept is None:
            raise NotRecordedError(f"{self.folder} holds no answer to {name}")
        return httpx.Response(
            httpx.codes.OK,
            headers={"content-type": "application/json"},
            content=_unpacked(self.folder / f"{kept['sha256']}.json.gz"),
            request=request,
        )


def _unpacked(path: Path) -> bytes:
    return zlib.decompress(path.read_bytes(), wbits=_GZIP)


def _name(url: httpx.URL) -> str:
    # Without host and secrets: the same request to another address is the same request.
    pairs = url.query.decode("ascii").split("&")
    query = "&".join(p for p in pairs if p.partition("=")[0] not in SECRET_PARAMETERS)
    return f"{url.path}?{query}" if query else url.path
