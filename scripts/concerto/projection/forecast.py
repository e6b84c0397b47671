"""Forecasts from the newest data: the state at the end of a filter's record, run on.

A filter (:mod:`~concerto.assimilation.methods.letkf`,
:mod:`~concerto.assimilation.methods.particle_filter`) leaves the pools and the model errors of
every member after the last step of its record. Both run on: pools with the member's parameters
under the weather ahead, model errors as the processes that they are, with fresh drivers. What the
last observations said of the model error so fades from a forecast over its e-folding times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from concerto.assimilation.location import ErrorStatement
from concerto.assimilation.problem import Forcing
from concerto.assimilation.state import State
from concerto.assimilation.stream_error import draw_innovations
from concerto.errors import ConcertoError
from concerto.models import Model
from concerto.projection.ensemble import process_ensemble, with_totals


def forecast(
    model: Model,
    parameters: np.ndarray,
    state: State,
    ahead: Forcing,
    streams: Sequence[str],
    statement: ErrorStatement,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return the ensemble of what comes after a state, as float32.

    Parameters
    ----------
    model
        The model.
    parameters
        (member, parameter) in the model's units.
    state
        The state of each member before the first step ahead, with draws of the model errors.
    ahead
        The forcing of the steps ahead, on the steps of the record.
    streams
        Names of the assimilated streams, in the order of ``state`` and of ``statement``.
    statement
        The errors stated for the location.

    Returns
    -------
    dict
        (member, time) by name: observables and pools of the runs; ``<stream>_total`` with model
        error, as in :func:`~concerto.projection.ensemble.with_totals`.

    Raises
    ------
    ConcertoError
        If the state is not one of these members and streams.
    """
    expected = (len(parameters), len(streams))
    if state.fast.shape != expected:
        raise ConcertoError(
            f"forecast: found a state of {state.fast.shape[0]} members and {state.fast.shape[1]} "
            f"streams; expected {expected[0]} and {expected[1]}"
        )
    process = process_ensemble(model, ahead, parameters, state.pools)
    innovations = draw_innovations(statement.correlation, len(parameters), len(ahead.weather), rng)
    errors = {
        name: statement.stream_errors[name].run_on(
            ahead.season, ahead.step, np.stack([state.fast[:, k], state.slow[:, k]]), innovations[k]
        )
        for k, name in enumerate(streams)
    }
    return with_totals(process, errors)
