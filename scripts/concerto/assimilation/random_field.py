"""Ensembles of maps: unknowns of cells that hang together, member by member.

Member k has a map of its own of every unknown: a smooth field, the same with whatever other cells
it is looked up, and a part that is each cell's alone. So what two cells have in common is known to
any sum over them, though each is worked on by itself, in any order, in any tile.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from concerto.models.kernels.elementary import FASTMATH, cosine_of_turns
from concerto.seeds import generator

_WAVES = 64
_EARTH_KM = 6371.0


class RandomField:
    """Standard normal unknowns of cells, correlated in space, with as many maps as members.

    The correlation of two cells at the straight distance d is ``(1 - local_fraction)
    exp(-d / length_km)``. The smooth field is a sum of waves in space with random directions, wave
    numbers and phases (Rahimi & Recht 2007, Advances in Neural Information Processing Systems 20,
    theorem 1): those of the exponential correlation have the spectral density of a Cauchy
    distribution in three dimensions (Rasmussen & Williams 2006, Gaussian Processes for Machine
    Learning, eq. 4.15 with nu = 1/2). Each value is a sum of 64 waves, nearly normal: its fourth
    moment is 2.98, not 3.

    Parameters
    ----------
    members, size
        Number of maps, and of unknowns.
    length_km
        Distance over which the correlation falls by e.
    local_fraction
        Share of the variance that each cell has for itself, 0 to 1.
    seed, label
        The run's seed and the map's name, from which all draws follow.
    """

    def __init__(
        self,
        members: int,
        size: int,
        length_km: float,
        local_fraction: float,
        seed: int,
        label: str,
    ) -> None:
        rng = generator(seed, "field", label)
        shape = (members, size, _WAVES)
        direction = rng.standard_normal((*shape, 3))
        spread = np.abs(rng.standard_normal((*shape, 1)))
        waves = direction / spread * (_EARTH_KM / length_km) / (2.0 * math.pi)
        self._waves = np.ascontiguousarray(np.moveaxis(waves, 3, 2))
        self._turns = rng.random(shape)
        self._local = local_fraction
        self._seed, self._label = seed, label

    def at(self, latitude: float, longitude: float, name: str) -> np.ndarray:
        """Return the unknowns (member, unknown) of a cell.

        Parameters
        ----------
        latitude, longitude
            Degrees north and east.
        name
            The cell's name, from which its own part follows.
        """
        smooth = np.empty(self._turns.shape[:2])
        _sum_waves(self._waves, self._turns, _direction(latitude, longitude), smooth)
        own = generator(self._seed, "local", self._label, name).standard_normal(smooth.shape)
        return math.sqrt(1.0 - self._local) * smooth + math.sqrt(self._local) * own


def _direction(latitude: float, longitude: float) -> np.ndarray:
    """Return the unit vector (3,) from the centre of the Earth to a place."""
    phi, lam = math.radians(latitude), math.radians(longitude)
    return np.array([math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)])


@njit(cache=True, nogil=True, fastmath=FASTMATH, error_model="numpy")
def _sum_waves(waves, turns, place, values):
    members, size, count = turns.shape
    amplitude = math.sqrt(2.0 / count)
    heights = np.empty(count)
    x, y, z = place
    for k in range(members):
        for i in range(size):
            wave, turn = waves[k, i].ravel(), turns[k, i]
            for j in range(count):
                angle = wave[j] * x + wave[count + j] * y + wave[2 * count + j] * z + turn[j]
                heights[j] = cosine_of_turns(angle)
            values[k, i] = amplitude * heights.sum()
