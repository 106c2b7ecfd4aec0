"""Public functions of the generic rooms document their parameters."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
# The pattern that exempts all other files from ruff's rules for docstrings.
PATTERN = next(pattern for pattern in LINT["per-file-ignores"] if pattern.startswith("!"))
ROOMS = PATTERN.removeprefix("!kalshi_assets/{").removesuffix("}").split(",")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _modules() -> Iterator[Path]:
    for room in ROOMS:
        path = ROOT / "kalshi_assets" / room.removesuffix("/**")
        yield from [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def _public(node: ast.AST, owner: str = "") -> Iterator[tuple[str, Function]]:
    """Functions and methods whose names, and whose classes' names, have no leading underscore."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
            if isinstance(child, ast.ClassDef):
                yield from _public(child, f"{owner}{child.name}.")
            elif not _is_exempt(child):
                yield f"{owner}{child.name}", child


def _is_exempt(function: Function) -> bool:
    names = {ast.unparse(each).partition("(")[0] for each in function.decorator_list}
    return bool(names & {"override", "overload", "model_validator", "field_validator"})


def _parameters(function: Function) -> list[str]:
    given = function.args
    every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [each.arg for each in every if each is not None and each.arg not in ("self", "cls")]


def _undocumented(source: str) -> list[str]:
    return [
        name
        for name, function in _public(ast.parse(source))
        if len(_parameters(function)) >= 2
        and "\nParameters\n----------\n" not in (ast.get_docstring(function) or "")
    ]


def test_every_public_function_of_two_parameters_has_a_section_of_parameters() -> None:
    modules = list(_modules())
    assert len(modules) > 70
    missing = {
        str(path.relative_to(ROOT)): names
        for path in modules
        if (names := _undocumented(path.read_text("utf-8")))
    }
    assert missing == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('def f(a, b):\n    """Add."""', ["f"]),
        ("def f(a, *, b): ...", ["f"]),
        ("async def f(a, *more): ...", ["f"]),
        ("class A:\n    def f(self, a, b): ...", ["A.f"]),
        ("class A:\n    def f(self, a): ...", []),
        ("class _A:\n    def f(self, a, b): ...", []),
        ("def _f(a, b): ...", []),
        ("def f(a):\n    def g(b, c): ...", []),
        ("class A:\n    @override\n    def f(self, a, b): ...", []),
        ('def f(a, b):\n    """Add.\n\n    Parameters\n    ----------\n    a, b\n    """', []),
    ],
)
def test_a_function_without_the_section_is_named(source: str, names: list[str]) -> None:
    assert _undocumented(source) == names
