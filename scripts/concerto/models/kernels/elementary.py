"""Branch-free elementary functions that LLVM vectorises over lanes.

The C library's ``exp`` and ``pow`` are calls, and a call in a loop forbids SIMD. These are
polynomials after an argument reduction, with selects instead of branches, so that a loop over
lanes becomes wide vector code. They are compiled with ``FASTMATH``, which leaves out
re-association: the argument reductions rely on the order of operations.
"""

from __future__ import annotations

import math

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

FASTMATH = {"contract", "nsz"}
"""Flags for every kernel: fused multiply-add allowed; NaN, infinity and order are kept."""

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01  # the last 32 bits are zero: n * _LN2_HIGH is exact
_LN2_LOW = 1.90821492927058770002e-10
_ROUNDER = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the low bits
_EXPONENT_ONE = 1023 << 52
_MANTISSA = (1 << 52) - 1
_TURN = 2.0 * math.pi
_COSINE = tuple((-1.0) ** n / math.factorial(2 * n) for n in range(15, -1, -1))
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_EXP_MAX = 709.08  # the largest whole power of two is 2**1023
_EXP_MIN = -708.39  # below, results are subnormal and flushed to zero


@intrinsic
def _bits_of(typing_context, x):
    """Reinterpret the bits of a float64 as int64."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _float_of(typing_context, bits):
    """Reinterpret the bits of an int64 as float64."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def cosine_of_turns(x: float) -> float:
    """Return the cosine of ``x`` turns, within 4e-16; exact in the number of whole turns.

    Taylor's series in the squared angle, on half a turn: the first term left out is below 1e-17.
    """
    angle = (x - ((x + _ROUNDER) - _ROUNDER)) * _TURN
    square = angle * angle
    total = _COSINE[0]
    for k in range(1, len(_COSINE)):
        total = total * square + _COSINE[k]
    return total


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def exp(x: float) -> float:
    """Return e**x, within 2 ulp; inf above 709.08, 0 below -708.39, NaN for NaN.

    Cody & Waite (1980) reduction to |r| <= ln(2)/2, then 1 + r + r**2 q(r) with q of degree 9
    through Chebyshev nodes, whose relative error there is below 2e-17. Even and odd powers are
    summed side by side: two short chains of dependent operations in place of a long one.
    """
    shifted = x * _LOG2_E + _ROUNDER
    n = shifted - _ROUNDER
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    z = r * r
    even = 2.7620075879983367e-07
    even = even * z + 2.4801521322368692e-05
    even = even * z + 0.0013888888917196719
    even = even * z + 0.041666666666624164
    even = even * z + 0.5000000000000001
    odd = 2.5100375832561234e-08
    odd = odd * z + 2.7557268480310024e-06
    odd = odd * z + 0.00019841269863040545
    odd = odd * z + 0.008333333333330065
    odd = odd * z + 0.16666666666666669
    p = 1.0 + (r + z * (even + r * odd))
    value = p * _float_of((_bits_of(shifted) << 52) + _EXPONENT_ONE)
    value = math.inf if x > _EXP_MAX else value
    return 0.0 if x < _EXP_MIN else value


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def log(x: float) -> float:
    """Return the natural logarithm of a normal x > 0, within 2 ulp; -inf at 0, NaN below.

    x = 2**n m with m in [sqrt(1/2), sqrt(2)), log(m) = 2 s + s z q(z) with s = (m - 1) / (m + 1),
    z = s**2 and q of degree 6 through Chebyshev nodes, whose error is below 5e-18 of the result.
    """
    bits = _bits_of(x)
    offset = bits - _SQRT_HALF_BITS
    # the exponent as a float: its bits are put into the mantissa of the rounder
    exponent = (offset >> 52) & 0xFFF
    exponent = exponent - ((exponent & 0x800) << 1)
    n = _float_of(_bits_of(_ROUNDER) + exponent) - _ROUNDER
    m = _float_of((offset & _MANTISSA) + _SQRT_HALF_BITS)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    even = 0.14616449685043406
    even = even * z2 + 0.18182889125261723
    even = even * z2 + 0.28571428625975487
    even = even * z2 + 0.666666666666667
    odd = 0.15331721600556042
    odd = odd * z2 + 0.2222221113479508
    odd = odd * z2 + 0.39999999999899505
    q = even + z * odd
    # log(m) = f - s (f - z q), which keeps the leading term exact
    value = n * _LN2_HIGH + (f - (s * (f - z * q) - n * _LN2_LOW))
    value = value if x > 0.0 else (-math.inf if x == 0.0 else math.nan)
    return value if x < math.inf else x


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def minimum(x: float, y: float) -> float:
    """Return the smaller number; NaN if one is NaN."""
    smaller = x if x < y else y
    return x if math.isnan(x) else smaller


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def maximum(x: float, y: float) -> float:
    """Return the larger number; NaN if one is NaN."""
    larger = x if x > y else y
    return x if math.isnan(x) else larger


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def sign(x: float) -> float:
    """Return -1, 0 or 1; NaN for NaN."""
    above = 1.0 if x > 0.0 else 0.0
    below = 1.0 if x < 0.0 else 0.0
    return x if math.isnan(x) else above - below


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def less(first: float, second: float) -> bool:
    """Return whether the first is below the second."""
    return first < second


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def at_most(first: float, second: float) -> bool:
    """Return whether the first is not above the second."""
    return first <= second


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def kept(condition, value: float) -> float:
    """Return the value where the condition holds, 0 elsewhere."""
    return value if condition != 0.0 else 0.0


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def inverted(condition) -> bool:
    """Return whether a condition does not hold."""
    return condition == 0.0


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def both(first, second) -> bool:
    """Return whether both conditions hold."""
    return (first != 0.0) & (second != 0.0)


@njit(forceinline=True, fastmath=FASTMATH, error_model="numpy")
def either(first, second) -> bool:
    """Return whether one of the conditions holds."""
    return (first != 0.0) | (second != 0.0)


OPERATIONS = {
    "exp": exp,
    "log": log,
    "sqrt": math.sqrt,
    "absolute": abs,
    "sign": sign,
    "minimum": minimum,
    "maximum": maximum,
    "less": less,
    "at_most": at_most,
    "kept": kept,
    "inverted": inverted,
    "both": both,
    "either": either,
}
"""The operations on lanes, by the names that :mod:`concerto.models.kernels.formula` gives them."""
