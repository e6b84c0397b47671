from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_run import write_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the synthetic run's files."""
    return write_run(tmp_path_factory.mktemp("run") / "synthetic")
