import numpy as np
import pytest
import xarray as xr
from concerto.products.netcdf import QUANTILES
from write_product import write_product

SITE = "CH-Dav"


@pytest.fixture(scope="module")
def product(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("product") / "fluxes.nc"
    write(run, path)
    return path


def write(run, path):
    write_product(
        run / "projection" / SITE / "demcz.nc",
        run / "posterior" / SITE / "demcz.nc",
        {"towers": "CC-BY-4.0"},
        path,
        utc_offset_hours=1.0,
        run_id="0123456789abcdef",
    )


def test_the_file_holds_what_the_ensemble_says(run, product):
    ensemble = xr.load_dataset(run / "projection" / SITE / "demcz.nc")
    with xr.open_dataset(product) as found:
        for name in ("gpp", "nee", "reco"):
            total = ensemble[f"{name}_total"].astype(float)
            np.testing.assert_allclose(found[name], total.mean("member"), rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(found[f"{name}_sd"], total.std("member", ddof=1), rtol=1e-4)
            quantiles = total.quantile(QUANTILES, "member")
            np.testing.assert_allclose(found[f"{name}_quantile"], quantiles, rtol=1e-3, atol=1e-4)
            process = ensemble[name].astype(float).std("member", ddof=1)
            np.testing.assert_allclose(found[f"{name}_process_sd"], process, rtol=1e-4)
        assert (found["gpp_sd"] > found["gpp_process_sd"]).all()
        assert "c_soil_process_sd" not in found
        assert list(found["quantile"]) == list(QUANTILES)
        np.testing.assert_array_equal(found["time"], ensemble["time"])
        assert found["gpp"].dims == ("location", "time")


def test_the_file_says_what_it_is(product):
    with xr.open_dataset(product) as found:
        attrs = found.attrs
        assert attrs["Conventions"] == "CF-1.11"
        assert (attrs["converged"], attrs["method"], attrs["seed"]) == ("no", "demcz", 7)
        assert "R-hat of initial_c_soil is 1.21" in attrs["verdict"]
        assert attrs["prior"] == "learned from YY-Tow by demcz"
        assert attrs["run_id"] == "0123456789abcdef"
        assert attrs["licences_of_inputs"] == "towers: CC-BY-4.0"
        assert found["gpp"].attrs["units"] == "g m-2 d-1"
        assert "as carbon" in found["gpp"].attrs["long_name"]
        assert "standard_name" not in found["nee"].attrs
        for name in ("gpp", "nee"):
            named = found[name].attrs["ancillary_variables"].split()
            assert set(named) <= set(found.data_vars)


def test_the_same_inputs_give_the_same_bytes(run, product, tmp_path):
    write(run, tmp_path / "again.nc")
    assert (tmp_path / "again.nc").read_bytes() == product.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["again.nc"]


def test_it_complies_with_cf(product):
    from compliance_checker.runner import CheckSuite, ComplianceChecker

    CheckSuite.load_all_available_checkers()
    report = product.with_suffix(".txt")
    ComplianceChecker.run_checker(
        str(product), ["cf:1.11"], 0, "normal", output_filename=str(report)
    )
    text = report.read_text()
    assert "Errors" not in text, text
