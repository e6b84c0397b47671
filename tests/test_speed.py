"""Times are measured on tiny runs here: that they come out, not how long they are."""

import numpy as np
import pandas as pd
import pytest
from concerto import speed
from concerto.plots.speed import draw, draw_cells
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


def test_what_has_no_derivatives_is_named(times):
    rows = [
        {"model": name, "step": "month", **times, "peak_flops": 1e11, "adjoint": adjoint}
        for name, adjoint in (("a", 1.0), ("vast", np.nan))
    ]
    assert "Not of vast: too large" in draw(pd.DataFrame(rows)).caption


def test_large_steps_have_no_derivatives(monkeypatch, times):
    monkeypatch.setattr(speed, "LARGEST", times["operations"] - 1)
    monkeypatch.setattr(speed, "STEPS", 12)
    monkeypatch.setattr(speed, "MEMBERS", 16)
    found = speed.measure(model_named("dalec2"), speed.MONTH, seed=1)
    assert np.isnan([found[name] for name in ("with_path", "adjoint", "jacobian")]).all()
    assert found["lanes"] > 0.0


@pytest.mark.parametrize("members", [1, 16])
def test_cells_take_no_more_memory_when_there_are_more(monkeypatch, members):
    for name, value in {"STEPS": 24, "CELLS": 200, "CELL_TILE": 20}.items():
        monkeypatch.setattr(speed, name, value)
    found = speed.measure_cells(model_named("dalec2"), speed.MONTH, members, seed=1)
    assert found["memory"] < 1.05 * found["memory_of_a_fifth"] + 0.02  # MB
    assert found["one_thread"] > 0.0
    table = pd.DataFrame([{"model": "a", "step": "month", "members": members, **found}])
    assert "a, month" in draw_cells(table).alternative
