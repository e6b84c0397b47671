"""Formulas: straight-line programs of elementary operations, and code made from them.

Model equations are written with numbers that may be symbols (``SX`` of CasADi; Andersson et al.
2019, Mathematical Programming Computation 11, 1). CasADi records what they compute, differentiates
it exactly and drops what is computed twice or for nothing; this module turns the record into Python
source, which numba compiles for lanes or NumPy runs on whole arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import casadi as ca
import numpy as np

_TEMPLATES = {
    ca.OP_ASSIGN: "{0}",
    ca.OP_ADD: "{0} + {1}",
    ca.OP_SUB: "{0} - {1}",
    ca.OP_MUL: "{0} * {1}",
    ca.OP_DIV: "{0} / {1}",
    ca.OP_NEG: "-{0}",
    ca.OP_INV: "1.0 / {0}",
    ca.OP_SQ: "{0} * {0}",
    ca.OP_TWICE: "2.0 * {0}",
    ca.OP_LT: "less({0}, {1})",
    ca.OP_LE: "at_most({0}, {1})",
    ca.OP_EXP: "exp({0})",
    ca.OP_LOG: "log({0})",
    ca.OP_SQRT: "sqrt({0})",
    ca.OP_POW: "power({0}, {1})",
    ca.OP_CONSTPOW: "power({0}, {1})",
    ca.OP_SIN: "sin({0})",
    ca.OP_COS: "cos({0})",
    ca.OP_TAN: "tan({0})",
    ca.OP_ACOS: "arccos({0})",
    ca.OP_ASIN: "arcsin({0})",
    ca.OP_FABS: "absolute({0})",
    ca.OP_SIGN: "sign({0})",
    ca.OP_FMIN: "minimum({0}, {1})",
    ca.OP_FMAX: "maximum({0}, {1})",
    ca.OP_IF_ELSE_ZERO: "kept({0}, {1})",
    ca.OP_NOT: "inverted({0})",
    ca.OP_AND: "both({0}, {1})",
    ca.OP_OR: "either({0}, {1})",
}  # fmt: skip
"""Source of each operation. Those written as calls are looked up where the source is run."""

ARRAYS = {
    name: getattr(np, name)
    for name in (
        "exp", "log", "sqrt", "power", "sin", "cos", "tan", "arccos", "arcsin", "absolute", "sign",
        "minimum", "maximum",
    )
} | {
    # numbers, for conditions are counted where a derivative is shared among equal operands
    "less": lambda first, second: np.less(first, second) * 1,
    "at_most": lambda first, second: np.less_equal(first, second) * 1,
    "kept": lambda condition, value: np.where(condition, value, 0.0),
    "inverted": np.logical_not,
    "both": np.logical_and,
    "either": np.logical_or,
}  # fmt: skip
"""The operations on NumPy arrays."""


@dataclass(frozen=True)
class Formula:
    """Outputs as functions of inputs, both vectors of symbols.

    ``inputs`` and ``outputs`` are columns of :class:`casadi.SX`, each of any length.
    """

    inputs: tuple[ca.SX, ...]
    outputs: tuple[ca.SX, ...]

    def __post_init__(self) -> None:
        # CasADi leaves out what is always 0, and would number the rest without it
        object.__setattr__(self, "outputs", tuple(ca.densify(part) for part in self.outputs))

    def instructions(self) -> list[tuple[int, list[int], list[int], float]]:
        """Return (operation, operands, results, constant) in order, as CasADi lists them."""
        function = ca.Function("formula", list(self.inputs), list(self.outputs), {"cse": True})
        return [
            (
                function.instruction_id(k),
                list(function.instruction_input(k)),
                list(function.instruction_output(k)),
                function.instruction_constant(k)
                if function.instruction_id(k) == ca.OP_CONST
                else 0.0,
            )
            for k in range(function.n_instructions())
        ]

    def source(self, name: str) -> str:
        """Return the source of a function ``name(*inputs)`` that returns a tuple for each output.

        Raises
        ------
        NotImplementedError
            If the formula holds an operation that kernels do not have.
        """
        lines = []
        registers: dict[int, str] = {}
        results = [[""] * output.numel() for output in self.outputs]
        for k, (operation, operands, targets, constant) in enumerate(self.instructions()):
            if operation == ca.OP_OUTPUT:
                results[targets[0]][targets[1]] = registers[operands[0]]
                continue
            value = f"v{k}"
            if operation == ca.OP_INPUT:
                lines.append(f"{value} = i{operands[0]}[{operands[1]}]")
            elif operation == ca.OP_CONST:
                value = f"({constant!r})"
            elif operation in _TEMPLATES:
                arguments = (registers[register] for register in operands)
                lines.append(f"{value} = {_TEMPLATES[operation].format(*arguments)}")
            else:
                raise NotImplementedError(f"{name}: operation {operation} of CasADi has no kernel")
            registers[targets[0]] = value
        returned = ", ".join(f"({''.join(item + ', ' for item in part)})" for part in results)
        arguments = ", ".join(f"i{k}" for k in range(len(self.inputs)))
        body = "\n    ".join([*lines, f"return ({returned},)"])
        return f"def {name}({arguments}):\n    {body}\n"

    def function(self, name: str, operations: Mapping) -> Callable:
        """Return the Python function whose calls go to ``operations``."""
        namespace = dict(operations)
        exec(compile(self.source(name), f"<{name}>", "exec"), namespace)
        return namespace[name]

    def evaluate(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """Return the outputs, (row, output) each, at many ``inputs`` (row, input) at once.

        Inputs of one row go with all rows of the others. The precision is that of the inputs.
        """
        rows = max(len(values) for values in inputs)
        kind = np.result_type(*inputs)
        with np.errstate(all="ignore"):  # NaN and infinity pass through, as they do in lanes
            outputs = self._arrays(*(values.T for values in inputs))
        found = [np.empty((rows, output.numel()), kind) for output in self.outputs]
        for array, values in zip(found, outputs, strict=True):
            for k, value in enumerate(values):
                array[:, k] = value
        return found

    @cached_property
    def _arrays(self) -> Callable:
        return self.function("evaluate", ARRAYS)

    def tangent(self, wrt: Sequence[int]) -> Formula:
        """Return the derivative along a direction.

        Its inputs are those of this formula, then changes of the inputs numbered ``wrt``; its
        outputs are the changes of this formula's outputs. At a kink it is a subgradient: half of
        each operand's where those of a minimum or maximum are equal, none where the argument of an
        absolute value or a sign is 0, and that of the branch taken where a choice is made.
        """
        changes = tuple(_like(self.inputs[k], "d") for k in wrt)
        x = ca.vertcat(*(self.inputs[k] for k in wrt))
        along = ca.jtimes(ca.vertcat(*self.outputs), x, ca.vertcat(*changes))
        return Formula(self.inputs + changes, _split(along, self.outputs))

    def adjoint(self, wrt: Sequence[int]) -> Formula:
        """Return the transposed derivative.

        Its inputs are those of this formula, then a weight for each of its outputs; its outputs
        are the gradients of the weighted sum with respect to the inputs numbered ``wrt``.
        """
        weights = tuple(_like(output, "a") for output in self.outputs)
        chosen = [self.inputs[k] for k in wrt]
        gradient = ca.jtimes(
            ca.vertcat(*self.outputs), ca.vertcat(*chosen), ca.vertcat(*weights), True
        )
        return Formula(self.inputs + weights, _split(gradient, chosen))


def _like(vector: ca.SX, prefix: str) -> ca.SX:
    return ca.SX.sym(prefix, vector.numel())


def _split(column: ca.SX, like: Sequence[ca.SX]) -> tuple[ca.SX, ...]:
    ends = np.cumsum([part.numel() for part in like])
    starts = [0, *ends[:-1]]
    return tuple(column[int(a) : int(b)] for a, b in zip(starts, ends, strict=True))
