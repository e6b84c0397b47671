import numpy as np
import pytest
import xarray as xr
from concerto.errors import InputError
from concerto.prepare.uncertainty import (
    complete_random,
    daily_random_sd,
    laplace_sd_le,
    laplace_sd_nee,
    systematic_sd,
)
from hypothesis import given
from hypothesis import strategies as st

GRAMS = 12.011e-6 * 86400
flux = st.floats(-50, 50)


def record(**variables):
    ds = xr.Dataset(attrs={"step_minutes": 30})
    for name, values in variables.items():
        attrs = {"source": "f.csv: X", "long_name": name}
        ds[name] = ("time", np.asarray(values, dtype=float), attrs)
    return ds


def test_laplace_model_at_known_fluxes():
    np.testing.assert_allclose(laplace_sd_nee(np.array([0.0, 2.0, -10.0])), [0.62, 1.88, 3.32])
    np.testing.assert_allclose(laplace_sd_le(np.array([0.0, 100.0, -10.0])), [15.3, 38.3, 20.43])


@given(flux)
def test_laplace_model_is_positive(value):
    assert laplace_sd_nee(np.array(value)) > 0
    assert laplace_sd_le(np.array(value)) > 0


def test_model_fills_only_where_the_record_has_no_error():
    out = complete_random(record(nee=[GRAMS, GRAMS, np.nan], nee_random=[0.5, np.nan, 0.5]))
    np.testing.assert_allclose(out["nee_random"], [0.5, 1.25 * GRAMS, np.nan])
    assert out["nee_random"].attrs["modelled_percent"] == pytest.approx(33.33)


def test_gpp_and_reco_take_the_error_of_nee():
    out = complete_random(record(nee=[0.0], gpp=[5.0], reco=[5.0]))
    np.testing.assert_allclose(out["gpp_random"], 0.62 * GRAMS)
    np.testing.assert_allclose(out["reco_random"], out["nee_random"])


def test_no_error_and_no_model_is_said(caplog):
    daily = record(le=[5.0], gpp=[3.0]).assign_attrs(step_minutes=1440)
    out = complete_random(daily)
    assert np.isnan(out["le_random"]).all()
    assert np.isnan(out["gpp_random"]).all()
    assert "le has no random error" in caplog.text


def test_negative_error_is_named():
    with pytest.raises(InputError, match="nee_random: found a negative error"):
        complete_random(record(nee=[5.0], nee_random=[-1.0]))


def test_systematic_is_half_the_spread_about_the_middle():
    assert systematic_sd(np.array(1.0), np.array(0.5), np.array(1.5)) == pytest.approx(0.5)


@given(flux, flux, flux)
def test_systematic_splits_into_spread_and_offset(value, low, high):
    found = systematic_sd(np.array(value), np.array(low), np.array(high))
    expected = np.hypot((high - low) / 2, value - (high + low) / 2)
    assert found == pytest.approx(expected, abs=1e-9)
    assert found == systematic_sd(np.array(value), np.array(high), np.array(low))


def test_daily_random_of_measured_steps_is_that_of_a_mean():
    sd = daily_random_sd(np.full((1, 48), 2.0), np.ones((1, 48), bool), 12)
    assert sd[0] == pytest.approx(2 / np.sqrt(48))


def test_gaps_weigh_as_blocks():
    measured = np.zeros((1, 48), bool)
    sd = daily_random_sd(np.full((1, 48), 2.0), measured, 12)
    assert sd[0] == pytest.approx(2 / np.sqrt(4))
    measured[0, :24] = True
    sd = daily_random_sd(np.full((1, 48), 2.0), measured, 12)
    assert sd[0] == pytest.approx(np.sqrt(24 * 4 + 12 * 24 * 4) / 48)
