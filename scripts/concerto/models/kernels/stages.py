"""Take out of a step what need not be computed at every step for every member.

A model is written as one step in terms of parameters and drivers. What depends on parameters alone
is the same at every step; what depends on drivers alone is the same for every member. Both are
computed beforehand, and the step that is left sees them as constants and as weather. In the same
way a derivative along many directions sees as weather what the run itself computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import casadi as ca

from concerto.models.kernels.formula import Formula

_STATE, _PARAMETER, _DRIVER = 1, 2, 4


@dataclass(frozen=True)
class Stages:
    """A step in three parts.

    ``constants`` (parameters) -> constants; ``weather`` (drivers) -> weather;
    ``step`` (pools, constants, weather) -> pools, outputs.
    """

    constants: Formula
    weather: Formula
    step: Formula


@dataclass(eq=False)
class _Value:
    """A symbolic value and the kinds of input that it depends on."""

    symbol: ca.SX
    kinds: int


def split(step: Formula) -> Stages:
    """Split a step (pools, parameters, drivers) -> (pools, outputs) into its stages."""
    pools, parameters, drivers = step.inputs
    hoisted: dict[int, list[tuple[_Value, ca.SX]]] = {_PARAMETER: [], _DRIVER: []}
    reciprocals: dict[_Value, _Value] = {}

    def seen_by_step(value: _Value) -> ca.SX:
        if value.kinds not in hoisted:
            return value.symbol
        kept = hoisted[value.kinds]
        for known, symbol in kept:
            if known is value:
                return symbol
        symbol = ca.SX.sym(f"h{value.kinds}_{len(kept)}")
        kept.append((value, symbol))
        return symbol

    def apply(operation: int, operands: list[_Value]) -> _Value:
        kinds = 0
        for operand in operands:
            kinds |= operand.kinds
        pure = kinds in (0, _PARAMETER, _DRIVER)
        if operation == ca.OP_DIV and not pure and operands[1].kinds in hoisted:
            # a division in the step is dear, one beforehand is not
            divisor = operands[1]
            if divisor not in reciprocals:
                reciprocals[divisor] = apply(ca.OP_INV, [divisor])
            operation, operands = ca.OP_MUL, [operands[0], reciprocals[divisor]]
        symbols = [o.symbol if pure else seen_by_step(o) for o in operands]
        made = ca.SX.unary if len(symbols) == 1 else ca.SX.binary
        return _Value(made(operation, *symbols), kinds)

    registers: dict[int, _Value] = {}
    results = [[ca.SX()] * output.numel() for output in step.outputs]
    for operation, operands, targets, constant in step.instructions():
        if operation == ca.OP_OUTPUT:
            results[targets[0]][targets[1]] = seen_by_step(registers[operands[0]])
        elif operation == ca.OP_INPUT:
            kind = (_STATE, _PARAMETER, _DRIVER)[operands[0]]
            registers[targets[0]] = _Value(step.inputs[operands[0]][operands[1]], kind)
        elif operation == ca.OP_CONST:
            registers[targets[0]] = _Value(ca.SX(constant), 0)
        else:
            registers[targets[0]] = apply(operation, [registers[k] for k in operands])

    def column(parts: list[ca.SX]) -> ca.SX:
        return ca.vertcat(*parts) if parts else ca.SX(0, 1)

    constants, weather = hoisted[_PARAMETER], hoisted[_DRIVER]
    return Stages(
        constants=Formula((parameters,), (column([value.symbol for value, _ in constants]),)),
        weather=Formula((drivers,), (column([value.symbol for value, _ in weather]),)),
        step=Formula(
            (pools, column([s for _, s in constants]), column([s for _, s in weather])),
            tuple(column(part) for part in results),
        ),
    )


def linearise(step: Formula) -> tuple[Formula, Formula]:
    """Split the derivative of a step into what is common to all directions, and the rest.

    Parameters
    ----------
    step
        (pools, constants, weather) -> (pools, reported, ...).

    Returns
    -------
    base, change
        (pools, constants, weather) -> (pools, slopes), of the run itself; and
        (change of pools, change of constants, slopes) -> changes of the outputs.
    """
    tangent = step.tangent((0, 1))
    *run, pools, constants = tangent.inputs
    nothing = ca.SX(0, 1)
    stages = split(
        Formula((ca.vertcat(pools, constants), nothing, ca.vertcat(*run)), tangent.outputs)
    )
    _, _, slopes = stages.step.inputs
    base = Formula(tuple(run), (step.outputs[0], *stages.weather.outputs))
    return base, Formula((pools, constants, slopes), stages.step.outputs)
