"""What is stored goes through `lake.files`, so that an object store can take the folder's place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kalshi_assets

ROOT = Path(kalshi_assets.__file__).parent
DISK = frozenset({"glob", "os", "pathlib", "shutil", "tempfile"})
TOUCHES = frozenset(
    {"iterdir", "is_dir", "is_file", "mkdir", "read_bytes", "read_text", "rglob", "unlink"}
    | {"write_bytes", "write_text"}
)

ALLOWED = {
    "lake/files.py": "the seam itself",
    "settings.py": "names the data folder",
    "shared_files.py": "what the processes of a machine share, under locks",
    "exchange/throttle.py": "the read budget, such a file",
    "kernel_cache.py": "compiled kernels, of this machine alone",
    "package_cache.py": "the script of charts, of this machine alone",
    "config/__init__.py": "TOML of the package, or of the folder that overrides it",
    "pipeline/services.py": "reads the private key that the settings name",
    "definitions.py": "the folder of the definitions",
    "defs/event_log.py": "Dagster's SQLite and environment",
    "cli.py": "arguments",
    "commands/backfill.py": "Dagster's home",
    "commands/demo.py": "an argument: recordings",
    "commands/doctor.py": "free space, Dagster's home",
    "commands/services.py": "recordings, and the sandbox's state",
    "commands/study.py": "arguments: recordings, the folder of the documents",
    "commands/study_backtest.py": "arguments; replaces a lake of its own",
    "commands/study_days.py": "the environment of a process",
    "commands/study_market.py": "arguments: recordings, the folder of the documents",
    "commands/study_virtual_makers.py": "arguments: recordings, the folder of the documents",
    "commands/sweep.py": "the environment of a process",
    "commands/trade.py": "an argument: recordings",
    "commands/ui.py": "Dagster's home and workspace",
    "commands/watch.py": "an argument: recordings",
    "pages/backtest_document.py": "such a document",
    "pages/documents.py": "writes documents to the folder that a study was given",
    "pages/fills_page.py": "such a document",
    "pages/scoreboard_page.py": "such a document",
    "pages/verification_page.py": "such a document",
    "sandbox/app.py": "names the file of its books",
    "sandbox/archive.py": "recordings",
    "sandbox/venue/books.py": "the sandbox's books",
    "sandbox/server.py": "the sandbox's state and TLS files",
    "sandbox/world.py": "recordings",
    "benchmarks/chain.py": "passing folders",
    "benchmarks/engine.py": "a folder of generated days",
    "benchmarks/features.py": "passing folders",
    "benchmarks/live.py": "a folder of a generated day",
    "benchmarks/minutes.py": "passing folders",
    "benchmarks/session_day.py": "a folder of a generated day",
}
"""Modules that may know of paths, and what for."""


def _touched(path: Path) -> Iterator[str]:
    """What a module knows of the disk."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (n.name for n in names if n.name in DISK)
            case ast.ImportFrom(module=str(module)) if module in DISK:
                yield module
            case ast.Call(func=ast.Name(id="open")):
                yield "open"
            case ast.Call(func=ast.Attribute(attr=name)) if name in TOUCHES:
                yield name


def _found() -> dict[str, set[str]]:
    modules = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*.py")}
    return {name: touched for name, path in modules.items() if (touched := set(_touched(path)))}


def test_no_other_module_knows_of_the_disk() -> None:
    assert {name: what for name, what in _found().items() if name not in ALLOWED} == {}


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_every_module_on_the_list_still_needs_to_be(name: str) -> None:
    assert name in _found()
