from __future__ import annotations

import os
from pathlib import Path

import pytest
import threadpoolctl
from concerto.models import Model
from synthetic_dalec import model_named
from synthetic_run import write_run

# One job, one core, as in runs: sums of more threads would also be rounded in another order.
threadpoolctl.threadpool_limits(1)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more worker than processors: some tests wait, for a cluster or for servers."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the synthetic run's files."""
    return write_run(tmp_path_factory.mktemp("run") / "synthetic")


@pytest.fixture(scope="session")
def dalec2() -> Model:
    """The model with its file of parameters."""
    return model_named("dalec2")
