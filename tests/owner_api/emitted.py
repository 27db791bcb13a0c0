"""Which events the code can send, read from its source: the names at every place that emits."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "owner_api"
# Where an event's name is handed in, its callers say it: announce.commitment(tx, id, now, KIND).
_HANDED_IN = ("announce", "commitment", 3)


def names() -> tuple[set[str], set[str]]:
    """Return the names that are written out, and the families whose state completes them.

    Raises AssertionError for a place whose names cannot be read: teach this module that form.
    """
    written, families = set[str](), set[str]()
    places = 0
    for path in sorted(SOURCE.rglob("*.py")):
        for function, call in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            told = _name_of_event(call)
            if told is None:
                continue
            places += 1
            for node in _leaves(told, function):
                match node:
                    case ast.Constant(value=str(name)):
                        written.add(name)
                    case ast.JoinedStr(values=[ast.Constant(value=str(start)), _]):
                        assert start.endswith("."), f"{path}:{node.lineno}"
                        families.add(start.removesuffix("."))
                    case _:
                        raise AssertionError(f"{path}:{call.lineno}: {ast.dump(node)}")
    assert places > 20, places
    return written, families


def _calls(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    yield function, node


def _name_of_event(call: ast.Call) -> ast.expr | None:
    """Return the expression of an event's name where the call sends one."""
    assert isinstance(call.func, ast.Attribute)
    owner = call.func.value
    module = owner.id if isinstance(owner, ast.Name) else ""
    if call.func.attr == "emit" and module == "tx":
        return call.args[1]
    of, function, place = _HANDED_IN
    if (module, call.func.attr) == (of, function) and len(call.args) > place:
        return call.args[place]
    return None


def _leaves(node: ast.expr, function: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yield what an expression may be, with the function's own variables looked up."""
    match node:
        case ast.IfExp():
            yield from _leaves(node.body, function)
            yield from _leaves(node.orelse, function)
        case ast.BoolOp(op=ast.Or()):
            for each in node.values:
                yield from _leaves(each, function)
        case ast.Name(id=name):
            if name in _parameters(function):
                return
            found = [
                each.value
                for each in ast.walk(function)
                if isinstance(each, ast.Assign)
                and any(isinstance(to, ast.Name) and to.id == name for to in each.targets)
            ]
            assert found, f"{function.name}: {name}"
            for value in found:
                yield from _leaves(value, function)
        case _:
            yield node


def _parameters(function: ast.FunctionDef) -> set[str]:
    """Return the parameters whose values are read at the callers."""
    every = {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}
    return every if function.name == _HANDED_IN[1] else set()
