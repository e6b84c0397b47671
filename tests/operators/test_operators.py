"""What every observable is, and in which unit."""

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
    for output in operator.OUTPUTS:
        assert output in dalec2.OUTPUTS
    if name in operator.OUTPUTS:
        assert dalec2.OUTPUTS[name] == operator.UNIT
    one = convert(1.0, STREAMS[name].units, operator.UNIT, file="f", field=name)
    assert one == 1.0


@pytest.mark.parametrize("name", ["gpp", "lai", "nee", "reco"])
def test_what_the_model_has_is_seen_as_it_is(name):
    operator = plugins.load("operators", name)
    values = np.random.default_rng(1).normal(size=(3, 2, 16))
    assert list(operator.OUTPUTS) == [name]
    np.testing.assert_array_equal(operator.observe(values), values)


def test_fapar_follows_beers_law():
    fapar = plugins.load("operators", "fapar")
    lai = np.array([0.0, 1.0, 2.0 * np.log(2.0), 2.0 * np.log(10.0)])
    expected = [0.0, 1.0 - np.exp(-0.5), 0.5, 0.9]
    np.testing.assert_allclose(fapar.observe(lai), expected, rtol=1e-15)
    assert fapar.observe(np.array([np.inf]))[0] == 1.0
    many = fapar.observe(np.linspace(0.0, 20.0, 500))
    assert (np.diff(many) > 0.0).all()
    assert many.min() >= 0.0
    assert many.max() < 1.0
