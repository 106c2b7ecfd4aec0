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

import httpx

from kalshi_assets.lake.files import Files

GoodEnough = Callable[[bytes, datetime], bool]
"""Whether a body, fetched at that time, still answers the request."""


@dataclass(frozen=True)
class KeptAnswers:
    """Those of a service, named by the request without its host."""

    files: Files
    service: str

    def over(
        self,
        inner: httpx.BaseTransport,
        good_enough: GoodEnough,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> httpx.BaseTransport:
        """A transport that asks `inner` only for what is not kept, or not good enough."""
        return _Keeping(self, inner, good_enough, clock)


class _Keeping(httpx.BaseTransport):
    def __init__(
        self,
        kept: KeptAnswers,
        inner: httpx.BaseTransport,
        good_enough: GoodEnough,
        clock: Callable[[], datetime],
    ) -> None:
        self._files = kept.files
        self._folder = f"kept_answers/{kept.service}"
        self._inner = inner
        self._good_enough = good_enough
        self._clock = clock

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = hashlib.sha256(request.url.raw_path).hexdigest()[:32]
        file = f"{self._folder}/{name}.json.gz"
        # Two processes that want the same year at once send one request.
        with self._files.lock(f"{self._folder}/.{name}.lock"):
            kept = self._kept(file)
            if kept is None:
                return self._fetched(request, file)
        return httpx.Response(
            httpx.codes.OK,
            headers={"content-type": "application/json"},
            content=kept,
            request=request,
        )

    def _kept(self, file: str) -> bytes | None:
        try:
            kept = json.loads(gzip.decompress(self._files.read(file)))
            body, fetched_at = kept["body"].encode(), datetime.fromisoformat(kept["fetched_at"])
        # Not there, or torn by a power cut.
        except (EOFError, OSError, ValueError, KeyError, zlib.error):
            return None
        return body if self._good_enough(body, fetched_at) else None

    def _fetched(self, request: httpx.Request, file: str) -> httpx.Response:
        response = self._inner.handle_request(request)
        body = response.read()
        now = self._clock()
        if response.status_code == httpx.codes.OK and self._good_enough(body, now):
            text = json.dumps({"fetched_at": now.isoformat(), "body": body.decode()})
            packed = gzip.compress(text.encode(), compresslevel=3, mtime=0)
            self._files.write(file, packed, flush=False)
        return response
