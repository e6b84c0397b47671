"""From maps of classes and weather to land cover and leaves through time, by the scripts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from classify_towers import classify_towers
from concerto.config import ROOT
from concerto.cubes import (
    DAY,
    DRIVERS_OF_CELLS,
    LAND_AREA,
    OBSERVATIONS_EITHER,
    OBSERVATIONS_MONTHLY,
    load,
    read_cube,
    with_bounds,
    write_cube,
)
from concerto.domain import DRIVERS, LAND, location_coordinates
from concerto.errors import ConcertoError
from concerto.learning.reconstruction import COVERS
from concerto.prepare.streams import store
from monthly_cells import MonthlyFiles, monthly_cells
from plot_reconstruction import plot_reconstruction
from prepare_cover import prepare_cover
from reconstruct_cover import CoverFiles, reconstruct_cover
from reconstruct_leaves import LeafFiles, reconstruct_leaves
from synthetic_classes import code, write_map
from write_reconstruction import write_reconstruction

LEGENDS = ROOT / "config/sources/land_classes.yaml"
SAID = {"title": "made up", "source": "none", "history": "made up"}
SETTINGS = {
    "cover": {
        "box": {"west": 0.0, "south": 0.0, "east": 10.0, "north": 10.0},
        "resolution_deg": 0.5, "coarse_deg": 1.0, "region_deg": 2.0, "folds": 3, "cells": 300,
        "history": {"first": 1990, "last": 2010, "words": "made up",
                    "factors": {"crop": {1990: 0.0, 2010: 1.0}}},
    },
    "leaves": {"cubes": "here", "region_deg": 1.0, "folds": 3, "every_years": 10},
}  # fmt: skip


@pytest.fixture(scope="module")
def classes(tmp_path_factory) -> Path:
    """Maps of 0.1 degrees: crops to the east, forests of two kinds; cold in the north."""
    folder = tmp_path_factory.mktemp("classes")
    axis = np.arange(0.05, 10.0, 0.1)
    rng = np.random.default_rng(0)
    crop = rng.uniform(size=(100, 100)) < axis / 12.0
    kinds = np.where(crop, code("igbp.nc", "CRO"), code("igbp.nc", "ENF"))
    kinds = np.where(~crop & (axis[:, None] < 2.5), code("igbp.nc", "DBF"), kinds)
    write_map(folder / "igbp.nc", axis, axis, kinds)
    zones = np.where(axis[:, None] < 5.0, code("koppen.nc", "Aw"), code("koppen.nc", "Dfb"))
    write_map(folder / "koppen.nc", axis, axis, zones)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory, classes) -> Path:
    folder = tmp_path_factory.mktemp("reconstruction")
    _write_climate(folder / "climate.nc")
    prepare_cover(SETTINGS["cover"], classes, LEGENDS, folder / "climate.nc", folder / "cells.nc")
    _write_days(folder, load(folder / "cells.nc"))
    months = MonthlyFiles(*(folder / f"{key}.nc" for key in ("drivers", "observations", "land")),
                          folder / "masking.csv")  # fmt: skip
    daily = {key: folder / f"{key}_day.nc" for key in ("drivers", "observations", "land")}
    monthly_cells("here", daily, months)
    ends = {"cover": "nc", "judged": "nc", "leaves": "nc", "card": "json"}
    cover, leaves = (
        kind(*(folder / f"{name}_{key}.{ends.get(key, 'csv')}" for key in kind.__annotations__))
        for name, kind in (("cover", CoverFiles), ("leaf", LeafFiles))
    )
    reconstruct_cover(SETTINGS["cover"], folder / "cells.nc", months.land, LEGENDS, cover, seed=3)
    cubes = {key: getattr(months, key) for key in ("drivers", "observations", "land")}
    reconstruct_leaves("here", SETTINGS, cubes, cover.cover, leaves, seed=3)
    tables = {"leaf_scores": leaves.scores, "leaf_judged": leaves.judged, "leaves": leaves.leaves}
    figure = folder / "figure.png"
    plot_reconstruction("here", tables, [cover.cover, cover.scores, cover.judged], figure)
    write_reconstruction(
        {"run": "made"}, [cover.scores, leaves.scores], [cover.card, leaves.card], figure,
        folder / "page.html",
    )  # fmt: skip
    return folder


def _write_climate(path: Path) -> None:
    axis = np.arange(-0.25, 10.5, 0.5)
    rng = np.random.default_rng(1)
    shape = 2, len(axis), len(axis)
    north = np.broadcast_to(axis[:, None], shape[1:])
    bands = {"temp": 30.0 - north, "VPD": 900.0 - 30.0 * north, "ppfd": 300.0 + north}
    bands["elevation"] = 100.0 * rng.uniform(size=shape[1:])
    dims = ("Time", "latitude", "longitude")
    xr.Dataset(
        {key: (dims, np.broadcast_to(v, shape)) for key, v in bands.items()},
        {"Time": [1, 2], "latitude": axis, "longitude": axis},
    ).to_netcdf(path)


def _write_days(folder: Path, cells: xr.Dataset) -> None:
    """Write daily cubes of a column of cells, whose leaves are those of their forest."""
    own = cells.isel(location=np.flatnonzero(cells["lon"] == 5.25))
    count, times = own.sizes["location"], pd.date_range("2001-01-01", "2001-12-31", freq="D")
    where = location_coordinates(
        own["location"].to_numpy().astype(object), own["lat"].to_numpy(), own["lon"].to_numpy()
    ) | {"time": times}
    rng = np.random.default_rng(2)
    dims, shape = ("location", "time"), (count, len(times))
    values = {key: rng.uniform(1.0, 9.0, shape) for key in DRIVERS} | {"pr": np.full(shape, np.nan)}
    drivers = xr.Dataset({k: (dims, v, DRIVERS[k].attributes()) for k, v in values.items()}, where)
    forest = own["land_cover"].sel({"class": "ENF"}).to_numpy()[:, None]
    fapar = 0.1 + 0.7 * forest + rng.normal(0.0, 0.02, shape)
    parts = {"": fapar, "_random": np.full(shape, 0.1), "_systematic": np.zeros(shape)}
    parts |= {"_uncertainty": np.full(shape, 0.1), "_measured_fraction": np.ones(shape)}
    observed = xr.Dataset(coords=where)
    store(observed, "fapar", parts, "made up", "day", dims)
    land = own[["land_cover", "koppen"]].drop_vars("location", errors="ignore")
    land = land.assign_coords({key: where[key] for key in ("location", "lat", "lon")})
    land["land_cover"].attrs = LAND["land_cover"].attributes()
    land["cell_area"] = ("location", np.ones(count), {"units": "m2"})
    land["country"] = ("location", np.full(count, "Here", object))
    for name, cube, schema in (
        ("drivers", with_bounds(drivers, DAY, 0.0), DRIVERS_OF_CELLS),
        ("observations", with_bounds(observed, DAY, 0.0), OBSERVATIONS_EITHER),
        ("land", land, LAND_AREA),
    ):
        cube.attrs["utc_offset_hours"] = 0.0
        write_cube(cube, folder / f"{name}_day.nc", schema, **SAID)


def test_months_are_means_of_days(made):
    days, months = load(made / "drivers_day.nc"), load(made / "drivers.nc")
    np.testing.assert_allclose(
        months["tas"][:, 1], days["tas"].sel(time="2001-02").mean("time"), rtol=1e-5
    )
    assert read_cube(made / "observations.nc", OBSERVATIONS_MONTHLY).sizes["time"] == 12


def test_cover_follows_land_use_through_time(made):
    history = load(made / "cover_cover.nc")
    fractions = history["land_cover"]
    np.testing.assert_allclose(fractions.sum("cover"), 1.0, atol=1e-9)
    assert history["year"].to_numpy().tolist() == list(range(1990, 2011))
    crop = fractions.sel(cover="crop").mean("location").to_numpy()
    assert crop[0] < 0.5 * crop[-1]
    assert (np.diff(crop) > -1e-9).all()
    np.testing.assert_allclose(history["states"].sum("state"), 1.0, atol=1e-9)


def test_regions_are_told_better_than_by_the_coarse_product(made):
    scores = pd.read_csv(made / "cover_scores.csv")
    wrong = scores[scores["name"] == "all"].set_index("predictor")["error"]
    assert wrong["learnt"] < wrong["coarse product"]
    assert {*scores["name"]} == {"all", *COVERS}


def test_no_region_teaches_and_judges(made):
    cells = load(made / "cells.nc").to_dataframe().reset_index()
    cells = cells.drop_duplicates("location").set_index("location")
    region = (cells["lat"] // 2.0).astype(str) + " " + (cells["lon"] // 2.0).astype(str)
    table = pd.read_csv(made / "cover_splits.csv")
    for _, fold in table.groupby("fold"):
        parts = fold.assign(region=region.loc[fold["place"]].to_numpy()).groupby("role")["region"]
        roles = parts.apply(set)
        assert not roles["test"] & roles["teacher"]


def test_leaves_follow_cover(made):
    leaves, cover = load(made / "leaf_leaves.nc"), load(made / "cover_cover.nc")
    assert leaves["year"].to_numpy().tolist() == [1990, 2000, 2010]
    forest = cover["land_cover"].sel(cover="ENF").mean("location")
    assert forest.sel(year=1990) > forest.sel(year=2010)
    mean = leaves["lai"].mean(("location", "time"))
    assert mean.sel(year=1990) > mean.sel(year=2010)


def test_one_year_is_said_to_be_one(made):
    card = json.loads((made / "leaf_card.json").read_text())
    assert any("1 year(s) only" in limit for limit in card["limits"])
    scores = pd.read_csv(made / "leaf_scores.csv")
    assert {*scores["held_out"]} == {"regions"}
    page = (made / "page.html").read_text(encoding="utf-8")
    assert "One or two towers cannot teach" in page
    assert page.count('src="data:image/png;base64,') == 1


def test_cells_that_are_not_of_the_map_are_refused(made, tmp_path):
    land = load(made / "land.nc").assign_coords(lat=lambda ds: ds["lat"] + 0.1)
    land.to_netcdf(tmp_path / "land.nc")
    files = CoverFiles(*(tmp_path / key for key in CoverFiles.__annotations__))
    with pytest.raises(ConcertoError, match="found no cell of the map in it"):
        reconstruct_cover(
            SETTINGS["cover"], made / "cells.nc", tmp_path / "land.nc", LEGENDS, files, seed=3
        )


def test_towers_are_in_their_climate_or_in_that_beside_them(classes, tmp_path):
    """The third is at sea a few kilometres off the map, the fourth nowhere near it."""
    names, lat = ["North", "South", "Coast", "Far"], np.array([7.0, 2.0, 10.08, 40.0])
    where = location_coordinates(np.array(names, object), lat, np.full(4, 5.0))
    xr.Dataset(coords=where).to_netcdf(tmp_path / "land.nc")
    classify_towers(tmp_path / "land.nc", classes, LEGENDS, tmp_path / "climates.csv")
    table = pd.read_csv(tmp_path / "climates.csv", keep_default_na=False).set_index("tower")
    assert table["climate"].to_dict() == {
        "North": "cold", "South": "tropical", "Coast": "cold", "Far": "none",
    }  # fmt: skip
