"""Defaults that ship with the platform, and the folder that overrides them.

Here: finding and reading the TOML files. Not here: what their values mean (the room that uses
them validates them) and secrets or addresses (settings).
"""

import os
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

ENV_VARIABLE = "KALSHI_ASSETS_CONFIG"


def load_toml(name: str) -> dict[str, Any]:
    """Read `name` from the folder in KALSHI_ASSETS_CONFIG, or the default of that name.

    Parameters
    ----------
    name
        File name, such as ``cities.toml``.

    Raises
    ------
    FileNotFoundError
        The override folder is named but does not exist.
    ValueError
        The file is not valid TOML; the message names it.
    """
    path = _override(name)
    text = (
        path.read_text(encoding="utf-8")
        if path is not None
        else resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path or name}: not valid TOML: {error}") from error


def _override(name: str) -> Path | None:
    folder = os.environ.get(ENV_VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{ENV_VARIABLE} names {folder!r}, which is not a folder")
    path = Path(folder) / name
    return path if path.is_file() else None
