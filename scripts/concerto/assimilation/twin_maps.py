"""Twin experiments of maps: truths that hang together in space, and observations of their cells.

A truth is one more member of a map: a draw of the random field under the constraints. Field and
constraints of all cells at once would be another law, in which what a cell must not be says what
its neighbours are; a cell that is assimilated by itself is not told.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from concerto import plugins
from concerto.assimilation.cells import Cells
from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.prior import columns_told
from concerto.assimilation.random_field import RandomField
from concerto.assimilation.settling import Start, settle
from concerto.assimilation.twin import observe
from concerto.seeds import generator

log = logging.getLogger(__name__)

_MEMBERS = 400  # of the ensemble that truths are taken from, at least: moves mix its draws


def draw_truth_maps(
    cells: Cells,
    statement: ErrorStatement,
    constraints: Sequence[str],
    count: int,
    moves: int,
    seed: int,
) -> np.ndarray:
    """Draw maps of all unknowns from the law that members of a map have before observations.

    Draws of the random field, settled under the constraints of each cell by the same chance in all
    of them (:func:`concerto.assimilation.settling.settle`), more thoroughly than members are.

    Parameters
    ----------
    cells, statement, constraints, seed
        As :func:`concerto.assimilation.cells.assimilate_cells` takes them; observations are not
        used.
    count, moves
        Number of maps, and of moves of each.

    Returns
    -------
    numpy.ndarray
        (count, cell, parameter) in their units.
    """
    field, members = cells.entry["prior_field"], max(count, _MEMBERS)
    prior = statement.prior(cells.common_prior)
    maps = RandomField(
        members, prior.size,
        field["correlation_length_km"], field["local_fraction"], seed, "truths",
    )  # fmt: skip
    truths = []
    for k, name in enumerate(cells.names):
        problem = cells.problem(k, statement, constraints)
        drawn = maps.at(float(cells.drivers["lat"][k]), float(cells.drivers["lon"][k]), name)
        drawn = drawn[:, columns_told(prior, problem.prior)]
        z = settle(problem, Start(drawn, generator(seed, "truth maps")), moves)[:count]
        truths.append(problem.prior.parameters_of(z))
        log.info(
            "%s: mean log-density of the constraints %.3g",
            name, np.mean(problem.log_constraints(truths[-1])),
        )  # fmt: skip
    return np.stack(truths, axis=1)


def observe_cells(
    cells: Cells,
    statement: ErrorStatement,
    constraints: Sequence[str],
    truth: np.ndarray,
    seed: int,
    label: str,
) -> Cells:
    """Return cells with observations of a truth in place of their own.

    They are where their own are, and have the errors that are stated, cell by cell.

    Parameters
    ----------
    cells, statement, constraints
        As :func:`concerto.assimilation.cells.assimilate_cells` takes them.
    truth
        (cell, parameter) of all unknowns.
    seed, label
        The run's seed and the truth's name, from which the errors follow.

    Raises
    ------
    ConcertoError
        If a run of the truth is not finite where it is observed.
    """
    shape = cells.drivers.sizes["location"], cells.drivers.sizes["time"]
    values = {name: np.full(shape, np.nan) for name in cells.entry["streams"]}
    spread = {name: np.full(shape, np.nan) for name in values}
    for k, cell in enumerate(cells.names):
        problem = cells.problem(k, statement, constraints)
        seen = observe(problem, truth[k], generator(seed, "observe", label, cell))
        for stream in seen.streams:
            values[stream.name][k, : len(stream.values)] = stream.values
            spread[stream.name][k, : len(stream.values)] = stream.random_sd
    made = {**values, **{f"{name}_random": sd for name, sd in spread.items()}}
    units = {field: plugins.load("operators", field.removesuffix("_random")).UNIT for field in made}
    observations = cells.observations.assign(
        {
            field: (("location", "time"), found, {"units": units[field]})
            for field, found in made.items()
        }
    )
    return replace(cells, observations=observations)
