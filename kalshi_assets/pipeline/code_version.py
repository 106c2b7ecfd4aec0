"""The version of a step's code: a hash of its tables' contracts and the modules that it calls.

Dagster marks partitions made by another version. Here: which code and which declared values belong
to a step. Not followed: methods of services, and modules imported by imported modules.
"""

import ast
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from types import FunctionType, MappingProxyType
from typing import Any

from kalshi_assets.pipeline.step import LookBack, Step
from kalshi_assets.tables import Table

# Imported by nearly every module: a change there would change every version.
_COMMON = ("tables", "keys", "units", "instants", "config", "kernel_cache", "lake", "settings")


def code_version(step: Step) -> str:
    """A hash of the contracts of a step's tables and of the code that it calls.

    Of the step's function only its own source counts. Every function of the project that it names
    counts with its module and the project's modules imported there, also where it is a field of a
    declaration, such as a family's veto; other fields count by value. The same holds for the
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
    named = list(_named(functions))
    for fact in sorted(str(each) for each in named if isinstance(each, str | int | float)):
        digest.update(f"{fact}\n".encode())
    called = {each.__module__ for each in named if isinstance(each, FunctionType)}
    imported = {module for each in called for module in _imported(each)}
    for module in sorted(called | imported):
        digest.update(inspect.getsource(sys.modules[module]).encode())
    return digest.hexdigest()[:12]


def _named(functions: Iterable[Callable[..., Any]]) -> Iterator[Any]:
    """What functions are or name, outside `pipeline` and the `steps` modules.

    Functions of the project, and the plain values in the declarations that they are made with.
    """
    seen: set[int] = set()
    waiting: list[Any] = list(functions)
    while waiting:
        each = waiting.pop()
        if isinstance(each, FunctionType):
            if id(each) in seen or not each.__module__.startswith("kalshi_assets"):
                continue
            seen.add(id(each))
            if _only_passes_arguments(each.__module__):
                names = inspect.getclosurevars(each)
                waiting += [*names.globals.values(), *names.nonlocals.values()]
            else:
                yield each
        elif is_dataclass(each) and not isinstance(each, type | Table | Step):
            waiting += [getattr(each, field.name) for field in fields(each)]
        elif isinstance(each, tuple | list):
            waiting += each
        elif isinstance(each, dict | MappingProxyType):
            waiting += [part for pair in each.items() for part in pair]
        elif isinstance(each, str | int | float):
            yield each


def _only_passes_arguments(module: str) -> bool:
    return module.startswith("kalshi_assets.pipeline.") or module.endswith(".steps")


@cache
def _imported(module: str) -> frozenset[str]:
    """The project's modules imported at the top of a module, except the common ones."""
    found = set()
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.ImportFrom) and node.module in sys.modules:
            root, *parts = node.module.split(".")
            if root == "kalshi_assets" and parts and parts[0] not in _COMMON:
                found.add(node.module)
    return frozenset(found)
