"""Every stream in the daily cube: from a record, through its file, in the unit of its operator."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.assimilation.location import observed_streams
from concerto.cubes import DAY, OBSERVATIONS_DAILY, read_cube, with_bounds, write_cube
from concerto.domain import FLUX_STREAMS, STREAMS, Location, at_location
from concerto.evaluation.quantities import QUANTITIES, plain_unit
from concerto.prepare.daily import daily_observations
from concerto.prepare.streams import MaskCount

PLACE = Location("XX-Tow", 48.0, 8.0, 500.0, "MF", 1.0)
QUALITY = {
    "minimum_measured_fraction": 0.5,
    "minimum_good_fraction": 0.8,
    "gap_correlation_halfhours": 8,
}
N_DAYS = 4


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A cube with all streams, each value a tenth with an error of a hundredth."""
    times = pd.date_range("2014-06-01", periods=48 * N_DAYS, freq="30min")
    record = xr.Dataset(coords={"time": times}, attrs={"step_minutes": 30})
    flat = np.ones(len(times))
    for name in STREAMS:
        record[name] = ("time", 0.1 * flat, {"source": "made up: it", **STREAMS[name].attributes()})
        record[f"{name}_random"] = ("time", 0.01 * flat, {"source": "made up"})
        if name in FLUX_STREAMS:
            for part in ("measured", "good"):
                record[f"{name}_{part}"] = ("time", flat.astype(np.int8))
    record["tas"] = ("time", 10.0 * flat)
    daily = daily_observations(record, QUALITY, MaskCount())
    cube = at_location(with_bounds(daily, DAY, PLACE.utc_offset_hours), PLACE)
    file = tmp_path_factory.mktemp("cubes") / "observations.nc"
    texts = dict.fromkeys(("title", "source", "history", "comment", "institution"), "made up")
    write_cube(cube.assign_attrs(featureType="timeSeries"), file, OBSERVATIONS_DAILY, **texts)
    return file


def test_every_stream_reaches_the_assimilation(path):
    rule = {"blocks": {"length_days": 1, "train": 1, "of": 2}}
    streams = observed_streams(read_cube(path, OBSERVATIONS_DAILY), list(STREAMS), rule, "cube")
    for stream in streams:
        np.testing.assert_allclose(stream.values[::2], 0.1, rtol=1e-6, err_msg=stream.name)
        averaged = stream.name in FLUX_STREAMS  # the error of a state is one for the whole day
        assert (stream.random_sd < 0.009).all() == averaged, stream.name


def test_no_stream_is_required(path):
    every = read_cube(path, OBSERVATIONS_DAILY)
    few = every[[name for name in every if name.startswith("nee") or name == "time_bnds"]]
    texts = dict.fromkeys(("title", "source", "history"), "made up")
    write_cube(few, path.with_name("few.nc"), OBSERVATIONS_DAILY, **texts)
    assert "sif" not in read_cube(path.with_name("few.nc"), OBSERVATIONS_DAILY)


def test_names_and_units_are_those_of_cf(path):
    checker = os.path.join(os.path.dirname(sys.executable), "compliance-checker")
    done = subprocess.run(
        [checker, "--test=cf:1.11", "--criteria=strict", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "All tests passed!" in done.stdout, done.stdout


def test_every_stream_has_a_name_for_people():
    assert set(STREAMS) <= set(QUANTITIES)
    assert plain_unit(QUANTITIES["surface_soil_moisture"].unit) == "m³ m⁻³"
    assert plain_unit(QUANTITIES["sif"].unit) == "mW m⁻² nm⁻¹ sr⁻¹"
