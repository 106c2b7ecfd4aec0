"""Recordings of a feed: every message, in order, in compressed files that a crash cannot spoil.

``recordings/date=<UTC date>/<run>-<part>-<time>.gz``: a run is one recorder from start to end, a
part begins with every full hour. A file is a series of gzip members, so that any gzip reads it;
each flush adds one. A record is a line ``kind microseconds length``, the content as it was, and a
line break. The first record of a file states what it belongs to. Here: writing and reading files.
Not here: what messages mean (`stream`).
"""

import gzip
import hashlib
import json
import re
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from kalshi_assets.lake.files import Files
from kalshi_assets.stream.messages import Kind, Message
from kalshi_assets.units import HOUR_US, SECOND_US

FOLDER = "recordings"
FORMAT = 1
FLUSH_S = 1.0
MOST_BYTES = 256 * 2**20
"""Of a part before compression; a busier hour has several parts."""

_HEADER = "file"
_LEVEL = 3
_CHUNK = 2**16
_GZIP = 16 + zlib.MAX_WBITS
_NAME = re.compile(r"([0-9]{8}T[0-9]{6}\.[0-9]+)-([0-9]{5})-([0-9]{6})\.gz", re.ASCII)


class RecordingError(RuntimeError):
    """A recording cannot be written or read; the message names the file."""


class RecordingWriter:
    """Keeps a feed's messages.

    As a context manager it starts a thread that compresses and stores, so that the session does not
    wait for the disk, and stores what is left at the end.

    Parameters
    ----------
    files
        The data folder.
    began_us
        Local time, microseconds.
    origin
        What the messages come from: ``exchange``, or what a sandbox serves.
    flush_s
        Longest time between a message and the disk; what a crash can lose.

    Attributes
    ----------
    bytes, messages
        Stored bytes and kept messages so far.
    """

    def __init__(
        self, files: Files, began_us: int, origin: str, *, flush_s: float = FLUSH_S
    ) -> None:
        self.files = files
        self.bytes = self.messages = 0
        self._origin = origin
        self._flush_s = flush_s
        self._lock = threading.Lock()
        self._storing = threading.Lock()
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._waiting: list[tuple[str, list[bytes]]] = []
        self._thread = threading.Thread(target=self._main, name="recording", daemon=True)
        self._part = 0
        self._part_bytes = 0
        self._part_began_us = began_us
        self.run, self.name = self._create(began_us)

    def __enter__(self) -> "RecordingWriter":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is None:
            self.flush()
        elif error is None:
            raise self._failure()

    def write(self, message: Message) -> None:
        """Keep a message, without waiting for the disk.

        Raises
        ------
        RecordingError
            What was kept before could not be stored.
        """
        if self._error is not None:
            raise self._failure()
        record = _record(message.kind, message.at_us, message.content)
        self.messages += 1
        self._part_bytes += len(record)
        with self._lock:
            if not self._waiting or self._waiting[-1][0] != self.name:
                self._waiting.append((self.name, []))
            self._waiting[-1][1].append(record)

    def is_full(self, at_us: int) -> bool:
        """Whether the next part is due: another hour, or too many bytes.

        Parameters
        ----------
        at_us
            Local time, microseconds.
        """
        return at_us // HOUR_US > self._part_began_us // HOUR_US or self._part_bytes > MOST_BYTES

    def turn(self, state: Message) -> None:
        """Go on in the next part, which begins with the state of the subscriptions."""
        self._part, self._part_bytes, self._part_began_us = self._part + 1, 0, state.at_us
        self.name = _name(self.run, self._part, state.at_us)
        with self._lock:
            self._waiting.append((self.name, [self._header(self.run, state.at_us)]))
        self.write(state)

    def flush(self) -> None:
        """Store what was kept.

        Raises
        ------
        OSError
            The disk is full or cannot be written.
        """
        with self._storing:
            with self._lock:
                waiting, self._waiting = self._waiting, []
            for name, records in waiting:
                packed = _packed(b"".join(records))
                self.files.append(name, packed, flush=True)
                self.bytes += len(packed)

    def _failure(self) -> RecordingError:
        return RecordingError(f"the recording {self.files.address(self.name)} ends: {self._error}")

    def _main(self) -> None:
        while not self._stop.wait(self._flush_s):
            try:
                self.flush()
            except OSError as error:
                self._error = error
                return

    def _create(self, began_us: int) -> tuple[str, str]:
        """The name of a run that no other recorder has, and of its first file."""
        number = 0
        while True:
            run = f"{_moment(began_us):%Y%m%dT%H%M%S}.{number}"
            name = _name(run, 0, began_us)
            if self.files.create(name, _packed(self._header(run, began_us))):
                return run, name
            number += 1

    def _header(self, run: str, at_us: int) -> bytes:
        facts = {"format": FORMAT, "run": run, "part": self._part, "origin": self._origin}
        return _record(_HEADER, at_us, json.dumps(facts).encode())


@dataclass(frozen=True, order=True)
class Part:
    """A file of a recording.

    Attributes
    ----------
    run, number
        The recorder that wrote it, and the file's place.
    began_us
        Local time of its begin, microseconds, in whole seconds.
    """

    run: str
    number: int
    began_us: int
    name: str = field(compare=False)


@dataclass(frozen=True)
class Recordings:
    """The recordings of a data folder."""

    files: Files

    def parts(self) -> list[Part]:
        """All files, those of a run in order."""
        found = []
        for folder in self.files.names(FOLDER):
            for name in self.files.names(f"{FOLDER}/{folder}"):
                if match := _NAME.fullmatch(name):
                    began = f"{folder.partition('=')[2]} {match[3]} +0000"
                    moment = datetime.strptime(began, "%Y-%m-%d %H%M%S %z")
                    began_us = int(moment.timestamp()) * SECOND_US
                    path = f"{FOLDER}/{folder}/{name}"
                    found.append(Part(match[1], int(match[2]), began_us, path))
        return sorted(found)

    def runs_between(self, start_us: int, end_us: int) -> list[list[Part]]:
        """The parts of every run that may hold messages of a time, by the begin of the run.

        Parameters
        ----------
        start_us, end_us
            The time, microseconds, both included.
        """
        runs: dict[str, list[Part]] = {}
        for part in self.parts():
            runs.setdefault(part.run, []).append(part)
        found = []
        for parts in runs.values():
            # A part ends where the next one begins, so the last begun before the start counts.
            before = [n for n, part in enumerate(parts) if part.began_us <= start_us]
            first = before[-1] if before else 0
            if chosen := [part for part in parts[first:] if part.began_us <= end_us]:
                found.append(chosen)
        return found

    def sha256(self, part: Part) -> str:
        """Content hash of a file; it changes while the file is written."""
        return hashlib.sha256(self.files.read(part.name)).hexdigest()

    def messages(
        self, parts: Sequence[Part], damaged: Callable[[str], object]
    ) -> Iterator[Message]:
        """The messages of some parts, in order.

        Parameters
        ----------
        parts
            Of one run.
        damaged
            Told of every file whose end is missing or that cannot be read to its end.

        Raises
        ------
        RecordingError
            A file is not a recording, or has another format.
        """
        for part in parts:
            content = self.files.read(part.name)
            yield from messages_of(content, self.files.address(part.name), damaged)


def messages_of(content: bytes, name: str, damaged: Callable[[str], object]) -> Iterator[Message]:
    """The messages of a file.

    Parameters
    ----------
    content
        Of the file.
    name
        Of the file, for messages about it.
    damaged
        As in `Recordings.messages`.

    Raises
    ------
    RecordingError
        The file is not a recording, or has another format.
    """
    is_first = True
    for member in _members(content, name, damaged):
        for kind, at_us, text in _records(member, name):
            if is_first:
                _check_header(kind, text, name)
                is_first = False
            elif kind != _HEADER:
                yield Message(Kind(kind), at_us, text)


def _members(content: bytes, name: str, damaged: Callable[[str], object]) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        unpack, pieces, end = zlib.decompressobj(_GZIP), [], at
        try:
            while not unpack.eof and end < len(content):
                pieces.append(unpack.decompress(content[end : end + _CHUNK]))
                end = min(end + _CHUNK, len(content))
        except zlib.error as error:
            damaged(f"{name}: {len(content) - at} bytes from byte {at} on are lost: {error}")
            return
        if not unpack.eof:
            damaged(
                f"{name}: the last {len(content) - at} bytes are an incomplete write, as after a "
                "crash; everything before them is read"
            )
            return
        at = end - len(unpack.unused_data)
        yield b"".join(pieces)


def _records(member: bytes, name: str) -> Iterator[tuple[str, int, bytes]]:
    at = 0
    while at < len(member):
        end = member.find(b"\n", at)
        words = member[at:end].split()
        if end < 0 or len(words) != 3:
            raise RecordingError(f"{name} is not a recording: no record at byte {at} of a member")
        kind, at_us, length = words[0].decode(), int(words[1]), int(words[2])
        yield kind, at_us, member[end + 1 : end + 1 + length]
        at = end + 2 + length


def _check_header(kind: str, text: bytes, name: str) -> None:
    facts: dict[str, Any] = json.loads(text) if kind == _HEADER else {}
    if facts.get("format") != FORMAT:
        raise RecordingError(
            f"{name} is not a recording of format {FORMAT}: it begins with {kind} {text[:80]!r}"
        )


def _record(kind: str, at_us: int, content: bytes) -> bytes:
    return b"%s %d %d\n%s\n" % (kind.encode(), at_us, len(content), content)


def _packed(records: bytes) -> bytes:
    return gzip.compress(records, compresslevel=_LEVEL, mtime=0)


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // SECOND_US, tz=UTC)


def _name(run: str, part: int, began_us: int) -> str:
    began = _moment(began_us)
    return f"{FOLDER}/date={began:%Y-%m-%d}/{run}-{part:05d}-{began:%H%M%S}.gz"
