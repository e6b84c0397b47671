"""Cubes of networks: each tower has its place, whatever becomes of its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from concerto.assimilation.cells import open_cells
from concerto.config import ROOT, load_yaml, model_files
from concerto.cubes import DRIVERS_OF_CELLS, LAND_AREA, OBSERVATIONS_MONTHLY, flag_of, read_cube
from concerto.errors import ConcertoError, InputError
from concerto.prepare.land import read_borders
from concerto.prepare.network import read_towers, towers_land, with_heights
from concerto.provenance import FILENAME
from concerto.readers._places import read_places
from read_network import NetworkFiles, read_network
from synthetic_towers import TABLE, TABLES, make_tower, write_borders, write_towers

UNDISTURBED = {"burned_area_fraction": 0.0, "harvested_area_fraction": 0.001}
STREAMS = ["nee", "gpp", "et", "lai", "total_biomass"]
NETWORK = {
    "name": "Nowhere", "footprint_m": 500, "disturbance": UNDISTURBED, "streams": STREAMS,
    "records": {"source": "own_cbf", "table": "sites.csv", "reader": "cbf"},
}  # fmt: skip


def read(folder: Path):
    files = sorted(file.name for file in folder.iterdir() if file.name != "sites.csv")
    places = read_places(folder / "sites.csv", TABLE)
    return read_towers(places, "cbf", folder, files, TABLES, UNDISTURBED)


@pytest.fixture
def folder(tmp_path):
    towers = {"XX-One.cbf": make_tower(1), "XX-Two.cbf": make_tower(2)}
    third = replace(make_tower(3), epoch=pd.Timestamp("2001-01-01"))
    return write_towers(tmp_path / "towers", {**towers, "XX-Six.cbf.nc": third})


def test_towers_are_in_the_order_of_the_table(folder):
    towers = read(folder)
    assert list(towers.drivers["location"].to_numpy()) == ["XX-One", "XX-Two", "XX-Six"]
    assert towers.drivers["tas"].dims == towers.observations["nee"].dims == ("location", "time")
    for k, seed in enumerate((1, 2, 3)):
        cbf = make_tower(seed)
        np.testing.assert_allclose(towers.drivers["tasmin"][k], cbf.drivers["T2M_MIN"])
        np.testing.assert_allclose(towers.observations["nee"][k], cbf.observations["NBE"])
    assert not len(towers.faults)
    assert (towers.drivers["harvested_area_fraction"] == 0.001).all()
    assert (
        towers.drivers["tas"].attrs["source"] == "file of each tower: mean of T2M_MIN and T2M_MAX"
    )
    masked = towers.masking.set_index("variable")["masked"]
    assert masked["total_biomass"].sum() == 3 * 47


def test_tower_at_fault_keeps_its_place_and_is_named(folder):
    spoilt = folder / "XX-Two.cbf"
    spoilt.write_bytes(spoilt.read_bytes()[:-8])
    towers = read(folder)
    assert list(towers.drivers["location"].to_numpy()) == ["XX-One", "XX-Two", "XX-Six"]
    for cube in (towers.drivers, towers.observations):
        for name, variable in cube.data_vars.items():
            if "location" in variable.dims:
                assert not np.isfinite(variable[1]).any(), name
                assert np.isfinite(variable[[0, 2]]).any() or "fraction" in name, name
    (fault,) = towers.faults.to_dict("records")
    assert (fault["site"], fault["file"], fault["field"]) == (
        "XX-Two",
        spoilt.name,
        "size in bytes",
    )
    last = towers.masking.iloc[-1]
    assert (last["variable"], last["reason"], last["masked"]) == ("location", "file at fault", 1)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda f: (f / "XX-Two.cbf").unlink(), ("XX-Two", "found no file of this name")),
        (
            lambda f: (f / "XX-Two.cbf.nc").write_bytes(b""),
            ("XX-Two", "found XX-Two.cbf and XX-Two.cbf.nc of this name"),
        ),
        (
            lambda f: (
                write_towers(f / "x", {"XX-Two.cbf": make_tower(2, 30)})
                .joinpath("XX-Two.cbf")
                .replace(f / "XX-Two.cbf")
            ),
            ("XX-Two", "found 30 times from 2001-01-01 to 2003-06-01; expected 48 times"),
        ),
    ],
    ids=["absent", "twice", "other months"],
)
def test_fault_of_a_file_is_that_of_its_tower(folder, edit, fault):
    edit(folder)
    for left in folder.glob("x"):
        (left / "sites.csv").unlink()
        left.rmdir()
    (row,) = read(folder).faults.to_dict("records")
    assert (
        row["site"],
        f"found {row['found']}; expected {row['expected']}"[: len(fault[1])],
    ) == fault


def test_file_without_a_tower_is_named(folder):
    (folder / "YY-Two.cbf").write_bytes((folder / "XX-Two.cbf").read_bytes())
    (row,) = read(folder).faults.to_dict("records")
    assert row["site"] == ""
    assert row["file"] == "YY-Two.cbf"
    assert row["found"] == "no tower of this name"


def test_gap_in_a_driver_is_a_fault_of_its_tower(folder):
    cbf = make_tower(2)
    cbf.drivers["CO2"][7] = np.nan
    write_towers(folder / "x", {"XX-Two.cbf": cbf})
    (folder / "x/XX-Two.cbf").replace(folder / "XX-Two.cbf")
    (folder / "x/sites.csv").unlink()
    (folder / "x").rmdir()
    (row,) = read(folder).faults.to_dict("records")
    assert (row["site"], row["field"], row["found"]) == ("XX-Two", "co2", "no value in 2001-08")


def test_network_without_any_record_is_refused(folder):
    for file in folder.glob("XX*"):
        file.write_bytes(b"nothing")
    with pytest.raises(
        ConcertoError, match=r"no record that can be read; .*XX-One\.cbf: size in by"
    ):
        read(folder)


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([",".join(TABLE), *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("XX-Two,ENG,50,8,1", "line 3, igbp of XX-Two: found ENG; expected one of ENF"),
        ("XX-Two,ENF,150,8,1", r"line 3, latitude of XX-Two: found 150\.0; expected a number from"),
        ("XX-Two,ENF,,8,1", "line 3, latitude of XX-Two: found nan; expected a number"),
        (",ENF,50,8,1", "line 3: found no name"),
        ("XX-One,ENF,50,8,1", "name: found XX-One twice; expected each name once"),
        ("XX-Two,ENF,50", "line 3: found 3 fields"),
    ],
)
def test_fault_of_the_table_is_named(tmp_path, row, message):
    path = table(tmp_path / "sites.csv", "XX-One,ENF,50,8,1", row)
    with pytest.raises(InputError, match=rf"sites\.csv: {message}"):
        read_places(path, TABLE)


def test_heights_are_those_of_the_table_or_else_of_the_grid(tmp_path):
    path = table(tmp_path / "sites.csv", "XX-One,ENF,50.3,8.1,77", "XX-Two,ENF,-0.2,179.9,")
    lat, lon = np.arange(-89.75, 90.0, 0.5), np.arange(-179.75, 180.0, 0.5)
    heights = np.add.outer(1000.0 * np.arange(len(lat)), np.arange(len(lon)))[None]
    grid = tmp_path / "grid.nc"
    xr.Dataset(
        {"height": (("time", "latitude", "longitude"), heights)},
        {"latitude": lat, "longitude": lon},
    ).to_netcdf(grid)
    places = with_heights(read_places(path, TABLE), grid, "height")
    assert places["elevation_m"].tolist() == [77.0, 179 * 1000.0 + 719.0]


def test_land_says_what_is_around_a_tower(tmp_path):
    borders = read_borders(write_borders(tmp_path / "borders.gpkg"))
    path = table(tmp_path / "sites.csv", "XX-One,ENF,50.3,8.1,77", "XX-Two,WSA,-0.2,-160,0")
    land = towers_land(read_places(path, TABLE), borders, 500.0)
    np.testing.assert_allclose(land["cell_area"], np.pi * 500.0**2, rtol=1e-3)
    assert land["country"].to_numpy().tolist() == ["Germany", "none"]
    assert land["igbp"].to_numpy().tolist() == ["ENF", "WSA"]
    without = table(tmp_path / "sites.csv", "XX-One,ENF,50.3,8.1,")
    with pytest.raises(InputError, match="height of XX-One: found none; expected one in the table"):
        towers_land(read_places(without, TABLE), borders, 500.0)


@pytest.fixture
def cubes(tmp_path):
    """Files of a network of which one tower has no file that can be read, one implausible NEE."""
    towers = {f"XX-T{k:02d}.cbf": make_tower(k) for k in range(14)}
    towers["XX-T01.cbf"].observations["NBE"][:] = -0.95 * towers["XX-T01.cbf"].observations["GPP"]
    folder = write_towers(tmp_path / "towers", towers)
    (folder / "XX-T03.cbf").write_bytes(b"")
    record = {"members": dict.fromkeys(["sites.csv", *towers])}
    (folder / FILENAME).write_text(json.dumps(record))
    source = tmp_path / "own.yaml"
    source.write_text(yaml.safe_dump({"title": "Towers", "tables": TABLES}))
    kinds = {"drivers": "nc", "observations": "nc", "land": "nc"}
    names = NetworkFiles.__annotations__
    files = NetworkFiles(**{name: tmp_path / f"{name}.{kinds.get(name, 'csv')}" for name in names})
    borders = write_borders(tmp_path / "borders.gpkg")
    read_network(NETWORK, files, folder=folder, source=source, heights=[], borders=borders)
    return files


def test_cubes_fit_their_schemas_and_are_told_apart(cubes):
    drivers = read_cube(cubes.drivers, DRIVERS_OF_CELLS)
    observations = read_cube(cubes.observations, OBSERVATIONS_MONTHLY)
    land = read_cube(cubes.land, LAND_AREA)
    assert land["igbp"].to_numpy().tolist() == ["ENF"] * 14
    assert not np.isfinite(drivers["tas"][3]).any()
    faults, doubts = pd.read_csv(cubes.faults), pd.read_csv(cubes.plausibility)
    assert faults["site"].tolist() == ["XX-T03"]
    assert set(doubts["site"]) == {"XX-T01"}
    assert set(doubts["stream"]) == {"nee"}
    flags = observations[flag_of("nee")].to_numpy()
    assert flags.tolist() == [0, 3, *[0] * 12]
    assert (observations[flag_of("gpp")] == 0).all()


def test_assimilation_reads_them_and_sets_aside_what_it_is_told_to(cubes):
    config = load_yaml(ROOT / "config/runs/fluxval.yaml")
    files = [ROOT / file for file in model_files({**config, "sites": {"network": NETWORK}})]
    paths = {name: getattr(cubes, name) for name in ("drivers", "observations", "land")}
    cells = open_cells(files, paths, NETWORK)
    assert [cells.driven(k) for k in range(14)] == [k != 3 for k in range(14)]
    assert [cells.observed(k) for k in (0, 1, 3)] == [STREAMS, STREAMS, []]
    for severity, expected in (("impossible", STREAMS[1:]), ("unlikely", STREAMS)):
        cells = open_cells(files, paths, NETWORK | {"set_aside": [severity]})
        assert cells.observed(1) == expected
        assert cells.observed(0) == STREAMS
    assert [stream.name for stream in cells.location(0).streams] == STREAMS
