"""Work that the processes of one test run do once: generated worlds and compiled kernels.

Here: who does it while the others wait, and where what comes of it lies. Not here: what a test
makes of it; a shared world is read only.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from kalshi_assets.kernel_cache import config
from kalshi_assets.sandbox.world import generate


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Within, no other process is within the same lock."""
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """`folder`, which the first process that asks has made; one that dies leaves it to the next."""
    with _alone(folder.with_name(f".{folder.name}.lock")):
        if not folder.exists():
            unfinished = folder.with_name(f".{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(folder)
    return folder


def of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of the run see."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def shared_world(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    cities: Sequence[str],
    start: date,
    end: date,
    seed: int,
) -> Path:
    """A generated archive, made once a run. Nobody writes to it."""
    name = f"world-{'-'.join(cities)}-{start}-{end}-{seed}"
    return once(
        of_this_run(tmp_path_factory) / name,
        lambda folder: generate(folder, cities=cities, start=start, end=end, seed=seed),
    )


def compile_kernels() -> None:
    """Compile what numba keeps on disk, unless these sources' kernels are there already."""

    def compiled(stamp: Path) -> None:
        program = [sys.executable, "-m", "kalshi_assets_tests.warm_kernels"]
        subprocess.run(program, check=True, cwd=Path(__file__).parents[1])
        stamp.mkdir()

    if config.CACHE_DIR:
        once(Path(config.CACHE_DIR) / "complete", compiled)
