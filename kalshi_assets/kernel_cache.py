"""numba's `njit`, with a separate cache folder for each version of the kernels' sources.

numba checks whether the file of a compiled function has changed, but not the files of the functions
it calls: after a change of one kernel, its callers in other files would use the old compiled code
and give the old numbers. Here: the location of compiled code. Not here: kernels.
"""

import hashlib
from pathlib import Path

from numba import config, njit

__all__ = ["njit"]


def state_of(package: Path) -> str:
    """A hash of the sources of all kernels below a folder."""
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*kernels.py")):
        digest.update(f"{source.relative_to(package)}\n".encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _keep_apart(package: Path) -> None:
    folder = package / "__pycache__" / f"kernels-{state_of(package)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # read-only installation: numba uses its default folder of the user
        return
    config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]


if not config.CACHE_DIR:  # type: ignore[attr-defined]
    _keep_apart(Path(__file__).parent)
