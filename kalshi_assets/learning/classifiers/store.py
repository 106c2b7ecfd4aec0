"""Where models lie: files named by their content, and an index of what was fitted already.

``<folder>/<sha256>.txt`` is a model, ``<folder>/fits/<key>.json`` says what came of fitting
certain data in a certain way. Both are written whole or not at all and never change, so any
number of processes share a folder, and a run that was killed goes on where it stopped.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from kalshi_assets.lake.files import write_atomically
from kalshi_assets.learning.classifiers.fit import Fit


class ModelFileError(RuntimeError):
    """A model's file is missing or not what its name says; the message names it and the remedy."""


@dataclass(frozen=True)
class ModelStore:
    """Models and fits below one folder, which need not exist yet."""

    folder: Path

    def path(self, sha256: str) -> Path:
        """Where a model lies, whether or not it is there."""
        return self.folder / f"{sha256}.txt"

    def save(self, text: str) -> str:
        """Keep a model; gives the SHA-256 of its text."""
        sha256 = _sha256(text)
        if not self._has(sha256):
            write_atomically(
                self.path(sha256), lambda path: path.write_text(text, "utf-8", newline="\n")
            )
        return sha256

    def load(self, sha256: str) -> str:
        """A model's text.

        Raises
        ------
        ModelFileError
            The file is missing, or its content is not what its name says.
        """
        path = self.path(sha256)
        remedy = "materialise learning.classifiers again, which fits it anew"
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            raise ModelFileError(f"model {path} is missing; {remedy}") from None
        except UnicodeDecodeError:
            text = ""
        if _sha256(text) != sha256:
            raise ModelFileError(f"model {path} is damaged; {remedy}")
        return text

    def recall(self, key: str) -> Fit | None:
        """What came of the fit `key`; None: not fitted yet, or its files are not whole."""
        try:
            fit = Fit.from_json(json.loads(self._index(key).read_text("utf-8")))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return fit if fit.model_sha256 is None or self._has(fit.model_sha256) else None

    def remember(self, key: str, fit: Fit) -> None:
        """Keep what came of the fit `key`, after its model."""
        text = json.dumps(fit.to_json(), indent=1)
        write_atomically(self._index(key), lambda path: path.write_text(text, "utf-8"))

    def _index(self, key: str) -> Path:
        return self.folder / "fits" / f"{key}.json"

    def _has(self, sha256: str) -> bool:
        try:
            self.load(sha256)
        except ModelFileError:
            return False
        return True


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
