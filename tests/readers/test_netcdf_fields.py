"""NetCDF and HDF5 files like those of archives, written and read back; and broken ones."""

from __future__ import annotations

import tracemalloc

import h5py
import netCDF4
import numpy as np
import pytest
from concerto.errors import InputError
from concerto.prepare.decode import Counts
from concerto.prepare.grids import MODIS_SINUSOIDAL
from concerto.readers.netcdf import read

FORMATS = ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA", "NETCDF4"]
ASSET = {"start": "2003-01-01", "end": "2003-02-01", "bands": []}
GRID = {"crs": "EPSG:4326", "resolution": "0.5 degrees", "step": "P1M"}


def source_of(grid=None, request="year", **variables):
    variables = variables or {"tas": {"band": "t2m", "units": "K"}}
    return {"request": request, "grid": {**GRID, **(grid or {})}, "variables": variables}


def slabs_of(path, source=None, asset=None, tally=None, **options):
    tally = {} if tally is None else tally
    assets = {path.name: {**ASSET, **(asset or {})}}
    return list(read(path, source or source_of(), assets, tally, **options))


def add(file, name, dims, values, dtype="f8", fill=None, **attributes):
    for dim, size in zip(dims, np.shape(values), strict=True):
        if dim not in file.dimensions:
            file.createDimension(dim, None if dim == "time" else size)
    variable = file.createVariable(name, dtype, dims, fill_value=fill)
    variable.set_auto_maskandscale(False)
    variable.setncatts(attributes)
    variable[...] = np.asarray(values)
    return variable


LAT, LON = [51.0, 50.5, 50.0], [5.0, 5.5]
NORTH = {"units": "degrees_north", "standard_name": "latitude"}
EAST = {"units": "degrees_east", "standard_name": "longitude"}


def write(
    path,
    raw=None,
    lat=LAT,
    lon=LON,
    times=(0,),
    since="days since 2003-01-01",
    calendar="standard",
    format="NETCDF4",
    dims=("time", "lat", "lon"),
    dtype="i2",
    change=None,
    **said,
):
    """Write a file like those of ERA5, a band of which is ``raw``, (time, latitude, longitude)."""
    shape = (len(times), len(lat), len(lon))
    raw = np.arange(np.prod(shape)).reshape(shape) if raw is None else np.asarray(raw)
    with netCDF4.Dataset(path, "w", format=format) as file:
        add(file, "lat", ["lat"], lat, **NORTH)
        add(file, "lon", ["lon"], lon, **EAST)
        if "time" in dims:
            add(file, "time", ["time"], times, units=since, calendar=calendar)
        order = [("time", "lat", "lon").index(dim) for dim in dims if dim in ("time", "lat", "lon")]
        values = (
            raw.transpose(order)
            if len(order) == 3
            else raw[0].transpose(np.argsort(np.argsort(order)))
        )
        add(file, "t2m", dims, values, dtype, **said)
        if change:
            change(file)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.nc"


PACKED = {"scale_factor": 0.01, "add_offset": 250.0, "fill": -32767, "units": "K"}


@pytest.mark.parametrize("format", FORMATS)
def test_packed_temperature_of_two_months(path, format):
    raw = np.arange(12).reshape(2, 3, 2)
    raw[0, 1, 1] = -32767
    write(path, raw, times=[0, 31], format=format, **PACKED)
    tally = {}
    first, second = slabs_of(path, tally=tally)
    expected = np.where(raw == -32767, np.nan, raw * 0.01 + 250.0 - 273.15)
    np.testing.assert_allclose(first.values["tas"], expected[0])
    np.testing.assert_allclose(second.values["tas"], expected[1])
    assert [str(s.start) for s in (first, second)] == ["2003-01-01T00:00:00", "2003-02-01T00:00:00"]
    assert [str(s.end) for s in (first, second)] == ["2003-02-01T00:00:00", "2003-03-01T00:00:00"]
    assert first.grid.crs == "EPSG:4326"
    np.testing.assert_allclose(first.grid.y, [51.25, 50.75, 50.25, 49.75])
    np.testing.assert_allclose(first.grid.x, [4.75, 5.25, 5.75])
    assert tally == {"tas": Counts(12, 11, {"fill": 1})}


@pytest.mark.parametrize(
    "dims",
    [
        ("lat", "lon", "time"),
        ("lon", "lat", "time"),
        ("lon", "time", "lat"),
        ("time", "lon", "lat"),
    ],
)
def test_axes_may_be_in_any_order(path, dims):
    straight = slabs_of(write(path, times=[0, 31], **PACKED))
    turned = slabs_of(write(path, times=[0, 31], dims=dims, **PACKED))
    for one, other in zip(straight, turned, strict=True):
        np.testing.assert_array_equal(one.values["tas"], other.values["tas"])


@pytest.mark.parametrize("limit", [1, 24 * 2 * 2, 24 * 6, 24 * 6 * 2, 10**6])
def test_blocks_join_to_the_whole_in_order_of_time(path, limit):
    raw = np.arange(5 * 3 * 2).reshape(5, 3, 2)
    times = [0, 31, 59, 90, 120]
    tally = {}
    parts = slabs_of(write(path, raw, times=times, **PACKED), limit=limit, tally=tally)
    starts = np.unique([part.start for part in parts])
    assert [part.start for part in parts] == sorted(part.start for part in parts)
    for start, layer in zip(starts, raw, strict=True):
        found = [part for part in parts if part.start == start]
        joined = np.concatenate([part.values["tas"] for part in found])
        np.testing.assert_allclose(joined, layer * 0.01 + 250 - 273.15)
        rows = np.concatenate([part.grid.y[:-1] for part in found])
        np.testing.assert_allclose(rows, [51.25, 50.75, 50.25])
    assert max(part.values["tas"].size for part in parts) <= max(2, limit // 24)
    assert tally["tas"] == Counts(30, 30)


# HDF-EOS

UPPER_LEFT, LOWER_RIGHT = (1111950.519667, 5559752.598333), (2223901.039333, 4447802.078667)


def metadata(size=(4, 3), projection="HE5_GCTP_SNSOID", name="VNP_Grid_VNP15A2H", origin="UL"):
    """Return the text of a tile's grid, as files of VNP15A2H have it: of h19v04, but coarser."""
    return f"""GROUP=SwathStructure
END_GROUP=SwathStructure
GROUP=GridStructure
\tGROUP=GRID_1
\t\tGridName="{name}"
\t\tXDim={size[0]}
\t\tYDim={size[1]}
\t\tUpperLeftPointMtrs=({UPPER_LEFT[0]:.6f},{UPPER_LEFT[1]:.6f})
\t\tLowerRightMtrs=({LOWER_RIGHT[0]:.6f},{LOWER_RIGHT[1]:.6f})
\t\tProjection={projection}
\t\tProjParams=(6371007.181000,0,0,0,0,0,0,0,0,0,0,0,0)
\t\tSphereCode=-1
\t\tGridOrigin=HE5_HDFE_GD_{origin}
\tEND_GROUP=GRID_1
END_GROUP=GridStructure
END
"""


VIIRS = {
    "lai": {
        "band": "Lai",
        "units": "1",
        "scale": 0.1,
        "valid": [0, 100],
        "quality": [{"band": "FparLai_QC", "bits": [0, 2], "keep": [0, 1], "meaning": "main"}],
        "uncertainty": {"band": "LaiStdDev", "scale": 0.1, "valid": [0, 100], "minimum": 0.3},
    }
}
TILE = np.array([[10, 20, 30, 255], [40, 50, 60, 254], [0, 100, 1, 249]], np.uint8)


def write_eos(path, text, name="VNP_Grid_VNP15A2H"):
    """Write a file like those of VNP15A2H: fields without coordinates, and the text on its own."""
    with h5py.File(path, "w") as file:
        group = file.create_group(f"HDFEOS/GRIDS/{name}/Data Fields")
        flags = np.zeros(TILE.shape, np.uint8)
        flags[0, 0], flags[0, 1] = 2, 1
        for field, values in (("Lai", TILE), ("FparLai_QC", flags), ("LaiStdDev", TILE * 0 + 5)):
            group[field] = values
        group["Lai"].attrs["_FillValue"] = np.array([255], np.uint8)
        group["Lai"].attrs["units"] = np.bytes_("m^2/m^2")
        information = file.create_group("HDFEOS INFORMATION")
        information["StructMetadata.0"] = np.bytes_(text.ljust(32000, "\0"))
    return path


def eos_source():
    return {"request": "year", "grid": {"crs": "MODIS sinusoidal", "step": "P8D"}} | {
        "variables": VIIRS
    }


@pytest.mark.parametrize("name", ["VNP_Grid_VNP15A2H", "VIIRS_Grid_LAIFPAR"])
def test_viirs_tile_is_where_its_metadata_say(path, name):
    write_eos(path, metadata(name=name), name)
    tally = {}
    bands = ["Lai", "FparLai_QC", "LaiStdDev"]
    (slab,) = slabs_of(path, eos_source(), {"bands": bands}, tally)
    nan = np.nan
    expected = [[nan, 2, 3, nan], [4, 5, 6, nan], [0, 10, 0.1, nan]]
    np.testing.assert_allclose(slab.values["lai"], expected)
    np.testing.assert_allclose(slab.uncertainty["lai"][1], [0.5, 0.5, 0.5, nan])
    assert slab.grid.crs == MODIS_SINUSOIDAL
    np.testing.assert_allclose(slab.grid.x[[0, -1]], [UPPER_LEFT[0], LOWER_RIGHT[0]])
    np.testing.assert_allclose(slab.grid.y[[0, -1]], [UPPER_LEFT[1], LOWER_RIGHT[1]])
    counts = {"fill": 1, "out of the valid range": 2, "main": 1}
    assert tally == {"lai": Counts(12, 8, counts)}
    parts = slabs_of(path, eos_source(), {"bands": bands}, limit=1)
    np.testing.assert_array_equal([part.grid.y[0] for part in parts], slab.grid.y[:-1])


def test_netcdf_that_opendap_makes_of_an_hdf4_tile(path):
    """Text of the grid is a global attribute there (test files of OPeNDAP's server)."""
    with netCDF4.Dataset(path, "w") as file:
        file.setncattr("StructMetadata_0", metadata(name="MCD12Q1", projection="GCTP_SNSOID"))
        group = file.createGroup("MCD12Q1").createGroup("Data_Fields")
        add(group, "LC_Type1", ["YDim_MCD12Q1", "XDim_MCD12Q1"], TILE, "u1", 255)
    source = eos_source()
    source["variables"] = {"land_cover": {"band": "LC_Type1", "classes": {"mixed": [20, 30]}}}
    (slab,) = slabs_of(path, source, {"bands": ["LC_Type1"]})
    np.testing.assert_array_equal(slab.values["land_cover"][0], [10, 20, 30, np.nan])
    np.testing.assert_allclose(slab.grid.x[[0, -1]], [UPPER_LEFT[0], LOWER_RIGHT[0]])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"projection": "HE5_GCTP_UTM"}, "StructMetadata: found projection HE5_GCTP_UTM"),
        ({"size": (5, 3)}, r"Lai: found shape \(3, 4\); expected rows and columns last, 3 x 5"),
        ({"origin": "LL"}, "found GridOrigin HE5_HDFE_GD_LL; expected HDFE_GD_UL"),
        ({"size": ("four", 3)}, "StructMetadata: found not understood"),
    ],
)
def test_metadata_that_do_not_fit_are_named(path, said, message):
    write_eos(path, metadata(**said))
    with pytest.raises(InputError, match=message):
        slabs_of(path, eos_source(), {"bands": ["Lai", "FparLai_QC", "LaiStdDev"]})


def test_band_of_two_groups_needs_its_group(path):
    write_eos(path, metadata())
    with h5py.File(path, "a") as file:
        file["other/Lai"] = TILE
    source = eos_source()
    source["variables"] = {"lai": {"band": "Lai", "units": "1", "scale": 0.1, "valid": [0, 100]}}
    with pytest.raises(InputError, match="Lai: found 2 of this name; expected one of HDFEOS/GRIDS"):
        slabs_of(path, source, {"bands": ["Lai"]})
    band = "HDFEOS/GRIDS/VNP_Grid_VNP15A2H/Data Fields/Lai"
    source["variables"]["lai"]["band"] = band
    assert len(slabs_of(path, source, {"bands": [band]})) == 1


# Amounts of whole cells


def test_grams_of_whole_cells_become_grams_of_a_square_metre(path):
    """As files of GFED5.1 have them; the areas of all cells of the globe are those of the Earth."""
    lat, lon = np.arange(-87.5, 90, 5.0), np.arange(-177.5, 180, 5.0)
    raw = np.full((2, lat.size, lon.size), 7.0)
    raw[1, 0, 0] = np.nan
    write(path, raw, lat, lon, [0, 31], dtype="f8", units="g C per month")
    fire = {
        "band": "t2m", "units": "g m-2", "per_cell": True, "accumulated": {"reset": "step"},
        "uncertainty": {"relative": 0.5, "minimum": 1e-12},
    }  # fmt: skip
    first, second = slabs_of(path, source_of(fire_emission=fire))
    inverse = 1.0 / first.values["fire_emission"]
    assert 7.0 * inverse.sum() == pytest.approx(510.0656e12, rel=1e-6)  # m2, of the ellipsoid
    np.testing.assert_array_equal(
        first.uncertainty["fire_emission"], 0.5 * first.values["fire_emission"]
    )
    assert np.isnan(second.values["fire_emission"]).sum() == 1


def test_amounts_of_cells_need_degrees(path):
    write_eos(path, metadata())
    source = eos_source()
    source["variables"] = {"lai": {"band": "Lai", "units": "1", "scale": 0.1, "per_cell": True}}
    with pytest.raises(InputError, match="per_cell: found amounts of whole cells in"):
        slabs_of(path, source, {"bands": ["Lai"]})


def test_memory_is_bounded_by_the_limit(path):
    lat, lon, limit = np.linspace(0, 20, 200), np.linspace(0, 20, 200), 2**20
    times = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])
    raw = np.zeros((12, 200, 200), np.int16)
    write(path, raw, lat, lon, times, **PACKED)
    tracemalloc.start()
    count = sum(1 for _ in read(path, source_of(), {path.name: ASSET}, {}, limit))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 12
    assert peak < 3 * limit < 8 * raw.size


def test_unsigned_numbers_of_a_classic_file(path):
    said = {"_Unsigned": "true", "_FillValue": np.int8(-1), "valid_range": np.array([0, -56], "i1")}
    fill = said.pop("_FillValue")
    raw = np.array([[[0, 200], [-1, 201], [254, 100]]]).astype(np.uint8).astype(np.int8)
    raw[0, 1, 0] = -1
    tally = {}
    (slab,) = slabs_of(
        write(path, raw, format="NETCDF3_CLASSIC", dtype="i1", fill=fill, units="K", **said),
        tally=tally,
    )
    nan = np.nan
    np.testing.assert_allclose(slab.values["tas"] + 273.15, [[0, 200], [nan, nan], [nan, 100]])
    assert tally["tas"] == Counts(6, 3, {"fill": 1, "out of the valid range": 2})


def test_all_that_a_file_calls_missing_is_fill(path):
    raw = np.array([[[1.0, -1.0], [-2.0, np.nan], [9.969209968386869e36, 5.0]]])
    missing = np.array([-1.0, -2.0])
    tally = {}
    slabs_of(write(path, raw, dtype="f4", units="K", missing_value=missing), tally=tally)
    assert tally["tas"] == Counts(6, 3, {"fill": 3})
    write(path, raw, dtype="f4", units="K")
    slabs_of(path, tally=(tally := {}))
    assert tally["tas"] == Counts(6, 4, {"fill": 2})


def test_limits_that_are_real_numbers_are_of_unpacked_values(path):
    raw = np.array([[[0, 9000], [9001, 4500], [-1, 1]]])
    said = {"scale_factor": 1e-4, "valid_min": np.float32(0), "valid_max": np.float32(0.9)}
    tally = {}
    entry = {"band": "t2m", "units": "1"}
    slabs_of(write(path, raw, units="1", **said), source_of(lai=entry), tally=tally)
    assert tally["lai"] == Counts(6, 4, {"out of the valid range": 2})


def test_the_source_may_leave_out_what_the_file_says_but_not_contradict_it(path):
    write(path, **{**PACKED, "scale_factor": np.float32(0.01)})
    expected = np.arange(6).reshape(3, 2) * 0.01 + 250 - 273.15
    for entry in ({}, {"units": "K"}, {"units": "K", "scale": 0.01, "offset": 250.0}):
        (slab,) = slabs_of(path, source_of(tas={"band": "t2m", **entry}))
        np.testing.assert_allclose(slab.values["tas"], expected, rtol=1e-12)
    for entry, message in (
        ({"scale": 0.02}, r"a.nc: t2m: found scale 0.01 in the file; expected 0.02"),
        ({"offset": 0}, "found offset 250 in the file"),
        ({"units": "degC"}, "found units 'K'; expected 'degC'"),
    ):
        with pytest.raises(InputError, match=message):
            slabs_of(path, source_of(tas={"band": "t2m", **entry}))


def test_quality_and_uncertainty_of_other_bands(path):
    def others(file):
        dims = ("time", "lat", "lon")
        flags = np.array([[[0, 1], [0, 0], [0, 0]]])
        add(file, "flags", dims, flags, "u1", scale_factor="n/a", units="bits")
        add(file, "spread", dims, flags + 5, "i2", scale_factor=0.1, fill=5, units="K")

    entry = {
        "band": "t2m",
        "units": "K",
        "quality": [{"band": "flags", "bits": [0, 0], "keep": [0], "meaning": "clear"}],
        "uncertainty": {"band": "spread", "minimum": 0.2},
    }
    tally = {}
    slabs_of(write(path, change=others, units="K"), source_of(tas=entry), tally=tally)
    assert tally["tas"] == Counts(6, 0, {"clear": 1, "no uncertainty": 5})


# Coordinates


def test_bounds_go_before_middles(path):
    def bounds(file):
        add(file, "lat_bnds", ["lat", "nv"], [[51.3, 50.8], [50.8, 50.2], [50.2, 49.7]])
        file["lat"].bounds = "lat_bnds"

    (slab,) = slabs_of(write(path, change=bounds, **PACKED))
    np.testing.assert_allclose(slab.grid.y, [51.3, 50.8, 50.2, 49.7])


def test_bounds_that_were_left_behind_are_none(path):
    def name_bounds(file):
        file["lat"].bounds, file["time"].bounds = "lat_bnds", "time_bnds"

    (slab,) = slabs_of(write(path, change=name_bounds, **PACKED))
    np.testing.assert_allclose(slab.grid.y, [51.25, 50.75, 50.25, 49.75])
    assert str(slab.end) == "2003-02-01T00:00:00"


def test_a_gap_between_bounds_is_refused(path):
    def bounds(file):
        add(file, "lat_bnds", ["lat", "nv"], [[51.3, 50.8], [50.7, 50.2], [50.2, 49.7]])
        file["lat"].bounds = "lat_bnds"

    with pytest.raises(InputError, match=r"a.nc: lat: found bounds with gaps"):
        slabs_of(write(path, change=bounds, **PACKED))


def test_rounding_of_stored_coordinates_leaves_no_slivers(path):
    lon = np.round(170 + 0.05 * np.arange(200), 2).astype(np.float32)
    raw = np.zeros((1, 2, 200), int)
    (slab,) = slabs_of(write(path, raw, lat=[50.0, 50.05], lon=lon, **PACKED))
    np.testing.assert_allclose(slab.grid.x, 169.975 + 0.05 * np.arange(201), atol=2e-5)
    np.testing.assert_allclose(np.diff(slab.grid.x), 0.05, rtol=1e-5)


def test_uneven_rows_reach_to_the_middle_and_cells_end_at_the_poles(path):
    lat = [-90.0, -88.0, -85.0]
    (slab,) = slabs_of(write(path, lat=lat, **PACKED))
    np.testing.assert_allclose(slab.grid.y, [-90.0, -89.0, -86.5, -83.5])


def test_columns_go_on_across_the_antimeridian(path):
    raw = np.zeros((1, 3, 4), int)
    (slab,) = slabs_of(write(path, raw, lon=[179.0, 179.5, -180.0, -179.5], **PACKED))
    np.testing.assert_allclose(slab.grid.x, [178.75, 179.25, 179.75, 180.25, 180.75])


@pytest.mark.parametrize(
    ("resolution", "lat", "lon", "size"),
    [
        ("0.25 degrees", [50.0], [5.0], (0.25, 0.25)),
        ("1/112 degrees", [50.0], [5.0], (1 / 112, 1 / 112)),
        ("0.625 x 0.5 degrees", [50.0], [5.0], (0.625, 0.5)),
        ("0.625 x 0.5 degrees", [50.0, 50.5], [5.0], (0.625, 0.5)),
        ("0.5 degrees", [50.0, 50.4], [5.0], (0.4, 0.4)),
    ],
)
def test_a_single_cell_is_as_wide_as_the_source_says(path, resolution, lat, lon, size):
    raw = np.zeros((1, len(lat), len(lon)), int)
    write(path, raw, lat=lat, lon=lon, **PACKED)
    (slab,) = slabs_of(path, source_of({"resolution": resolution}))
    np.testing.assert_allclose(slab.grid.x, [5 - size[0] / 2, 5 + size[0] / 2])
    np.testing.assert_allclose(slab.grid.y[:2], [50 - size[1] / 2, 50 + size[1] / 2])


def test_a_single_cell_of_unknown_width_is_refused(path):
    write(path, lat=[50.0], lon=[5.0], raw=[[[1]]], **PACKED)
    with pytest.raises(InputError, match=r"a.nc: lon: found a single value; expected two at least"):
        slabs_of(path, source_of({"resolution": "9 km"}))


@pytest.mark.parametrize(
    ("lat", "message"),
    [
        ([50.0, 51.0, 50.5], r"a.nc: lat: found 50.5 after 51; expected values that rise or fall"),
        ([50.0, 50.0, 51.0], "found 50 after 50"),
        ([50.0, np.nan, 51.0], "lat: found 1 of no value"),
        ([89.0, 90.5, 92.0], "found 92; expected latitudes from -90 to 90"),
    ],
)
def test_coordinates_out_of_order_are_refused(path, lat, message):
    with pytest.raises(InputError, match=message):
        slabs_of(write(path, lat=lat, **PACKED))


def test_axes_without_attributes_need_the_source(path):
    def strip(file):
        for name in ("lat", "lon"):
            for key in ("units", "standard_name"):
                file[name].delncattr(key)

    write(path, change=strip, **PACKED)
    with pytest.raises(InputError, match="dimensions time 1, lat 3, lon 2; expected y by CF"):
        slabs_of(path)
    (slab,) = slabs_of(path, source_of({"dimensions": {"y": "lat", "x": "lon"}}))
    np.testing.assert_allclose(slab.grid.y, [51.25, 50.75, 50.25, 49.75])


def test_a_further_dimension_is_refused_unless_it_has_one_value(path):
    def deeper(levels):
        def change(file):
            dims = ("time", "level", "lat", "lon")
            add(file, "deep", dims, np.ones((1, levels, 3, 2)), units="K")

        return change

    source = source_of(tas={"band": "deep", "units": "K"})
    (slab,) = slabs_of(write(path, change=deeper(1), **PACKED), source)
    assert slab.values["tas"].shape == (3, 2)
    with pytest.raises(InputError, match=r"a.nc: deep: found 4 along level; expected only time"):
        slabs_of(write(path, change=deeper(4), **PACKED), source)


def test_bands_on_different_grids_are_refused(path):
    def other(file):
        add(file, "flags", ("time", "lat2", "lon"), np.zeros((1, 4, 2)), "u1")

    rule = {"band": "flags", "values": [0], "meaning": "clear"}
    source = source_of(tas={"band": "t2m", "units": "K", "quality": [rule]})
    with pytest.raises(
        InputError, match=r"flags: found dimensions time 1, lat2 4, lon 2; expected"
    ):
        slabs_of(write(path, change=other, **PACKED), source)


# Projections and groups: SMAP L4 as its product specification has it

EASE_CELL = (
    9008.055210146  # of the 9 km grid, m (Brodzik et al. 2012, ISPRS Int. J. Geo-Inf. 1, 32)
)
EASE_MAPPING = {
    "grid_mapping_name": "lambert_cylindrical_equal_area",
    "standard_parallel": 30.0,
    "false_easting": 0.0,
    "false_northing": 0.0,
    "longitude_of_central_meridian": 0.0,
}
SMAP = source_of(
    {"crs": "EPSG:6933", "resolution": "9 km", "step": "PT3H"},
    root_zone_soil_moisture={"band": "Geophysical_Data/sm_rootzone", "units": "m3 m-3"},
)
SMAP_ASSET = {
    "start": "2016-01-01T00:00:00Z",
    "end": "2016-01-01T03:00:00Z",
    "bands": ["Geophysical_Data/sm_rootzone"],
}


def write_smap(path, scales=True, mapping=EASE_MAPPING, shape=(3, 4)):
    x = -17367530.45 + EASE_CELL * (2000.5 + np.arange(shape[1]))
    y = 7314540.83 - EASE_CELL * (200.5 + np.arange(shape[0]))
    values = np.linspace(0.1, 0.4, shape[0] * shape[1], dtype="f4").reshape(shape)
    values[0, 0] = -9999.0
    with h5py.File(path, "w") as file:
        for name, numbers in (("x", x), ("y", y)):
            file[name] = numbers
            file[name].attrs["units"] = np.bytes_("m")
            file[name].attrs["axis"] = np.bytes_(name.upper())
        band = file.create_dataset("Geophysical_Data/sm_rootzone", data=values)
        band.attrs["_FillValue"] = np.float32(-9999)
        band.attrs["valid_min"] = np.float32(0)
        band.attrs["valid_max"] = np.float32(0.9)
        band.attrs["units"] = "m3 m-3"
        band.attrs["grid_mapping"] = "EASE2_global_projection"
        if mapping:
            described = file.create_dataset("EASE2_global_projection", data=np.array([b"1"]))
            described.attrs.update(mapping)
        if scales:
            for axis, name in enumerate("yx"):
                file[name].make_scale(name)
                band.dims[axis].attach_scale(file[name])
    return path, x, y, values


@pytest.mark.parametrize(("scales", "mapping"), [(True, EASE_MAPPING), (True, None), (False, None)])
def test_soil_moisture_on_the_equal_area_grid(path, scales, mapping):
    _, x, y, values = write_smap(path, scales, mapping)
    grid = {**SMAP["grid"], "dimensions": {"y": "y", "x": "x"}}
    tally = {}
    (slab,) = slabs_of(path, {**SMAP, "grid": grid}, SMAP_ASSET, tally)
    if scales:
        (found,) = slabs_of(path, SMAP, SMAP_ASSET)
        np.testing.assert_array_equal(found.grid.x, slab.grid.x)
    assert slab.grid.crs == "EPSG:6933"
    np.testing.assert_allclose((slab.grid.x[1:] + slab.grid.x[:-1]) / 2, x)
    np.testing.assert_allclose(slab.grid.y[:-1], y + EASE_CELL / 2)
    assert str(slab.end) == "2016-01-01T03:00:00"
    expected = np.where(values < 0, np.nan, values)
    np.testing.assert_allclose(slab.values["root_zone_soil_moisture"], expected)
    assert tally["root_zone_soil_moisture"] == Counts(12, 11, {"fill": 1})


def test_a_projection_without_the_earths_figure_needs_the_source(path):
    write_smap(path)
    with pytest.raises(InputError, match="EASE2_global_projection: found no figure of the Earth"):
        slabs_of(path, {**SMAP, "grid": {**SMAP["grid"], "crs": None}}, SMAP_ASSET)
    whole = {**EASE_MAPPING, "semi_major_axis": 6378137.0, "inverse_flattening": 298.257223563}
    write_smap(path, mapping=whole)
    (slab,) = slabs_of(path, {**SMAP, "grid": {**SMAP["grid"], "crs": None}}, SMAP_ASSET)
    assert "Lambert Cylindrical Equal Area" in slab.grid.crs


@pytest.mark.parametrize(
    ("mapping", "crs", "message"),
    [
        (
            {**EASE_MAPPING, "standard_parallel": 0.0},
            "EPSG:6933",
            "crs: found .*; expected EPSG:6933",
        ),
        ({**EASE_MAPPING, "earth_radius": 6371228.0}, "EPSG:6933", "expected EPSG:6933"),
        ({"grid_mapping_name": "flat"}, "EPSG:6933", "EASE2_global_projection: found .*flat"),
        (None, None, "sm_rootzone: found no projection; expected a grid mapping in the file or"),
    ],
)
def test_another_or_no_projection_is_refused(path, mapping, crs, message):
    write_smap(path, mapping=mapping)
    with pytest.raises(InputError, match=message):
        slabs_of(path, {**SMAP, "grid": {**SMAP["grid"], "crs": crs}}, SMAP_ASSET)


def test_coordinates_in_kilometres_are_metres(path):
    def kilometres(file):
        file["lat"].setncatts({"units": "km", "standard_name": "projection_y_coordinate"})
        file["lon"].setncatts({"units": "km", "standard_name": "projection_x_coordinate"})

    write(path, lat=[5300, 5290, 5280], lon=[4000, 4010], change=kilometres, **PACKED)
    (slab,) = slabs_of(path, source_of({"crs": "EPSG:3035"}))
    np.testing.assert_allclose(slab.grid.x, [3995e3, 4005e3, 4015e3])


def test_degrees_on_a_projected_source_are_refused(path):
    with pytest.raises(InputError, match="lon: found degrees east; expected coordinates in EPSG"):
        slabs_of(write(path, **PACKED), source_of({"crs": "EPSG:3035"}))


def test_axes_of_equal_length_are_in_the_order_that_the_source_states(path):
    _, _, _, values = write_smap(path, scales=False, mapping=None, shape=(4, 4))
    found = {}
    for order in ("yx", "xy"):
        grid = {**SMAP["grid"], "dimensions": {role: role for role in order}}
        (slab,) = slabs_of(path, {**SMAP, "grid": grid}, SMAP_ASSET)
        found[order] = slab.values["root_zone_soil_moisture"]
    np.testing.assert_allclose(found["yx"][1:], values[1:])
    np.testing.assert_array_equal(found["xy"], found["yx"].T)


def test_groups_with_blanks_as_of_hdf_eos(path):
    name = "HDFEOS/GRIDS/SIF_Daily/Data Fields/sif"
    with h5py.File(path, "w") as file:
        file[name] = np.array([[1.0, 2.0, -999.0]], dtype=">f8")
        file[name].attrs["missing_value"] = -999.0
        file["lat"], file["lon"] = [50.0], [5.0, 5.5, 6.0]
    grid = {"dimensions": {"y": "lat", "x": "lon"}, "step": "P1D"}
    unit = "mW m-2 nm-1 sr-1"
    (slab,) = slabs_of(path, source_of(grid, sif={"band": name, "units": unit}))
    np.testing.assert_array_equal(slab.values["sif"], [[1.0, 2.0, np.nan]])


# Times


def intervals_of(
    path, times, units="days since 2003-01-01", calendar="standard", change=None, **grid
):
    raw = np.zeros((len(times), 3, 2), int)
    write(path, raw, times=times, since=units, calendar=calendar, change=change, **PACKED)
    slabs = slabs_of(path, source_of(grid))
    return [(str(s.start)[:16], str(s.end)[:16]) for s in slabs]


def days(*dates):
    return [(f"{a}T00:00", f"{b}T00:00") for a, b in dates]


@pytest.mark.parametrize(
    ("stamp", "times"), [("start", [0, 1]), ("middle", [0.5, 1.5]), ("end", [1, 2])]
)
def test_stamps_of_days(path, stamp, times):
    expected = days(("2003-01-01", "2003-01-02"), ("2003-01-02", "2003-01-03"))
    assert intervals_of(path, times, step="P1D", stamp=stamp) == expected


def test_stamps_of_hours_survive_the_rounding_of_days(path):
    times = np.arange(5) / 24.0
    found = intervals_of(path, times, step="PT1H")
    assert found[3] == ("2003-01-01T03:00", "2003-01-01T04:00")
    assert intervals_of(path, [6], "hours since 1999-12-31 18:00", step="PT3H", stamp="end") == [
        ("1999-12-31T21:00", "2000-01-01T00:00")
    ]


@pytest.mark.parametrize(
    ("stamp", "times"), [("start", [0, 31]), ("middle", [15.5, 45]), ("end", [31, 59])]
)
def test_stamps_of_months(path, stamp, times):
    expected = days(("2003-01-01", "2003-02-01"), ("2003-02-01", "2003-03-01"))
    assert intervals_of(path, times, step="P1M", stamp=stamp) == expected


def test_stamps_of_years(path):
    expected = days(("2003-01-01", "2004-01-01"))
    assert intervals_of(path, [0], step="P1Y") == expected
    assert intervals_of(path, [182.5], step="P1Y", stamp="middle") == expected


def test_a_month_that_does_not_start_with_its_stamp_is_refused(path):
    with pytest.raises(
        InputError, match=r"a.nc: time: found 2003-01-15 .* as the start of an inter"
    ):
        intervals_of(path, [14], step="P1M")


def test_composites_start_anew_with_the_year(path):
    found = intervals_of(path, [352, 360, 365, 373], step="P8D")
    assert found == days(
        ("2003-12-19", "2003-12-27"),
        ("2003-12-27", "2004-01-01"),
        ("2004-01-01", "2004-01-09"),
        ("2004-01-09", "2004-01-17"),
    )
    other = intervals_of(path, [361], step="P8D")
    assert other == days(("2003-12-28", "2004-01-05"))


THIRDS = days(
    ("2004-02-01", "2004-02-11"), ("2004-02-11", "2004-02-21"), ("2004-02-21", "2004-03-01")
)


@pytest.mark.parametrize(
    ("stamp", "times"),
    [
        ("start", [0, 10, 20]),
        ("middle", [5, 15, 24.5]),
        ("end", [9, 19, 28]),  # the last day of each
        ("end", [10, 20, 29]),  # the instant after each
    ],
)
def test_ten_days_are_thirds_of_months(path, stamp, times):
    assert intervals_of(path, times, "days since 2004-02-01", step="P10D", stamp=stamp) == THIRDS


def test_whole_months_and_years_since_a_date_are_those_of_the_calendar(path):
    assert intervals_of(path, [12, 13], "months since 2002-01-01", step="P1M") == days(
        ("2003-01-01", "2003-02-01"), ("2003-02-01", "2003-03-01")
    )
    found = intervals_of(path, [0, 1153], "years since 850-01-01 0:0:0", "noleap", step="P1Y")
    assert found == days(("0850-01-01", "0851-01-01"), ("2003-01-01", "2004-01-01"))


def test_bounds_of_times_go_before_the_step(path):
    def bounds(file):
        add(file, "time_bnds", ["time", "nv"], [[0, 10], [10, 31]])
        file["time"].bounds = "time_bnds"

    found = intervals_of(path, [5, 20], change=bounds, step="P1D")
    assert found == days(("2003-01-01", "2003-01-11"), ("2003-01-11", "2003-02-01"))


def test_a_file_without_times_takes_those_of_the_provenance(path):
    write(path, dims=("lat", "lon"), **PACKED)
    (slab,) = slabs_of(path)
    assert (str(slab.start), str(slab.end)) == ("2003-01-01T00:00:00", "2003-02-01T00:00:00")
    (slab,) = slabs_of(path, source_of(request="all"), {"start": None, "end": None})
    assert np.isnat(slab.start)


def test_without_29_february_the_28th_lasts_until_march(path):
    found = intervals_of(path, [57, 58, 59], "days since 2004-01-01", "noleap", step="P1D")
    assert found == days(
        ("2004-02-27", "2004-02-28"), ("2004-02-28", "2004-03-01"), ("2004-03-01", "2004-03-02")
    )


def test_months_of_30_days_are_months(path):
    found = intervals_of(path, [15, 45, 75], calendar="360_day", step="P1M", stamp="middle")
    assert found == days(
        ("2003-01-01", "2003-02-01"), ("2003-02-01", "2003-03-01"), ("2003-03-01", "2003-04-01")
    )
    assert intervals_of(path, [30], calendar="360_day", step="P1M") == days(
        ("2003-02-01", "2003-03-01")
    )


@pytest.mark.parametrize(
    ("calendar", "times", "units"),
    [
        ("360_day", [0, 1], "days since 2003-01-01"),
        ("all_leap", [58, 59], "days since 2003-01-01"),
        ("julian", [0], "days since 2003-01-01"),
        ("standard", [0], "days since 1500-01-01"),
    ],
)
def test_dates_that_would_be_guessed_are_refused(path, calendar, times, units):
    with pytest.raises(InputError, match=f"in the calendar '{calendar}'; expected a date that"):
        intervals_of(path, times, units, calendar, step="P1D")


def test_29_february_of_a_leap_year_is_one(path):
    found = intervals_of(path, [59], "days since 2004-01-01", "all_leap", step="P1D")
    assert found == days(("2004-02-29", "2004-03-01"))


@pytest.mark.parametrize(
    ("times", "units", "grid", "message"),
    [
        ([1, 0], None, {}, r"a.nc: time: found 2003-01-01T00:00:00 after 2003-01-02T00:00:00; exp"),
        ([0, 0], None, {}, "expected each time once"),
        ([0, 0.5], None, {}, "before the end 2003-01-02T00:00:00 of the interval before it"),
        ([0, np.nan], None, {}, "time: found 1 of no value"),
        ([0.5], "months since 2003-01-01", {}, "found units 'months since 2003-01-01'"),
        ([1], "months since 2003-01-31", {}, "found units 'months since 2003-01-31'"),
        ([0], "months since spring", {}, "found units 'months since spring'"),
        ([9], None, {"step": "P10D"}, "2003-01-10T00:00:00 as the start of an interval of ten"),
        ([11], None, {"step": "P10D", "stamp": "end"}, "2003-01-12T00:00:00 as the end of an"),
        ([0], "days", {"dimensions": {"time": "time"}}, "found units 'days'"),
        ([0], None, {"step": None}, "time: found no bounds; expected bounds, or `step`"),
        ([0], None, {"step": "8 days"}, "step: found 8 days; expected an ISO 8601 duration"),
        ([15], None, {"step": "P3M", "stamp": "middle"}, "expected steps of a month or a year"),
    ],
)
def test_faults_of_time_name_the_variable(path, times, units, grid, message):
    with pytest.raises(InputError, match=message):
        intervals_of(path, times, units or "days since 2003-01-01", **{"step": "P1D", **grid})


def test_a_climatology_is_refused(path):
    def climatology(file):
        add(file, "climatology_bounds", ["time", "nv"], [[0, 31]])
        file["time"].climatology = "climatology_bounds"

    with pytest.raises(InputError, match="time: found a climatology"):
        intervals_of(path, [15], change=climatology)


# Files


def test_variables_may_be_in_different_files(tmp_path):
    one, two = tmp_path / "a.nc", tmp_path / "b.nc"
    write(one, **PACKED)
    write(
        two, change=lambda file: file.renameVariable("t2m", "ssrd"), **{**PACKED, "units": "W m-2"}
    )
    variables = {"tas": {"band": "t2m"}, "rsds": {"band": "ssrd"}}
    assets = {"a.nc": {**ASSET, "bands": ["t2m"]}, "b.nc": ASSET}
    found = [s for path in (one, two) for s in read(path, source_of(**variables), assets, {})]
    assert [list(slab.values) for slab in found] == [["tas"], ["rsds"]]


def test_a_band_that_is_not_there_is_named(path):
    write(path, **PACKED)
    with pytest.raises(
        InputError, match=r"a.nc: bands: found lat, lon, time, t2m; expected one of x"
    ):
        slabs_of(path, source_of(tas={"band": "x"}))
    with pytest.raises(
        InputError, match=r"a.nc: x: found no such variable; expected one of lat, l"
    ):
        slabs_of(path, source_of(tas={"band": "x"}), {"bands": ["x"]})
    with pytest.raises(InputError, match=r"t2m:scale_factor: found 'n/a'; expected a number"):
        slabs_of(write(path, **{**PACKED, "scale_factor": "n/a"}))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.98])
@pytest.mark.parametrize("records", [True, False])
def test_a_truncated_file_is_refused(path, format, share, records):
    dims = ("time", "lat", "lon") if records else ("lat", "lon")
    rng = np.random.default_rng(0)
    raw = rng.integers(1, 100, (3, 40, 50))
    lat, lon, times = 50 + 0.5 * np.arange(40), 0.5 * np.arange(50), [0, 31, 59]
    write(path, raw, lat, lon, times, format=format, dims=dims, **PACKED)
    assert len(slabs_of(path)) == (3 if records else 1)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"a.nc: file: found .*(unreadable|bytes)"):
        slabs_of(path)


def test_what_is_no_netcdf_file_is_refused(path):
    path.write_text("<html>login</html>")
    with pytest.raises(InputError, match=r"a.nc: file: found unreadable"):
        slabs_of(path)
    path.unlink()
    with pytest.raises(InputError, match=r"a.nc: file: found nothing"):
        slabs_of(path)


def test_geopotential_with_the_time_of_its_analysis_is_a_height_without_one(path):
    """As ECMWF has the ground: packed, along a time of one value."""
    raw = np.full((1, 3, 2), 100)
    write(path, raw, scale_factor=9.80665, add_offset=980.665, units="m**2 s**-2")
    height = {"band": "t2m", "units": "m2 s-2 / standard_gravity"}
    static = source_of({"step": None}, request="all", elevation=height)
    (slab,) = slabs_of(path, static, {"start": None, "end": None})
    assert np.isnat(slab.start)
    np.testing.assert_allclose(slab.values["elevation"], 200.0)
