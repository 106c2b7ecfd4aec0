"""numba's `njit`, with compiled code kept apart for each state of the kernels' sources.

numba looks whether the file of a compiled function has changed, not the files of the functions it
calls: after an update of one kernel its callers in other files would go on as compiled before, with
the numbers of before. Here: where compiled code is kept. Not here: kernels.
"""

import hashlib
from pathlib import Path

from numba import config, njit

__all__ = ["kept", "njit"]


def state_of(package: Path) -> str:
    """What tells the sources of all kernels below a folder from any others."""
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*kernels.py")):
        digest.update(f"{source.relative_to(package)}\n".encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def kept() -> str:
    """The folder of the compiled code of these sources; empty: numba takes one of the user's."""
    return str(config.CACHE_DIR)  # type: ignore[attr-defined]


def _keep_apart(package: Path) -> None:
    folder = package / "__pycache__" / f"kernels-{state_of(package)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # installed where nothing may be written: numba takes a folder of the user's
        return
    config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]


if not config.CACHE_DIR:  # type: ignore[attr-defined]
    _keep_apart(Path(__file__).parent)
