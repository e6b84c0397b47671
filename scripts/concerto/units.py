"""Units: one registry, conversions that name the file and field at fault, physical constants.

Unit strings follow CF: factors apart by blanks, exponents behind the unit (``umol m-2 s-1``),
divisions also with a slash (``mm/day``). Beyond pint's own units, ``gC`` is a gram (of carbon).
"""

from __future__ import annotations

import re
import tokenize
from typing import TYPE_CHECKING

import numpy as np
import pint

from concerto.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOLAR_MASS_CARBON = 12.011
"""Molar mass of carbon, g mol-1 (IUPAC standard atomic weight, abridged)."""

SECONDS_PER_DAY = 86400.0

_EXPONENT = re.compile(r"\b([^\W\d_]+)([-+]?\d+)")
# What pint raises for text that is no unit, besides its own errors.
_NOT_CONVERTIBLE = (
    pint.PintError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    SyntaxError,
    tokenize.TokenError,
)
_BLANK = re.compile(r"(?<=[\w)])\s+(?=[\w(])")


def _from_cf(text: str) -> str:
    """Write a CF unit string in pint's notation."""
    return _BLANK.sub(" * ", _EXPONENT.sub(r"\1**\2", text.strip()))


def _registry() -> pint.UnitRegistry:
    registry = pint.UnitRegistry(preprocessors=[_from_cf])
    registry.define("gC = gram")
    carbon = pint.Context("carbon")
    per_mole = registry.Quantity(MOLAR_MASS_CARBON, "g/mol")
    carbon.add_transformation(
        "[substance]/[length]**2/[time]", "[mass]/[length]**2/[time]", lambda _, x: x * per_mole
    )
    registry.add_context(carbon)
    return registry


REGISTRY = _registry()


def convert(
    values: ArrayLike,
    source_unit: str,
    target_unit: str,
    *,
    file: object,
    field: str,
    carbon: bool = False,
) -> NDArray[np.float64]:
    """Convert values from one unit to another.

    Parameters
    ----------
    values
        Numbers in ``source_unit``, any shape.
    source_unit, target_unit
        CF unit strings.
    file, field
        Where the values come from, for the message.
    carbon
        Whether the values are a flux of carbon, so that moles per area and time convert to mass
        of carbon per area and time by :data:`MOLAR_MASS_CARBON`.

    Returns
    -------
    numpy.ndarray
        The values in ``target_unit``, float64, same shape, never the same memory.

    Raises
    ------
    InputError
        If a unit is unknown or the one does not convert to the other.
    """
    contexts = ("carbon",) if carbon else ()
    try:
        with REGISTRY.context(*contexts):
            given = REGISTRY.Quantity(np.array(values, dtype=np.float64), source_unit)
            return np.asarray(given.to(target_unit).magnitude)
    except _NOT_CONVERTIBLE as error:
        raise InputError(
            file, field, f"unit {source_unit!r}", f"a unit that converts to {target_unit!r}"
        ) from error


def latent_heat_of_vaporisation(temperature: ArrayLike) -> NDArray[np.float64]:
    """Return the latent heat of vaporisation of water, J kg-1, at a temperature in degC.

    The linear fit of Harrison (1963) as given in FAO Irrigation and Drainage Paper 56 (Allen et
    al. 1998, annex 3, equation 3-1): 2.501 − 0.002361 T MJ kg-1.
    """
    return (2.501 - 2.361e-3 * np.asarray(temperature, dtype=np.float64)) * 1e6


def evapotranspiration(latent_heat: ArrayLike, temperature: ArrayLike) -> NDArray[np.float64]:
    """Return evapotranspiration, mm d-1, of a latent heat flux (W m-2) at a temperature (degC).

    One kilogram of water per square metre is a layer of one millimetre.
    """
    mass = np.asarray(latent_heat, dtype=np.float64) / latent_heat_of_vaporisation(temperature)
    return mass * SECONDS_PER_DAY
