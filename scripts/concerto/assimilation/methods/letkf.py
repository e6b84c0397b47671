"""LETKF: an ensemble Kalman filter that passes through the record window by window.

The ensemble transform of Hunt, Kostelich & Szunyogh (2007, Physica D 230, 112): the analysis is a
combination of the members whose weights follow from what they say of the window's observations,
each at its own time. There is one location, so nothing is local but time.

The state of a member is its parameters, as the ``z`` of the prior; its pools, as the logarithm of
what they hold above a small offset below zero, so that none becomes negative; and its model errors.
Given a run, the model errors ``fast`` and ``slow`` of a stream are a linear normal process, so a
member carries what is expected of them by the Kalman filter of
:mod:`~concerto.assimilation.stream_error`, whose covariance is the same for all: the ensemble need
not sample them, which would take many more members (Rao-Blackwellisation, Doucet et al. 2000,
Statistics and Computing 10, 197). Autocorrelated model error is thereby part of the state, the
filter's innovations are independent, and its likelihood is that of every other method. If all is
linear and normal, the ensemble is the exact posterior of the draws that it starts from, and these
are drawn with the mean and the covariance of the prior.

Where a window's observations say much more than the members know, they are assimilated in parts,
each with its errors inflated, from the window's start anew (as
:mod:`~concerto.assimilation.methods.esmda` does with a whole record, and Bocquet & Sakov 2014,
Q. J. R. Meteorol. Soc. 140, 1521, with windows). The constraints are on whole runs from the
parameters alone, so they come first, as a part of the prior. Errors are taken as stated.

The product of a filter is its state at the end. The pools there were corrected on the way: a run
from the start with the parameters at the end does not come to them.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from concerto.assimilation.innovation import Innovations, chi_square
from concerto.assimilation.methods.esmda import information_share
from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem
from concerto.assimilation.state import State
from concerto.assimilation.stated import errors_as_stated
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

FINAL_STATE = True  # the posterior has one, so that forecasts go on from it
LEAST_MEMBERS = 4  # per unknown of the prior
COLLAPSE = 1e-3  # of the prior's spread, in the direction that is known best
_EMPTY = 1e-3  # gC m-2, gN m-2 or mm: below the logarithm of a pool bends
_ALL = 1.0 - 1e-9  # of the information


@errors_as_stated
def assimilate(problem: Problem, budget: dict, rng: np.random.Generator) -> Posterior:
    """Filter the record with ``budget["members"]`` members.

    ``budget`` also holds ``window_days``, the length of a window, ``passes``, the most parts in
    which a window is assimilated, and ``relaxation``: the share of the spread of each ``z`` that a
    window took which is given back (Whitaker & Hamill 2012, Mon. Weather Rev. 140, 3078),
    0 for none.

    The verdict is ``converged`` if the mean squared standardised innovation, over the record and
    over its second half, is between 0.5 and 2, and the ensemble did not collapse.
    ``log_density`` is that of runs from the start with the parameters at the end.

    Raises
    ------
    ConcertoError
        If the ensemble is too small for the unknowns, a run of the model fails, or a pool is
        negative.
    """
    prior, members = problem.prior, int(budget["members"])
    if members < LEAST_MEMBERS * prior.size:
        raise ConcertoError(
            f"letkf: found {members} members for {prior.size} unknowns; "
            f"expected at least {LEAST_MEMBERS * prior.size}"
        )
    passes, relaxation = int(budget["passes"]), float(budget["relaxation"])
    length = max(1, round(budget["window_days"] / problem.forcing.step))
    end = len(problem.forcing.weather)
    z = _constrain(problem, _like_prior(prior.draw(members, rng)), passes)
    state = problem.start(prior.parameters_of(z))
    innovations = Innovations()
    for start in range(0, end, length):
        spread = z.std(axis=0)
        z, state, seen = _window(problem, z, state, min(start + length, end), passes)
        innovations.add(*seen)
        z = _relax(z, spread, relaxation)
        if 10 * state.step // end > 10 * start // end:
            log.info("%3d %%: %s", 100 * state.step // end, innovations)
    return _posterior(problem, z, problem.with_drawn_errors(state, rng), innovations)


def _window(
    problem: Problem, z: np.ndarray, state: State, stop: int, passes: int
) -> tuple[np.ndarray, State, tuple[float, int]]:
    """Assimilate the observations between a state and the step ``stop``.

    Returns
    -------
    z, state, innovation
        The analysed ensemble, its state before ``stop``, and the sum of the squared standardised
        innovations with their number.
    """

    def evaluate(vector: np.ndarray) -> tuple[np.ndarray, State]:
        parameters, start = _split(problem, vector, state)
        residuals, after = problem.advance(start, parameters, stop)
        _check(problem, residuals, parameters, state.step)
        return residuals, after

    vector = _join(z, state)
    first, after = evaluate(vector)
    if first.shape[1]:
        vector = _in_parts(vector, lambda x: evaluate(x)[0], first, passes)
        _, after = evaluate(vector)
    return vector[:, : z.shape[1]], after, (chi_square(first), first.shape[1])


def _in_parts(
    vector: np.ndarray,
    evaluate: Callable[[np.ndarray], np.ndarray],
    residuals: np.ndarray,
    passes: int,
) -> np.ndarray:
    """Return the ensemble after all of the information, in as many parts as its misfit asks for.

    Parameters
    ----------
    vector
        (member, unknown).
    evaluate
        (member, unknown) -> (member, residual).
    residuals
        What that gives at the start.
    passes
        The most parts.
    """
    done = 0.0
    for part in range(passes):
        last = part == passes - 1
        share = 1.0 - done if last else min(1.0 - done, information_share(residuals))
        vector = transform(vector, residuals, share)
        done += share
        if done > _ALL:
            break
        residuals = evaluate(vector)
    return vector


def transform(vector: np.ndarray, residuals: np.ndarray, share: float = 1.0) -> np.ndarray:
    """Return the ensemble after assimilation of standard normal residuals towards zero.

    The weights of Hunt et al. (2007), section 2, by a singular value decomposition of the
    residuals' anomalies.

    Parameters
    ----------
    vector, residuals
        (member, unknown) and (member, residual).
    share
        Of the information: the residuals' variance is its inverse.
    """
    weight = math.sqrt(share)
    mean, around = vector.mean(axis=0), vector - vector.mean(axis=0)
    center = residuals.mean(axis=0)
    scale = math.sqrt(len(vector) - 1)
    left, sizes, right = np.linalg.svd((residuals - center) * (weight / scale), full_matrices=False)
    known = 1.0 + sizes * sizes
    along = left.T @ around
    shift = (sizes / known * (right @ center) * (weight / scale)) @ along
    # the symmetric square root leaves what lies across the residuals' anomalies as it is
    return mean - shift + around + (left * (1.0 / np.sqrt(known) - 1.0)) @ along


def _constrain(problem: Problem, z: np.ndarray, passes: int) -> np.ndarray:
    """Return the ensemble after assimilation of the constraints, which are on whole runs."""

    def evaluate(z: np.ndarray) -> np.ndarray:
        parameters = problem.prior.parameters_of(z)
        terms = problem.residuals(parameters)[:, problem.n_observations :]
        _check(problem, terms, parameters, 0)
        return terms

    first = evaluate(z)
    return _in_parts(z, evaluate, first, passes) if first.shape[1] else z


def _like_prior(z: np.ndarray) -> np.ndarray:
    """Return draws that are shifted and turned to have exactly the mean and covariance of ``z``."""
    around = z - z.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(around.T).reshape(z.shape[1], z.shape[1]))
    return around @ (vectors / np.sqrt(values)) @ vectors.T


def _relax(z: np.ndarray, before: np.ndarray, relaxation: float) -> np.ndarray:
    """Return the ensemble with its spread taken back towards that ``before`` (size,)."""
    mean, spread = z.mean(axis=0), z.std(axis=0)
    return mean + (z - mean) * (1.0 + relaxation * (before - spread) / spread)


def _join(z: np.ndarray, state: State) -> np.ndarray:
    """Return all that is analysed, (member, unknown): z, pools, expected model errors."""
    if (state.pools < -np.finfo(float).tiny).any():  # an empty pool may round to a subnormal one
        raise ConcertoError(
            f"letkf: found a pool of {state.pools.min():g} before step {state.step}; "
            "expected none below 0"
        )
    return np.hstack([z, np.log(state.pools + _EMPTY), state.fast, state.slow])


def _split(problem: Problem, vector: np.ndarray, state: State) -> tuple[np.ndarray, State]:
    """Return the parameters and the state that :func:`_join` joined, like ``state``.

    At the start of the record the pools are those of the parameters.
    """
    size, pools, streams = problem.prior.size, state.pools.shape[1], state.fast.shape[1]
    z, logs, fast, slow = np.split(vector, np.cumsum([size, pools, streams]), axis=1)
    parameters = problem.prior.parameters_of(z)
    if state.step == 0:
        return parameters, problem.start(parameters)
    pools = np.maximum(0.0, np.exp(logs) - _EMPTY)
    return parameters, replace(state, pools=pools, fast=fast, slow=slow)


def _check(problem: Problem, residuals: np.ndarray, parameters: np.ndarray, step: int) -> None:
    failed = int((~np.isfinite(residuals).all(axis=1)).sum())
    if failed:
        where = ", ".join(problem.not_finite(parameters)) or "runs from the analysed pools"
        raise ConcertoError(
            f"letkf: {failed} of {len(parameters)} runs of the model from step {step} on gave no "
            f"finite result for {where}"
        )


def _posterior(
    problem: Problem, z: np.ndarray, state: State, innovations: Innovations
) -> Posterior:
    parameters = problem.prior.parameters_of(z)
    unit = problem.prior.to_unit(parameters)
    spread = math.sqrt(max(float(np.linalg.eigvalsh(np.cov(z.T))[0]), 0.0))
    collapsed = spread < COLLAPSE
    return Posterior.of_ensemble(
        unit=unit,
        log_density=problem.log_likelihood(parameters) + problem.prior.log_density(unit),
        converged=innovations.accepted and not collapsed,
        verdict=f"{'the ensemble collapsed; ' if collapsed else ''}{innovations}; "
        f"smallest ensemble spread {spread:.2g} of the prior's (above {COLLAPSE:g} wanted)",
        history={"innovation": innovations.series},
        diagnostics={**innovations.diagnostics, "smallest_spread": spread},
        final=state,
    )
