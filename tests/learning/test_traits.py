"""Traits that tell when the year is warm, and wet, against waves whose crests are known."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.learning.traits import Traits, traits_of

MONTHS = pd.date_range("2001-01-01", "2003-12-01", freq="MS")
WARMEST = np.array([0.55, 0.05, 0.3])  # shares of the year: north, south, and between
LATER = np.array([0.0, 0.0, 0.5])


@pytest.fixture(scope="module")
def traits() -> Traits:
    turn = (MONTHS.month.to_numpy() - 0.5) / 12.0

    def wave(crest: np.ndarray) -> np.ndarray:
        return np.cos(2.0 * np.pi * (turn[None] - crest[:, None]))

    at = {"lat": ("location", [50.0, -30.0, 5.0]), "location": list("abc"), "time": MONTHS}
    kinds = {
        "tas": 10.0 + 8.0 * wave(WARMEST),
        "pr": 3.0 + 2.0 * wave(WARMEST + LATER),
        "rsds": 15.0 + 5.0 * wave(WARMEST - 0.05),
        "vpd": 8.0 + 3.0 * wave(WARMEST),
    }
    drivers = xr.Dataset({name: (("location", "time"), v) for name, v in kinds.items()}, at)
    land = xr.Dataset({"igbp": ("location", ["ENF", "GRA", "CRO"])})
    return traits_of(drivers, xr.Dataset(coords=at), land)


def test_the_warm_season_is_when_it_is_warm(traits):
    np.testing.assert_allclose(traits.warmest % (2 * np.pi), 2 * np.pi * WARMEST, rtol=1e-9)
    assert traits.only(traits.names[:1]).warmest is traits.warmest


def test_rain_is_told_beside_the_warm_season(traits):
    values = traits.values[:, traits.names.index("wettest after warmest, cosine")]
    assert values[0] == pytest.approx(values[1])
    assert values[2] < values[0]  # there the winter is wet
