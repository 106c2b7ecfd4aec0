"""Desks that are closed at the end of a test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kalshi_assets_tests.live.desk import Desk


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Opens desks in folders of their own."""
    desks: list[Desk] = []

    def opened(**options: Any) -> Desk:
        desks.append(Desk(tmp_path / f"desk-{len(desks)}", **options))
        return desks[-1]

    yield opened
    for each in desks:
        each.close()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    """One desk."""
    return open_desk()
