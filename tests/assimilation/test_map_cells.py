"""Cells of a map: their priors, their problems, and what becomes of those that cannot be solved."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.assimilation.cells import (
    CONVERGED,
    DRIVERS_MISSING,
    FAILED,
    NO_OBSERVATION,
    NOT_CONVERGED,
    assimilate_cells,
    describe,
    drawn_from_priors,
    of_streams,
    open_cells,
    pooled,
    sample,
    scaled,
)
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.methods import rml
from concerto.assimilation.prior import Prior
from concerto.assimilation.stream_error import StreamError
from concerto.assimilation.twin_maps import draw_truth_maps
from concerto.ensembles import taught_dataset
from concerto.errors import ConcertoError, InputError
from concerto.projection.cells import project_tile
from synthetic_dalec import ROOT, files_of

NAMES = ["a", "b", "dry", "unseen", "c"]
ENTRY = {
    "streams": ["lai", "gpp"],
    "budget": {"members": 270, "steps": 2, "most_iterations": 2, "rounds": 2},
    "prior_field": {"correlation_length_km": 500.0, "local_fraction": 0.3},
}
STATEMENT = ErrorStatement(
    {
        "lai": StreamError(0.5, 10.0, 0.2, 100.0, inflated=True),
        "gpp": StreamError(1.0, 5.0, 0.5, 100.0, inflated=True),
    },
    np.array([[1.0, 0.2], [0.2, 1.0]]),
)
MONTHS = pd.date_range("2000-01-01", periods=24, freq="MS")


@pytest.fixture(scope="module")
def cubes(tmp_path_factory) -> dict[str, Path]:
    """Two years by month of five cells: one lacks a driver, one all observations."""
    folder = tmp_path_factory.mktemp("cubes")
    rng = np.random.default_rng(1)
    warm = 10.0 - 9.0 * np.cos(2.0 * np.pi * (np.arange(24) % 12) / 12.0)
    shape = (len(NAMES), 24)
    place = {
        "location": NAMES,
        "lat": ("location", 40.0 + np.arange(5.0), {"units": "degrees_north"}),
        "lon": ("location", np.full(5, 10.0), {"units": "degrees_east"}),
        "time": MONTHS,
    }
    weather = {
        "tas": (warm, "degC"), "tasmin": (warm - 5.0, "degC"), "tasmax": (warm + 5.0, "degC"),
        "rsds": (10.0 * warm, "W m-2"), "vpd": (3.0 + 0.0 * warm, "hPa"),
        "pr": (2.0 + 0.0 * warm, "mm d-1"), "co2": (370.0 + 0.0 * warm, "ppm"),
        "burned_area_fraction": (0.0 * warm, "d-1"), "harvested_area_fraction": (0.0 * warm, "d-1"),
    }  # fmt: skip
    drivers = xr.Dataset(
        {
            name: (("location", "time"), np.broadcast_to(values, shape).copy(), {"units": unit})
            for name, (values, unit) in weather.items()
        },
        place,
    )
    drivers["pr"][:] = np.nan  # which the model does not need
    drivers["rsds"][NAMES.index("dry"), 3] = np.nan
    observations = xr.Dataset(coords=place)
    for name, unit in (("lai", "1"), ("gpp", "g m-2 d-1")):
        values = rng.uniform(1.0, 3.0, shape)
        values[NAMES.index("unseen")] = np.nan
        if name == "gpp":
            values[NAMES.index("c")] = np.nan
        for part in ("", "_random", "_systematic", "_uncertainty"):
            shown = values if not part else np.where(np.isfinite(values), 0.3, np.nan)
            observations[name + part] = (("location", "time"), shown, {"units": unit})
        observations[f"{name}_measured_fraction"] = (
            ("location", "time"),
            np.ones(shape),
            {"units": "1"},
        )
    land = xr.Dataset(
        {
            "cell_area": ("location", np.full(5, 1e9), {"units": "m2"}),
            "country": ("location", ["Italy"] * 5),
            "elevation": ("location", np.full(5, 100.0), {"units": "m"}),
            "igbp": ("location", ["ENF", "WAT", "ENF", "ENF", "DBF"]),
        },
        {name: place[name] for name in ("location", "lat", "lon")},
    )
    files = {}
    for what, ds in {"drivers": drivers, "observations": observations, "land": land}.items():
        files[what] = folder / f"{what}.nc"
        ds.to_netcdf(files[what])
    return files


@pytest.fixture(scope="module")
def cells(cubes):
    return open_cells(files_of("dalec2"), cubes, ENTRY)


def solve(cells, method=rml):
    return list(assimilate_cells(cells, STATEMENT, ["turnover_order"], method, 1, "map"))


@pytest.fixture(scope="module")
def solved(cells):
    return solve(cells)


class TestAssimilateCells:
    def test_each_cell_has_its_status(self, solved):
        found = [one.status for one in solved]
        assert found[2:4] == [DRIVERS_MISSING, NO_OBSERVATION]
        assert {*found[:2], found[4]} <= {CONVERGED, NOT_CONVERGED}
        for one in (solved[2], solved[3]):
            assert np.isnan(one.parameters).all()
            assert one.reason
        assert np.isfinite(solved[0].parameters).all()

    def test_a_stream_that_a_cell_lacks_has_no_inflation_there(self, cells, solved):
        names = [p.name for p in STATEMENT.prior(Prior(cells.model.parameters)).parameters]
        parameters = solved[4].parameters
        missing = np.isnan(parameters).all(axis=0)
        assert [name for name, no in zip(names, missing, strict=True) if no] == ["inflation_gpp"]

    def test_a_cell_is_the_same_with_whatever_others(self, cubes, solved):
        alone = open_cells(files_of("dalec2"), cubes, ENTRY, np.array([4]))
        np.testing.assert_array_equal(solve(alone)[0].parameters, solved[4].parameters)

    @pytest.mark.parametrize("fault", [ConcertoError, np.linalg.LinAlgError, FloatingPointError])
    def test_one_that_fails_does_not_stop_the_others(self, cells, fault):
        class Method:
            @staticmethod
            def assimilate(problem, budget, rng, start):
                if problem.streams[0].values[0] == first:
                    raise fault("it is of no use")
                return rml.assimilate(problem, budget, rng, start)

        first = float(cells.observations["lai"][1, 0])
        solved = solve(cells, Method)
        assert solved[1].status == FAILED
        assert solved[1].reason == "it is of no use"
        assert solved[0].status in (CONVERGED, NOT_CONVERGED)

    def test_no_cell_is_no_work(self, cubes):
        assert solve(open_cells(files_of("dalec2"), cubes, ENTRY, np.array([], int))) == []


def posterior_of(solved, cells):
    parameters = np.stack([one.parameters for one in solved], axis=1)
    names = [p.name for p in STATEMENT.prior(Prior(cells.model.parameters)).parameters]
    return xr.Dataset(
        {
            "parameters": (("member", "location", "parameter"), parameters),
            "status": ("location", np.array([one.status for one in solved], np.int8)),
        },
        {"parameter": names},
    )


def test_statistics_of_years_are_those_of_the_members_years(cells, solved):
    posterior = posterior_of(solved, cells)
    found = project_tile(cells, posterior)
    annual, monthly = found.annual, found.monthly
    own = posterior["parameters"][:, 0].sel(parameter=cells.model.parameter_names).to_numpy()
    runs = cells.model.simulate(own, cells.forcing(0).weather, ("gpp", "c_soil"))
    for year, part in enumerate((slice(0, 12), slice(12, 24))):
        days = MONTHS.days_in_month[part]
        assert annual["time_bnds"].to_numpy()[year, 1] == np.datetime64(f"{2001 + year}-01-01")
        gpp = np.average(runs.series("gpp")[:, part], axis=1, weights=days)
        soil = runs.series("c_soil")[:, part.stop - 1]
        for name, members in (("gpp", gpp), ("som", soil)):
            expected = [members.mean(), members.std(ddof=1), np.quantile(members, 0.05)]
            shown = [annual[f"{name}_{what}"][0, year].item() for what in ("mean", "sd", "q05")]
            np.testing.assert_allclose(shown, expected, rtol=1e-5)
        # The bound that months alone would give is not reached.
        of_months = np.average(monthly["gpp_sd"].to_numpy()[0, part], weights=days)
        assert annual["gpp_sd"][0, year] < 0.999 * of_months
    assert np.isnan(annual["gpp_mean"].to_numpy()[2]).all()
    np.testing.assert_array_equal(annual["status"], monthly["status"])


def test_a_cell_without_a_finite_result_has_failed(cells, solved, caplog):
    """Its members would be no number in the sums of regions."""
    posterior = posterior_of(solved, cells)
    names = posterior["parameter"].to_numpy().tolist()
    # All members of the second cell but one are sound.
    for name in ("initial_labile", "initial_wood"):
        posterior["parameters"].values[5, 1, names.index(name)] = np.finfo(float).max
    projected = project_tile(cells, posterior)
    for statistics in (projected.monthly, projected.annual):
        assert statistics["status"].to_numpy()[[1, 2, 3]].tolist() == [
            FAILED, DRIVERS_MISSING, NO_OBSERVATION,
        ]  # fmt: skip
        assert np.isnan(statistics["gpp_mean"].to_numpy()[1]).all()
    assert int(projected.sums["cells"][0]) == 2
    assert f"{NAMES[1]}: no finite result for " in caplog.text
    assert "live_biomass" in caplog.text


class TestPriorsByClass:
    FILE = ROOT / "config/priors/igbp.yaml"

    def test_a_class_has_its_own(self, cubes):
        cells = open_cells(files_of("dalec2"), cubes, ENTRY, classes=self.FILE)
        known = [p.name for p in cells.model.parameters].index("leaf_mass")
        needles, other, leaves = (cells.prior(k).parameters[known] for k in (0, 1, 4))
        assert (needles.prior, needles.median, needles.factor) == ("log-normal", 123.0, 1.8)
        assert leaves.median == 29.0
        assert other == cells.model.parameters[known]
        middle = cells.prior(0).parameters_of(np.zeros((1, cells.prior(0).size)))
        assert middle[0, known] == pytest.approx(123.0, rel=0.15)  # cut off at 200

    def test_land_without_the_classes_is_refused(self, cubes, tmp_path):
        bare = tmp_path / "land.nc"
        xr.load_dataset(cubes["land"]).drop_vars("igbp").to_netcdf(bare)
        with pytest.raises(InputError, match="igbp"):
            open_cells(files_of("dalec2"), cubes | {"land": bare}, ENTRY, classes=self.FILE)


class TestErrors:
    def test_pooled_errors_are_medians_of_logarithms(self):
        errors = [StreamError(sd, 5.0, 0.1, 100.0, cosine=c) for sd, c in ((1, 0), (8, 1), (2, 3))]
        found = pooled([ErrorStatement({"lai": error}, np.eye(1)) for error in errors])
        assert found.stream_errors["lai"].sd_fast == pytest.approx(2.0)
        assert found.stream_errors["lai"].cosine == 1.0

    def test_model_errors_are_scaled_alone(self):
        error = StreamError(0.5, 5.0, 0.2, 100.0, cosine=0.3, observation_factor=0.7)
        found = scaled(ErrorStatement({"lai": error}, np.eye(1)), {"lai": 4.0})
        expected = replace(error, sd_fast=2.0, sd_slow=0.8)
        assert found.stream_errors == {"lai": expected}

    def test_relative_errors_are_of_the_size_of_what_is_seen(self, cells):
        location = cells.location(0)
        assert cells.sizes(location) == dict.fromkeys(ENTRY["streams"], 1.0)
        relative = replace(cells, entry=ENTRY | {"relative_errors": True})
        seen = {stream.name: stream.values for stream in location.streams}
        for name, size in relative.sizes(location).items():
            known = seen[name][np.isfinite(seen[name])]
            assert size == pytest.approx(np.sqrt(np.mean(known**2)))
            assert size > 0.0

    def test_some_streams_keep_their_correlation(self):
        found = of_streams(STATEMENT, ["gpp", "lai"])
        assert list(found.stream_errors) == ["gpp", "lai"]
        np.testing.assert_array_equal(found.correlation, STATEMENT.correlation)
        assert of_streams(STATEMENT, ["gpp"]).correlation.tolist() == [[1.0]]

    @pytest.mark.parametrize(("count", "expected"), [(5, [0, 1]), (1, [1])])
    def test_a_sample_is_of_cells_that_have_all(self, cells, cubes, count, expected):
        entry = ENTRY | {"errors_from_cells": count}
        assert sample(cells.model, cubes, entry).tolist() == expected

    def test_what_became_of_cells_in_words(self):
        assert describe([0, 0, 4, 2]) == "2 converged, 1 no observation, 1 assimilation failed"
        assert describe([]) == "no cells"


class TestTruthMaps:
    CONSTRAINTS = ("turnover_order", "leaf_area")

    def draw(self, cells, seed=1, moves=150):
        return draw_truth_maps(cells, STATEMENT, self.CONSTRAINTS, 300, moves, seed)

    def test_truths_are_under_the_constraints_of_their_cells(self, cubes):
        cells = open_cells(files_of("dalec2"), cubes, ENTRY, np.array([0, 1]))
        truths = self.draw(cells)
        assert truths.shape == (300, 2, len(cells.problem(0, STATEMENT, ()).prior.parameters))
        for k in range(2):
            problem = cells.problem(k, STATEMENT, self.CONSTRAINTS)
            drawn = problem.prior.parameters_of(problem.prior.draw(300, np.random.default_rng(2)))
            before = problem.log_constraints(drawn).mean()
            assert problem.log_constraints(truths[:, k]).mean() > 0.1 * before
            assert before < -1.0

    def test_near_cells_are_alike_and_seeds_differ(self, cubes):
        cells = open_cells(files_of("dalec2"), cubes, ENTRY, np.array([0, 1]))
        truths = self.draw(cells)
        names = [parameter.name for parameter in cells.common_prior.parameters]
        z = np.log(truths[:, :, names.index("initial_soil")])
        assert np.corrcoef(z.T)[0, 1] > 0.3
        np.testing.assert_array_equal(truths, self.draw(cells))
        assert (truths != self.draw(cells, seed=2)).mean() > 0.9


def test_draws_of_what_was_taught_are_correlated_as_was_taught(cells):
    """Those of a cell that was told nothing are independent."""
    described = cells.common_prior.parameters
    plain = np.flatnonzero([p.prior == "log-uniform" and p.origin == 0.0 for p in described])[:2]
    centre = cells.common_prior.parameters_of(np.zeros((1, cells.common_prior.size)))
    correlation = np.eye(len(described))
    correlation[plain[0], plain[1]] = correlation[plain[1], plain[0]] = 0.8
    centres = np.repeat(centre, len(cells), axis=0)
    untold = next(k for k in range(len(cells)) if cells.driven(k))
    told_of = next(k for k in range(untold + 1, len(cells)) if cells.driven(k))
    centres[untold] = np.nan
    taught = taught_dataset(cells, centres, np.full(len(described), 0.05), correlation)
    drawn = drawn_from_priors(replace(cells, taught=taught), 4000, np.random.default_rng(1))

    def found(k: int) -> np.ndarray:
        return np.corrcoef(np.log(drawn["parameters"].to_numpy()[:, k, plain]).T)[0, 1]

    assert found(told_of) == pytest.approx(0.8, abs=0.03)
    assert found(untold) == pytest.approx(0.0, abs=0.06)
    days = [k for k, p in enumerate(described) if p.prior == "circular"]
    values = drawn["parameters"].to_numpy()[:, told_of, days]
    assert ((values >= 0.0) & (values <= 365.25)).all()


def test_cells_that_were_taught_are_assimilated_with_days_of_one_year(cells):
    """Their centre is the new year, so that half of the draws lie before it."""
    described = cells.common_prior.parameters
    centre = cells.common_prior.parameters_of(np.zeros((1, cells.common_prior.size)))
    days = np.array([p.prior == "circular" for p in described])
    centre[0, days] = 0.0
    law = np.full(len(described), 0.05), np.eye(len(described))
    taught = taught_dataset(cells, np.repeat(centre, len(cells), axis=0), *law)
    told_of = replace(cells, taught=taught)
    solved = list(assimilate_cells(told_of, STATEMENT, [], rml, 1, "taught"))
    assert [one.status in (CONVERGED, NOT_CONVERGED) for one in solved] == [
        cells.driven(k) and bool(cells.observed(k)) for k in range(len(cells))
    ]
    found = solved[0].parameters[:, : len(described)][:, days]
    assert ((found >= 0.0) & (found <= 365.25)).all()
    away = np.minimum(found, 365.25 - found)
    assert away.mean() < 60.0
    assert (found > 300.0).any()
