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


@njit(inline="always", fastmath=FASTMATH, error_model="numpy")
def exp(x: float) -> float:
    """Return e**x, within 2 ulp; inf above 709.08, 0 below -708.39, NaN for NaN.

    Cody & Waite (1980) reduction to |r| <= ln(2)/2, then the polynomial of degree 11 through e**r
    at the Chebyshev nodes, whose relative error there is below 5e-18.
    """
    shifted = x * _LOG2_E + _ROUNDER
    n = shifted - _ROUNDER
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    p = 2.5110049204818659793e-8
    p = p * r + 2.763265472252779189e-7
    p = p * r + 2.7557240887229868596e-6
    p = p * r + 2.4801485441561312966e-5
    p = p * r + 1.9841269890076402829e-4
    p = p * r + 1.3888888952352862866e-3
    p = p * r + 8.3333333333195896163e-3
    p = p * r + 4.166666666648795252e-2
    p = p * r + 0.1666666666666668082
    p = p * r + 0.50000000000000184039
    p = p * r + 1.0
    p = p * r + 1.0
    value = p * _float_of((_bits_of(shifted) << 52) + _EXPONENT_ONE)
    value = math.inf if x > _EXP_MAX else value
    return 0.0 if x < _EXP_MIN else value


@njit(inline="always", fastmath=FASTMATH, error_model="numpy")
def log(x: float) -> float:
    """Return the natural logarithm of a normal x > 0, within 2 ulp; -inf at 0, NaN below.

    x = 2**n m with m in [sqrt(1/2), sqrt(2)), log(m) = 2 artanh((m - 1) / (m + 1)) by its series
    of degree 23, whose remainder there is below 1e-18.
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
    q = 1.0 / 23.0
    q = q * z + 1.0 / 21.0
    q = q * z + 1.0 / 19.0
    q = q * z + 1.0 / 17.0
    q = q * z + 1.0 / 15.0
    q = q * z + 1.0 / 13.0
    q = q * z + 1.0 / 11.0
    q = q * z + 1.0 / 9.0
    q = q * z + 1.0 / 7.0
    q = q * z + 1.0 / 5.0
    q = q * z + 1.0 / 3.0
    # log(m) = f - s (f - 2 s z q), which keeps the leading term exact
    value = n * _LN2_HIGH + (f - (s * (f - 2.0 * z * q) - n * _LN2_LOW))
    value = value if x > 0.0 else (-math.inf if x == 0.0 else math.nan)
    return value if x < math.inf else x
