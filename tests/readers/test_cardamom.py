"""CARDAMOM's files: what is written is read back, bit by bit; what cannot be is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
from concerto.config import ROOT
from concerto.errors import InputError
from concerto.readers._cardamom import (
    BEFORE_STEPS,
    DRIVERS,
    FACTOR,
    PRIORS,
    STREAMS,
    Cbf,
    read_cbf,
    read_cbf_nc,
    write_cbf,
    write_cbf_nc,
)
from hypothesis import given, settings
from hypothesis import strategies as st

FLUXVAL = ROOT.parent / "shared/data/fluxval"
MONTH = 365.25 / 12.0


def make(steps: int = 24, streams: int = 11, seed: int = 1, means: bool = False) -> Cbf:
    """Return a file's content, a third of it missing where anything may be."""
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> np.ndarray:
        values = rng.normal(0.0, 100.0, shape)
        return np.where(rng.random(shape) < 1 / 3, np.nan, values)

    header = some(100)
    header[:6] = 1005, rng.uniform(-90, 90), steps, len(DRIVERS), streams, rng.integers(0, 2)
    drivers = dict(zip(DRIVERS, some(len(DRIVERS), steps), strict=True))
    drivers["time"] = MONTH * (np.arange(steps) + 0.5)
    for values in drivers.values():
        values[0] = 1.0
    return Cbf(
        header=header,
        **{name: some(50) for name in PRIORS},
        drivers=drivers,
        observations=dict(zip(STREAMS, some(streams, steps), strict=False)),
        reference_means=dict(zip(DRIVERS, some(9), strict=True)) if means else {},
    )


def same(one: Cbf, other: Cbf) -> None:
    """Check that all of two files' contents is the same."""
    for field in fields(Cbf):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, dict):
            assert list(a) == list(b), field.name
            for name, part in a.items():
                np.testing.assert_equal(part, b[name], err_msg=f"{field.name}, {name}")
        else:
            np.testing.assert_equal(a, b, err_msg=field.name)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(3, len(STREAMS)), st.integers(0, 2**32 - 1), st.booleans())
def test_binary_is_read_back(tmp_path_factory, steps, streams, seed, means):
    folder, cbf = tmp_path_factory.mktemp("cbf"), make(steps, streams, seed, means)
    write_cbf(cbf, folder / "a.cbf")
    found = read_cbf(folder / "a.cbf")
    same(cbf, found)
    write_cbf(found, folder / "b.cbf")
    assert (folder / "a.cbf").read_bytes() == (folder / "b.cbf").read_bytes()


@settings(deadline=None, max_examples=20)
@given(
    st.integers(1, 60), st.integers(3, len(STREAMS)), st.integers(0, 2**32 - 1), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_netcdf_is_read_back(tmp_path_factory, steps, streams, seed, means, more):
    folder, cbf = tmp_path_factory.mktemp("cbf"), make(steps, streams, seed, means)
    if more:
        cbf = replace(
            cbf,
            errors={"GPP": np.linspace(0.1, 2.0, steps)},
            attributes={"LAI": {"single_unc": 0.3, "opt_unc_type": 2.0}},
            constraints={"PEQ_CUE": {"value": 0.5, "unc": 0.2, "opt_unc_type": 0.0}},
            epoch=pd.Timestamp("2001-01-01"),
        )
    write_cbf_nc(cbf, folder / "a.cbf.nc")
    same(cbf, read_cbf_nc(folder / "a.cbf.nc"))


@pytest.mark.skipif(not FLUXVAL.exists(), reason="needs ../shared/data/fluxval")
def test_files_of_the_collection_come_back_byte_by_byte(tmp_path):
    files = sorted(FLUXVAL.glob("*.cbf"))
    assert len(files) == 204
    for file in files:
        write_cbf(read_cbf(file), tmp_path / "again.cbf")
        assert (tmp_path / "again.cbf").read_bytes() == file.read_bytes(), file.name
    for file in files[::10]:
        write_cbf_nc(read_cbf(file), tmp_path / "a.cbf.nc")
        write_cbf(read_cbf_nc(tmp_path / "a.cbf.nc"), tmp_path / "again.cbf")
        assert (tmp_path / "again.cbf").read_bytes() == file.read_bytes(), file.name


def test_reading_of_a_header():
    cbf = make()
    cbf.header[[5, 15, 13, 16, 21]] = 1.0, 0.7, 0.02, 3.0, 0.1
    assert cbf.constrained
    assert not replace(cbf, header=np.where(np.arange(100) == 5, 0.0, cbf.header)).constrained
    assert cbf.stated("NBE") == {"single_unc": 0.7, "single_annual_unc": 0.02, "opt_unc_type": 0}
    assert cbf.stated("ET")["min_threshold"] == 0.1
    et = np.abs(cbf.observations["ET"])
    np.testing.assert_allclose(cbf.sd("ET"), np.log(3.0) * et)
    assert cbf.sd("LAI") is None
    assert cbf.latitude == cbf.header[1]


def change(path: Path, edit) -> Path:
    with netCDF4.Dataset(path, "a") as file:
        edit(file)
    return path


@pytest.fixture
def netcdf(tmp_path) -> Path:
    path = tmp_path / "XX-Tow.cbf.nc"
    write_cbf_nc(make(), path)
    return path


def test_what_netcdf_names_prevails_over_the_header(netcdf):
    def edit(file):
        file["EDC"][...] = 2.0
        file["GPP"].setncatts({"single_unc": 1.5, "opt_unc_type": FACTOR})
        file["ABGB"].single_unc = 1.2

    found = read_cbf_nc(change(netcdf, edit))
    assert found.header[[5, 20]].tolist() == [2.0, 1.5]
    assert found.other_prior_errors[1] == 1.2
    assert found.attributes == {}


def test_means_are_priors_of_a_binary_file(netcdf):
    def edit(file):
        for name in ("Mean_LAI", "Mean_FIR", "Mean_ABGB", "EDC_EQF"):
            if name not in file.variables:
                file.createVariable(name, "f8")
        file["Mean_LAI"][...] = 3.0
        file["Mean_LAI"].setncatts({"unc": 1.5, "opt_unc_type": 1})
        file["Mean_FIR"][...] = 0.01
        file["Mean_FIR"].setncatts({"unc": 0.004, "opt_unc_type": 0})
        file["EDC_EQF"][...] = 10.0

    found = read_cbf_nc(change(netcdf, edit))
    assert found.other_priors[[4, 2]].tolist() == [3.0, 0.01]
    assert found.other_prior_errors[[4, 2, 36]].tolist() == [1.5, -0.004, 10.0]

    def share(file):
        file["Mean_LAI"].opt_unc_type = 2

    with pytest.raises(InputError, match=r"Mean_LAI, opt_unc_type: found 2; expected 0"):
        read_cbf_nc(change(netcdf, share))


def older(path: Path, cbf: Cbf) -> None:
    """Write what CARDAMOM_CBF2NETCDF.m does: another name of time, attributes and fill values."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", len(cbf.drivers["time"]))
        for name, value in {"ID": 1005.0, "LAT": 50.75, "EDC": 1.0, "EDCDIAG": 0.0}.items():
            file.createVariable(name, "f8")[...] = value
        units = ("Days", "deg C", "deg C", "MJ/m2/d", "ppm", "Days", "m2/m2", "hPA", "mm/day")
        for (name, values), unit in zip(cbf.drivers.items(), units, strict=True):
            given = "TIME_INDEX" if name == "time" else name
            made = file.createVariable(given, "f8", ("time",), fill_value=-9999.0)
            made[:] = np.where(np.isnan(values), -9999.0, values)
            made.setncatts({"units": unit, "info": name})
        gpp = file.createVariable("GPP", "f8", ("time",), fill_value=-9999.0)
        gpp[:] = np.where(np.isnan(cbf.observations["GPP"]), np.nan, cbf.observations["GPP"])
        mean = file.createVariable("Mean_Biomass", "f8")
        mean[...] = 5000.0
        mean.setncatts({"Uncertainty": 1.3, "Uncertainty_Type": "factor"})
        gpp.setncatts({"Uncertainty": 2.5, "Annual_Uncertainty": -9999.0, "gppabs": 1.0})


def test_older_layout_is_read(tmp_path):
    cbf = make()
    older(tmp_path / "old.cbf.nc", cbf)
    found = read_cbf_nc(tmp_path / "old.cbf.nc")
    for name, values in cbf.drivers.items():
        np.testing.assert_array_equal(found.drivers[name], values)
    np.testing.assert_array_equal(found.observations["GPP"], cbf.observations["GPP"])
    assert found.header[:6].tolist() == [1005.0, 50.75, 24.0, 9.0, 3.0, 1.0]
    assert found.stated("GPP") == {"single_unc": 2.5, "opt_unc_type": FACTOR}
    assert (found.other_priors[0], found.other_prior_errors[0]) == (5000.0, 1.3)
    assert found.epoch is None
    write_cbf(found, tmp_path / "new.cbf")
    same(read_cbf(tmp_path / "new.cbf"), found)


def test_units_of_cardamoms_own_files_are_understood(netcdf):
    units = {
        "SSRD": "MJ m**-2 day**-1", "VPD": "VPD [hPa]", "CO2": "CO2 [ppm]", "T2M_MAX": "deg C",
        "BURNED_AREA": "Burned area [m2/m2]", "TOTAL_PREC": "mm/day", "time": "Days",
    }  # fmt: skip

    def edit(file):
        for name, unit in units.items():
            file[name].units = unit

    same(read_cbf_nc(change(netcdf, edit)), make())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda file: file.renameVariable("VPD", "VP"), "VPD: found no such variable"),
        (lambda file: file["SSRD"].setncattr("units", "W m-2"), "SSRD: found units 'W m-2'; exp"),
        (lambda file: file["T2M_MIN"].setncattr("units", "K"), "T2M_MIN: found units 'K'; expe"),
        (lambda file: file["GPP"].setncattr("units", "umol m-2 s-1"), "GPP: found units 'umol m-"),
        (lambda file: file["time"].setncattr("units", "days since May"), "time: found units"),
        (lambda file: file["time"].__setitem__(3, 0.5), "time: found day 0.5 after day 76.09"),
        (lambda file: file["time"].__setitem__(3, np.nan), "time: found a step without a day"),
        (lambda file: file["CO2"].__setitem__(0, np.inf), "CO2: found an infinite value"),
        (
            lambda file: file["CO2"].__setitem__(slice(None), np.nan),
            "CO2: found no value at any step; expected a driver",
        ),
    ],
)
def test_fault_of_netcdf_is_named(netcdf, edit, message):
    with pytest.raises(InputError, match=rf"XX-Tow\.cbf\.nc: {message}"):
        read_cbf_nc(change(netcdf, edit))


def test_variable_of_another_length_is_named(tmp_path):
    def edit(file):
        file.createDimension("other", 3)
        file.createVariable("SCF", "f8", ("other",))

    write_cbf_nc(make(), tmp_path / "a.cbf.nc")
    with pytest.raises(InputError, match=r"SCF: found dimensions \('other',\); expected \('time"):
        read_cbf_nc(change(tmp_path / "a.cbf.nc", edit))


def test_no_netcdf_is_named(tmp_path):
    (tmp_path / "a.cbf.nc").write_bytes(b"not at all")
    with pytest.raises(InputError, match=r"a\.cbf\.nc: file: found unreadable"):
        read_cbf_nc(tmp_path / "a.cbf.nc")
    with pytest.raises(InputError, match=r"b\.cbf\.nc: file: found nothing"):
        read_cbf_nc(tmp_path / "b.cbf.nc")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (BEFORE_STEPS + 4, np.nan, "value 304: found nan; expected a number, -9999 where"),
        (BEFORE_STEPS + 20, 1.0, r"time: found day 1 after day 15\.2\S*, at step 2; expected days"),
        (3, 12.0, "number of drivers: found 12; expected 9"),
        (2, 23.5, r"number of steps: found 23\.5; expected a whole number above 0"),
        (2, 23.0, r"size in bytes: found \d+; expected \d+"),
    ],
)
def test_fault_of_binary_is_named(tmp_path, place, value, message):
    cbf = make(seed=5)
    cbf.drivers["time"][0] = 15.2
    cbf.observations["GPP"][-1] = 1.0  # so that no last line is one of means
    write_cbf(cbf, tmp_path / "a.cbf")
    values = np.fromfile(tmp_path / "a.cbf")
    values[place] = value
    values.tofile(tmp_path / "a.cbf")
    with pytest.raises(InputError, match=rf"a\.cbf: {message}"):
        read_cbf(tmp_path / "a.cbf")


@settings(deadline=None)
@given(st.integers(0, 8 * (BEFORE_STEPS + 24 * 20) - 1))
def test_truncated_binary_is_refused(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cbf") / "a.cbf"
    write_cbf(make(), path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=r"a\.cbf: size in bytes: found \d+; expected"):
        read_cbf(path)


def test_what_binary_cannot_hold_is_told(tmp_path, caplog):
    cbf = replace(make(), errors={"GPP": np.ones(24)})
    write_cbf(cbf, tmp_path / "a.cbf")
    assert "a.cbf: errors of GPP have no place in it" in caplog.text


def test_nothing_is_written_that_could_not_be_read(tmp_path):
    cbf = make()
    shorter = {**cbf.observations, "GPP": np.ones(3)}
    with pytest.raises(InputError, match="GPP, steps: found 3; expected 24"):
        write_cbf(replace(cbf, observations=shorter), tmp_path / "a.cbf")
    without = np.where(np.arange(100) == 0, np.nan, cbf.header)
    with pytest.raises(InputError, match="model: found nan"):
        write_cbf(replace(cbf, header=without), tmp_path / "a.cbf")
    assert list(tmp_path.iterdir()) == []
