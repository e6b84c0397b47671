"""What learners are told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.learning.features import (
    WEATHER,
    day_length,
    mean_before,
    months_ago,
    season,
    tower_features,
)

TIMES = pd.date_range("2001-01-01", periods=36, freq="MS")


def cubes(seed: int = 0) -> dict[str, xr.Dataset]:
    rng = np.random.default_rng(seed)
    place = {"location": ["A", "B"], "time": TIMES, "lat": ("location", [50.0, -20.0])}

    def cube(names) -> xr.Dataset:
        values = {name: (("location", "time"), rng.uniform(1.0, 9.0, (2, 36))) for name in names}
        return xr.Dataset(values, place)

    observations = cube(["lai", "total_biomass", "gpp", "nee", "et"])
    observations["lai"][0, :7] = np.nan
    observations["total_biomass"][1] = np.nan
    return {
        "drivers": cube(WEATHER),
        "observations": observations,
        "land": xr.Dataset({"igbp": ("location", ["ENF", "CRO"])}),
        "projection": cube([f"{n}_mean" for n in ("gpp", "reco", "nee", "et", "lai", "w_root")]),
    }


def test_nothing_told_is_of_a_measured_flux():
    first, second = cubes(), cubes()
    for name in ("gpp", "nee", "et"):
        second["observations"][name] = second["observations"][name] * -3.0
    np.testing.assert_array_equal(tower_features(**first).values, tower_features(**second).values)


def test_what_is_unknown_is_not_told():
    told = tower_features(**cubes())
    assert told.values.shape == (2, 36, len(told.names))
    assert len({*told.names}) == len(told.names)
    unknown = {name for name in told.names if np.isnan(told[name]).any()}
    assert unknown == {"total biomass"}
    assert told["ENF"].tolist() == [[1.0] * 36, [0.0] * 36]
    assert told["forest"][:, 0].tolist() == [1.0, 0.0]


def test_gaps_of_leaves_have_those_of_their_season():
    given = cubes()
    lai = given["observations"]["lai"].to_numpy()
    told = tower_features(**given)["lai"]
    assert told[0, 3] == pytest.approx(lai[0, [15, 27]].mean())
    np.testing.assert_array_equal(told[1], lai[1])


def test_the_past_begins_with_the_season():
    values = np.arange(24.0)[None]
    np.testing.assert_array_equal(season(values)[0, :3], [6.0, 7.0, 8.0])
    np.testing.assert_array_equal(months_ago(values, 2)[0, :4], [16.0, 17.0, 0.0, 1.0])
    assert mean_before(values, 3)[0, 10] == 9.0


def test_sun_agrees_with_the_papers_examples():
    """Allen et al. (1998), examples 8 and 9: 3 September, 20 degrees south, 32.2 MJ and 11.7 h."""
    month = np.array([(246 + 15.0) / 30.4])
    hours, above = day_length(np.array([-20.0]), month)
    assert above.item() == pytest.approx(32.2, abs=0.05)
    assert hours.item() == pytest.approx(11.7, abs=0.05)


def test_polar_day_and_night():
    hours, above = day_length(np.array([80.0]), np.array([1.0, 6.5]))
    np.testing.assert_allclose(hours[0], [0.0, 24.0])
    assert above[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert above[0, 1] > 35.0
