"""Where an ensemble stands at one time: all that a run needs to go on, besides its parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class State:
    """The state of each member before a step of the model.

    Attributes
    ----------
    step
        Number of the step of the record: that many are over.
    pools
        (member, pool) in the order of the model's pools.
    fast, slow
        (member, stream) the two parts of the model error
        (:class:`concerto.assimilation.stream_error.StreamError`) in the middle of the step; within
        a filter what is expected of them, in its result draws.
    """

    step: int
    pools: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
