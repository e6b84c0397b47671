"""From cubes of towers and cells to maps, a stream, figures and a page, by the scripts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from concerto.cubes import (
    DRIVERS_OF_CELLS,
    LAND_AREA,
    MONTH,
    OBSERVATIONS_MONTHLY,
    load,
    read_cube,
    with_bounds,
    write_cube,
)
from concerto.domain import DISTURBANCES, DRIVERS, LAND, STREAMS, location_coordinates
from concerto.errors import ConcertoError
from concerto.learning.dissimilarity import STATUS
from concerto.prepare.streams import store
from learn_upscaling import LearnFiles, learn_upscaling
from map_upscaling import MapFiles, map_upscaling
from plot_upscaling import Figures, plot_upscaling
from write_upscaling import write_upscaling

FLUXES = ("gpp", "nee", "et")
TIMES = pd.date_range("2001-01-01", periods=24, freq="MS")
SAID = {"title": "made up", "source": "none", "history": "made up"}


def cubes(
    folder: Path, names: list[str], igbp: list[str], seed: int, *, rain: bool
) -> dict[str, Path]:
    """Write the cubes of places in the tropics and the north, with fluxes that warmth tells."""
    rng = np.random.default_rng(seed)
    lat = np.where(np.arange(len(names)) % 2, 5.0, 55.0) + rng.uniform(0.0, 3.0, len(names))
    where = location_coordinates(np.array(names, object), lat, np.full(len(names), 20.0))
    season = -np.cos(2.0 * np.pi * np.arange(24) / 12.0)
    shape = len(names), 24
    warm = 10.0 + 8.0 * season * (lat[:, None] > 40.0) + rng.normal(0.0, 2.0, shape)
    values = {key: rng.uniform(1.0, 9.0, shape) for key in DRIVERS}
    values |= {"tas": warm, "tasmin": warm - 4.0, "tasmax": warm + 4.0}
    values |= {key: np.zeros(shape) for key in DISTURBANCES}
    if not rain:
        values["pr"] = np.full(shape, np.nan)
    dims = ("location", "time")
    drivers = xr.Dataset(
        {k: (dims, v, DRIVERS[k].attributes()) for k, v in values.items()}, where | {"time": TIMES}
    )
    observations = xr.Dataset(coords=where | {"time": TIMES})
    flux = np.maximum(warm, 0.0) * 0.3 + rng.normal(0.0, 0.3, shape)
    for key in FLUXES:
        parts = {"": flux, "_random": np.full(shape, 0.5), "_systematic": np.zeros(shape)}
        parts |= {"_uncertainty": np.full(shape, 0.5), "_measured_fraction": np.ones(shape)}
        store(observations, key, parts, "made up", "month", dims)
    land = xr.Dataset(
        {
            "cell_area": ("location", np.ones(len(names)), {"units": "m2"}),
            "country": ("location", np.full(len(names), "Here", object)),
            "igbp": ("location", np.array(igbp, object)),
            "elevation": ("location", np.zeros(len(names)), LAND["elevation"].attributes()),
        },
        where,
    )
    files = {key: folder / f"{key}.nc" for key in ("drivers", "observations", "land")}
    write_cube(with_bounds(drivers, MONTH, 0.0), files["drivers"], DRIVERS_OF_CELLS, **SAID)
    write_cube(
        with_bounds(observations, MONTH, 0.0), files["observations"], OBSERVATIONS_MONTHLY, **SAID
    )
    write_cube(land, files["land"], LAND_AREA, **SAID)
    return files


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("upscaling")
    names = [f"XX-{k:02}" for k in range(12)]
    towers = cubes(folder / "towers", names, ["ENF", "GRA", "EBF"] * 4, 1, rain=True)
    cells = cubes(folder / "cells", ["a", "b", "c"], ["ENF", "GRA", "BSV"], 2, rain=False)
    climate = np.array(["cold", "tropical", "temperate", "tropical"] * 3)
    table = pd.DataFrame({"tower": names, "koppen": "", "climate": climate})
    table.to_csv(folder / "climates.csv", index=False)
    source = folder / "source.yaml"
    source.write_text(yaml.safe_dump({"title": "Made-up towers", "licence": "CC0"}))
    network = "towers", {"name": "Towers", "learning": {"folds": 3}}
    kept: dict[str, LearnFiles] = {}
    for flux in FLUXES:
        ends = {"model": "pkl", "card": "json", "judged": "nc"}
        kept[flux] = LearnFiles(
            *(folder / f"{flux}_{key}.{ends.get(key, 'csv')}" for key in LearnFiles.__annotations__)
        )
        learn_upscaling(
            flux,
            network,
            towers,
            folder / "climates.csv",
            cells,
            source,
            kept[flux],
            seed=1,
            size=(10, 20),
        )
    maps = MapFiles(folder / "fluxes.nc", folder / "observations.nc", folder / "status.csv")
    map_upscaling("cells", cells, [kept[flux].model for flux in FLUXES], maps)
    tables = {
        key: [getattr(kept[flux], one) for flux in FLUXES]
        for key, one in (("judged", "judged"), ("scores", "scores"),
                         ("attributions", "attributions"), ("curves", "curve"))
    }  # fmt: skip
    figures = Figures(*(folder / f"{key}.png" for key in ("skill", "told", "map")))
    plot_upscaling("cells", tables, maps.fluxes, figures)
    write_upscaling(
        {"run": "made", "upscaling": {"network": "towers", "cubes": ["cells"]}},
        tables["scores"],
        [maps.statuses],
        [kept[flux].card for flux in FLUXES],
        [figures.map, figures.skill, figures.told],
        folder / "page.html",
    )
    return folder


def test_maps_have_values_spread_index_and_status(made):
    ds = load(made / "fluxes.nc")
    for flux in FLUXES:
        assert np.isfinite(ds[f"{flux}_mean"]).all()
        assert (ds[f"{flux}_q05"] <= ds[f"{flux}_q95"]).all()
        assert ds[f"{flux}_mean"].attrs["units"] == STREAMS[flux].units
    assert (ds["gpp_status"].sel(location="c") == STATUS.index("class_never_seen")).all()
    counts = pd.read_csv(made / "status.csv")
    assert counts.groupby("flux")["months"].sum().tolist() == [72, 72, 72]


def test_the_stream_may_be_assimilated(made):
    observed = read_cube(made / "observations.nc", OBSERVATIONS_MONTHLY)
    status = load(made / "fluxes.nc")["gpp_status"]
    np.testing.assert_array_equal(np.isfinite(observed["gpp"]), status == 0)
    seen = np.isfinite(observed["gpp"].to_numpy())
    assert (observed["gpp_random"].to_numpy()[seen] > 0.0).all()
    assert seen.any()


def test_no_tower_teaches_and_judges(made):
    table = pd.read_csv(made / "gpp_splits.csv")
    assert {*table["scheme"]} == {"site", "climate"}
    for _, fold in table.groupby(["scheme", "fold"]):
        roles = fold.groupby("role")["place"].apply(set)
        assert not roles["test"] & roles["teacher"]
        assert len(roles["test"] | roles["teacher"]) == 12


def test_the_card_says_what_was_not_told(made):
    card = json.loads((made / "gpp_card.json").read_text())
    assert card["left_out"]["pr"] == "not in the map's cubes"
    assert "pr" not in card["features"]
    assert card["licence"] == "CC0"
    assert card["scores"]["towers that taught nothing"]["nse"] > 0.5


def test_the_page_has_figures_scores_and_cards(made):
    page = (made / "page.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') == 3
    assert "climates that taught nothing" in page
    assert "gpp of cells, from towers of Towers" in page


def test_two_towers_are_refused(tmp_path):
    towers = cubes(tmp_path / "towers", ["A", "B"], ["ENF", "GRA"], 1, rain=True)
    (tmp_path / "climates.csv").write_text("tower,koppen,climate\nA,Dfb,cold\nB,Dfb,cold\n")
    files = LearnFiles(*(tmp_path / key for key in LearnFiles.__annotations__))
    network = "towers", {"name": "Towers", "learning": {"folds": 2}}
    with pytest.raises(ConcertoError, match=r"found 2 place\(s\) that can teach"):
        learn_upscaling(
            "gpp", network, towers, tmp_path / "climates.csv", towers, tmp_path / "s.yaml", files,
            seed=1,
        )  # fmt: skip
    assert not files.model.exists()
