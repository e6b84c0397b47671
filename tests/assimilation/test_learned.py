"""A posterior file, the prior that it teaches, and where that prior arrives."""

import dataclasses
import math

import numpy as np
import pytest
import xarray as xr
import yaml
from concerto.assimilation.learned import describe, learn
from concerto.assimilation.location import ErrorStatement, location_problem, open_location
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.prior import Prior
from concerto.cubes import OBSERVATIONS_DAILY, read_cube
from concerto.ensembles import posterior_dataset, write_ensemble
from concerto.errors import InputError
from concerto.models import load_model
from learn_prior import learn_prior
from synthetic_dalec import CORRELATION, ERRORS, files_of, model_named
from synthetic_run import Site, write_site

MEMBERS, WIDEN = 4000, 1.5
TOWER = Site("XX-Tow", 50.0, 6.0, "2013-01-01", "2013-12-31", None, ("nee", "gpp", "lai"))
SITE = {
    "elevation_m": 300.0,
    "streams": ["nee", "gpp", "lai"],
    "training": {"period": ["2013-01-01", "2013-10-31"]},
}
TEXTS = {"title": "A posterior", "source": "dalec2", "history": "made by a test"}
MODEL = model_named("dalec2")
PRIOR = Prior(MODEL.parameters)


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    write_site(run, TOWER, seed=1)
    return run / "cubes" / TOWER.name


@pytest.fixture(scope="module")
def file(cubes):
    """A posterior that is normal in the middle of unit space, a tenth of the range wide."""
    rng = np.random.default_rng(4)
    nothing = np.full(len(MODEL.parameters), np.nan)
    posterior = Posterior(
        unit=np.clip(rng.normal(0.5, 0.1, (MEMBERS, len(MODEL.parameters))), 0.0, 1.0),
        log_density=np.zeros(MEMBERS), chain=np.zeros(MEMBERS, dtype=np.int32),
        converged=False, verdict="made up", rhat=nothing, ess_bulk=nothing, ess_tail=nothing,
    )  # fmt: skip
    observations = read_cube(cubes / "observations.nc", OBSERVATIONS_DAILY)
    dataset = posterior_dataset(PRIOR, posterior, observations)
    dataset.attrs = {"method": "hmc", "converged": "no"}
    write_ensemble(dataset, cubes / "hmc.nc", **TEXTS)
    return cubes / "hmc.nc"


@pytest.fixture(scope="module")
def overlay(cubes, file):
    learn_prior(files_of("dalec2"), file, cubes / "prior.yaml", widen=WIDEN)
    return cubes / "prior.yaml"


@pytest.fixture
def posterior(file):
    return xr.load_dataset(file)


def test_draws_of_the_prior_are_those_of_the_posterior_but_wider(overlay, posterior):
    learned = load_model([*files_of("dalec2"), overlay])
    prior = Prior(learned.parameters)
    drawn = prior.parameters_of(prior.draw(20_000, np.random.default_rng(5)))
    taught = posterior["parameters"].isel(location=0).to_numpy().astype(float)
    for k, (before, after) in enumerate(zip(MODEL.parameters, learned.parameters, strict=True)):
        if before.prior == "circular":
            assert after == before
            continue
        logarithmic = before.prior.startswith("log")
        assert after.prior == ("log-normal" if logarithmic else "normal")
        assert (after.min, after.max, after.origin) == (before.min, before.max, before.origin)
        scale = np.log if logarithmic else np.asarray
        wide, narrow = scale(drawn[:, k]), scale(taught[:, k])
        if before.origin == 0.0:  # with an origin the draws are skewed on the prior's scale
            assert wide.mean() == pytest.approx(narrow.mean(), abs=0.1 * narrow.std())
            assert wide.std() == pytest.approx(WIDEN * narrow.std(), rel=0.05)


def test_everything_sees_the_learned_prior(cubes, overlay):
    location = open_location(
        [*files_of("dalec2"), overlay], cubes / "drivers.nc", cubes / "observations.nc", SITE
    )
    source = location.model.prior_source
    assert source.startswith("learned from XX-Tow by hmc (")
    assert source.endswith(
        "hmc.nc; converged: no): 21 of 23 parameters, each by itself, spread widened 1.5 times"
    )
    errors = {name: dataclasses.replace(error, inflated=True) for name, error in ERRORS.items()}
    problem = location_problem(location, ErrorStatement(errors, CORRELATION), ())
    learned = load_model([*files_of("dalec2"), overlay]).parameters
    for prior in (location.prior, problem.prior, problem.as_stated().prior):
        assert prior.parameters[: len(learned)] == learned
    assert [p.name for p in problem.prior.parameters[len(learned) :]] == [
        f"inflation_{name}" for name in SITE["streams"]
    ]


def test_priors_without_a_teacher_are_the_models_own():
    assert MODEL.prior_source == "stated in the model's files"


def test_what_the_posterior_lacks_keeps_its_prior(posterior):
    part = posterior.isel(parameter=slice(3))
    taught = learn(MODEL.parameters, part, WIDEN, "a.nc")
    assert [p.name for p in taught] == part["parameter"].to_numpy().tolist()


def test_a_learned_prior_can_be_learned_from(posterior):
    once = learn(MODEL.parameters, posterior, WIDEN, "a.nc")
    again = learn(once, posterior, WIDEN, "a.nc")
    assert again == once


def test_the_file_is_like_those_of_models(overlay, posterior):
    taught = learn(MODEL.parameters, posterior, WIDEN, "a.nc")
    content = yaml.safe_load(describe(taught, "somewhere"))
    assert content["learned"] == "somewhere"
    for item, parameter in zip(content["parameters"], taught, strict=True):
        assert item["source"] == "a.nc, widened 1.5 times"
        wanted = ("median", "factor") if item["prior"] == "log-normal" else ("mean", "sd")
        assert {*wanted} == item.keys() & {"median", "factor", "mean", "sd"}
        assert [item[key] for key in wanted] == [getattr(parameter, key) for key in wanted]


def changed(posterior, name, change):
    posterior["parameters"].loc[{"parameter": name}] = change
    return posterior


@pytest.mark.parametrize(
    ("spoil", "field", "found", "expected"),
    [
        (lambda p: changed(p, "wood_turnover", 1e-4), "wood_turnover", "0.0001 to 0.0001",
         "several values above 0"),
        (lambda p: changed(p, "wood_turnover", p["member"] - 1.0), "wood_turnover", "-1 to 3998",
         "several values above 0"),
        (lambda p: changed(p, "leaf_mass", 1e3 + p["member"]), "leaf_mass", "a mean of",
         "one from 5 to 200"),
        (lambda p: p.assign_coords(parameter=[f"x{k}" for k in range(p.sizes["parameter"])]),
         "parameter", "x0, x1, x10", "some of litter_decomposition, autotrophic_fraction"),
        (lambda p: p.assign_coords(parameter_units=("parameter", ["K"] * p.sizes["parameter"])),
         "litter_decomposition.parameter_units", "K", "d-1"),
    ],
)  # fmt: skip
def test_faults_are_named(posterior, spoil, field, found, expected):
    with pytest.raises(InputError) as caught:
        learn(MODEL.parameters, spoil(posterior), WIDEN, "a.nc")
    assert (caught.value.file, caught.value.field) == ("a.nc", field)
    assert caught.value.found.startswith(found)
    assert caught.value.expected.startswith(expected)


def test_widening_is_of_the_spread_alone(posterior):
    names = [p.name for p in learn(MODEL.parameters, posterior, 1.0, "a.nc")]
    narrow, wide = (
        dict(zip(names, learn(MODEL.parameters, posterior, widen, "a.nc"), strict=True))
        for widen in (1.0, 3.0)
    )
    for name in names:
        if narrow[name].prior == "normal":
            assert wide[name].mean == narrow[name].mean
            assert wide[name].sd == pytest.approx(3.0 * narrow[name].sd)
        else:
            assert wide[name].median == narrow[name].median
            assert math.log(wide[name].factor) == pytest.approx(3.0 * math.log(narrow[name].factor))
