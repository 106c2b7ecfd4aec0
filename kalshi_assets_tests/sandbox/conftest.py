"""Sandboxes that tests talk to over loopback."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kalshi_assets.sandbox.buckets import BucketSize
from kalshi_assets.sandbox.server import Sandbox, running
from kalshi_assets_tests.sandbox.tiny import write_archive
from kalshi_assets_tests.shared import ARCHIVE

ENDLESS = BucketSize(refill_rate=1e9, capacity=1e9)


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_root: Path) -> Iterator[Sandbox]:
    with running(tiny_root, anonymous_bucket=ENDLESS) as sandbox:
        yield sandbox


@pytest.fixture
def api(tiny: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=tiny.api_url) as client:
        yield client


@pytest.fixture(scope="session")
def recorded() -> Iterator[httpx.Client]:
    """The exchange fed from the real recordings."""
    with (
        running(ARCHIVE, anonymous_bucket=ENDLESS) as sandbox,
        httpx.Client(base_url=sandbox.api_url, timeout=30) as client,
    ):
        yield client
