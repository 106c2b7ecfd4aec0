"""Frames read or written a moment ago, kept in memory.

A partition is read by every asset and check behind it, some ten times a run. Here: the frames of
late, as long as their files have not changed. Not here: reading and writing them (`store`).
"""

from collections import OrderedDict
from pathlib import Path
from threading import Lock

import polars as pl

from kalshi_assets.lake.files import Stamp

MOST_BYTES = 512 * 1024**2


class RecentFrames:
    """The frames last used, up to so many bytes; any thread may ask and tell."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._frames: OrderedDict[Path, tuple[Stamp, pl.DataFrame, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, path: Path, stamp: Stamp) -> pl.DataFrame | None:
        """The frame of that very file; None: it is not kept."""
        with self._lock:
            if (found := self._frames.get(path)) is None or found[0] != stamp:
                return None
            self._frames.move_to_end(path)
            return found[1]

    def keep(self, path: Path, stamp: Stamp, frame: pl.DataFrame) -> None:
        """Remember the frame of a file, and forget what was not used for longest."""
        size = int(frame.estimated_size())
        with self._lock:
            self._drop(path)
            self._frames[path] = (stamp, frame, size)
            self._held += size
            while self._held > self._most:
                self._drop(next(iter(self._frames)))

    def _drop(self, path: Path) -> None:
        if (found := self._frames.pop(path, None)) is not None:
            self._held -= found[2]
