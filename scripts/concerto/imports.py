"""What a script needs, read from its source text: library modules and external packages.

Snakemake looks at a rule's script alone. A digest of the library modules that a script uses, as a
parameter of its rule, makes an edit of the library rerun the rule; listing the packages that both
import lets a test compare them with the rule's environment.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from concerto.errors import ConcertoError
from concerto.plugins import LIBRARY, PACKAGES

NAMESPACE = "concerto"
# What is imported, and how a call of the plug-in loader then reads.
LOADERS = {f"{NAMESPACE}.plugins.load": "load", f"{NAMESPACE}.plugins": "plugins.load"}
# Packages that others import on demand: a call names the need, no import statement does.
NEEDED_BY_CALL = {
    "read_parquet": "pyarrow",
    "to_parquet": "pyarrow",
    "open_dataset": "netCDF4",
    "load_dataset": "netCDF4",
    "to_netcdf": "netCDF4",
}


def library_modules(script: Path) -> list[Path]:
    """Return the files of all library modules that a script uses, directly or through others.

    Importing a plug-in package, or calling ``load("PACKAGE", ...)``, counts every module of it,
    for which of them runs is known only from the configuration.

    Raises
    ------
    ConcertoError
        If an import names a library module that does not exist, or a ``load`` call's package is
        not a literal.
    """
    found: set[Path] = set()
    waiting = [script.resolve()]
    while waiting:
        new = _library_imports(waiting.pop()) - found
        found |= new
        waiting.extend(new)
    return sorted(found)


def digest(script: Path) -> str:
    """Return a digest (12 hex digits) of the library modules a script uses.

    A template beside a module counts where the module names it.
    """
    hashed = hashlib.sha256()
    files = {file for module in library_modules(script) for file in _with_templates(module)}
    for file in sorted(files, key=lambda file: (file.suffix != ".py", file)):
        hashed.update(_stamp(file))
    return hashed.hexdigest()[:12]


def external_imports(script: Path) -> dict[str, set[Path]]:
    """Return the packages outside the standard library that a script needs, and for which files.

    Keys are top-level import names; the files are the script and the library modules it uses.
    """
    needed: dict[str, set[Path]] = {}
    for file in [script.resolve(), *library_modules(script)]:
        for name in _external_imports(file):
            needed.setdefault(name, set()).add(file)
    return needed


@cache
def _with_templates(module: Path) -> tuple[Path, ...]:
    text = module.read_text(encoding="utf-8")
    return module, *(file for file in module.parent.glob("*.j2") if file.name in text)


@cache
def _stamp(file: Path) -> bytes:
    """Return a digest of where in the library a file lies, and of what it holds."""
    place = file.relative_to(LIBRARY).as_posix().encode()
    return hashlib.sha256(place + file.read_bytes()).digest()


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def _statements(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a block and of the blocks in them; expressions hold none."""
    for statement in block:
        yield statement
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(statement, part, []))


@cache
def _imports(file: Path) -> list[tuple[str, list[str]]]:
    """Return (absolute module, names taken from it) of each import statement of a file."""
    found = []
    for node in _statements(_tree(file).body):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((_absolute(file, node), [alias.name for alias in node.names]))
    return found


def _absolute(file: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = file.parents[node.level - 1].relative_to(LIBRARY.parent)
    return ".".join([*package.parts, *([node.module] if node.module else [])])


def _calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield (called expression as written, call) of each call in a file."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@cache
def _library_imports(file: Path) -> frozenset[Path]:
    found: set[Path] = set()
    loaders: set[str] = set()
    for module, names in _imports(file):
        if module.split(".")[0] != NAMESPACE:
            continue
        found |= _module_files(module, file)
        for name in (f"{module}.{name}" for name in names):
            if _file_of(name):
                found |= _module_files(name, file)
            loaders |= {LOADERS[name]} if name in LOADERS else set()
    for name, call in _calls(file) if loaders else ():
        if name in loaders:
            found |= _plugin_files(call, file)
    return frozenset(found - {file})


def _plugin_files(call: ast.Call, file: Path) -> set[Path]:
    package = call.args[0]
    if not (isinstance(package, ast.Constant) and package.value in PACKAGES):
        raise ConcertoError(
            f"{file}, line {call.lineno}: load() must name one of {', '.join(PACKAGES)} literally"
        )
    return _module_files(f"{NAMESPACE}.{package.value}", file)


def _module_files(module: str, importer: Path) -> set[Path]:
    """Return a module's file, those of the packages above it, and a plug-in package's modules."""
    target = _file_of(module)
    if target is None:
        raise ConcertoError(f"{importer}: imports {module}, which does not exist")
    parts = module.split(".")
    parents = (LIBRARY.parent.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts)))
    plugins = target.parent.glob("*.py") if module.removeprefix(f"{NAMESPACE}.") in PACKAGES else ()
    return {target, *(file for file in parents if file.exists()), *plugins}


@cache
def _file_of(module: str) -> Path | None:
    path = LIBRARY.parent.joinpath(*module.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.exists():
            return candidate
    return None


@cache
def _external_imports(file: Path) -> set[str]:
    names = {module.split(".")[0] for module, _ in _imports(file)}
    called = {name.rpartition(".")[-1] for name, _ in _calls(file)}
    names |= {package for name, package in NEEDED_BY_CALL.items() if name in called}
    return names - set(sys.stdlib_module_names) - {NAMESPACE}
