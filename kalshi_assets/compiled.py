"""numba's `njit`, with compiled code kept apart for each state of the kernels' sources.

numba looks whether the file of a compiled function has changed, not the files of the functions it
calls: after an update of one kernel its callers in other files would go on as compiled before, with
the numbers of before. Here: where compiled code is kept. Not here: kernels.
"""

import hashlib
from pathlib import Path

from numba import config, njit

__all__ = ["njit"]


def state_of(package: Path) -> str:
    """What tells the sources of all kernels below a folder from any others."""
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*kernels.py")):
        digest.update(f"{source.relative_to(package)}\n".encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _keep_apart(package: Path) -> None:
    kept = package / "__pycache__" / f"kernels-{state_of(package)}"
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError:  # installed where nothing may be written: numba takes a folder of the user's
        return
    config.CACHE_DIR = str(kept)  # type: ignore[attr-defined]


if not config.CACHE_DIR:  # type: ignore[attr-defined]
    _keep_apart(Path(__file__).parent)
