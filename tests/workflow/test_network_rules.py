"""A network in little: a folder of CARDAMOM's files becomes cubes, as when a user runs it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from concerto.cubes import DRIVERS_OF_CELLS, LAND_AREA, OBSERVATIONS_MONTHLY, read_cube
from concerto.readers._cardamom import FRACTION
from html_page import parse
from package_index import Index
from project import ROOT, Project, borders, copy_workflow
from shapely.geometry import box
from synthetic_towers import make_tower, write_towers

CUBES = "results/own/cubes/towers"
PREDICTIONS = ("results/own/predictions.nc", "results/own/predictions_unseen_sites.nc")
SCORES = "results/own/evaluation/towers/scores.csv"
NAMES = ["XX-One", "XX-Two", "XX-Six", "XX-04", "XX-05", "XX-06"]
SPOILT = "XX-Two"
KINDS = ("mean", "sd", "q05", "q25", "q50", "q75", "q95")

pytestmark = pytest.mark.xdist_group("network")


def configuration(folder: Path) -> dict:
    """Return a run of one network, whose files are in a folder."""
    config = yaml.safe_load((ROOT / "config/runs/cost_fluxval.yaml").read_text())
    del config["sites"], config["cost"]
    network = {
        "name": "Nowhere", "footprint_m": 500, "streams": ["nee", "gpp", "et", "lai"],
        "records": {"source": "own_cbf", "table": "sites.csv", "reader": "cbf"},
        "disturbance": {"burned_area_fraction": 0.0, "harvested_area_fraction": 0.0},
        "set_aside": ["impossible"], "last_withheld": 0.25, "batches": 2, "method": "rml",
        "budget": {"members": 200, "steps": 2, "most_iterations": 2, "rounds": 2},
        "errors_from_cells": 1, "relative_errors": True,
        "prior_field": {"correlation_length_km": 300, "local_fraction": 0.5},
        "learning": {
            "folds": 2, "apart": {"cropland": ["CRO"]},
            "usual": {"gpp": 0.5, "nee": 0.5},
            "parameters": {"networks": 2, "hidden": 4, "passes": 3, "batch": 3, "rate": 0.02,
                           "decay": 0.01},
        },
    }  # fmt: skip
    return config | {
        "run": "own",
        "networks": {"towers": network},
        "folders": {"own_cbf": str(folder)},
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory, index: Index) -> Project:
    folder = tmp_path_factory.mktemp("network")
    # a file of NetCDF says itself when time begins, and how well its streams are known
    share = {"single_unc": 0.3, "opt_unc_type": float(FRACTION)}
    errors = dict.fromkeys(("GPP", "ET", "LAI", "ABGB"), share) | {"NBE": {"single_unc": 0.5}}
    third = replace(make_tower(3), epoch=pd.Timestamp("2001-01-01"), attributes=errors)
    towers = {"XX-One.cbf": make_tower(1), "XX-Two.cbf": make_tower(2), "XX-Six.cbf.nc": third}
    towers |= {f"XX-0{number}.cbf": make_tower(number) for number in range(4, 7)}
    write_towers(folder / "files", towers)
    spoilt = folder / "files/XX-Two.cbf"
    spoilt.write_bytes(spoilt.read_bytes()[:-8])
    project = copy_workflow(folder / "project", index)
    project.publish("natural_earth_110m", borders({"Germany": box(6, 47, 15, 55)}))
    config = yaml.safe_dump(configuration(folder / "files"))
    (project.root / "own.yaml").write_text(config)
    return project


def test_folder_of_files_becomes_cubes_and_a_fault_stops_no_other(project):
    outcome = project.snakemake(f"{CUBES}/drivers.nc", "--configfile", "own.yaml")
    assert outcome.code == 0, outcome.shown
    folder = project.root / CUBES
    drivers = read_cube(folder / "drivers.nc", DRIVERS_OF_CELLS)
    observed = read_cube(folder / "observations.nc", OBSERVATIONS_MONTHLY).isel(location=2)
    np.testing.assert_allclose(observed["lai_random"], 0.3 * observed["lai"], rtol=1e-6)
    land = read_cube(folder / "land.nc", LAND_AREA)
    assert drivers["location"].to_numpy().tolist() == NAMES
    assert np.isfinite(drivers["tas"].to_numpy()).all(axis=1).tolist() == [
        name != SPOILT for name in NAMES
    ]
    assert set(land["country"].to_numpy()) == {"Germany"}
    (fault,) = pd.read_csv(folder / "faults.csv").to_dict("records")
    assert (fault["site"], fault["field"]) == ("XX-Two", "size in bytes")
    assert len(pd.read_csv(folder / "plausibility.csv")) == 0
    members = (project.root / "results/own/raw/own_cbf/provenance.json").read_text()
    assert "XX-Six.cbf.nc" in members


def test_run_of_a_network_is_planned(project):
    outcome = project.snakemake(f"{CUBES}/land.nc", "-n", "--configfile", "own.yaml")
    assert outcome.code == 0, outcome.shown
    shown = project.snakemake("-n", "--configfile", "config/runs/fluxval.yaml")
    assert shown.code == 0, shown.shown
    assert "Read the records of all towers of fluxval" in shown.shown
    wrong = project.snakemake("results/own/cubes/tower/land.nc", "-n", "--configfile", "own.yaml")
    assert "unknown site 'tower'; nearest valid: towers" in wrong.shown


def test_all_months_of_all_towers_are_predicted_and_scored(project):
    outcome = project.snakemake(*PREDICTIONS, SCORES, "--configfile", "own.yaml")
    assert outcome.code == 0, outcome.shown
    known, unseen = (xr.load_dataset(project.root / file) for file in PREDICTIONS)
    for ds in (known, unseen):
        assert ds["site"].to_numpy().tolist() == NAMES
        assert ds.sizes["time"] == 48
        for flux in ("gpp", "nee", "et"):
            shown = np.stack([ds[f"{flux}_{kind}"].transpose("site", "time") for kind in KINDS])
            finite = np.isfinite(shown).all(axis=(0, 2))
            assert finite.tolist() == [name != SPOILT for name in NAMES]
            assert (np.diff(shown[2:, finite], axis=0) >= 0.0).all()
    own = known.sel(site="XX-One")
    lost = -np.diff(own["carbon_total"])
    step = own.indexes["time"].days_in_month.to_numpy().mean()
    np.testing.assert_allclose(lost, step * own["nee_mean"].to_numpy()[1:], atol=1e-9)
    table = pd.read_csv(project.root / SCORES).query("name == 'pooled'")
    assert set(table["n"][table["setting"] == "known"]) == {5 * 12}
    assert set(table["n"][table["setting"] == "new"]) == {5 * 48}
    scores = table.set_index(["setting", "flux", "predictor"])["nse"]
    assert scores["known", "gpp", "combined"] > 0.9


def test_what_is_learnt_has_a_card_and_no_tower_teaches_what_it_judges(project):
    folder = project.root / "results/own/learned/towers_all"
    folds = []
    for learner in ("parameters.traits", "parameters.cover", "gpp", "nee", "et"):
        card = json.loads((folder / f"{learner}_card.json").read_text())
        assert all(card[part] for part in ("scores", "limits", "licence")), learner
        assert f"{learner}_splits.csv" in card["splits"]
        table = pd.read_csv(folder / f"{learner}_splits.csv")
        assert (table.groupby(["fold", "place"]).size() == 1).all(), learner
        assert set(table["place"]) == {*NAMES} - {SPOILT}
        folds.append(table.set_index(["fold", "place"])["role"].sort_index())
    assert all(other.equals(folds[0]) for other in folds), "a tower is of another fold elsewhere"


def test_run_of_a_network_ends_with_its_page(project):
    outcome = project.snakemake("--configfile", "own.yaml")
    assert outcome.code == 0, outcome.shown
    assert outcome.last_line == "Done. Report: results/own/report/index.html"
    report = project.root / "results/own/report"
    start, _ = parse((report / "index.html").read_text(encoding="utf-8"))
    links = {link["href"] for link in start.of("a")}
    assert links == {"towers.html", "assimilation.html", "evaluation.html", "provenance.html"}
    assert all((report / link).exists() for link in links)
    page = (project.root / "results/own/report/towers.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') == 5
    # of six towers one has a file that cannot be used, which is said
    assert '<td class="n">6</td>' in page
    assert "size in bytes" in page
    worst = pd.read_csv(project.root / "results/own/evaluation/towers/worst.csv")
    assert set(worst["tower"]) == set(NAMES) - {SPOILT}
    assert worst[["share_gpp", "share_nee", "share_et"]].sum().tolist() == pytest.approx([1.0] * 3)
