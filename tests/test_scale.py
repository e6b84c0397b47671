"""Which maps are measured, and what their tables, figure and page say."""

import numpy as np
import pandas as pd
import pytest
from concerto.config import ROOT, load_yaml, validate_config
from concerto.errors import InputError
from concerto.evaluation.scale import Tile, cores_row, extrapolate, linearity, map_row
from concerto.maps import square_grid
from concerto.plots import style
from concerto.plots.scale import draw
from concerto.products.report import read_picture
from concerto.products.scale_page import render_scale
from concerto.scale import measured_tiles, scale_maps, synthetic_grids
from concerto.scripting import cost_of, script_log
from hypothesis import given
from hypothesis import strategies as st

CONFIG = load_yaml(ROOT / "config/runs/scale.yaml")
SCALE = CONFIG["scale"]


@given(st.integers(1, 3000))
def test_a_grid_has_as_many_cells_as_it_is_asked_for(cells):
    grid = square_grid(cells, 0.1, 47.5, 10.0)
    assert grid.rows * grid.columns == cells
    assert grid.rows <= grid.columns


def test_the_configuration_is_valid_and_names_a_map_for_each_task_and_size():
    validate_config(CONFIG)
    maps = scale_maps(SCALE)
    assert len(maps) == len(SCALE["tasks"]) * len(SCALE["cells"]) + 1
    assert {entry["cubes"] for entry in maps.values()} == synthetic_grids(SCALE).keys()
    # an entry is what `maps` of a configuration takes, but for whose cubes it has
    named = {name: {**entry, "cubes": "transect"} for name, entry in maps.items()}
    validate_config({**CONFIG, "maps": named})


def test_no_scale_has_no_maps():
    assert scale_maps({}) == synthetic_grids({}) == {}


def test_tiles_that_are_measured_are_whole_ones_evenly_among_all():
    grid = synthetic_grids(SCALE)["synthetic-100000"]
    most = SCALE["tasks"]["rml"]["most_tiles"]
    tiles = measured_tiles(SCALE, "rml", 100_000)
    assert len(set(tiles)) == most < len(grid.tiles(20))
    lat, lon = (part.ravel() for part in np.meshgrid(grid.latitudes(), grid.longitudes()))
    assert {len(grid.cells_in(tile, 20, lat, lon)) for tile in tiles} == {400}
    every = measured_tiles({**SCALE, "all_tiles": True}, "rml", 100_000)
    assert every == grid.tiles(20)
    assert measured_tiles(SCALE, "free", 1000) == ["r0c0"]


def test_a_script_says_what_it_took(tmp_path):
    log = tmp_path / "one.log"
    with script_log(log):
        np.random.default_rng(1).random(2_000_000).sort()
    found = cost_of(log)
    assert found.cpu_seconds > 0.0
    assert found.peak_mb > 50.0


def test_a_script_that_fails_has_no_cost(tmp_path):
    log = tmp_path / "one.log"
    with pytest.raises(SystemExit), script_log(log):
        raise InputError("file", "field", "this", "that")
    with pytest.raises(InputError, match="no cost"):
        cost_of(log)


def tile(folder, name, cells, seconds, peak=400):
    """A tile whose jobs took so many seconds each and wrote a kilobyte a cell in all."""
    logs = [folder / f"{stage}.{name}.log" for stage in "ap"]
    for log in logs:
        took = f"took {seconds:.2f} s of processors, start included, and {peak} MB at most"
        log.write_text(f"2026-01-01 00:00:00,000 INFO {took}\n")
    file = folder / f"{name}.nc"
    file.write_bytes(bytes(1024 * cells))
    return Tile(np.arange(cells) % 4 // 3, logs, [file])


def test_a_map_is_extrapolated_from_its_tiles_and_says_so(tmp_path):
    tiles = [tile(tmp_path, "a", 40, 10.0), tile(tmp_path, "b", 40, 14.0, peak=500)]
    row = map_row("rml", 800, 20, tiles)
    assert (row["measured_tiles"], row["measured_cells"], row["measured"]) == (2, 80, False)
    assert row["assimilate_seconds"] == row["project_seconds"] == 24.0
    assert row["cells_per_core_second"] == pytest.approx(80 / 48)
    assert row["core_hours"] == pytest.approx(480 / 3600)
    assert (row["peak_mb"], row["kb_per_cell"], row["converged"]) == (500, 1.0, 0.75)
    assert map_row("rml", 80, 2, tiles)["measured"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    sizes = {"free": (100, 1000, 10_000), "rml": (1000, 10_000), "esmda": (100,)}
    dear = {100: 0.5, 1000: 0.1, 10_000: 0.11}
    rows = [
        map_row(
            task, cells, 1 if task == "free" else 4, [tile(folder, "t", 100, 100 * dear[cells])]
        )
        for task, every in sizes.items()
        for cells in every
    ]
    return pd.DataFrame(rows)


def test_what_is_linear_is_told_from_large_maps(table):
    found = linearity(table).set_index("task")
    assert found.loc["free", "spread"] == pytest.approx(0.1)
    assert found.loc["rml", "memory_growth"] == 1.0
    assert np.isnan(found.loc["esmda", "spread"])


PLACES = pd.DataFrame(
    [
        {
            "place": "here",
            "resolution_deg": 0.5,
            "grid_cells": 9,
            "land_share": 0.5,
            "land_cells": 9000,
        }
    ]
)


def test_places_cost_what_their_cells_do_in_the_largest_map(table):
    found = extrapolate(table, PLACES).set_index("task")
    assert found.loc["rml", "core_hours"] == pytest.approx(9000 * 0.22 / 3600)
    assert found.loc["esmda", "core_hours"] == pytest.approx(9000 * 1.0 / 3600)
    assert found.loc["free", "gigabytes"] == pytest.approx(9000 * 1024e-9)


def test_what_two_cores_gain_and_snakemake_takes():
    row = cores_row({1: 100.0, 2: 52.0}, [20.0, 30.0, 46.0])
    assert row["speedup"] == pytest.approx(1.923, abs=1e-3)
    assert row["overhead_per_job"] == pytest.approx(4.0 / 3.0)


def test_the_page_says_what_is_measured_and_what_is_not(table, tmp_path):
    linear = linearity(table)
    style.save(draw(table, linear), tmp_path / "scale.png")
    tables = {
        "scale": table,
        "linearity": linear,
        "cores": pd.DataFrame([cores_row({1: 100.0, 2: 60.0}, [48.0, 48.0])]),
        "places": PLACES,
        "extrapolation": extrapolate(table, PLACES),
    }
    page = render_scale(CONFIG, tables, read_picture(tmp_path / "scale.png"))
    assert "Weather and observations are synthetic" in page
    assert page.count("<small>extrapolated</small>") == 3
    assert page.count("<small>measured</small>") == 3
    assert "1 of 4, 100 cells" in page
    assert "less than 1.8" in page
    assert "not measured: fewer than two such maps" in page
