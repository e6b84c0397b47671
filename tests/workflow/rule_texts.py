"""The rules as text."""

from __future__ import annotations

import re
from pathlib import Path

from concerto.plugins import LIBRARY

ROOT = LIBRARY.parents[1]


def rules() -> dict[str, tuple[Path, dict[str, str]]]:
    """Return of each rule its file and its directives as text, by the rule's name."""
    found = {}
    for file in sorted((ROOT / "rules").glob("*.smk")):
        head, *blocks = re.split(r"^(?:rule|checkpoint) (\w+):\n", file.read_text(), flags=re.M)
        assert not re.search(r"^(rule|checkpoint)\b", head, flags=re.M)
        for name, block in zip(blocks[::2], blocks[1::2], strict=True):
            assert name not in found, f"two rules are called {name}"
            body = re.split(r"^(?=\S)", block, flags=re.M)[0]
            parts = re.split(r"^    (\w+):", body, flags=re.M)
            found[name] = (file, dict(zip(parts[1::2], parts[2::2], strict=True)))
    return found


RULES = rules()
SCRIPTED = sorted(name for name, (_, parts) in RULES.items() if "script" in parts)


def path_in(name: str, directive: str) -> Path:
    """Return the file that a rule's directive names."""
    file, parts = RULES[name]
    return (file.parent / re.search(r'"(.+)"', parts[directive])[1]).resolve()
