"""How the modules of the three packages lie: no ring of imports, nothing longer than a person reads at once."""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "tasks", "gan")
MOST_LINES = 300  # of a module
MOST_LINES_OF_A_FUNCTION = 60  # beside its docstring


def modules(root: Path) -> dict[str, ast.Module]:
    found = {}
    for path in sorted(each for package in PACKAGES for each in (root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text("utf-8"))
    return found


def nodes_that_run(node: ast.AST):
    """All nodes below, those inside functions too; what stands under `if TYPE_CHECKING` is never imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from nodes_that_run(child)


def imported(tree: ast.Module, names: set[str]) -> set[str]:
    found = set()
    for node in nodes_that_run(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            found |= {name if (name := f"{node.module}.{alias.name}") in names else node.module for alias in node.names}
    return found & names


def ring(root: Path) -> list[str]:
    trees = modules(root)
    try:
        graphlib.TopologicalSorter({name: imported(tree, set(trees)) for name, tree in trees.items()}).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(function) else 0
    return function.end_lineno - function.lineno + 1 - docstring


def test_no_module_imports_itself_through_others():
    assert ring(ROOT) == []


@pytest.mark.parametrize(
    ("back", "found"),
    [
        ("from gan.a import f", True),
        ("def g():\n    from gan import a", True),
        ("def g():\n    import gan.a", True),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gan import a", False),
    ],
)
def test_a_ring_is_found_wherever_its_imports_stand(tmp_path, back, found):
    for package in PACKAGES:
        (tmp_path / package).mkdir()
    (tmp_path / "gan/a.py").write_text("from gan.b import g")
    (tmp_path / "gan/b.py").write_text(back)
    assert set(ring(tmp_path)) == ({"gan.a", "gan.b"} if found else set())


def test_modules_and_functions_are_short_enough_to_be_read():
    long = {}
    for name, tree in modules(ROOT).items():
        path = ROOT / Path(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if (lines := len(path.read_text("utf-8").splitlines())) > MOST_LINES:
            long[name] = lines
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > MOST_LINES_OF_A_FUNCTION:
                long[f"{name}.{node.name}"] = lines_of(node)
    assert long == {}
