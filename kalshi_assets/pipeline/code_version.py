"""The version of a step's code: what its functions' modules and its contracts say.

Dagster marks what was made by another version. Imports of those modules are not followed.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from kalshi_assets.pipeline.step import Step


def code_version(step: Step) -> str:
    """A hash of the contracts of a step's tables and of the modules of the functions that it calls.

    A function of this project that the step's function names counts with its whole module; the
    function that only hands arguments over counts by itself.
    """
    digest = hashlib.sha256()
    for table in step.makes:
        digest.update(inspect.getsource(table.model).encode())
    digest.update(inspect.getsource(step.compute).encode())
    for name in sorted({function.__module__ for function in _called(step.compute)}):
        digest.update(inspect.getsource(sys.modules[name]).encode())
    return digest.hexdigest()[:12]


def _called(function: Callable[..., Any]) -> Iterator[FunctionType]:
    """The functions outside `pipeline` and steps' modules that a function is or names."""
    seen: set[FunctionType] = set()
    waiting = [function]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, FunctionType) or each in seen:
            continue
        seen.add(each)
        if not each.__module__.startswith("kalshi_assets."):
            continue
        if _only_hands_over(each.__module__):
            names = inspect.getclosurevars(each)
            waiting += [*names.globals.values(), *names.nonlocals.values()]
        else:
            yield each


def _only_hands_over(module: str) -> bool:
    return module.startswith("kalshi_assets.pipeline.") or module.endswith(".steps")
