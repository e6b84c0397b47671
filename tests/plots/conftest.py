import sys
from pathlib import Path

import pytest

# The generator lies beside the test folders, and is found whatever pytest's import mode.
sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A folder with the synthetic run's files."""
    from synthetic_run import write_run

    return write_run(tmp_path_factory.mktemp("run") / "synthetic")
