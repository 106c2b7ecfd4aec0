"""Small files that all processes of this machine share, one process at a time.

Here: their location, and locks that are released when the process ends for whatever reason. Not
here: their content.
"""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STALE_S = 86_400.0


def shared_file(name: str, *identity: str) -> Path:
    """The path of a file that the processes of this user share.

    It is in the machine's temporary folder, not in the data folder: two lakes may share an account,
    and the content is not needed after a restart. Containers share it if they share that folder.
    Files that have not been changed for a day are removed.

    Parameters
    ----------
    name
        Readable part of the file's name.
    identity
        The subject, such as an address and an account; only its hash is part of the name.
    """
    digest = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"kalshi-assets-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(folder)
    return folder / f"{name}-{digest}"


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on the file; yields its descriptor.

    The file and its folder are created if they are missing.

    Raises
    ------
    OSError
        The file cannot be opened; the message says what to do.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OSError(
            f"{path}: {error.strerror}; cannot open the lock file that processes share. Make its "
            "folder writable, or set TMPDIR or KALSHI_ASSETS_DATA to one that is"
        ) from error
    try:
        # The lock belongs to this descriptor: it also excludes other threads of the process.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    oldest = time.time() - STALE_S
    for path in folder.iterdir():
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:  # another process was faster
            continue
