from __future__ import annotations

from collections.abc import Iterator

import pytest
from package_index import Index, serve


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    """An empty package index, for as long as the tests of a file run."""
    with serve() as served:
        yield served
