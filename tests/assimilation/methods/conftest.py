import sys
from pathlib import Path

import pytest
from concerto.models import load_model

# The generators lie beside the test folders, and are found whatever pytest's import mode.
sys.path.insert(0, str(Path(__file__).parents[2]))


@pytest.fixture(scope="session")
def dalec2():
    from synthetic_dalec import MODELS

    return load_model("dalec2", MODELS)
