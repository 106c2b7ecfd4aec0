"""Turns that processes of one machine take: a lock that ends with whoever holds it.

Here: the lock. Not here: what is done while it is held.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of this name, alone among all threads and processes; wait for it first.

    Parameters
    ----------
    path
        The lock's file, made if it is not there; its content means nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
