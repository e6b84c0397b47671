"""The twin experiment of a map, by the rules that a user asks for, on four made-up cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.config import load_yaml
from project import ROOT, borders, small_project
from shapely.geometry import box
from synthetic_transect import make_transect, write_transect

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("twin map")]

LATITUDES = (-10.75, -10.25, 15.75, 36.25, 60.25, 60.75)
COUNTRIES = {"South": box(20, -15, 30, -5), "North": box(20, 55, 30, 65)}
TRUTHS = 3


def to_small(config):
    config["maps"] = load_yaml(ROOT / "config/config.yaml")["maps"]
    config["maps"]["transect"] |= {
        "errors_from_cells": 2,
        "budget": {"members": 120, "steps": 2, "most_iterations": 2, "rounds": 2},
    }
    config["twin_map"] = {
        "map": "transect",
        "countries": list(COUNTRIES),
        "truths": TRUTHS,
        "settling": 200,
        "jobs": 2,
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory, index):
    """The folder of results, and what the run showed."""
    folder = tmp_path_factory.mktemp("run")
    project = small_project(folder / "twin_map", index)
    record = write_transect(make_transect(latitudes=LATITUDES, days=366), folder)
    project.publish("transect_2000", {record.name: record.read_bytes()})
    project.publish("natural_earth_110m", borders(COUNTRIES))
    project.change("config/config.yaml", to_small)
    outcome = project.snakemake("twin_map")
    assert outcome.code == 0, outcome.shown
    return project.results, outcome.shown


def test_the_sums_of_all_truths_are_judged(made):
    results, shown = made
    assert "Done. Twin experiment of a map: results/small/report/twin_map.html" in shown
    assert "sums over regions, independent members: of 3 truths" in shown
    found = pd.read_csv(results / "twin_map/coverage.csv")
    assert (found.truths == TRUTHS).all()
    cells = found[found.variable == "nee"].groupby("region").cells.max()
    assert cells[["all", "South", "North"]].to_list() == [4, 2, 2]
    page = (results / "report/twin_map.html").read_text()
    assert "Do the intervals of sums hold the truth?" in page


def test_truths_differ_and_sums_are_those_of_their_cells(made):
    results, _ = made
    truths = xr.load_dataset(results / "twin_map/truths.nc")["parameters"]
    assert truths.sizes["member"] == TRUTHS
    assert (truths.std("member") > 0).all()
    parts = [pd.read_csv(results / f"twin_map/{job}.csv") for job in range(2)]
    placed = pd.concat(parts).query("arrangement == 'coherent' and variable == 'gpp'")
    true = placed.pivot_table(index="truth", columns="region", values="true")
    np.testing.assert_allclose(true["all"], true["South"] + true["North"], rtol=1e-9)


def test_shuffled_members_have_the_same_mean_and_another_spread(made):
    results, _ = made
    placed = pd.concat([pd.read_csv(results / f"twin_map/{job}.csv") for job in range(2)])
    whole, mixed = (
        placed[(placed.arrangement == arrangement) & (placed.variable == "som")].reset_index()
        for arrangement in ("coherent", "independent")
    )
    np.testing.assert_allclose(whole["mean"], mixed["mean"], rtol=1e-9)
    several = whole.cells > 1
    assert (mixed.sd != whole.sd)[several].all()
    assert mixed.sd[several].sum() < whole.sd[several].sum()
