"""Twin experiments: truths, and observations of them, with exactly the law that a problem states.

A method whose statement of uncertainty is true gives, on average over such truths, posteriors that
hold them as often as they promise (Talts et al. 2018, arXiv:1804.06788).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from concerto.assimilation.diagnostics import chain_diagnostics
from concerto.assimilation.prior import Prior
from concerto.assimilation.problem import Problem, Stream
from concerto.assimilation.resampling import systematic
from concerto.assimilation.stream_error import StreamError, inflation
from concerto.errors import ConcertoError

log = logging.getLogger(__name__)

_BATCH = 4096  # draws of the prior, or members, at once
_NIL = 1e-6  # of an error of observation: a model error that is none
_MOST_DRAWS = 50_000_000

# of the sequential sampler
POPULATIONS = 4
PARTICLES, MOVES = 4096, 10.0
RHAT_MOST = 1.05
_MORE_LAST = 10.0
_KEPT = 0.5  # share of particles that a step of the temperature leaves, in effective number
_MOST_SWEEPS = 5000
_SHRINKING = (1.0, 0.5, 0.25, 0.1)  # of the best move for a normal density, for a curved one
_BLOCK_SHARE = 0.3  # of the unknowns that every other move changes
_ROUNDING = 1e-4  # standard deviation of the noise that keeps moves off the particles' lattice


def draw_truths(
    problem: Problem, count: int, rng: np.random.Generator, most_draws: int = _MOST_DRAWS
) -> np.ndarray:
    """Draw parameters from the prior times the constraints: independent, and exactly.

    By rejection. The density of the constraints is at most 1, so a draw of the prior is accepted
    with that very probability; what depends on parameters alone is decided before the model runs.

    Parameters
    ----------
    problem
        Its observations are not used.
    count
        Number of truths.
    rng
        Source of all randomness.
    most_draws
        Draws of the prior after which to give up.

    Returns
    -------
    numpy.ndarray
        (count, parameter) in their units.

    Raises
    ------
    ConcertoError
        If ``most_draws`` are not enough; says what share was accepted.
    """
    found: list[np.ndarray] = []
    accepted = drawn = begun = 0
    while accepted < count:
        if drawn >= most_draws:
            raise ConcertoError(
                f"truths: found {accepted} in {drawn} draws of the prior, an acceptance of "
                f"{accepted / drawn:.2g} ({begun / drawn:.2g} by the constraints on parameters "
                f"alone); expected {count}: constraints that long records make as narrow as this "
                "take temper_truths"
            )
        parameters = problem.prior.parameters_of(problem.prior.draw(_BATCH, rng))
        threshold = -rng.standard_exponential(_BATCH)  # the logarithm of a uniform number
        early = threshold < problem.log_constraints_before_run(parameters)
        parameters, threshold = parameters[early], threshold[early]
        drawn, begun = drawn + _BATCH, begun + len(parameters)
        if len(parameters):
            found.append(parameters[threshold < problem.log_constraints(parameters)])
            accepted += len(found[-1])
    log.info(
        "%d truths accepted of %d draws of the prior, %.2g; %.2g passed before the model ran",
        accepted, drawn, accepted / drawn, begun / drawn,
    )  # fmt: skip
    return np.concatenate(found)[:count]


def temper_truths(
    problem: Problem,
    count: int,
    rng: np.random.Generator,
    particles: int = PARTICLES,
    moves: float = MOVES,
) -> np.ndarray:
    """Draw parameters from the prior times the constraints where rejection would take too long.

    A sequential Monte Carlo sampler (Del Moral, Doucet & Jasra 2006, J. R. Stat. Soc. B 68, 411):
    particles from the prior, under constraints that weigh ever more, are resampled and moved by
    differences of other particles (ter Braak 2006, Statistics and Computing 16, 239). Each half of
    them moves along differences of the other, so that every move leaves the density as it is. The
    law is right in the limit of many particles and moves, not exactly; how nearly is judged by
    whether populations that know nothing of each other agree.

    Parameters
    ----------
    problem, count, rng
        As in :func:`draw_truths`.
    particles
        How many particles a population has; as many as ``count``, or more.
    moves
        How often each particle moves, on average, whenever the constraints weigh more; ten times
        as often in the end.

    Returns
    -------
    numpy.ndarray
        (count, parameter) in their units.

    Raises
    ------
    ConcertoError
        If there are fewer particles than truths, no run has a finite density, the particles
        hardly move, or populations do not agree.
    """
    if particles < count:
        raise ConcertoError(f"truths: found {particles} particles; expected at least {count}")
    grown = [_population(problem, particles, moves, rng) for _ in range(POPULATIONS)]
    parameters = np.stack([problem.prior.parameters_of(z) for z, _ in grown])
    log_shares = np.array([log_share for _, log_share in grown])
    prior = problem.prior
    unit = np.stack([prior.to_unit(part) for part in parameters])
    rhat = float(np.max(chain_diagnostics(unit, prior.circular)["rhat"]))
    log.info(
        "%d populations of %d: largest R-hat %.3f; rejection would accept %.2g",
        POPULATIONS, particles, rhat, np.mean(np.exp(log_shares)),
    )  # fmt: skip
    if not rhat < RHAT_MOST:
        raise ConcertoError(
            f"truths: found R-hat {rhat:.3f} between populations of {particles} particles; "
            f"expected less than {RHAT_MOST:g}: take more particles, or more than {moves:g} moves"
        )
    # a population counts by its estimate of the share, which makes their sum unbiased
    weights = np.exp(log_shares - log_shares.max())
    origin = rng.choice(POPULATIONS, count, p=weights / weights.sum())
    return parameters[origin, rng.choice(particles, count, replace=False)]


def with_only(problem: Problem, names: Collection[str]) -> Problem:
    """Return the problem with some of its streams, by their names, and their unknowns.

    Raises
    ------
    ConcertoError
        If the problem has no such stream.
    """
    found = [stream.name for stream in problem.streams]
    unknown = sorted(set(names) - set(found))
    if unknown:
        raise ConcertoError(
            f"streams: found {', '.join(unknown)}; expected some of {', '.join(found)}"
        )
    kept = [k for k, name in enumerate(found) if name in names]
    errors = {found[k]: problem.stream_errors[found[k]] for k in kept}
    factors = [inflation(name) for name, error in errors.items() if error.inflated]
    return replace(
        problem,
        prior=Prior((*problem.model.parameters, *factors)),
        streams=[problem.streams[k] for k in kept],
        stream_errors=errors,
        innovation_correlation=problem.innovation_correlation[np.ix_(kept, kept)],
        steps_run=0,
        gradients=0,
        failures=0,
    )


def with_streams(problem: Problem, described: Mapping[str, Mapping]) -> Problem:
    """Return the problem with more streams, as :func:`with_stream` adds them.

    ``described`` has for each name ``every_days`` and ``error``.
    """
    for name, pattern in described.items():
        every = max(1, round(pattern["every_days"] / problem.forcing.step))
        problem = with_stream(problem, name, every, float(pattern["error"]))
    return problem


def with_stream(problem: Problem, name: str, every: int, error: float) -> Problem:
    """Return the problem with one more stream, for observations of truths.

    Parameters
    ----------
    problem
        Its model has the observable ``name``.
    name
        Of the stream.
    every
        Steps from one observation to the next; the first is half as many after the start.
    error
        Standard deviation of an observation, in the unit of the observable: independent from one
        to the next.
    """
    steps = len(problem.forcing.weather)
    values = np.full(steps, np.nan)
    values[every // 2 :: every] = 0.0  # a truth's will take their place
    stream = Stream(name, values, np.full(steps, error))
    random = StreamError(sd_fast=_NIL * error, tau_fast=1.0, sd_slow=0.0, tau_slow=1.0)
    count = len(problem.streams)
    correlation = np.eye(count + 1)
    correlation[:count, :count] = problem.innovation_correlation
    return replace(
        problem,
        streams=[*problem.streams, stream],
        stream_errors={**problem.stream_errors, name: random},
        innovation_correlation=correlation,
    )


def observe(problem: Problem, truth: np.ndarray, rng: np.random.Generator) -> Problem:
    """Return the problem with observations of a truth in place of its own.

    They are where its own are, and have the errors that it states: those of model and observation.

    Parameters
    ----------
    problem
        The problem; it stays as it is.
    truth
        (parameter,) in their units.
    rng
        Source of the errors.

    Raises
    ------
    ConcertoError
        If the truth's run is not finite where it is observed; names the streams.
    """
    predicted = np.concatenate(problem.predict(truth[None]))
    values = predicted + problem.draw_errors(truth, rng)
    seen = np.stack([np.isfinite(stream.values) for stream in problem.streams])
    wrong = [
        stream.name
        for stream, row, mask in zip(problem.streams, values, seen, strict=True)
        if not np.isfinite(row[mask]).all()
    ]
    if wrong:
        raise ConcertoError(f"truth: its run gives no finite {', '.join(wrong)}")
    streams = [
        replace(stream, values=row) for stream, row in zip(problem.streams, values, strict=True)
    ]
    return replace(problem, streams=streams, steps_run=0, gradients=0, failures=0)


def _population(
    problem: Problem, particles: int, moves: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Return particles (particle, unknown), and the logarithm of what rejection would accept."""
    z = problem.prior.draw(particles, rng)
    density = _log_constraints(problem, z)
    weight, log_share = 0.0, 0.0
    while weight < 1.0:
        step = _next_step(density, 1.0 - weight)
        gain = step * density
        top = float(gain.max())
        log_share += top + float(np.log(np.mean(np.exp(gain - top))))
        weight = 1.0 if step == 1.0 - weight else weight + step
        # in random order, for the two halves of the particles move each other
        chosen = rng.permutation(systematic(gain, len(gain), rng))
        z, density = z[chosen], density[chosen]
        wanted = moves if weight < 1.0 else _MORE_LAST * moves
        sweeps = _move(problem, z, density, weight, wanted, rng)
        log.info(
            "constraints weigh %.3g: mean log-density %.3g, %d sweeps",
            weight, density.mean(), sweeps,
        )  # fmt: skip
    return z, log_share


def _log_constraints(problem: Problem, z: np.ndarray) -> np.ndarray:
    return problem.log_constraints(problem.prior.parameters_of(z))


def _next_step(density: np.ndarray, rest: float) -> float:
    """Return by how much constraints may weigh more, at most ``rest``, for enough to be left."""
    if not np.isfinite(density).any():
        raise ConcertoError("truths: no run has a finite density; expected some of the prior's to")
    relative = density - density.max()

    def left(step: float) -> float:
        share = np.exp(step * relative)
        return share.sum() ** 2 / np.sum(share**2) / len(share)

    if left(rest) >= _KEPT:
        return rest
    low, high = 0.0, rest
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if left(middle) >= _KEPT else (low, middle)
    return high


def _move(
    problem: Problem,
    z: np.ndarray,
    density: np.ndarray,
    weight: float,
    wanted: float,
    rng: np.random.Generator,
) -> int:
    """Move particles, in place, until each has done so ``wanted`` times on average.

    Returns after how many sweeps.
    """
    halves = np.array_split(np.arange(len(z)), 2)
    moved = 0
    for sweep in range(1, _MOST_SWEEPS + 1):
        for own, other in (halves, halves[::-1]):
            proposal = z[own] + _difference(z[other], len(own), rng)
            proposed = _log_constraints(problem, proposal)
            gain = weight * (proposed - density[own])
            gain -= 0.5 * np.sum(proposal**2 - z[own] ** 2, axis=1)
            taken = -rng.standard_exponential(len(own)) < gain
            z[own[taken]], density[own[taken]] = proposal[taken], proposed[taken]
            moved += int(taken.sum())
        if moved >= wanted * len(z):
            return sweep
    raise ConcertoError(
        f"truths: found {moved / len(z):.2g} moves of a particle in {_MOST_SWEEPS} sweeps; "
        f"expected {wanted:g}"
    )


def _difference(others: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return (count, unknown) moves along differences of two of ``others`` each."""
    first = rng.integers(len(others), size=count)
    second = (first + rng.integers(1, len(others), size=count)) % len(others)
    size = others.shape[1]
    whole = rng.random(count) < 0.5
    changed = whole[:, None] | (rng.random((count, size)) < _BLOCK_SHARE)
    # 2.38 / sqrt(2 d): ter Braak (2006), for a normal density in d dimensions
    length = 2.38 / np.sqrt(2.0 * np.maximum(1, changed.sum(axis=1)))
    length *= rng.choice(_SHRINKING, size=count)
    along = length[:, None] * (others[first] - others[second])
    return changed * (along + _ROUNDING * rng.standard_normal((count, size)))
