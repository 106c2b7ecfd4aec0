"""What all processes of this machine share: small files that one of them at a time works on.

Here: where they lie, and locks that end with the process that holds them, however it ends. Not
here: what they hold.
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
    """Where processes of this user keep what they share about something.

    It lies in the machine's temporary folder, not below the data: two lakes share one account, and
    nothing of it outlives a restart. Containers share it where they share that folder. Files that
    nobody has touched for a day are removed.

    Parameters
    ----------
    name
        Says to people what it is.
    identity
        What it is about, such as an address and an account; only its hash shows.
    """
    digest = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"kalshi-assets-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(folder)
    return folder / f"{name}-{digest}"


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on the file; yields its descriptor.

    The file and its folder are made where they are missing.

    Raises
    ------
    OSError
        The file cannot be had; the message says what to do.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OSError(
            f"{path}: {error.strerror}; cannot have the lock file that processes share. Make its "
            "folder writable, or set TMPDIR or KALSHI_ASSETS_DATA to one that is"
        ) from error
    try:
        # Of this description alone: threads exclude each other, and a fork inherits nothing.
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
