"""Running sandboxes that accept orders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kalshi_assets_tests.sandbox.venue.tools import Client, trading


@pytest.fixture
def client(tiny_root: Path) -> Iterator[Client]:
    with trading(tiny_root) as client:
        yield client
