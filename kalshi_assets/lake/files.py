"""Stored files: bytes by name, each whole or not at all.

Whatever is stored below the data folder goes through here, by a name such as ``lake/origin.txt``,
so that an object store can take the folder's place. Here: reading, writing and listing. Not here:
what the names mean (`store`, `raw`), or what processes of a machine share (`shared_files`).
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kalshi_assets.shared_files import locked


@dataclass(frozen=True)
class Stamp:
    """What tells a file from the next one of its name: files are replaced, never changed."""

    inode: int
    modified_ns: int
    size: int

    @classmethod
    def of(cls, file: str | int) -> "Stamp":
        """That of a path or an open descriptor."""
        found = os.stat(file)
        return cls(found.st_ino, found.st_mtime_ns, found.st_size)


@dataclass(frozen=True)
class Files:
    """All files below one folder, which need not exist yet.

    Any number of processes may read and write at once: a reader sees a file as it was before a
    write or as it is after it. Reading a file that is not there is a FileNotFoundError.
    """

    root: Path

    def address(self, name: str) -> str:
        """Where people and DuckDB find a file, whether or not it is there."""
        return os.path.abspath(self._at(name))

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return os.path.isfile(self._at(name))

    def stamp(self, name: str) -> Stamp:
        """What tells the file from the next one of its name."""
        return Stamp.of(self._at(name))

    def names(self, folder: str) -> list[str]:
        """Names directly below a folder, in order; files that are being written left out."""
        try:
            return sorted(name for name in os.listdir(self._at(folder)) if name[0] != ".")
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read(self, name: str) -> bytes:
        """The content of a file."""
        with open(self._at(name), "rb") as file:
            return file.read()

    def read_unless(self, name: str, known: Stamp | None) -> tuple[Stamp, bytes] | None:
        """Stamp and content of a file; None: it is the one with the stamp `known`."""
        if known is not None and self.stamp(name) == known:
            return None
        with open(self._at(name), "rb") as file:
            return Stamp.of(file.fileno()), file.read()

    def write(self, name: str, content: bytes, *, flush: bool = True) -> Stamp:
        """Replace a file.

        The old file stays whole until the new one is complete and on disk; a crash at any moment
        leaves one of the two. Which of them, after a power cut right behind the call, is the file
        system's choice: the folder is not flushed.

        Parameters
        ----------
        name, content
            The file; its folder is made.
        flush
            Wait until the new file is on disk. Without it a power cut may leave an empty file: for
            what is made again at no loss.

        Returns
        -------
        Stamp
            Of the file written, whatever another process has put in its place since.
        """
        with self._beside(name) as temporary:
            stamp = _put(temporary, content, flush=flush)
            os.replace(temporary, self._at(name))
        return stamp

    def create(self, name: str, content: bytes) -> bool:
        """Create a file unless it is there; whether this call created it.

        Of any number of processes that do so at once exactly one creates it, whole and on disk.
        """
        with self._beside(name) as temporary:
            _put(temporary, content, flush=True)
            try:
                os.link(temporary, self._at(name))
            except FileExistsError:
                return False
        return True

    def build(self, name: str, make: Callable[[str], object]) -> None:
        """Replace a file by what `make` puts at the local path that it is given."""
        with self._beside(name) as temporary:
            make(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, self._at(name))

    def append(self, name: str, content: bytes, *, flush: bool = False) -> None:
        """Add a few bytes to a file in one piece, whoever else does so at once.

        Parameters
        ----------
        name, content
            The file and the bytes.
        flush
            Wait until they are on disk.
        """
        os.makedirs(os.path.dirname(self._at(name)), exist_ok=True)
        with open(self._at(name), "ab", buffering=0) as file:
            file.write(content)
            if flush:
                os.fsync(file.fileno())

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(self._at(name))

    def lock(self, name: str) -> AbstractContextManager[int]:
        """Hold the lock of that name; others that ask for it wait."""
        return locked(Path(self._at(name)))

    def _at(self, name: str) -> str:
        return f"{self.root}/{name}"

    @contextmanager
    def _beside(self, name: str) -> Iterator[str]:
        """A temporary path in the file's folder, which is made; what is left there is removed."""
        folder, _, last = self._at(name).rpartition("/")
        if not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.{last}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
        try:
            yield temporary
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _put(path: str, content: bytes, *, flush: bool) -> Stamp:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        if flush:
            os.fsync(file.fileno())
        return Stamp.of(file.fileno())
