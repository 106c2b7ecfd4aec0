import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kalshi_assets.lake.files import write_atomically

DIES_IN_MID_WRITE = """
import os, signal, sys
from pathlib import Path
from kalshi_assets.lake.files import write_atomically

def write(path):
    with path.open("wb") as file:
        file.write(b"half of the new")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

write_atomically(Path(sys.argv[1]), write)
"""


def _write(text: str):
    return lambda path: path.write_text(text)


def test_a_killed_write_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    write_atomically(path, _write("old"))
    child = subprocess.run([sys.executable, "-c", DIES_IN_MID_WRITE, str(path)], check=False)
    assert child.returncode < 0
    assert path.read_text() == "old"
    leftovers = [other.name for other in tmp_path.iterdir() if other != path]
    assert all(name.startswith(".part.parquet.") and name.endswith(".tmp") for name in leftovers)
    write_atomically(path, _write("new"))
    assert path.read_text() == "new"


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    write_atomically(path, _write("old"))

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["part.parquet"]


def test_readers_see_whole_files_while_many_write(tmp_path: Path) -> None:
    path = tmp_path / "file"
    texts = [str(n) * 50_000 for n in range(4)]
    write_atomically(path, _write(texts[0]))

    def write_often(text: str) -> None:
        for _ in range(10):
            write_atomically(path, _write(text))

    writers = [threading.Thread(target=write_often, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_text() in texts
    assert os.listdir(tmp_path) == ["file"]


def test_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_atomically(path, _write("text"))
    assert path.read_text() == "text"
