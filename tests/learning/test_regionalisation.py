"""Parameters learnt at many towers together, against towers whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from concerto.assimilation.prior import Prior, around, columns_told, told
from concerto.assimilation.problem import Problem, Stream
from concerto.assimilation.scores import Scores
from concerto.learning.perceptrons import Perceptrons
from concerto.learning.regionalisation import Places, Schooling, centres, spread_about, teach
from concerto.models import Model
from synthetic_dalec import make_forcing, make_problem

TOWERS, FOLDS, DAYS = 24, 4, 366
SCHOOLING = Schooling(networks=8, hidden=6, passes=30, batch=6, rate=0.05, decay=0.01)
LEARNT = "canopy_efficiency"
SPREAD = 0.08
"""Of the towers about what their trait says, as a share of the range."""


@dataclass(frozen=True)
class Towers:
    """Towers of which a trait, the first of two, tells the efficiency of the canopy."""

    problems: list[Problem]
    traits: np.ndarray
    folds: np.ndarray
    truth: np.ndarray
    column: int

    @property
    def places(self) -> Places:
        return Places(self.traits, self.folds, np.zeros(TOWERS))


def make_tower(model: Model, parameters: np.ndarray, rng: np.random.Generator) -> Problem:
    """Return a tower that measures what its parameters make, with noise."""
    forcing = make_forcing(model, DAYS, rng)
    like = make_problem(model)
    outputs = tuple(stream.name for stream in like.streams)
    runs = model.simulate(parameters[None], forcing.weather, outputs)
    streams = []
    for name in outputs:
        values = runs.series(name)[0]
        sd = np.full(DAYS, 0.1 * values.std() + 0.05)
        streams.append(Stream(name, values + sd * rng.standard_normal(DAYS), sd))
    return replace(like, forcing=forcing, streams=streams)


@pytest.fixture(scope="module")
def towers(dalec2) -> Towers:
    rng = np.random.default_rng(3)
    prior = Prior(dalec2.parameters)
    middle = prior.to_unit(prior.parameters_of(np.full((1, prior.size), 0.5)))
    column = dalec2.parameter_names.index(LEARNT)
    traits = rng.standard_normal((TOWERS, 2))
    unit = np.repeat(middle, TOWERS, axis=0)
    away = SPREAD * rng.standard_normal(TOWERS)
    unit[:, column] = np.clip(0.5 + 0.15 * traits[:, 0] + away, 0.05, 0.95)
    truth = prior.to_parameters(unit)
    problems = [make_tower(dalec2, own, rng) for own in truth]
    return Towers(problems, traits, np.arange(TOWERS) % FOLDS, truth, column)


@pytest.fixture(scope="module")
def taught(towers) -> np.ndarray:
    """Centres of all towers, in the parameters' units."""
    networks = teach(towers.problems, towers.places, SCHOOLING, np.random.default_rng(1))
    space = Scores(towers.problems[0])
    return space.parameters_of(centres(networks, towers.places, space.circular))


def unit_of(towers: Towers, parameters: np.ndarray) -> np.ndarray:
    return towers.problems[0].prior.to_unit(parameters)[:, towers.column]


def test_what_a_trait_says_of_a_tower_is_learnt_from_the_others(towers, taught):
    found, truth = unit_of(towers, taught), unit_of(towers, towers.truth)
    without = truth - truth.mean()
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.75 * np.sqrt(np.mean(without**2))
    expected = 0.5 + 0.15 * towers.traits[:, 0]
    assert np.corrcoef(found, expected)[0, 1] > 0.85


def test_runs_come_closer_than_those_of_the_common_prior(towers, taught):
    def misfit(parameters: np.ndarray) -> float:
        return float(
            np.median(
                [
                    problem.mean_squares(own[None])["gpp"][0]
                    for problem, own in zip(towers.problems, parameters, strict=True)
                ]
            )
        )

    prior = towers.problems[0].prior
    common = np.repeat(prior.parameters_of(np.zeros((1, prior.size))), TOWERS, axis=0)
    least = misfit(towers.truth)
    assert misfit(taught) - least < 0.7 * (misfit(common) - least)


def test_a_tower_is_not_told_what_it_measured(dalec2, towers):
    """Nor are the others of its fold."""
    short = replace(SCHOOLING, passes=1, networks=FOLDS)
    other = make_tower(dalec2, towers.truth[0], np.random.default_rng(99))
    changed = [*towers.problems]
    changed[5] = other
    found = [
        centres(
            teach(problems, towers.places, short, np.random.default_rng(2)),
            towers.places,
            Scores(towers.problems[0]).circular,
        )
        for problems in (towers.problems, changed)
    ]
    same = (found[0] == found[1]).all(axis=1)
    np.testing.assert_array_equal(same, towers.folds == towers.folds[5])


def test_towers_without_a_problem_are_told_and_teach_nothing(towers):
    short = replace(SCHOOLING, passes=1, networks=FOLDS)
    fewer = [None if k in (1, 6) else problem for k, problem in enumerate(towers.problems)]
    networks = teach(fewer, towers.places, short, np.random.default_rng(2))
    circular = Scores(towers.problems[0]).circular
    assert np.isfinite(centres(networks, towers.places, circular)).all()


def test_networks_count_days_from_the_warm_season_and_their_mean_is_a_direction(towers):
    """Two networks that say a little before and a little after the new year mean the new year."""
    circular = Scores(towers.problems[0]).circular
    networks = Perceptrons.drawn(2, 2, 3, len(circular), np.random.default_rng(7))
    for weight in networks.weights:
        weight[:] = 0.0
    networks.weights[3][:] = np.array([[np.pi - 0.1], [0.3 - np.pi]])
    turns = np.linspace(0.0, 6.0, 3)
    places = Places(np.zeros((3, 2)), np.zeros(3, int), turns)
    found = centres(networks, places, circular)
    expected = turns + np.pi + 0.1
    np.testing.assert_allclose(
        np.cos(found[:, circular]), np.cos(expected)[:, None].repeat(circular.sum(), 1)
    )
    np.testing.assert_allclose(found[:, ~circular], 0.1)


def test_the_spread_of_towers_about_the_truth_is_found(towers):
    """About what their trait says, with what their own data leave open counted."""
    prior = towers.problems[0].prior
    unit = prior.to_unit(towers.truth)
    unit[:, towers.column] = 0.5 + 0.15 * towers.traits[:, 0]
    space = Scores(towers.problems[0])
    about = space.at(prior.to_parameters(unit))
    spread, correlation = spread_about(towers.problems, about, np.random.default_rng(4))
    assert spread[towers.column] == pytest.approx(SPREAD, rel=0.4)
    np.testing.assert_allclose(np.diag(correlation), 1.0)
    np.testing.assert_allclose(correlation, correlation.T, atol=1e-8)
    assert np.linalg.eigvalsh(correlation)[0] > 0.0


def test_a_told_prior_lies_about_its_centre(towers):
    prior = towers.problems[0].prior
    centre = prior.to_parameters(np.full((1, len(prior.parameters)), 0.4))[0]
    own = told(prior, centre, np.full(len(centre), 0.05))
    drawn = own.parameters_of(own.draw(4000, np.random.default_rng(5)))
    unit = prior.to_unit(drawn)
    plain = ~prior.circular
    np.testing.assert_allclose(np.median(unit, axis=0)[plain], 0.4, atol=0.01)
    # about a centre near its origin, a logarithm bends
    straight = plain & np.array([p.origin == 0.0 for p in prior.parameters])
    np.testing.assert_allclose(unit.std(axis=0)[straight], 0.05, rtol=0.1)
    np.testing.assert_allclose(unit.std(axis=0)[plain & ~straight], 0.05, rtol=0.4)


def test_a_told_day_lies_about_its_centre_across_the_new_year(towers):
    prior = towers.problems[0].prior
    centre = prior.to_parameters(np.full((1, len(prior.parameters)), 0.4))[0]
    centre[prior.circular] = 3.0
    own = told(prior, centre, np.full(len(centre), 0.05))
    drawn = own.parameters_of(own.draw(4000, np.random.default_rng(5)))[:, prior.circular]
    np.testing.assert_allclose(drawn.mean(axis=0), 3.0, atol=1.5)
    np.testing.assert_allclose(drawn.std(axis=0), 0.05 * 365.25, rtol=0.05)
    assert (drawn < 0.0).any()
    home = around(prior, own.parameters_of(own.draw(50, np.random.default_rng(6))))
    low, high = (np.array([getattr(p, end) for p in prior.parameters]) for end in ("min", "max"))
    assert ((home >= low) & (home <= high)).all()


def test_a_day_past_the_new_year_is_that_of_the_year_before(towers):
    """What a told day rests on: runs of the model know the day's place on the circle alone."""
    problem = towers.problems[0]
    past = towers.truth[:3].copy()
    past[:, problem.prior.circular] += 365.25
    np.testing.assert_allclose(
        problem.log_likelihood(past), problem.log_likelihood(towers.truth[:3]), rtol=1e-9
    )


def test_columns_of_a_told_prior_are_those_of_the_same_parameters(towers):
    prior = towers.problems[0].prior
    centre = prior.to_parameters(np.full((1, len(prior.parameters)), 0.4))[0]
    own = told(prior, centre, np.full(len(centre), 0.05))
    assert own.size == len(prior.parameters)
    columns = columns_told(prior, own)
    np.testing.assert_array_equal(
        np.flatnonzero(~np.isin(range(prior.size), columns)), columns[prior.circular] + 1
    )
    every = prior.columns(range(len(prior.parameters)))
    np.testing.assert_array_equal(columns_told(prior, prior), every)


def test_slopes_of_scores_are_exact(towers):
    space = Scores(towers.problems[0])
    at = np.random.default_rng(6).normal(size=(3, len(space.circular)))
    step = 1e-6
    for k in range(at.shape[1]):
        ahead, behind = at.copy(), at.copy()
        ahead[:, k] += step
        behind[:, k] -= step
        change = (space.parameters_of(ahead) - space.parameters_of(behind))[:, k] / (2 * step)
        np.testing.assert_allclose(space.slopes(at)[:, k], change, rtol=1e-5, atol=1e-12)


def test_slopes_of_the_likelihood_are_exact(towers):
    problem, parameters = towers.problems[0], towers.truth[:2] * 1.02
    likelihood, slopes = problem.likelihood_slopes(parameters)
    np.testing.assert_allclose(likelihood, problem.log_likelihood(parameters), rtol=1e-10)
    ahead, behind = parameters.copy(), parameters.copy()
    step = 1e-6 * parameters[:, towers.column]
    ahead[:, towers.column] += step
    behind[:, towers.column] -= step
    change = (problem.log_likelihood(ahead) - problem.log_likelihood(behind)) / (2 * step)
    np.testing.assert_allclose(slopes[:, towers.column], change, rtol=1e-4)
