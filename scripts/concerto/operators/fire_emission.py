"""Carbon that fires emit: what burned-area products times fuel, or fire radiation, tell."""

from __future__ import annotations

OUTPUTS = ("fire_emission",)
PARAMETERS = ()
DRIVERS: dict[str, str] = {}
UNIT = "gC m-2 d-1"


def observe(o, p, w):
    """Return the model's flux as it is: model and record hold the same quantity."""
    return o.fire_emission
