"""Units of what sources of fields bring, checked against those of this workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from concerto.domain import CARBON_STREAMS, FIELDS
from concerto.units import convert


def check_units(catalogue: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that the units of all variables of fields convert to those of their quantities.

    Raises
    ------
    InputError
        If one does not. An amount, of its step or of a day's sum, converts once it is a rate.
    """
    for name, source in catalogue.items():
        for variable, stated in source.get("variables", {}).items():
            if "units" in stated:
                place = f"config/sources/{name}.yaml"
                _check_unit(place, variable, stated["units"], "accumulated" in stated)


def _check_unit(place: str, variable: str, unit: str, amount: bool) -> None:
    text = f"{unit} s-1" if amount else unit
    if variable in ("pr", "et"):  # a kilogram of water on a square metre is a millimetre
        text = text.replace("kg m-2", "mm")
    target, field = FIELDS[variable].units, f"variables.{variable}.units"
    convert(0.0, text, target, file=place, field=field, carbon=variable in CARBON_STREAMS)
