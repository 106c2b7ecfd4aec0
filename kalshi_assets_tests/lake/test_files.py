"""Stored files are whole, whoever is killed or reads while another writes."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kalshi_assets.lake.files import Files

DIES_IN_MID_WRITE = """
import os, signal, sys
from pathlib import Path
from kalshi_assets.lake.files import Files

os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
Files(Path(sys.argv[1])).write("a/part.parquet", b"new")
"""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "data")


def test_what_is_written_is_read_and_its_folder_made(files: Files) -> None:
    files.write("a/b/file", b"text")
    assert files.read("a/b/file") == b"text"
    assert files.exists("a/b/file")
    assert Path(files.address("a/b/file")).read_bytes() == b"text"


def test_a_killed_write_leaves_the_old_file_whole_and_nothing_that_is_listed(files: Files) -> None:
    files.write("a/part.parquet", b"old")
    killed = [sys.executable, "-c", DIES_IN_MID_WRITE, str(files.root)]
    assert subprocess.run(killed, check=False).returncode < 0
    assert files.read("a/part.parquet") == b"old"
    assert len(os.listdir(files.root / "a")) == 2
    assert files.names("a") == ["part.parquet"]
    files.write("a/part.parquet", b"new")
    assert files.read("a/part.parquet") == b"new"


def _half(path: str) -> None:
    Path(path).write_text("half")
    raise OSError("disk full")


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(files: Files) -> None:
    files.write("file", b"old")
    with pytest.raises(OSError, match="disk full"):
        files.build("file", _half)
    assert files.read("file") == b"old"
    assert os.listdir(files.root) == ["file"]


def test_readers_see_whole_files_while_many_write(files: Files) -> None:
    contents = [str(n).encode() * 50_000 for n in range(4)]
    files.write("file", contents[0])

    def write_often(content: bytes) -> None:
        for _ in range(10):
            files.write("file", content)

    writers = [threading.Thread(target=write_often, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert files.read("file") in contents
    assert os.listdir(files.root) == ["file"]


def test_a_stamp_tells_a_replaced_file_from_the_one_before(files: Files) -> None:
    before = files.write("file", b"same")
    assert files.stamp("file") == before
    other = files.root / "other"
    other.write_bytes(b"same")
    os.utime(other, ns=(before.modified_ns, before.modified_ns))
    other.replace(files.root / "file")
    assert files.stamp("file") != before


def test_a_file_that_is_known_is_not_read_again(files: Files) -> None:
    known = files.write("file", b"old")
    assert files.read_unless("file", known) is None
    new = files.write("file", b"new")
    assert files.read_unless("file", known) == (new, b"new")
    assert files.read_unless("file", None) == (new, b"new")


def test_of_two_that_create_a_file_the_second_is_told(files: Files) -> None:
    assert files.create("origin.txt", b"one")
    assert not files.create("origin.txt", b"other")
    assert files.read("origin.txt") == b"one"


def test_names_are_those_directly_below_a_folder_in_order(files: Files) -> None:
    for name in ("a/two", "a/one", "a/b/three"):
        files.write(name, b"")
    assert files.names("a") == ["b", "one", "two"]
    assert files.names("nowhere") == files.names("a/one") == []


def test_what_is_deleted_is_gone_and_may_be_deleted_again(files: Files) -> None:
    files.write("file", b"")
    for _ in range(2):
        files.delete("file")
    assert not files.exists("file")


@pytest.mark.parametrize(
    "asked",
    [Files.read, Files.stamp, lambda files, name: files.read_unless(name, None)],
    ids=["read", "stamp", "read_unless"],
)
def test_a_file_that_is_not_there_is_an_error(
    files: Files, asked: Callable[[Files, str], object]
) -> None:
    with pytest.raises(FileNotFoundError):
        asked(files, "file")
