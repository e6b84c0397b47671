"""Anomaly of terrestrial water storage: what the gravity of the land shows, as a depth of water."""

from __future__ import annotations

OUTPUTS = ("water_storage",)
PARAMETERS = ("reference_storage",)
DRIVERS: dict[str, str] = {}
UNIT = "mm"


def observe(o, p, w):
    """Return all water that the model stores less the storage that counts as zero.

    Gravity sees changes alone (Tapley et al. 2004, Science 305, 503). The mean over a product's
    reference years is a parameter, since no run needs to span them.
    """
    return o.water_storage - p.reference_storage
