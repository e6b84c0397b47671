"""Daily cubes of a made-up file of grid cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from concerto.config import ROOT
from concerto.cubes import DRIVERS_DAILY, OBSERVATIONS_DAILY, read_cube
from concerto.errors import InputError
from concerto.prepare.transect import cell_name, daily_cells
from prepare_transect import prepare_transect
from synthetic_records import QUALITY
from synthetic_transect import DAYS, DESERT, SEA, SPEC, make_transect, write_transect

CELLS = ["10.25S 24.25E", "0.25N 24.25E", "15.75N 24.25E", "60.75N 24.25E"]


@pytest.fixture(scope="module")
def made():
    return make_transect()


@pytest.fixture(scope="module")
def cubes(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transect")
    write_transect(made, folder)
    files = {name: folder / f"{name}.nc" for name in ("drivers", "observations")}
    prepare_transect(
        folder, ROOT / "config/sources/transect_2000.yaml", quality=QUALITY, **files,
        masking=folder / "masking.csv",
    )  # fmt: skip
    return (
        read_cube(files["drivers"], DRIVERS_DAILY),
        read_cube(files["observations"], OBSERVATIONS_DAILY),
        pd.read_csv(folder / "masking.csv"),
    )


def test_locations_are_the_cells_with_weather(cubes):
    for cube in cubes[:2]:
        assert cube["location"].to_numpy().tolist() == CELLS
        assert cube["lat"].to_numpy().tolist() == [-10.25, 0.25, 15.75, 60.75]
        assert set(cube["lon"].to_numpy()) == {24.25}
        assert cube.sizes["time"] == DAYS
        assert cube.attrs["utc_offset_hours"] == 0.0


def test_drivers_are_of_the_hours_of_the_day(cubes, made):
    hours = made.isel(lon=0).drop_isel(lat=SEA)
    by_day = {
        name: hours[name].transpose("lat", "time").to_numpy().reshape(len(CELLS), DAYS, 24)
        for name in ("temp", "ppfd", "vpd", "co2")
    }
    for name, expected in (
        ("tas", by_day["temp"].mean(axis=2)),
        ("tasmin", by_day["temp"].min(axis=2)),
        ("tasmax", by_day["temp"].max(axis=2)),
        ("rsds", by_day["ppfd"].mean(axis=2) / 2.04),
        ("vpd", by_day["vpd"].mean(axis=2) / 100.0),
        ("co2", by_day["co2"].mean(axis=2)),
        ("burned_area_fraction", np.zeros((len(CELLS), DAYS))),
        ("harvested_area_fraction", np.zeros((len(CELLS), DAYS))),
    ):
        np.testing.assert_allclose(cubes[0][name], expected, rtol=1e-6, atol=1e-6)
    assert np.isnan(cubes[0]["pr"]).all()


def test_one_value_of_fapar_in_eight_days_is_an_observation(cubes, made):
    fapar = cubes[1]["fapar"].to_numpy()
    kept = np.arange(DAYS) % 8 == 0
    assert np.isnan(fapar[:, ~kept]).all()
    assert np.isnan(fapar[DESERT]).all()
    expected = made["fapar"].isel(lon=0).drop_isel(lat=SEA).to_numpy()[::24].T[:, kept]
    for k in (0, 1, 3):
        np.testing.assert_allclose(fapar[k, kept], expected[k], rtol=1e-6)
    error = np.where(np.isfinite(fapar), np.maximum(0.05, 0.1 * fapar), np.nan)
    np.testing.assert_allclose(cubes[1]["fapar_random"], error, rtol=1e-5)
    np.testing.assert_allclose(cubes[1]["fapar_uncertainty"], error, rtol=1e-5)


def test_masking_is_of_all_cells_together(cubes):
    table = cubes[2].set_index(["variable", "reason"])
    assert not table.index.has_duplicates
    assert table.masked["pr", "not in the records"] == len(CELLS) * DAYS
    # the desert, and a day in the north
    assert table.masked["fapar", "a step of the day is missing"] == DAYS + 1
    assert (table.total[table.level == "daily"] == len(CELLS) * DAYS).all()


def test_rain_that_is_absent_is_told_once(made, tmp_path, caplog):
    daily_cells(write_transect(made, tmp_path), SPEC, QUALITY)
    assert caplog.text.count("no record has pr") == 1


def test_another_clock_is_noticed(tmp_path):
    path = write_transect(make_transect(hours_late=2.0), tmp_path)
    with pytest.raises(InputError, match=r"radiation \+2\.\d h off the sun"):
        daily_cells(path, SPEC, QUALITY)


def test_names_of_cells():
    assert cell_name(-34.25, 24.25) == "34.25S 24.25E"
    assert cell_name(0.25, -5.5) == "0.25N 5.5W"
