"""Costs of posteriors and distances between them."""

import numpy as np
import pandas as pd
import pytest
from concerto.assimilation.methods import hmc
from concerto.evaluation.cases import tabulate
from concerto.evaluation.cost import GRADIENT_RUNS, distance, measure_method
from concerto.plots import cost, style
from synthetic_dalec import make_problem

CIRCULAR = np.array([False, False, True])


def draws(count, seed, shift=0.0, scale=1.0):
    rng = np.random.default_rng(seed)
    plain = 0.5 + 0.05 * (shift + scale * rng.standard_normal((count, 2)))
    return np.column_stack([plain, (0.02 * scale * rng.standard_normal(count)) % 1.0])


def test_draws_of_the_same_density_are_close():
    found = distance(draws(4000, 1), draws(4000, 2), CIRCULAR, np.random.default_rng(3))
    assert found["mean_difference"] < 0.08
    assert found["worst_sd_ratio"] == pytest.approx(1.0, abs=0.08)
    assert found["energy_distance"] < 0.15


def test_shifts_and_spreads_are_told_in_standard_deviations():
    found = distance(draws(4000, 1, 2.0, 0.5), draws(4000, 2), CIRCULAR, np.random.default_rng(3))
    assert found["worst_mean_difference"] == pytest.approx(2.0, abs=0.1)
    assert found["mean_difference"] == pytest.approx(np.sqrt(2.0 / 3.0) * 2.0, abs=0.1)
    assert found["sd_ratio"] == pytest.approx(0.5, abs=0.05)
    assert found["energy_distance"] > 1.0


def test_a_circle_has_no_edge():
    """Draws on both sides of the turn are near each other, and near those a turn away."""
    moved = draws(4000, 1)
    moved[:, 2] = (moved[:, 2] + 1.0) % 1.0
    found = distance(moved, draws(4000, 2), CIRCULAR, np.random.default_rng(3))
    assert found["worst_mean_difference"] < 0.08


def test_the_energy_distance_of_two_normals():
    """Of one dimension: twice the mean distance across, less those within."""
    rng = np.random.default_rng(5)
    first, second = rng.standard_normal((2, 20000, 1))
    found = distance(first + 1.0, second, np.zeros(1, bool), rng)["energy_distance"]
    across = 2.0 * np.exp(-0.25) / np.sqrt(np.pi) + 1.0 * (1.0 - 2.0 * 0.23975006109347669)
    expected = np.sqrt(2.0 * across - 2.0 * 2.0 / np.sqrt(np.pi))
    assert found == pytest.approx(expected, rel=0.1)


def test_work_of_a_method_is_counted(dalec2, tmp_path):
    problem = make_problem(dalec2, days=120)
    reference = problem.prior.to_unit(
        problem.prior.parameters_of(problem.prior.draw(300, np.random.default_rng(1)))
    )
    problem.log_posterior(problem.prior.to_soft(reference[:16]))
    runs, gradients = problem.model_runs, problem.gradients
    budget = {"chains": 6, "warm_up": 30, "draws": 12}
    found = measure_method(problem, hmc.assimilate, budget, reference, np.random.default_rng(2))
    assert found["run_equivalents"] == problem.model_runs - runs + GRADIENT_RUNS * (
        problem.gradients - gradients
    )
    assert found["ess"] <= found["ess_median"]
    assert found["cpu_seconds"] > 0.0
    assert found["converged"] is False


def test_the_figure_names_methods_and_marks_those_that_did_not_converge(tmp_path):
    rows = [
        {"method": "hmc", "cpu_seconds": 160.0, "ess": 2000.0, "converged": 1, "sites": 1,
         "energy_distance": 0.08},
        {"method": "esmda", "cpu_seconds": 3.0, "ess": np.nan, "converged": 0, "sites": 1,
         "energy_distance": 1.7},
    ]  # fmt: skip
    drawing = cost.draw(pd.DataFrame(rows), "CH-Dav")
    style.save(drawing, tmp_path / "methods.png")
    assert "HMC: 160 CPU seconds" in drawing.alternative
    words = [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()]
    assert words == ["HMC\nconverged", "ES-MDA\nnot converged"]


def test_cases_have_medians_over_their_sites():
    def table(cpu_seconds, ess, converged):
        methods = {"method": ["hmc", "esmda"], "cpu_seconds": cpu_seconds, "ess": ess}
        return pd.DataFrame(methods | {"converged": converged})

    tables = {
        "a": table([10.0, 1.0], [500.0, np.nan], [True, False]),
        "b": table([30.0, 3.0], [300.0, np.nan], [False, False]),
        "c": table([20.0, 8.0], [700.0, np.nan], [True, False]),
    }
    found = tabulate(tables, {"one": ["b"], "all": ["a", "b", "c"]})
    assert found["case"].tolist() == ["one", "one", "all", "all"]
    assert found["method"].tolist() == ["hmc", "esmda"] * 2
    assert found["sites"].tolist() == [1, 1, 3, 3]
    assert found["converged"].tolist() == [0, 0, 2, 0]
    assert found["cpu_seconds"].tolist() == [30.0, 3.0, 20.0, 3.0]
    np.testing.assert_array_equal(found["ess"], [300.0, np.nan, 500.0, np.nan])
    drawing = cost.draw(found[found["case"] == "all"].assign(energy_distance=0.1), "all")
    words = [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()]
    assert words == ["HMC\n2 of 3 converged", "ES-MDA\n0 of 3 converged"]
    assert "Medians over the posteriors of 3 places" in drawing.caption
