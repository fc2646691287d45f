"""Modules stay small, and nothing becomes a drawer for everything."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for path in (ROOT / "monitor").rglob("*.py") if "versions" not in path.parts)
MAX_MODULE, MAX_FUNCTION, MAX_TEMPLATE = 300, 50, 150
DRAWERS = {"utils", "helpers", "common", "manager", "misc"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_is_short_and_so_are_its_functions(path: Path) -> None:
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= MAX_MODULE
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = {f.name for f in functions if (f.end_lineno or 0) - f.lineno >= MAX_FUNCTION}
    assert long == set()


def test_no_module_is_a_drawer() -> None:
    assert {path.stem for path in MODULES} & DRAWERS == set()


def test_every_module_says_what_it_is_for() -> None:
    silent = [p for p in MODULES if not ast.get_docstring(ast.parse(p.read_text("utf-8")))]
    assert silent == []


def test_templates_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "templates").rglob("*.*")
        if (lines := len(path.read_text("utf-8").splitlines())) > MAX_TEMPLATE
    }
    assert long == {}
