"""Predictions of towers: their parts, their balance of carbon, their form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from concerto.learning.calibration import Shape
from concerto.products.predictions import as_sites, carbon, parts, quantities

TIMES = pd.date_range("2003-01-01", periods=14, freq="MS")


def series(seed: int, low: float = -3.0, high: float = 3.0) -> xr.DataArray:
    values = np.random.default_rng(seed).uniform(low, high, (2, 14))
    return xr.DataArray(
        values, coords={"location": ["A", "B"], "time": TIMES}, dims=("location", "time")
    )


def learned() -> xr.Dataset:
    ds = xr.Dataset({"mean": series(1), "process": series(2)})
    ds["mean"].attrs["units"] = "g m-2 d-1"
    return ds


def test_quantiles_are_in_order_and_of_the_shape():
    shape = Shape.of(np.random.default_rng(0).standard_normal(5000))
    mean, spread = series(1, 0.0, 1.0), series(2, 0.5, 2.0)
    found = quantities("gpp", mean, spread, shape, "g m-2 d-1")
    assert list(found) == [f"gpp_{n}" for n in ("mean", "sd", "q05", "q25", "q50", "q75", "q95")]
    ranked = np.stack([found[f"gpp_q{n}"] for n in ("05", "25", "50", "75", "95")])
    assert (np.diff(ranked, axis=0) >= 0.0).all()
    assert ranked.min() == 0.0  # no GPP below zero is measured
    np.testing.assert_allclose(found["gpp_q95"], mean + 1.645 * spread, rtol=0.05)
    assert quantities("nee", mean, spread, shape, "g m-2 d-1")["nee_q05"].min() < 0.0


def test_parts_add_up():
    made = learned()
    found = parts("nee", made)
    np.testing.assert_allclose(found["nee_process"] + found["nee_learned"], made["mean"])


def test_carbon_is_conserved_to_round_off():
    """What a month's NEE takes is what all pools and the learnt part lose together."""
    made = learned()
    days = TIMES.days_in_month.to_numpy().mean()  # of the process model, whose months are alike
    pools = {
        "c_soil": 5000.0 - (made["process"] * days).cumsum("time"),
        "c_wood": 0 * series(3) + 9,
    }
    found = carbon(parts("nee", made)["nee_learned"], pools)
    lost = -np.diff(found["carbon_total"].to_numpy(), axis=1)
    np.testing.assert_allclose(lost, (made["mean"] * days).to_numpy()[:, 1:], atol=1e-9)
    assert found["carbon_total"].attrs["units"] == "g m-2"


def test_the_file_is_along_sites(tmp_path):
    shape = Shape.of(np.random.default_rng(0).standard_normal(500))
    ds = as_sites(quantities("et", series(1), series(2, 1, 2), shape, "mm d-1"), {"title": "T"})
    ds.to_netcdf(tmp_path / "p.nc")
    with xr.open_dataset(tmp_path / "p.nc") as found:
        assert found["et_mean"].dims == ("site", "time")
        assert found["site"].to_numpy().tolist() == ["A", "B"]
        assert found["et_q50"].attrs["units"] == "mm d-1"
        assert found.indexes["time"].equals(TIMES)


def test_a_tower_without_a_process_model_has_no_part_of_it():
    made = learned()
    made["process"][0] = np.nan
    found = parts("nee", made)
    assert np.isnan(found["nee_process"][0]).all()
    assert np.isfinite(found["nee_process"][1]).all()
