"""Small neural networks side by side, taught by whatever knows the slope of what it wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_FIRST, _SECOND, _TINY = 0.9, 0.99, 1e-8
_SMALL = 0.1  # of the outputs' first weights: networks begin close to nothing


@dataclass(frozen=True)
class Perceptrons:
    """Networks of one hidden layer of hyperbolic tangents, an ensemble of ``member`` of them.

    ``weights`` are (member, input, hidden), (member, hidden), (member, hidden, output) and
    (member, output).
    """

    weights: tuple[np.ndarray, ...]

    @classmethod
    def drawn(
        cls, members: int, inputs: int, hidden: int, outputs: int, rng: np.random.Generator
    ) -> Perceptrons:
        """Return networks with drawn weights, whose outputs are close to 0.

        Without inputs their outputs are constants.
        """
        return cls(
            (
                rng.normal(0.0, max(inputs, 1) ** -0.5, (members, inputs, hidden)),
                np.zeros((members, hidden)),
                rng.normal(0.0, _SMALL * hidden**-0.5, (members, hidden, outputs)),
                np.zeros((members, outputs)),
            )
        )

    def hidden(self, inputs: np.ndarray) -> np.ndarray:
        """Return what the hidden layer makes (member, hidden) of ``inputs`` (input,)."""
        first, shift, _, _ = self.weights
        return np.tanh(np.einsum("i,mih->mh", inputs, first) + shift)

    def outputs(self, hidden: np.ndarray) -> np.ndarray:
        """Return the outputs (member, output) of a hidden layer (member, hidden)."""
        _, _, second, shift = self.weights
        return np.einsum("mh,mho->mo", hidden, second) + shift

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs (member, output) for ``inputs`` (input,)."""
        return self.outputs(self.hidden(inputs))

    def pull_back(
        self, inputs: np.ndarray, hidden: np.ndarray, slopes: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Return how something changes with the weights, as they are ordered.

        Parameters
        ----------
        inputs, hidden
            (input,) and (member, hidden), which :meth:`hidden` made of them.
        slopes
            (member, output) how the something changes with the outputs.
        """
        behind = np.einsum("mo,mho->mh", slopes, self.weights[2]) * (1.0 - hidden**2)
        return (
            inputs[:, None] * behind[:, None, :],
            behind,
            hidden[:, :, None] * slopes[:, None, :],
            slopes,
        )


class Climber:
    """Steps uphill by the slopes' own sizes (Kingma & Ba 2015, Adam, algorithm 1).

    The rate falls with the cosine of the share of ``steps`` that are done (Loshchilov & Hutter
    2017, SGDR, equation 5, without restarts). Weights of inputs, not shifts, decay.
    """

    def __init__(self, networks: Perceptrons, rate: float, decay: float, steps: int) -> None:
        self._networks, self._rate, self._decay, self._steps = networks, rate, decay, steps
        self._mean = [np.zeros_like(weight) for weight in networks.weights]
        self._square = [np.zeros_like(weight) for weight in networks.weights]
        self._done = 0

    def step(self, slopes: Sequence[np.ndarray]) -> None:
        """Move the networks' weights in place, uphill by ``slopes`` in the weights' shapes."""
        self._done += 1
        rate = 0.5 * self._rate * (1.0 + np.cos(np.pi * self._done / self._steps))
        unbiased = 1.0 - _FIRST**self._done, 1.0 - _SECOND**self._done
        for k, weight in enumerate(self._networks.weights):
            slope = slopes[k] - self._decay * weight if weight.ndim == 3 else slopes[k]
            self._mean[k] += (1.0 - _FIRST) * (slope - self._mean[k])
            self._square[k] += (1.0 - _SECOND) * (slope**2 - self._square[k])
            size = np.sqrt(self._square[k] / unbiased[1]) + _TINY
            np.add(weight, rate * self._mean[k] / (unbiased[0] * size), out=weight)
