import pytest
from concerto.models import Model, load_model
from synthetic_dalec import MODELS
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session")
def dalec2() -> Model:
    """The model with its file of parameters."""
    return load_model("dalec2", MODELS)


@pytest.fixture(autouse=True)
def one_thread():
    """On matrices as small as these, threads spend their time waiting for each other."""
    with threadpool_limits(1):
        yield
