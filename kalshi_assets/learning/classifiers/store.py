"""The store of models: files named by their content, and an index of fits.

``models/<sha256>.txt`` is a model, ``models/fits/<key>.json`` the result of a fit to given data
with given parameters. Both are written atomically and never change, so any number of processes can
share them, and a run that was killed continues where it stopped.
"""

import hashlib
import json
from dataclasses import dataclass

from kalshi_assets.lake.files import Files
from kalshi_assets.learning.classifiers.fit import Fit


class ModelFileError(RuntimeError):
    """A model's file is missing or damaged; the message names it and the remedy."""


@dataclass(frozen=True)
class ModelStore:
    """All models and fits."""

    files: Files

    def save(self, text: str) -> str:
        """Store a model; returns the SHA-256 of its text."""
        sha256 = _sha256(text)
        if not self._has(sha256):
            self.files.write(_model(sha256), text.encode())
        return sha256

    def load(self, sha256: str) -> str:
        """A model's text.

        Raises
        ------
        ModelFileError
            The file is missing, or its content does not have the hash in its name.
        """
        name = _model(sha256)
        remedy = "materialise learning.classifiers again, which fits it anew"
        try:
            text = self.files.read(name).decode()
        except FileNotFoundError:
            where = self.files.address(name)
            raise ModelFileError(f"model {where} is missing; {remedy}") from None
        except UnicodeDecodeError:
            text = ""
        if _sha256(text) != sha256:
            raise ModelFileError(f"model {self.files.address(name)} is damaged; {remedy}")
        return text

    def recall(self, key: str) -> Fit | None:
        """The result of fit `key`; None: not fitted yet, or its files are missing or damaged."""
        try:
            fit = Fit.from_json(json.loads(self.files.read(_index(key))))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return fit if fit.model_sha256 is None or self._has(fit.model_sha256) else None

    def remember(self, key: str, fit: Fit) -> None:
        """Store the result of a fit, after its model.

        Parameters
        ----------
        key
            Hash of data, target and parameters.
        fit
            The result.
        """
        self.files.write(_index(key), json.dumps(fit.to_json(), indent=1).encode())

    def _has(self, sha256: str) -> bool:
        try:
            self.load(sha256)
        except ModelFileError:
            return False
        return True


def _model(sha256: str) -> str:
    return f"models/{sha256}.txt"


def _index(key: str) -> str:
    return f"models/fits/{key}.json"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
