"""Writing a file whole or not at all."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stamp:
    """What tells a file from the next one at its path: files are replaced, never changed."""

    inode: int
    modified_ns: int
    size: int

    @classmethod
    def of(cls, file: Path | int) -> "Stamp":
        """That of a path or an open descriptor.

        Raises
        ------
        FileNotFoundError
            There is no file.
        """
        found = os.stat(file)
        return cls(found.st_ino, found.st_mtime_ns, found.st_size)


def write_atomically(path: Path, write: Callable[[Path], object], *, flush: bool = True) -> Stamp:
    """Replace `path` by what `write` puts into a temporary file beside it.

    The old file stays whole until the new one is complete and on disk; a crash at any moment
    leaves one of the two. Which of them, after a power cut right behind the call, is the file
    system's choice: the folder is not flushed.

    Parameters
    ----------
    path
        The file to replace; its folder is made.
    write
        Called with the temporary path.
    flush
        Wait until the new file is on disk. Without it a power cut may leave an empty file: for
        what is made again at no loss.

    Returns
    -------
    Stamp
        Of the file written, whatever another process has put in its place since.
    """
    with _beside(path) as temporary:
        write(temporary)
        stamp = _flushed(temporary) if flush else Stamp.of(temporary)
        temporary.replace(path)
    return stamp


def create_once(path: Path, write: Callable[[Path], object]) -> bool:
    """Create `path` by what `write` puts into a temporary file beside it, unless it is there.

    Of any number of processes that do so at once exactly one creates it, whole and on disk.

    Returns
    -------
    bool
        Whether this call created it.
    """
    with _beside(path) as temporary:
        write(temporary)
        _flushed(temporary)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
    return True


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A temporary name in the folder of `path`, which is made; what is left there is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _flushed(path: Path) -> Stamp:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        return Stamp.of(descriptor)
    finally:
        os.close(descriptor)
