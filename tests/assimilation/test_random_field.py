"""Random fields: the correlation that they state, and nothing of what else is looked up."""

import numpy as np
import pytest
from concerto.assimilation.random_field import RandomField

LENGTH = 500.0
PLACES = {"a": (50.0, 10.0), "b": (52.0, 10.0), "c": (50.0, 20.0), "d": (-50.0, -170.0)}


def distance(first, second):
    """Straight distance (km) between two places."""
    points = []
    for lat, lon in (first, second):
        phi, lam = np.radians(lat), np.radians(lon)
        points.append([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    return 6371.0 * np.linalg.norm(np.subtract(*points))


def field(local=0.0, members=400, size=25, seed=1, label="map"):
    return RandomField(members, size, LENGTH, local, seed, label)


def test_values_are_standard_normal():
    values = field(0.3).at(*PLACES["a"], "a").ravel()
    assert values.mean() == pytest.approx(0.0, abs=0.03)
    assert values.std() == pytest.approx(1.0, abs=0.03)
    assert np.mean(values**4) == pytest.approx(3.0, abs=0.3)
    for share in (0.05, 0.5, 0.95):
        quantile = {0.05: -1.6449, 0.5: 0.0, 0.95: 1.6449}[share]
        assert np.mean(values < quantile) == pytest.approx(share, abs=0.015)


@pytest.mark.parametrize("local", [0.0, 0.4])
@pytest.mark.parametrize("pair", ["ab", "ac", "ad"])
def test_correlation_falls_with_distance_as_stated(pair, local):
    first, second = (field(local).at(*PLACES[name], name).ravel() for name in pair)
    apart = distance(*(PLACES[name] for name in pair))
    expected = (1.0 - local) * np.exp(-apart / LENGTH)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(expected, abs=0.03)


def test_unknowns_and_members_have_nothing_in_common():
    values = field(members=4000, size=3).at(*PLACES["a"], "a")
    assert np.abs(np.corrcoef(values.T) - np.eye(3)).max() < 0.05
    assert abs(np.corrcoef(values[:-1, 0], values[1:, 0])[0, 1]) < 0.05


def test_a_cell_has_the_same_values_whatever_else_is_looked_up():
    alone = field(0.3).at(*PLACES["c"], "c")
    shared = field(0.3)
    for name, place in PLACES.items():
        again = shared.at(*place, name)
        if name == "c":
            np.testing.assert_array_equal(again, alone)


def test_the_part_of_its_own_follows_the_name_of_a_cell():
    own = field(1.0)
    first, second = (own.at(*PLACES["a"], name) for name in ("a", "b"))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05
    assert not np.array_equal(first, field(1.0, seed=2).at(*PLACES["a"], "a"))
    assert not np.array_equal(first, field(1.0, label="other").at(*PLACES["a"], "a"))
