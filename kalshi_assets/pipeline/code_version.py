"""The version of a step's code: a hash of its tables' contracts and the modules that it calls.

Dagster marks partitions made by another version. Here: which code belongs to a step. Not followed:
methods of services, and modules imported by imported modules.
"""

import ast
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from kalshi_assets.pipeline.step import LookBack, Step

# Imported by nearly every module: a change there would change every version.
_COMMON = ("tables", "keys", "instants", "config", "kernel_cache", "lake", "settings")


def code_version(step: Step) -> str:
    """A hash of the contracts of a step's tables and of the code that it calls.

    Of the step's function only its own source counts. Every function of the project that it names
    counts with its module and the project's modules imported there. The same holds for the
    functions of a `LookBack`.
    """
    digest = hashlib.sha256()
    for table in step.makes:
        for name, spec in table.columns.items():
            digest.update(f"{name} {spec.dtype} {spec.nullable} {spec.checks}\n".encode())
    functions: list[Callable[..., Any]] = [step.compute]
    for argument in step.arguments.values():
        if isinstance(argument, LookBack):
            digest.update(f"{argument.days}\n".encode())
            functions += [f for f in (argument.keep, argument.left_out) if f is not None]
    for function in functions:
        digest.update(inspect.getsource(function).encode())
    called = {each.__module__ for function in functions for each in _called(function)}
    imported = {module for each in called for module in _imported(each)}
    for module in sorted(called | imported):
        digest.update(inspect.getsource(sys.modules[module]).encode())
    return digest.hexdigest()[:12]


def _called(function: Callable[..., Any]) -> Iterator[FunctionType]:
    """The functions outside `pipeline` and the `steps` modules that a function is or names."""
    seen: set[FunctionType] = set()
    waiting = [function]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, FunctionType) or each in seen:
            continue
        seen.add(each)
        if not each.__module__.startswith("kalshi_assets."):
            continue
        if _only_passes_arguments(each.__module__):
            names = inspect.getclosurevars(each)
            waiting += [*names.globals.values(), *names.nonlocals.values()]
        else:
            yield each


def _only_passes_arguments(module: str) -> bool:
    return module.startswith("kalshi_assets.pipeline.") or module.endswith(".steps")


def _imported(module: str) -> Iterator[str]:
    """The project's modules imported at the top of a module, except the common ones."""
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.ImportFrom) and node.module in sys.modules:
            root, *parts = node.module.split(".")
            if root == "kalshi_assets" and parts and parts[0] not in _COMMON:
                yield node.module
