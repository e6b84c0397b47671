import pytest
from concerto.models import Model
from synthetic_dalec import model_named
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session")
def dalec2() -> Model:
    """The model with its file of parameters."""
    return model_named("dalec2")


@pytest.fixture(autouse=True)
def one_thread():
    """On matrices as small as these, threads spend their time waiting for each other."""
    with threadpool_limits(1):
        yield
