import pytest
from concerto.models import Model
from synthetic_dalec import model_named


@pytest.fixture(scope="session")
def dalec2() -> Model:
    """The model with its file of parameters."""
    return model_named("dalec2")
