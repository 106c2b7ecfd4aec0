"""numba's `njit`, with a separate cache folder for each version of the kernels' sources.

numba checks whether the file of a compiled function has changed, but not the files of the functions
it calls: after a change of one kernel, its callers in other files would use the old compiled code
and give the old numbers. Here: the location of compiled code. Not here: kernels.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit

__all__ = ["lean", "njit"]

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def lean(kernel: Kernel) -> Kernel:
    """Compile a kernel that makes no arrays, without counting references to those it is given.

    Where tuples of arrays are passed from kernel to kernel, counting takes most of the time.
    """
    compiled: Kernel = njit(cache=True, _nrt=False)(kernel)  # type: ignore[call-overload]
    return compiled


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
