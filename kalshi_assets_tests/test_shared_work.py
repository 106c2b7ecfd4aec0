"""What several processes of a test run share is made once, whole, by one of them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kalshi_assets_tests.shared_work import of_this_run, once


def test_of_many_who_ask_one_makes_it_and_all_see_it_whole(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        folder.mkdir()
        (folder / "part").write_text("whole", "utf-8")

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: once(tmp_path / "shared", make), range(8)))
    assert len(made) == 1
    assert {(folder / "part").read_text("utf-8") for folder in seen} == {"whole"}


def test_what_a_maker_left_unfinished_is_made_anew(tmp_path: Path) -> None:
    def dies(folder: Path) -> None:
        folder.mkdir()
        (folder / "half").touch()
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        once(tmp_path / "shared", dies)
    assert not (tmp_path / "shared").exists()
    again = once(tmp_path / "shared", lambda folder: folder.mkdir())
    assert list(again.iterdir()) == []


def test_workers_of_a_run_share_the_folder_above_their_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path_factory.getbasetemp()
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert of_this_run(tmp_path_factory) == own
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    assert of_this_run(tmp_path_factory) == own.parent
