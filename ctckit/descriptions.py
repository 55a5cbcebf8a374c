"""What an installed class says of itself, read from its source: nothing is imported for it."""

from __future__ import annotations

import ast
import sys
import tokenize
from importlib.machinery import ModuleSpec, PathFinder


def first_line(module: str, name: str) -> str:
    """Return the first line of the docstring of a class or function, or an empty string.

    Parameters
    ----------
    module : dotted, as in an entry point; neither it nor its packages are imported
    name : of a class or function at its top level
    """
    spec = _find(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return ""
    try:
        with tokenize.open(spec.origin) as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):  # the check of the decoder tells
        return ""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            lines = (ast.get_docstring(node) or "").splitlines()
            return lines[0].strip().replace("``", "`") if lines else ""
    return ""


def _find(module: str) -> ModuleSpec | None:
    path: list[str] | None = sys.path
    spec = None
    parts = module.split(".")
    for part in (".".join(parts[: i + 1]) for i in range(len(parts))):
        spec = None if path is None else PathFinder.find_spec(part, path)
        if spec is None:
            return None
        path = spec.submodule_search_locations and list(spec.submodule_search_locations)
    return spec
