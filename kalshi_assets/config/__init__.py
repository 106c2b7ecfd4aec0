"""Defaults that ship with the platform, and the folder that overrides them.

Here: finding and reading the TOML files. Not here: what their values mean (the room that uses
them validates them) and secrets or addresses (settings).
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

ENV_VARIABLE = "KALSHI_ASSETS_CONFIG"
METHODS = "methods.toml"
METHOD_SECTIONS = ("market_pmf", "hazard")


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


def method_section(
    name: str, of: type[Any], document: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A section of methods.toml, with just the keys that a dataclass has.

    Parameters
    ----------
    name
        One of `METHOD_SECTIONS`.
    of
        The dataclass.
    document
        In place of the file in force.

    Raises
    ------
    ValueError
        A section that nobody knows, or a key that is missing or that nobody knows; the message
        names it.
    """
    document = load_toml(METHODS) if document is None else document
    known = {field.name for field in fields(of)}
    values = document.get(name, {})
    unread = set(document) - set(METHOD_SECTIONS)
    if wrong := sorted(unread | (set(values) ^ known)):
        raise ValueError(
            f"{METHODS}: missing or unknown {wrong}; [{name}] takes {', '.join(sorted(known))}, "
            f"and there are the sections {', '.join(METHOD_SECTIONS)}"
        )
    return dict(values)


def _override(name: str) -> Path | None:
    folder = os.environ.get(ENV_VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{ENV_VARIABLE} names {folder!r}, which is not a folder")
    path = Path(folder) / name
    return path if path.is_file() else None
