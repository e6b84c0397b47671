from __future__ import annotations

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
