"""What is said at the end of a run: verdicts, warnings, products, and where the results are.

Only what is there is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from concerto.scripting import texts

MOST = 5
_VERDICT = re.compile(r"^(!!!|   ) (.+?): converged: ", flags=re.M)
_WARNING = re.compile(r"^\S+ \S+ WARNING (?!.*:\d+: \w*Warning: )(.+)$", flags=re.M)


def verdicts(files: Iterable[str | Path]) -> str:
    """Return what files of verdicts say, one line each, and how many have converged."""
    said = texts(files)
    found = _VERDICT.findall(said)
    if len(found) < 2:
        return said
    bad = [name for mark, name in found if mark.strip()]
    names = "".join(f"; not {name}" for name in bad)
    return f"{said}Converged: {len(found) - len(bad)} of {len(found)}{names}\n"


def warned(logs: str | Path, since: float) -> str:
    """Return the warnings in logs that were written since a time, in seconds of the clock.

    Those of packages about themselves, which name a line of code, are left in the logs.
    """
    found: dict[str, str] = {}
    for log in sorted(Path(logs).rglob("*.log")):
        if log.stat().st_mtime >= since:
            said = log.read_text(encoding="utf-8", errors="replace")
            found |= dict.fromkeys(_WARNING.findall(said), log.stem)
    if not found:
        return ""
    shown = [f"  {log}: {text}\n" for text, log in list(found.items())[:MOST]]
    if len(found) > MOST:
        shown.append(f"  and {len(found) - MOST} more, in {logs}\n")
    return f"Warnings: {len(found)}\n{''.join(shown)}"


def products(folder: str | Path) -> str:
    """Return how many files of products there are, and of which places."""
    kept = sorted(place for place in Path(folder).glob("*") if place.is_dir())
    files = sum(file.is_file() for place in kept for file in place.glob("*"))
    if not files:
        return ""
    names = ", ".join(place.name for place in kept)
    return f"Products: {files} files of {names}, in {folder}\n"


def missing(files: Iterable[str | Path]) -> str:
    """Return a line that names the files that were asked for and are not there."""
    gone = [str(file) for file in files if not Path(file).exists()]
    return f"!!! Asked for, but not there: {_some(gone)}\n" if gone else ""


def results(named: Mapping[str, str], asked: Iterable[str | Path], folder: str | Path) -> str:
    """Return the lines that say where the results are, the last of which begins with ``Done.``.

    Parameters
    ----------
    named
        What each page or folder is, by its path, the foremost first; the last line names that one.
    asked
        Files that were asked for, which are named where none of these pages was.
    folder
        Of the run, where there is no other.
    """
    there = [f"{what}: {path}" for path, what in named.items() if Path(path).exists()]
    if not there:
        made = [str(file) for file in asked if Path(file).exists()]
        there = [f"Made: {_some(made)}" if made else f"Results: {folder}"]
    first, *more = there
    return "".join(f"{line}\n" for line in more) + f"Done. {first}"


def _some(names: list[str]) -> str:
    """Return the first of some names, and how many there are besides."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
