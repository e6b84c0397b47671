"""Files laid out as archives describe theirs, read by the catalogue's own entries."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from concerto.config import bands_of, read_source
from concerto.prepare.decode import Counts
from concerto.readers.netcdf import read

LAT, LON = np.arange(-89.875, 90, 0.25), np.arange(-179.875, 180, 0.25)
ROW, COLUMN = 560, 744  # 50.125 N, 6.125 E


def write(
    path: Path,
    name: str,
    months: int,
    units: str,
    said: dict[str, object],
    kind: str = "f8",
    coordinates: tuple[dict[str, str], dict[str, str]] = ({}, {}),
) -> Path:
    """Write fields of a quarter of a degree that are 1 everywhere but for 3 at one place."""
    with netCDF4.Dataset(path, "w") as file:
        sizes = {"time": months, "lat": LAT.size, "lon": LON.size}
        for dimension, size in sizes.items():
            file.createDimension(dimension, size)
        for dimension, values, attributes in zip(
            ("lat", "lon"), (LAT, LON), coordinates, strict=True
        ):
            axis = file.createVariable(dimension, "f8", (dimension,), fill_value=np.nan)
            axis.setncatts(attributes)
            axis[:] = values
        time = file.createVariable("time", "i8", ("time",))
        time.setncatts({"units": units, "calendar": "proleptic_gregorian"})
        time[:] = np.array([0, 31, 59])[:months]
        field = file.createVariable(name, kind, tuple(sizes), fill_value=np.nan, zlib=True)
        field.setncatts(said)
        field[:] = 1.0
        field[:, ROW, COLUMN] = 3.0
        field[0, 0, 0] = np.nan
    return path


def slabs(name: str, path: Path, **asset: str) -> tuple[list, dict]:
    source, tally = read_source(name), {}
    (variable,) = source["variables"].values()
    assets = {path.name: asset | {"bands": list(bands_of(variable))}}
    return list(read(path, source, assets, tally)), tally


def area() -> float:
    """Return the area of the cell at the place by the sphere of the ellipsoid's area, m2."""
    edges = np.radians([LAT[ROW] - 0.125, LAT[ROW] + 0.125])
    return 6371007.181**2 * np.radians(0.25) * np.diff(np.sin(edges)).item()


def test_emissions_of_gfed(tmp_path):
    units = {"units": "g C per month"}
    path = write(tmp_path / "GFED5.1_monthly_2003.nc", "C", 3, "days since 2003-01-01", units)
    found, tally = slabs("gfed5_emissions", path)
    whole = [slab for slab in found if slab.grid.y.max() > 50.25 > slab.grid.y.min()]
    assert [str(slab.start)[:10] for slab in whole] == ["2003-01-01", "2003-02-01", "2003-03-01"]
    assert str(whole[-1].end)[:10] == "2003-04-01"
    assert whole[0].values["fire_emission"][ROW, COLUMN] == pytest.approx(3 / area(), rel=5e-3)
    assert tally["fire_emission"] == Counts(3 * 720 * 1440, 3 * 720 * 1440 - 1, {"fill": 1})


def test_burned_area_of_gfed(tmp_path):
    """The record's own listing of a file: coordinates without units, values without any either."""
    path = write(tmp_path / "BA201005.nc", "Total", 1, "days since 2010-05-01", {})
    (slab,), _ = slabs("gfed5_burned_area", path)
    assert (str(slab.start)[:10], str(slab.end)[:10]) == ("2010-05-01", "2010-06-01")
    share = slab.values["burned_area_fraction"][ROW, COLUMN]
    assert share == pytest.approx(3e6 / area(), rel=5e-3)


def test_optical_depth_of_vodca(tmp_path):
    said = {"valid_range": np.array([0.0, 4.0])}
    places = ({"units": "degrees_north"}, {"units": "degrees_east"})
    since = "days since 2003-01-01"
    path = write(tmp_path / "a_2003-01-01.nc", "VODCA_CXKu", 1, since, said, "f4", places)
    (slab,), tally = slabs("vodca_cxku", path)
    assert (str(slab.start)[:10], str(slab.end)[:10]) == ("2003-01-01", "2003-01-02")
    assert slab.values["vod"][ROW, COLUMN] == 3.0
    assert slab.uncertainty["vod"][ROW, COLUMN] == pytest.approx(0.3)
    assert tally["vod"].masked == {"fill": 1}
