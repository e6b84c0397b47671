from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from package_index import Index, serve


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    """An empty package index, for as long as the tests of a file run."""
    with serve() as served:
        yield served


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("workflow")


@pytest.fixture(autouse=True, scope="session")
def machine_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One place of machine code for all projects of all workers, which compile the same library."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(shared / "machine_code"))
        yield
