from types import MappingProxyType

import numpy as np
import pytest
import xarray as xr
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.problem import Stream
from concerto.assimilation.stream_error import StreamError
from concerto.projection.ensemble import (
    error_ensemble,
    inflations_of,
    process_ensemble,
    random_errors,
    with_totals,
)
from synthetic_dalec import CORRELATION, ERRORS, draw_parameters, make_forcing

DAYS, MEMBERS = 120, 150  # more members than are simulated at once
OBSERVABLES = ("gpp", "nee", "nbe", "reco", "fire_emission", "lai", "fapar", "total_biomass")
STATEMENT = ErrorStatement(ERRORS, CORRELATION)


@pytest.fixture(scope="module")
def drive(dalec2):
    return make_forcing(dalec2, DAYS, np.random.default_rng(1))


@pytest.fixture(scope="module")
def process(dalec2, drive):
    return process_ensemble(dalec2, drive, draw_parameters(dalec2, MEMBERS, seed=1))


def streams(process, sd=0.3, seen=slice(None), names=("nee", "gpp", "lai")):
    """Observations two units above the first member of the ensemble."""
    made = []
    for name in names:
        values = np.full(DAYS, np.nan)
        values[seen] = process[name][0, seen] + 2.0
        made.append(Stream(name, values, np.full(DAYS, sd)))
    return made


class TestProcess:
    def test_shapes(self, dalec2, process):
        assert set(process) == {*OBSERVABLES, *dalec2.pools}
        for name, values in process.items():
            assert values.shape == (MEMBERS, DAYS), name
            assert values.dtype == np.float32
            assert np.isfinite(values).all()

    def test_batches_change_nothing(self, dalec2, drive, process):
        parameters = draw_parameters(dalec2, MEMBERS, seed=1)
        for chosen in ([0], [127, 128, 149]):
            alone = process_ensemble(dalec2, drive, parameters[chosen])
            for name, values in alone.items():
                np.testing.assert_array_equal(values, process[name][chosen])

    def test_observables_are_operators_on_the_run(self, process):
        np.testing.assert_array_equal(process["nbe"], process["nee"])  # nothing burns
        assert (process["fapar"] >= 0.0).all()
        assert (process["fapar"] <= 1.0).all()
        scale = np.abs(process["gpp"]) + np.abs(process["reco"])
        error = np.abs(process["reco"] - process["gpp"] - process["nee"])
        assert (error <= 1e-6 * scale).all()


class TestErrors:
    def test_shapes(self, drive, process):
        errors = error_ensemble(
            STATEMENT, drive, streams(process), process, {}, np.random.default_rng(1)
        )
        assert list(errors) == ["nee", "gpp", "lai"]
        assert all(values.shape == (MEMBERS, DAYS) for values in errors.values())

    def test_same_seed_same_draws(self, drive, process):
        first, second = (
            error_ensemble(
                STATEMENT, drive, streams(process), process, {}, np.random.default_rng(2)
            )
            for _ in range(2)
        )
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])

    def test_with_exact_observations_totals_hug_them(self, drive, process):
        observed = streams(process, sd=1e-5)
        errors = error_ensemble(STATEMENT, drive, observed, process, {}, np.random.default_rng(3))
        for stream in observed:
            total = process[stream.name] + errors[stream.name]
            np.testing.assert_allclose(total, np.tile(stream.values, (MEMBERS, 1)), atol=1e-3)

    def test_far_from_observations_the_spread_is_free_again(self, drive, process):
        # seen in the first month alone; slow errors have gone after five e-folding times
        short = StreamError(0.5, 3.0, 0.4, 12.0, 0.2, 0.1)
        statement = ErrorStatement({"nee": short}, np.eye(1))
        observed = streams(process, 0.05, slice(0, 30), ("nee",))
        errors = error_ensemble(statement, drive, observed, process, {}, np.random.default_rng(4))[
            "nee"
        ]
        free = np.hypot(short.sd_fast, short.sd_slow) * short.scale(drive.season)
        late = slice(95, None)
        np.testing.assert_allclose(errors[:, late].std(axis=0), free[late], rtol=0.25)
        assert np.abs(errors[:, late].mean(axis=0) / free[late]).max() < 5.0 / np.sqrt(MEMBERS)
        misfit = errors[:, :30] - (observed[0].values[:30] - process["nee"][:, :30])
        assert misfit.std() < 0.06

    def test_one_observation_moves_the_error_as_kriging_says(self, drive, process):
        """Mean and spread of many members of one run, against the dense conditional ones."""
        error = StreamError(0.5, 4.0, 0.4, 30.0, 0.3, -0.2, 1.5)
        same = {"nee": np.zeros((4000, DAYS))}
        values = np.full(DAYS, np.nan)
        seen = np.array([10, 40, 45])
        values[seen] = [1.0, -1.5, 0.5]
        observed = [Stream("nee", values, np.full(DAYS, 0.3))]
        statement = ErrorStatement({"nee": error}, np.eye(1))
        errors = error_ensemble(statement, drive, observed, same, {}, np.random.default_rng(5))[
            "nee"
        ]

        scale = error.scale(drive.season)
        apart = np.abs(np.subtract.outer(np.arange(DAYS), np.arange(DAYS)))
        covariance = np.outer(scale, scale) * (
            0.25 * np.exp(-apart / 4.0) + 0.16 * np.exp(-apart / 30.0)
        )
        dense = covariance[np.ix_(seen, seen)] + (1.5 * 0.3) ** 2 * np.eye(3)
        weights = np.linalg.solve(dense, covariance[seen]).T
        mean = weights @ values[seen]
        variance = np.diag(covariance - weights @ covariance[seen])
        assert (np.abs(errors.mean(axis=0) - mean) < 5.0 * np.sqrt(variance / 4000)).all()
        np.testing.assert_allclose(errors.var(axis=0), variance, rtol=0.15)

    def test_free_errors_are_correlated_as_stated(self, drive, process):
        same = {name: np.zeros((4000, DAYS)) for name in ERRORS}
        observed = streams(process, 1.0, slice(0, 1))
        errors = error_ensemble(STATEMENT, drive, observed, same, {}, np.random.default_rng(6))
        late = np.stack([errors[name][:, -1] for name in ("nee", "gpp", "lai")])
        shared = np.corrcoef(late)
        # of two time scales each, of which each is correlated: at most as stated
        assert shared[0, 1] == pytest.approx(-0.5, abs=0.1)
        assert shared[0, 2] == pytest.approx(0.0, abs=0.1)


class TestTotals:
    def test_carbon_stays_closed(self, drive, process):
        errors = error_ensemble(
            STATEMENT, drive, streams(process), process, {}, np.random.default_rng(7)
        )
        totals = with_totals(process, errors)
        assert set(totals) == set(process) | {
            "nee_total", "nbe_total", "gpp_total", "lai_total", "reco_total",
        }  # fmt: skip
        gpp, nee, reco = (totals[f"{name}_total"] for name in ("gpp", "nee", "reco"))
        assert reco.dtype == np.float32
        scale = np.maximum(np.abs(gpp), np.abs(nee))
        assert (np.abs(reco - (gpp + nee)) <= 4.0 * np.spacing(scale)).all()
        for name in errors:
            expected = (process[name] + errors[name]).astype(np.float32)
            np.testing.assert_array_equal(totals[f"{name}_total"], expected)
        for name in process:
            np.testing.assert_array_equal(totals[name], process[name])

    def test_no_total_without_an_error(self, drive, process):
        nee = StreamError(0.5, 5.0, 0.2, 100.0)
        errors = error_ensemble(
            ErrorStatement({"nee": nee}, np.eye(1)),
            drive,
            streams(process, names=("nee",)),
            process,
            {},
            np.random.default_rng(8),
        )
        totals = with_totals(process, errors)
        assert set(totals) == {*process, "nee_total", "nbe_total"}

    def test_nbe_is_nee_and_fire(self, process):
        burning = process | {"nbe": process["nee"] + 0.5}
        totals = with_totals(burning, {"nee": np.full_like(process["nee"], 0.25)})
        np.testing.assert_allclose(totals["nbe_total"] - totals["nee_total"], 0.5, atol=1e-5)

    def test_inflated_errors_are_as_much_larger(self, drive, process):
        """Far from observations; at them, what was observed holds for every member."""
        factors = np.repeat([1.0, 3.0], 2000)
        same = {"nee": np.zeros((4000, DAYS))}
        values = np.full(DAYS, np.nan)
        values[10] = 2.0
        statement = ErrorStatement({"nee": StreamError(0.5, 4.0, 0.0, 5.0)}, np.eye(1))
        observed = [Stream("nee", values, np.full(DAYS, 1e-4))]
        rng = np.random.default_rng(9)
        errors = error_ensemble(statement, drive, observed, same, {"nee": factors}, rng)["nee"]
        spread = errors[:, -1].reshape(2, -1).std(axis=1)
        np.testing.assert_allclose(spread, [0.5, 1.5], rtol=0.08)
        np.testing.assert_allclose(errors[:, 10], 2.0, atol=0.01)


class TestRandomErrors:
    SERIES = MappingProxyType({"nee_total": np.zeros((4, 2))})

    def test_reco_has_that_of_nee(self):
        found = random_errors(STATEMENT, {}, self.SERIES | {"reco_total": None})
        assert {name: set(error.factor) for name, error in found.items()} == {
            "nee": {1.2}, "gpp": {1.0}, "lai": {1.0}, "reco": {1.2},
        }  # fmt: skip
        assert all(error.factor.shape == (4,) for error in found.values())

    def test_without_reco(self):
        assert random_errors(STATEMENT, {}, self.SERIES).keys() == set(ERRORS)

    def test_reco_assimilated_by_itself_has_its_own(self):
        reco = StreamError(0.5, 5.0, 0.2, 100.0, observation_factor=0.7, distribution="laplace")
        statement = ErrorStatement({"reco": reco}, np.eye(1))
        found = random_errors(statement, {"reco": np.arange(1.0, 5.0)}, self.SERIES)["reco"]
        np.testing.assert_allclose(found.factor, 0.7 * np.arange(1.0, 5.0))
        assert found.law.name == "laplace"


def test_inflations_are_found_by_name():
    names = ["wood_turnover", "inflation_nee", "inflation_lai"]
    drawn = xr.DataArray(
        np.arange(6.0).reshape(2, 3), {"parameter": names}, ("member", "parameter")
    )
    found = inflations_of(drawn)
    assert found.keys() == {"nee", "lai"}
    np.testing.assert_array_equal(found["nee"], [1.0, 4.0])
