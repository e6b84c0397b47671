"""Maps of synthetic cells in little, through the rules, to the page and back from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xarray as xr
from project import Outcome, Project, borders, copy_workflow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scale")]

CONFIG = "config/runs/scale.yaml"
RUN = "results/little"
SPEED = Path(RUN, "speed")


def _make_little(config: dict[str, Any]) -> None:
    config["run"] = "little"
    config["assimilation"]["budgets"]["esmda"] = {"members": 290, "steps": 1, "most_steps": 2}
    scale = config["scale"]
    scale["period"] = ["2001-01-01", "2002-12-31"]
    scale["cells"], scale["errors_from_cells"] = [1, 6], 1
    scale["places"] = [
        {"name": "squares", "resolution_deg": 0.5,
         "box": {"west": 3.0, "south": 45.0, "east": 11.0, "north": 51.0}},
    ]  # fmt: skip
    scale["tasks"] = {
        "free": {"method": "prior", "budget": {"members": 20}, "tile_size": 2, "most_tiles": 1},
    }
    scale["cores"] = {"task": "free", "cells": 6, "tile_size": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory, index) -> tuple[Project, Outcome]:
    project = copy_workflow(tmp_path_factory.mktemp("scale") / "run", index)
    project.publish("natural_earth_110m", borders())
    project.change(CONFIG, _make_little)
    return project, project.snakemake("--configfile", CONFIG, "--", "scale")


def test_one_command_makes_tables_figure_and_page(made):
    project, outcome = made
    assert outcome.code == 0, outcome.shown
    assert outcome.last_line == f"Done. Scale: {RUN}/report/scale.html"
    page = (project.root / RUN / "report/scale.html").read_text()
    assert "Weather and observations are synthetic" in page


def test_each_map_has_its_row_and_says_how_many_tiles_were_worked_on(made):
    project, _ = made
    table = pd.read_csv(project.root / SPEED / "scale.csv").set_index("cells")
    assert table["measured_tiles"].tolist() == [1, 1]
    assert table["measured"].tolist() == [True, False]
    assert table["tiles"].tolist() == [1, 2]
    assert (table["cells_per_core_second"] > 0.0).all()
    assert (table["peak_mb"] > 100.0).all()
    # sums over regions are those of all tiles
    products = project.root / RUN / "products"
    assert (products / "free-1/regions.csv").exists()
    assert not (products / "free-6/regions.csv").exists()


def test_the_nested_runs_worked_on_all_tiles(made):
    project, _ = made
    row = pd.read_csv(project.root / SPEED / "cores.csv").iloc[0]
    assert row["jobs"] == 5  # two jobs for each of two tiles, and the sums
    assert row[["seconds_1", "seconds_2"]].gt(0.0).all()


def test_land_is_counted(made):
    project, _ = made
    place = pd.read_csv(project.root / SPEED / "places.csv").iloc[0]
    assert place["grid_cells"] == 16 * 12
    # squares of 3.5 by 2 and 4.5 by 3 degrees
    assert place["land_cells"] == 7 * 4 + 9 * 6


def test_what_is_made_up_says_so(made):
    project, _ = made
    for path in sorted((project.root / RUN / "cubes").rglob("*.nc")):
        assert "synthetic" in xr.open_dataset(path).attrs["source"], path
