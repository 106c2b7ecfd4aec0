"""Every configuration ever backtested, counted so that luck of many trials can be told from skill.

One small file per configuration, named by the hash of what it holds; it stays when the results are
replaced. Not here: what a configuration means (`trading.params`).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from kalshi_assets.lake.files import Files

FOLDER = "configurations"


class Configurations:
    """The configurations of a data folder."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: set[str] = set()

    def add(self, values: Mapping[str, Any]) -> None:
        """Keep a configuration, unless it is there.

        Parameters
        ----------
        values
            All parameters, and what else tells it apart, such as the strategies; plain values.
        """
        text = json.dumps(values, sort_keys=True, default=str)
        name = f"{FOLDER}/{hashlib.sha256(text.encode()).hexdigest()}.json"
        if name in self._known:
            return
        if not self._files.exists(name):
            self._files.write(name, text.encode(), flush=False)
        self._known.add(name)

    def count(self) -> int:
        """How many there are."""
        return len(self._files.names(FOLDER))
