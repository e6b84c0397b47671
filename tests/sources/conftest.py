from __future__ import annotations

from collections.abc import Iterator

import pytest
from fault_server import FaultServer
from fault_server import serve as serve_files
from package_index import Index, serve


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Serve an index and make it the configured one, with short waits."""
    with serve() as served:
        monkeypatch.setenv("CONCERTO_PACKAGE_INDEX", served.simple)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0.001")
        yield served


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """Serve files that a test adds, with short waits."""
    monkeypatch.setenv("CONCERTO_HTTP_FIRST_WAIT_S", "0.001")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serve_files() as served:
        yield served


@pytest.fixture
def mirror(server: FaultServer) -> Iterator[FaultServer]:
    """Serve files on another host."""
    with serve_files() as served:
        yield served
