"""Parameters of a process model from what is known of a place, learnt at all places together.

A small neural network turns the traits of a place into the scores of all parameters. It is taught
through the adjoint of the model: how the likelihood of a tower's observations, with ecological
constraints and the parameters' own prior, changes with its parameters says how the weights should
change (after Fang et al. 2024, arXiv 2411.09654, who differentiate DALEC in JAX). Networks of an
ensemble differ in their first weights and in the fold of towers that they never see; what is said
of a tower comes from the networks that did not see it.

What differs between towers that look alike to the networks is the spread of their prior, by
expectation and maximisation (Dempster, Laird & Rubin 1977): each tower's best parameters and their
curvature about its centre give a spread, which gives new best parameters.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from concerto.assimilation.mode import ends
from concerto.assimilation.prior import told
from concerto.assimilation.problem import Problem
from concerto.assimilation.scores import Scores
from concerto.learning.perceptrons import Climber, Perceptrons

log = logging.getLogger(__name__)

_STRONGEST = 20.0  # a tower's pull on the scores is no stronger than that
_FIRST_SPREAD = 0.2  # in unit space
_LEAST_SPREAD = 0.01
_ROUNDS = 3
_TOWERS = 60  # whose best parameters give the spread
_EVALUATIONS, _CHANGE = 25, 1e-4


@dataclass(frozen=True)
class Schooling:
    """How networks are taught.

    Number of ``networks`` and of ``hidden`` units in each; ``passes`` through all towers, ``batch``
    of them at a time; the first ``rate`` and the ``decay`` of weights.
    """

    networks: int
    hidden: int
    passes: int
    batch: int
    rate: float
    decay: float


@dataclass(frozen=True)
class Places:
    """What is known of towers, of each (location,).

    ``traits`` (location, trait), about standard normal; ``folds``, from 0 on; ``turns``, the time
    of the year, in radians from its start, from which networks count days of the year.
    """

    traits: np.ndarray
    folds: np.ndarray
    turns: np.ndarray

    def about(self, tower: int, circular: np.ndarray) -> np.ndarray:
        """Return the scores (parameter,) from which networks count those of a tower."""
        return np.where(circular, self.turns[tower], 0.0)


def teach(
    problems: Sequence[Problem | None],
    places: Places,
    schooling: Schooling,
    rng: np.random.Generator,
) -> Perceptrons:
    """Return networks, from traits to scores, of which each has not seen one of the folds.

    Parameters
    ----------
    problems
        Of each tower, with the same parameters; None where there is nothing to learn from.
    places
        What is known of each tower.
    schooling
        How.
    rng
        Of first weights and the order of towers.
    """
    able = np.flatnonzero([problem is not None for problem in problems])
    scores = [None if problem is None else Scores(problem) for problem in problems]
    circular, traits, folds = scores[able[0]].circular, places.traits, places.folds
    networks = Perceptrons.drawn(
        schooling.networks, traits.shape[1], schooling.hidden, len(circular), rng
    )
    unseen = unseen_folds(schooling.networks, folds)
    batches = math.ceil(len(able) / schooling.batch)
    climber = Climber(networks, schooling.rate, schooling.decay, schooling.passes * batches)
    for number in range(schooling.passes):
        seen, held = [], []
        for batch in np.array_split(rng.permutation(able), batches):
            total = [np.zeros_like(weight) for weight in networks.weights]
            for tower in batch:
                away = unseen == folds[tower]
                hidden = networks.hidden(traits[tower])
                said = networks.outputs(hidden) + places.about(tower, circular)
                likelihood, slopes = _pull(problems[tower], scores[tower], said)
                slopes[away] = 0.0
                pulled = networks.pull_back(traits[tower], hidden, slopes / len(batch))
                total = [whole + part for whole, part in zip(total, pulled, strict=True)]
                seen.append(np.median(likelihood[~away]))
                held.append(np.median(likelihood[away]))
            climber.step(total)
        log.info(
            "pass %d of %d: median log-likelihood %.4g of towers that were seen, %.4g of others",
            number + 1, schooling.passes, np.median(seen), np.median(held),
        )  # fmt: skip
    return networks


def unseen_folds(networks: int, folds: np.ndarray) -> np.ndarray:
    """Return the fold (network,) that each network never sees."""
    return np.arange(networks) % (int(folds.max()) + 1)


def centres(networks: Perceptrons, places: Places, circular: np.ndarray) -> np.ndarray:
    """Return the scores (location, parameter) of all towers from networks that did not see them.

    The mean over networks; that of angles, which ``circular`` (parameter,) tells, has the mean
    direction (Mardia & Jupp 2000, Directional Statistics, section 2.2.1).
    """
    unseen = unseen_folds(len(networks.weights[1]), places.folds)
    found = np.empty((len(places.folds), len(circular)))
    for tower, fold in enumerate(places.folds):
        said = networks(places.traits[tower])[unseen == fold] + places.about(tower, circular)
        direction = np.arctan2(np.sin(said).mean(axis=0), np.cos(said).mean(axis=0))
        found[tower] = np.where(circular, direction, said.mean(axis=0))
    return found


def likelihoods(problems: Sequence[Problem | None], *scores: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the log-likelihood (location,) of towers by each of some ``scores``.

    These are (location, parameter); NaN where there is no problem, -inf where a run fails.
    """
    found = np.full((len(problems), len(scores)), np.nan)
    for tower, problem in enumerate(problems):
        if problem is not None:
            own = np.stack([of[tower] for of in scores])
            found[tower] = problem.log_likelihood(Scores(problem).parameters_of(own))
    return tuple(found.T)


def spread_about(
    problems: Sequence[Problem | None], centres: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the spread (parameter,) of towers about their centres, in unit space, and how it goes.

    The second are the correlations (parameter, parameter) that the last round finds, of what
    differs between towers and of what each tower's data and constraints leave open.

    Parameters
    ----------
    problems
        Of each tower; None where there is nothing to learn from.
    centres
        Scores (location, parameter).
    rng
        Draws the towers that are asked, where there are many.
    """
    able = np.flatnonzero([problem is not None for problem in problems])
    asked = np.sort(rng.permutation(able)[:_TOWERS])
    spread = np.full(centres.shape[1], _FIRST_SPREAD)
    for number in range(_ROUNDS):
        away = [_away(problems[tower], centres[tower], spread) for tower in asked]
        moment = np.mean(away, axis=0)
        size = np.sqrt(np.diag(moment))
        spread = np.maximum(spread * size, _LEAST_SPREAD)
        log.info("round %d: median spread %.3g of the range", number + 1, np.median(spread))
    return spread, moment / np.outer(size, size)


def _pull(problem: Problem, space: Scores, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-likelihood (network,), and where the posterior pulls scores, within reason."""
    likelihood, by_parameter = problem.likelihood_slopes(space.parameters_of(scores))
    slopes = by_parameter * space.slopes(scores) - np.where(space.circular, 0.0, scores)
    strength = np.linalg.norm(slopes, axis=1, keepdims=True)
    slopes *= np.minimum(1.0, _STRONGEST / np.maximum(strength, _STRONGEST))
    slopes[~np.isfinite(likelihood)] = 0.0
    return likelihood, slopes


def _away(problem: Problem, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the expected products (parameter, parameter) of a tower's scores about its centre."""
    parameters = Scores(problem).parameters_of(centre[None])[0]
    asked = replace(problem, prior=told(problem.prior, parameters, spread))
    space = Scores(asked)
    best = ends(space, space.at(parameters[None]), _EVALUATIONS, _CHANGE)[0]
    return np.outer(best.scores, best.scores) + np.linalg.inv(best.curvature)
