"""Synthetic cells: what they look like, that they say so, and that a larger grid changes none."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.cubes import DRIVERS_MONTHLY, LAND_AREA, OBSERVATIONS_MONTHLY
from concerto.maps import MapGrid
from concerto.prepare.synthetic import synthetic_cells
from make_synthetic import SyntheticFiles, make_synthetic

MONTHS = pd.date_range("2001-01-01", periods=48, freq="MS")
GRID = MapGrid(9.0, 45.0, 10.0, 46.0, 0.25)


@pytest.fixture(scope="module")
def cells():
    return synthetic_cells(GRID, MONTHS, seed=3)


def test_summers_are_warm_bright_and_green_on_either_hemisphere(cells):
    south, *_ = synthetic_cells(MapGrid(9.0, -46.0, 10.0, -45.0, 0.25), MONTHS, seed=3)
    for drivers, summer, winter in ((cells[0], 7, 1), (south, 1, 7)):
        by_month = drivers[["tas", "rsds", "vpd"]].groupby("time.month").mean(...)
        for name in by_month:
            assert by_month[name].sel(month=summer) > 1.5 * by_month[name].sel(month=winter)
    lai = cells[1]["lai"].groupby("time.month").mean(...)
    assert lai.sel(month=7) > lai.sel(month=3)


def test_the_insolation_is_that_of_the_solstice():
    drivers, *_ = synthetic_cells(MapGrid(0.0, -0.5, 1.0, 0.5, 1.0), MONTHS, seed=3)
    # 52 % of about 420 W m-2 at the equator, 12 % noise
    assert 150.0 < float(drivers["rsds"].mean()) < 290.0


def test_what_is_observed_has_errors_and_gaps(cells):
    observations = cells[1]
    assert np.isfinite(observations["biomass"]).any("location").sum() == 4  # each June
    seen = np.isfinite(observations["lai"].to_numpy())
    assert 0.5 < seen.mean() <= 1.0
    np.testing.assert_array_equal(seen, np.isfinite(observations["lai_random"].to_numpy()))
    assert float(observations["lai_random"].min()) >= np.float32(0.1)


def test_neighbours_are_alike_and_months_are_not(cells):
    tas = cells[0]["tas"].to_numpy()
    anomaly = tas - tas.reshape(16, 4, 12).mean(axis=1)[:, np.tile(np.arange(12), 4)]
    assert np.corrcoef(anomaly[0], anomaly[1])[0, 1] > 0.98
    assert abs(np.corrcoef(anomaly[0, 3:], anomaly[0, :-3])[0, 1]) < 0.6


def test_a_larger_grid_changes_no_cell(cells):
    larger = synthetic_cells(MapGrid(8.0, 44.0, 11.0, 47.0, 0.25), MONTHS, seed=3)
    for one, other in zip(cells, larger, strict=True):
        shared = other.sel(location=one["location"])
        for name in one.data_vars:
            np.testing.assert_array_equal(one[name].to_numpy(), shared[name].to_numpy())


def test_the_files_fit_their_schemas_and_say_that_they_are_synthetic(tmp_path):
    files = SyntheticFiles(*(tmp_path / f"{what}.nc" for what in ("d", "o", "l")))
    make_synthetic(GRID, ["2001-01-01", "2001-12-31"], files, seed=3)
    schemas = DRIVERS_MONTHLY, OBSERVATIONS_MONTHLY, LAND_AREA
    for path, schema in zip((files.drivers, files.observations, files.land), schemas, strict=True):
        written = xr.load_dataset(path)
        assert written.data_vars.keys() <= {*schema.fields, "time_bnds"}
        assert "synthetic" in written.attrs["source"]
        assert "synthetic" in written.attrs["title"]
        assert all(str(name).startswith("synthetic ") for name in written["location"].to_numpy())
