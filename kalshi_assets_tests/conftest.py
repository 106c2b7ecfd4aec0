"""What holds for every test: no lake but its own, and properties are about values, never speed."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def nobodys_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What writes to the data folder of the settings writes to an empty one, not to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KALSHI_ASSETS_DATA", str(tmp_path_factory.mktemp("data")))
        yield
