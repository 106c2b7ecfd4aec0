"""Frames read or written a moment ago, kept in memory.

A partition is read by every asset and check behind it, some ten times a run. Here: the frames of
late, with the stamps of their files. Not here: whether a file has changed since (`store`).
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock

import polars as pl

from kalshi_assets.lake.files import Stamp

MOST_BYTES = 512 * 1024**2


@dataclass(frozen=True)
class Recent:
    """What was in a file.

    Attributes
    ----------
    stamp
        Of the file.
    frame
        Its rows.
    parts
        What it says of the files that its shared columns lie in.
    """

    stamp: Stamp
    frame: pl.DataFrame
    parts: str | None = None


class RecentFrames:
    """The frames last used, up to so many bytes; any thread may ask and tell."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._frames: OrderedDict[Hashable, tuple[Recent, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, file: Hashable) -> Recent | None:
        """What was last seen in a file; None: it is not kept."""
        with self._lock:
            if (found := self._frames.get(file)) is None:
                return None
            self._frames.move_to_end(file)
            return found[0]

    def keep(self, file: Hashable, recent: Recent) -> None:
        """Remember what is in a file, and forget what was not used for longest."""
        size = int(recent.frame.estimated_size())
        with self._lock:
            self._drop(file)
            self._frames[file] = (recent, size)
            self._held += size
            while self._held > self._most:
                self._drop(next(iter(self._frames)))

    def _drop(self, file: Hashable) -> None:
        if (found := self._frames.pop(file, None)) is not None:
            self._held -= found[1]
