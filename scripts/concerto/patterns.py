"""Files by patterns of their names."""

from __future__ import annotations

from collections.abc import Iterable
from glob import glob
from pathlib import Path


def matching(patterns: Iterable[str]) -> list[Path]:
    """Return the files that patterns name, each once, in order; a pattern without any as it is."""
    found = [name for pattern in patterns for name in sorted(glob(pattern)) or [pattern]]
    return [Path(name) for name in dict.fromkeys(found)]
