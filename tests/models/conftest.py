import pytest
from concerto.models import Model, load_model
from synthetic_dalec import MODELS


@pytest.fixture(scope="session")
def dalec2() -> Model:
    """The model with its file of parameters."""
    return load_model("dalec2", MODELS)
