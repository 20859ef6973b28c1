"""Python code without what does not change what it does."""

import ast
import builtins
from collections.abc import Iterator

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Documented = ast.Module | ast.ClassDef | _Function


def code_form(source: str) -> str:
    """
    Return a text that modules share if they differ only in how they are written.

    White space, comments, docstrings and the names of functions' variables don't count. Parameters
    keep their names, because definitions pass them by name; so does all that other modules see.

    Raises:
        SyntaxError: The source is not Python.
    """
    module = ast.parse(source)
    kept = {*dir(builtins), *(name for node in module.body for name in _bound(node))}
    for node in module.body:
        if isinstance(node, _Function):
            _number_variables(node, kept)
    return repr(_form(module))


def _number_variables(function: ast.AST, kept: set[str]) -> None:
    """
    Rename variables by the order in which they appear.

    A name that stands for anything else too, inside or outside, is left alone: so that one number
    is one name, and nothing else is called like it.
    """
    nodes = list(ast.walk(function))
    if any(isinstance(node, ast.ClassDef) for node in nodes):
        return  # what looks like a variable may be an attribute
    left_alone = kept | set(_other_names(nodes))
    variables = [node for node in nodes if isinstance(node, ast.Name)]
    stored = [node.id for node in variables if isinstance(node.ctx, ast.Store)]
    renamed = [name for name in dict.fromkeys(stored) if name not in left_alone]
    numbers = {name: f"${number}" for number, name in enumerate(renamed)}
    for node in variables:
        node.id = numbers.get(node.id, node.id)


def _other_names(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the names of parameters, functions, imports, patterns and exceptions, and more."""
    for node in nodes:
        if not isinstance(node, ast.Name | ast.Attribute | ast.Constant | ast.keyword):
            for _, value in ast.iter_fields(node):
                texts = value if isinstance(value, list) else [value]
                yield from (text for text in texts if isinstance(text, str))


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement of a module defines."""
    if isinstance(node, _Function | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    if isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def _form(value: object) -> object:
    """Return a node as nested tuples, without what is empty: versions of Python differ in that."""
    if isinstance(value, list):
        return tuple(map(_form, value))
    if not isinstance(value, ast.AST):
        return value
    fields = []
    for name, each in ast.iter_fields(value):
        child = each[1:] if name == "body" and _has_docstring(value) else each
        if name not in {"ctx", "kind", "type_comment"} and child not in (None, []):
            fields.append((name, _form(child)))
    return type(value).__name__, *fields


def _has_docstring(node: ast.AST) -> bool:
    return isinstance(node, _Documented) and ast.get_docstring(node, clean=False) is not None
