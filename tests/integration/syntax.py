"""Questions to the syntax trees of a folder of modules: a comment answers none of them."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

type Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parsed(text: str) -> ast.Module:
    """Return the syntax tree of a module's text; nobody changes one."""
    return ast.parse(text)


def trees(folder: Path) -> dict[str, ast.Module]:
    """Return the syntax tree of every module by its name."""
    return {
        path.stem: parsed(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.py"))
    }


def functions(node: ast.AST) -> Iterator[Function]:
    """Yield every function and method in a tree."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield each


def function(node: ast.AST, name: str) -> Function:
    """Return the function or method of a name; fails where there is none."""
    found = [each for each in functions(node) if each.name == name]
    assert found, f"there is no function {name}"
    return found[0]


def called(node: ast.AST) -> set[str]:
    """Return the last part of the names of everything that is called in a tree."""
    return {
        getattr(each.func, "attr", getattr(each.func, "id", ""))
        for each in ast.walk(node)
        if isinstance(each, ast.Call)
    }


def classes(modules: Iterable[ast.Module]) -> dict[str, ast.ClassDef]:
    """Return every class by its name."""
    return {node.name: node for tree in modules for node in _classes_in(tree)}


@cache
def _classes_in(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def bases(cls: ast.ClassDef) -> set[str]:
    """Return the names of the classes a class names as its own bases."""
    return {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for base in cls.bases
        for node in [base.value if isinstance(base, ast.Subscript) else base]
        if isinstance(node, ast.Attribute | ast.Name)
    }


def reached(
    modules: Iterable[ast.Module], *starts: ast.AST, beside: Iterable[str] = ()
) -> list[ast.AST]:
    """Return the trees given and every plain function that they call, directly or not."""
    known = {
        node.name: node
        for tree in modules
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name not in beside
    }
    found: list[ast.AST] = []
    waiting = list(starts)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.append(node)
            waiting += [known[name] for name in called(node) if name in known]
    return found


def sets_attribute(node: ast.AST, name: str) -> bool:
    """Tell whether an attribute of something is assigned in a tree."""
    return any(
        isinstance(target, ast.Attribute) and target.attr == name
        for each in ast.walk(node)
        if isinstance(each, ast.Assign | ast.AnnAssign)
        for target in (each.targets if isinstance(each, ast.Assign) else [each.target])
    )


def class_values(cls: ast.ClassDef) -> dict[str, ast.expr | None]:
    """Return what a class assigns in its own body."""
    found: dict[str, ast.expr | None] = {}
    for node in cls.body:
        if isinstance(node, ast.Assign):
            found |= {each.id: node.value for each in node.targets if isinstance(each, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node.value
    return found
