"""Where compiled kernels are kept."""

import shutil
import subprocess
import sys
from pathlib import Path

import kalshi_assets
from kalshi_assets.kernel_cache import state_of

PACKAGE = Path(kalshi_assets.__file__).parent

CALLER = """
from kernel_cache import njit
from inner_kernels import inner

@njit(cache=True)
def outer(x):
    return 10 * inner(x)

print(outer(1))
"""
INNER = """
from kernel_cache import njit

@njit(cache=True)
def inner(x):
    return x + {}
"""


def test_a_change_of_any_kernel_is_another_state(tmp_path: Path) -> None:
    package = tmp_path / "package"
    shutil.copytree(PACKAGE, package, ignore=lambda _, names: [n for n in names if n[0] == "_"])
    before = state_of(package)
    assert before == state_of(PACKAGE)
    sources = sorted(package.rglob("*kernels.py"))
    assert len(sources) > 5
    for source in sources:
        text = source.read_text("utf-8")
        source.write_text(f"{text}\n", "utf-8")
        assert state_of(package) != before, source
        source.write_text(text, "utf-8")


def test_a_caller_says_what_the_kernel_says_that_it_calls_now(tmp_path: Path) -> None:
    shutil.copy(PACKAGE / "kernel_cache.py", tmp_path)
    (tmp_path / "outer_kernels.py").write_text(CALLER, "utf-8")
    said = []
    for added in (1, 2):
        (tmp_path / "inner_kernels.py").write_text(INNER.format(added), "utf-8")
        run = subprocess.run(
            [sys.executable, "-c", "import outer_kernels"],
            cwd=tmp_path,
            env={"PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(run.stdout.strip())
    assert said == ["20", "30"]
