"""What every observable is, and in which unit."""

from types import SimpleNamespace

import numpy as np
import pytest
from concerto import plugins
from concerto.domain import STREAMS
from concerto.models import dalec2
from concerto.units import convert

NAMES = plugins.available("operators")


def test_all_are_there():
    assert set(NAMES) == {"fapar", "gpp", "lai", "nee", "reco"}


@pytest.mark.parametrize("name", NAMES)
def test_units_are_those_of_the_model_and_of_the_cubes(name):
    operator = plugins.load("operators", name)
    if name in operator.OUTPUTS:
        assert dalec2.OUTPUTS[name] == operator.UNIT
    one = convert(1.0, STREAMS[name].units, operator.UNIT, file="f", field=name)
    assert one == 1.0


@pytest.mark.parametrize("name", ["gpp", "lai", "nee", "reco"])
def test_what_the_model_has_is_seen_as_it_is(name):
    operator = plugins.load("operators", name)
    assert list(operator.OUTPUTS) == [name]
    assert operator.observe(SimpleNamespace(**{name: 1.5}), None, None) == 1.5


def test_fapar_follows_beers_law():
    fapar = plugins.load("operators", "fapar")

    def observe(lai):
        return fapar.observe(SimpleNamespace(lai=lai), None, None)

    lai = [0.0, 1.0, 2.0 * np.log(2.0), 2.0 * np.log(10.0)]
    expected = [0.0, 1.0 - np.exp(-0.5), 0.5, 0.9]
    np.testing.assert_allclose([observe(value) for value in lai], expected, rtol=1e-15)
    assert observe(np.inf) == 1.0
    many = np.array([observe(value) for value in np.linspace(0.0, 20.0, 500)])
    assert (np.diff(many) > 0.0).all()
    assert many.min() >= 0.0
    assert many.max() < 1.0
