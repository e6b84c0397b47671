import numpy as np
import pytest
from concerto.errors import InputError
from concerto.units import (
    MOLAR_MASS_CARBON,
    SECONDS_PER_DAY,
    convert,
    evapotranspiration,
    latent_heat_of_vaporisation,
)
from hypothesis import given
from hypothesis import strategies as st

numbers = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (1.0, "W m-2", "MJ m-2 d-1", 0.0864),
        (11.574074074, "MJ m-2 d-1", "W m-2", 11.574074074 / 0.0864),
        (20.0, "degC", "K", 293.15),
        (273.15, "K", "degC", 0.0),
        (1.5, "kPa", "hPa", 15.0),
        (0.5, "mm/h", "mm d-1", 12.0),
        (400.0, "umol mol-1", "ppm", 400.0),
        (4e-4, "1", "ppm", 400.0),
        (50.0, "%", "1", 0.5),
        (1.0, "gC m-2 d-1", "g m-2 d-1", 1.0),
        (1.0, "kg m-2 s-1", "g m-2 d-1", 86400e3),
        (3.0, "m2 m-2", "1", 3.0),
        (2.0, "W/m^2", "W m-2", 2.0),
    ],
)
def test_conversion_by_hand(value, source, target, expected):
    assert convert(value, source, target, file="f", field="x") == pytest.approx(expected, abs=1e-9)


def test_moles_of_carbon_convert_to_mass_only_where_the_flux_is_of_carbon():
    source, target = "umol m-2 s-1", "g m-2 d-1"
    grams = convert([1.0], source, target, file="f", field="NEE", carbon=True)
    assert grams == pytest.approx(1e-6 * MOLAR_MASS_CARBON * SECONDS_PER_DAY)
    with pytest.raises(InputError, match="f: NEE: found unit 'umol m-2 s-1'"):
        convert([1.0], source, target, file="f", field="NEE")


@pytest.mark.parametrize(
    "unit", ["furlongs", "W m-2", "", "mm per", "(mm", "mm +", "3", "1e-6", "d", "mm d-1 d-1"]
)
def test_unit_that_does_not_convert_is_named(unit):
    with pytest.raises(InputError) as caught:
        convert([1.0], unit, "mm d-1", file="rain.csv", field="P")
    assert caught.value.file == "rain.csv"
    assert caught.value.field == "P"
    assert repr(unit) in caught.value.found
    assert "mm d-1" in caught.value.expected


@given(numbers)
def test_there_and_back(value):
    there = convert(value, "degC", "K", file="f", field="x")
    assert convert(there, "K", "degC", file="f", field="x") == pytest.approx(value, abs=1e-6)


def test_missing_stays_missing_and_shape_is_kept():
    out = convert(np.array([[1.0, np.nan]]), "kPa", "hPa", file="f", field="x")
    assert out.shape == (1, 2)
    assert np.isnan(out[0, 1])


def test_latent_heat_at_known_temperatures():
    # Tabulated 2.501 MJ kg-1 at 0 degC; 2.45 at 20 degC is the value that FAO 56 works with.
    assert latent_heat_of_vaporisation(0) == pytest.approx(2.501e6)
    assert latent_heat_of_vaporisation(20) == pytest.approx(2.45e6, rel=0.002)


def test_evapotranspiration_of_100_watts():
    assert evapotranspiration(100.0, 20.0) == pytest.approx(3.52, abs=0.01)
