"""Machine code is shared by copies of the library, and not by libraries that differ."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from concerto.machine_code import library_digest
from concerto.plugins import LIBRARY

PROGRAM = """
import numpy as np
from concerto.assimilation import prior
soft, unit = np.zeros((1, 2)), np.empty((1, 2))
prior._from_soft(soft, np.zeros(2, bool), unit)
print(sum(prior._from_soft.stats.cache_hits.values()))
"""


def hits(library: Path, kept: Path) -> int:
    """Run a compiled function of a copy of the library; return how often its code was found."""
    variables = os.environ | {
        "NUMBA_CACHE_DIR": str(kept),
        "NUMBA_CACHE_LOCATOR_CLASSES": "concerto.machine_code.LibraryLocator",
        "PYTHONPATH": str(library.parent),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=variables, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.fixture
def copies(tmp_path: Path) -> list[Path]:
    """Two copies of the library."""
    ignored = shutil.ignore_patterns("__pycache__")
    return [
        Path(shutil.copytree(LIBRARY, tmp_path / name / "concerto", ignore=ignored))
        for name in ("one", "other")
    ]


def test_copies_share_machine_code_until_another_file_differs(copies, tmp_path):
    kept = tmp_path / "kept"
    assert [hits(copy, kept) for copy in copies] == [0, 1]
    assert [folder.name for folder in kept.iterdir()] == [library_digest()]
    with (copies[1] / "units.py").open("a") as changed:
        changed.write("# a word more\n")
    assert hits(copies[1], kept) == 0
    assert hits(copies[0], kept) == 1
    assert len([*kept.iterdir()]) == 2
