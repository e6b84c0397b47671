"""Plug-ins: a module's file in a plug-in package is its whole registration.

Names are read from file names, so that asking which plug-ins there are imports none of them.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from concerto.errors import ConcertoError

LIBRARY = Path(__file__).resolve().parent
PACKAGES = (
    "sources",
    "readers",
    "models",
    "models.components",
    "operators",
    "assimilation.methods",
)


def available(package: str) -> list[str]:
    """Return the sorted names of a plug-in package's modules, without importing them.

    Parameters
    ----------
    package
        Dotted name below ``concerto``, such as ``readers`` or ``assimilation.methods``. Modules
        whose name starts with an underscore serve the plug-ins and are none themselves.
    """
    folder = LIBRARY.joinpath(*package.split("."))
    return sorted(file.stem for file in folder.glob("*.py") if not file.stem.startswith("_"))


def declaring(package: str, constant: str) -> list[str]:
    """Return the sorted names of a package's plug-ins that assign a constant, importing none."""
    folder = LIBRARY.joinpath(*package.split("."))
    return [
        name
        for name in available(package)
        if constant in _assigned(folder.joinpath(f"{name}.py").read_text(encoding="utf-8"))
    ]


def stated(package: str, name: str) -> dict[str, object]:
    """Return the constants that a plug-in's file assigns as literals, without importing it."""
    file = LIBRARY.joinpath(*package.split("."), f"{name}.py")
    return {
        target.id: ast.literal_eval(statement.value)
        for statement in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _assigned(source: str) -> set[str]:
    """Return the names to which a module's text assigns at its top level."""
    return {
        target.id
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def load(package: str, name: str) -> ModuleType:
    """Import one plug-in.

    Raises
    ------
    ConcertoError
        If there is no plug-in of that name; names the nearest one and all that there are.
    """
    names = available(package)
    if name not in names:
        raise ConcertoError(f"{package}: unknown plug-in {name!r}; {suggestion(name, names)}")
    return importlib.import_module(f"concerto.{package}.{name}")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` most like ``name``, or None where there are no names."""
    originals = {valid.lower(): valid for valid in names}
    found = difflib.get_close_matches(name.lower(), originals, n=1, cutoff=0.0)
    return originals[found[0]] if found else None


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest valid name and all of them."""
    valid = sorted(names)
    if not valid:
        return "there is none to choose from"
    return f"nearest valid: {nearest(name, valid)} (of {', '.join(valid)})"
