"""Answers that serve many city-days, such as a year's reports: asked once, then kept.

Here: a transport that answers from what is kept while that is good enough, whoever fetched it. Not
here: what is good enough (the service's own module), or the answers of a city-day (`raw`).
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from kalshi_assets.lake.files import write_atomically
from kalshi_assets.shared_files import locked

GoodEnough = Callable[[bytes, datetime], bool]
"""Whether a body, fetched at that time, still answers the request."""


@dataclass(frozen=True)
class KeptAnswers:
    """All of them below one folder, named by the request without its host."""

    root: Path

    def over(
        self,
        inner: httpx.BaseTransport,
        good_enough: GoodEnough,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> httpx.BaseTransport:
        """A transport that asks `inner` only for what is not kept, or not good enough."""
        return _Keeping(self.root, inner, good_enough, clock)


class _Keeping(httpx.BaseTransport):
    def __init__(
        self,
        root: Path,
        inner: httpx.BaseTransport,
        good_enough: GoodEnough,
        clock: Callable[[], datetime],
    ) -> None:
        self._root = root
        self._inner = inner
        self._good_enough = good_enough
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = hashlib.sha256(request.url.raw_path).hexdigest()[:32]
        path = self._root / f"{name}.json.gz"
        # Two processes that want the same year at once send one request.
        with locked(path.with_name(f".{name}.lock")):
            kept = self._kept(path)
            if kept is None:
                return self._fetched(request, path)
        return httpx.Response(
            httpx.codes.OK,
            headers={"content-type": "application/json"},
            content=kept,
            request=request,
        )

    def _kept(self, path: Path) -> bytes | None:
        if not path.is_file():
            return None
        try:
            kept = json.loads(gzip.decompress(path.read_bytes()))
            body, fetched_at = kept["body"].encode(), datetime.fromisoformat(kept["fetched_at"])
        except (EOFError, OSError, ValueError, KeyError, zlib.error):  # torn by a power cut
            return None
        return body if self._good_enough(body, fetched_at) else None

    def _fetched(self, request: httpx.Request, path: Path) -> httpx.Response:
        response = self._inner.handle_request(request)
        body = response.read()
        now = self._clock()
        if response.status_code == httpx.codes.OK and self._good_enough(body, now):
            text = json.dumps({"fetched_at": now.isoformat(), "body": body.decode()})
            packed = gzip.compress(text.encode(), compresslevel=3, mtime=0)
            write_atomically(path, lambda p: p.write_bytes(packed), flush=False)
        return response
