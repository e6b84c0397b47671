"""Times are measured on tiny runs here: that they come out, not how long they are."""

import numpy as np
import pandas as pd
import pytest
from concerto import speed
from concerto.plots.speed import draw
from synthetic_dalec import model_named


@pytest.fixture(scope="module")
def times():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"STEPS": 12, "LONG": 12, "MEMBERS": 16, "_REPETITIONS": 2}.items():
            patch.setattr(speed, name, value)
        yield speed.measure(model_named("dalec2"), speed.MONTH, seed=1)


def test_every_way_is_timed(times):
    assert {"lanes", "scalar", "arrays", "adjoint", "jacobian", "flops"} <= set(times)
    assert all(np.isfinite(value) and value > 0.0 for value in times.values())


def test_operations_are_those_of_the_formula(times):
    # 11 exponentials and logarithms of a month's step alone, and what goes with them
    assert 11 * 27 < times["operations"] < 1000


def test_figure_names_each_model(times):
    rows = [{"model": name, "step": "month", **times, "peak_flops": 1e11} for name in ("a", "b")]
    drawing = draw(pd.DataFrame(rows))
    labels = [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()]
    assert labels == ["a, month", "b, month"]
    assert "b, month" in drawing.alternative
