import numpy as np
import pytest
import xarray as xr
from concerto.errors import ConcertoError, InputError
from concerto.evaluation.predictive import (
    one_location,
    read_stream,
    training_days,
)


@pytest.fixture
def cube(run):
    return xr.load_dataset(run / "cubes" / "CH-Dav" / "observations.nc")


@pytest.fixture
def flags(run):
    return xr.load_dataset(run / "projection" / "CH-Dav" / "demcz.nc")


def test_training_and_withheld_days_share_out_the_observations(cube, flags):
    stream = read_stream(cube, flags, "nee")
    assert not (stream.assimilated & stream.withheld).any()
    assert ((stream.assimilated | stream.withheld) == np.isfinite(stream.value)).all()
    assert stream.times[stream.assimilated].year.max() == 2014
    assert stream.times[stream.withheld].year.min() == 2015


def test_the_days_of_a_variable_never_assimilated_are_training_where_anything_was(cube, flags):
    days = training_days(flags, "reco")
    either = (flags["nee_training"] == 1) | (flags["gpp_training"] == 1)
    assert (days == either.to_numpy()[0]).all()


def test_a_file_without_flags_is_refused(flags):
    with pytest.raises(ConcertoError, match="no training flags"):
        training_days(flags.drop_vars(["nee_training", "gpp_training"]), "nee")


def test_other_days_than_the_observations_are_refused(cube, flags):
    with pytest.raises(InputError, match="time: found 1460 times"):
        read_stream(cube, flags.isel(time=slice(1, None)), "nee")


@pytest.mark.parametrize("bad", [0.0, -9999.0, np.nan])
def test_a_value_without_a_positive_uncertainty_is_refused(cube, flags, bad):
    day = int(np.flatnonzero(np.isfinite(cube["nee"][0]))[0])
    cube["nee_uncertainty"][0, day] = bad
    with pytest.raises(InputError, match=r"nee_uncertainty.*\(1 days\).*positive"):
        read_stream(cube, flags, "nee")


def test_two_locations_are_refused(cube):
    with pytest.raises(ConcertoError, match="found 2"):
        one_location(cube.isel(location=[0, 0]))
