"""What a posterior costs, and how far it is from one that is known better."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from scipy.spatial.distance import cdist

from concerto.assimilation.posterior import Posterior
from concerto.assimilation.problem import Problem

GRADIENT_RUNS = 3.0
"""Runs of the model that a gradient costs beside its own run: measured, 2.6 to 3.4."""
_DRAWS = 1000  # that the energy distance compares

Assimilate = Callable[[Problem, Mapping, np.random.Generator], Posterior]


def measure_method(
    problem: Problem,
    assimilate: Assimilate,
    budget: Mapping,
    reference: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, float | bool]:
    """Assimilate once and return what it cost and what came of it.

    Parameters
    ----------
    problem
        The problem; what it has been asked before does not count.
    assimilate, budget
        The method.
    reference
        (draw, parameter) in unit space, of a long chain.
    rng
        Source of all randomness.

    Returns
    -------
    dict
        ``cpu_seconds``, start and compilation included; ``run_equivalents``, a gradient counted as
        ``GRADIENT_RUNS`` runs more; ``rhat`` and ``ess``, of the worst parameter, and
        ``ess_median``, NaN where a method has none; ``converged``; and as :func:`distance`.
    """
    runs, gradients = problem.model_runs, problem.gradients
    begun = time.process_time()
    posterior = assimilate(problem, budget, rng)
    spent = time.process_time() - begun
    known = np.isfinite(posterior.ess_bulk)
    return {
        "cpu_seconds": spent,
        "run_equivalents": problem.model_runs
        - runs
        + GRADIENT_RUNS * (problem.gradients - gradients),
        "rhat": float(posterior.rhat[known].max()) if known.any() else np.nan,
        "ess": float(posterior.ess_bulk[known].min()) if known.any() else np.nan,
        "ess_median": float(np.median(posterior.ess_bulk[known])) if known.any() else np.nan,
        "converged": posterior.converged,
        **distance(posterior.unit, reference, problem.prior.circular, rng),
    }


def distance(
    unit: np.ndarray, reference: np.ndarray, circular: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    """Return how far draws are from those of a reference, both (draw, parameter) in unit space.

    Returns
    -------
    dict
        ``mean_difference``, the root mean square over parameters of the differences of means in
        standard deviations of the reference, and ``worst_mean_difference``; ``sd_ratio``, the
        geometric mean of the ratios of standard deviations, and ``worst_sd_ratio``, the one
        farthest from 1; ``energy_distance`` (Székely & Rizzo 2013, J. Stat. Plan. Inference 143,
        1249) of all parameters together, in standard deviations of the reference.
    """
    center = np.angle(np.exp(2j * np.pi * reference).mean(axis=0)) / (2.0 * np.pi)
    first, second = (
        np.where(circular, (draws - center + 0.5) % 1.0, draws) for draws in (unit, reference)
    )
    sd = second.std(axis=0)
    shift = (first.mean(axis=0) - second.mean(axis=0)) / sd
    ratio = np.log(first.std(axis=0) / sd)
    some = [
        part[rng.choice(len(part), min(_DRAWS, len(part)), replace=False)] / sd
        for part in (first, second)
    ]
    across, *within = (
        cdist(a, b).mean() for a, b in ((some[0], some[1]), (some[0],) * 2, (some[1],) * 2)
    )
    return {
        "mean_difference": float(np.sqrt(np.mean(shift**2))),
        "worst_mean_difference": float(np.abs(shift).max()),
        "sd_ratio": float(np.exp(ratio.mean())),
        "worst_sd_ratio": float(np.exp(ratio[np.argmax(np.abs(ratio))])),
        "energy_distance": float(np.sqrt(max(0.0, 2.0 * across - sum(within)))),
    }
