import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread():
    """On matrices as small as these, threads spend their time waiting for each other."""
    with threadpool_limits(1):
        yield
