"""Operators in models: with their derivatives, with the model's own in place of them, or not."""

import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from casadi import exp
from concerto.config import model_files
from concerto.domain import STREAMS
from concerto.errors import ConcertoError
from concerto.models import Model, Parameter, load_model
from synthetic_dalec import ROOT, daily_calendar, draw_parameters, make_drivers, model_named

WATER = ("et", "le", "lst", "root_zone_soil_moisture", "surface_soil_moisture", "tws")
CARBON = ("biomass", "fapar", "fire_emission", "nbe", "sif", "total_biomass", "vod")
N_DAYS = 50


def bucket_step(pools, p, w, parts):
    """Two layers of soil that drain and dry; the wetter, the cooler."""
    dried = p.drying * pools.w_surface
    drained = p.drainage * pools.w_surface
    surface = pools.w_surface + (w.pr - dried - drained) * w.step
    root = pools.w_root + (drained - p.drainage * p.drainage * pools.w_root) * w.step
    return {"w_surface": surface, "w_root": root}, {
        "w_surface": surface, "w_root": root, "et": dried, "latent_heat": 28.4 * dried,
        "skin_temperature": w.tas + 10.0 * exp(-dried), "water_storage": surface + root,
        "soil_moisture_surface": surface / 100.0, "soil_moisture_root": root / 1000.0,
    }  # fmt: skip


POOLS = {"w_surface": "mm", "w_root": "mm"}
BUCKET = SimpleNamespace(
    __file__=__file__,
    POOLS=POOLS,
    OUTPUTS=POOLS
    | {"et": "mm d-1", "latent_heat": "W m-2", "skin_temperature": "degC", "water_storage": "mm"}
    | {"soil_moisture_surface": "m3 m-3", "soil_moisture_root": "m3 m-3"},
    DRIVERS={"pr": "mm d-1", "tas": "degC"},
    start=lambda p: {"w_surface": p.initial_surface, "w_root": p.initial_root},
    step=bucket_step,
)
SOURCE = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]


def bucket_model(code=BUCKET) -> Model:
    """A stand-in for a model with water; its machine code goes by this file's content."""
    ranges = {
        "drying": (0.01, 0.1), "drainage": (0.01, 0.1), "initial_surface": (1.0, 40.0),
        "initial_root": (50.0, 500.0), "reference_storage": (0.0, 500.0),
    }  # fmt: skip
    parameters = tuple(
        Parameter(name, "1", low, high, "uniform", "made up", "made up")
        for name, (low, high) in ranges.items()
    )
    return Model(f"bucket_{SOURCE}", parameters, code, {})


def showing(**added: str) -> SimpleNamespace:
    return SimpleNamespace(**vars(BUCKET) | {"OUTPUTS": BUCKET.OUTPUTS | added})


def model_observing(name: str, *streams: str) -> Model:
    config = {"model": name, "sites": {"X": {"streams": streams}}}
    return load_model([ROOT / file for file in model_files(config)])


def carbon_model(*streams: str) -> Model:
    return model_observing("dalec2", *streams)


def weather_for(model):
    rng = np.random.default_rng(3)
    drivers = make_drivers(N_DAYS, rng, fire=0.05)
    drivers |= {"pr": rng.gamma(0.4, 6.0, N_DAYS), "tas": drivers["tasmin"] + 5.0}
    return model.prepare_weather(drivers, *daily_calendar("2014-03-01", N_DAYS), 1.0, 50.0, 300.0)


def run(model, parameters, names):
    runs = model.simulate(parameters, weather_for(model), names)
    return np.stack([runs.series(name) for name in names])


@pytest.mark.parametrize(
    ("model", "names"), [(carbon_model(*CARBON), CARBON), (bucket_model(), WATER)]
)
def test_tangent_is_the_finite_difference(model, names):
    """Of every observable with respect to every parameter."""
    start = draw_parameters(model, 1, seed=4)[0]
    directions = np.diag(start)
    every = np.repeat(start[None], len(start), axis=0)
    changes = model.push_forward(start[None], directions[None], weather_for(model), names)
    ahead, behind = (run(model, every + h * directions, names) for h in (1e-5, -1e-5))
    for k, name in enumerate(names):
        change = changes.series(name)
        difference = (ahead[k] - behind[k]) / 2e-5
        size = np.abs(ahead[k]).max() + np.abs(change).max()
        np.testing.assert_allclose(change, difference, atol=1e-7 * size, err_msg=name)
        assert np.abs(change).max() > 0.0, name


def test_parameters_of_an_operator_change_that_observable_alone():
    model = carbon_model("sif")
    assert model.parameter_names[-1] == "sif_slope"
    parameters = draw_parameters(model, 16, seed=5)
    names = ("gpp", "nbe", "sif")
    gpp, nbe, sif = run(model, parameters, names)
    np.testing.assert_allclose(sif, parameters[:, -1:] * gpp, rtol=1e-14)
    parameters[:, -1] *= 2.0
    np.testing.assert_array_equal(run(model, parameters, names), [gpp, nbe, 2.0 * sif])
    plain = run(model_named("dalec2"), parameters[:, :-1], ("gpp", "nbe"))
    np.testing.assert_array_equal(plain, [gpp, nbe])


def test_no_draw_of_parameters_fails():
    model = carbon_model(*CARBON)
    assert np.isfinite(run(model, draw_parameters(model, 1000, seed=6), CARBON)).all()


def test_what_a_model_shows_itself_is_its_own():
    def step(pools, p, w, parts):
        after, outputs = bucket_step(pools, p, w, parts)
        return after, outputs | {"tws": 7.0 + 0.0 * pools.w_root}

    own = bucket_model(showing(tws="mm"))
    own.code.step = step
    own = replace(own, name=f"{own.name}_own", parameters=own.parameters[:-1])
    own.check_observable("tws")  # without the parameter of the operator
    assert (run(own, draw_parameters(own, 2, seed=7), ("tws",)) == 7.0).all()


def test_file_of_an_operator_that_the_model_does_without(monkeypatch):
    monkeypatch.setattr("concerto.models.dalec2.OUTPUTS", {"lai": "1", "sif": "mW m-2 nm-1 sr-1"})
    names = carbon_model("sif", "vod").parameter_names
    assert "sif_slope" not in names
    assert names[-2:] == ["leaf_opacity", "wood_opacity"]


@pytest.mark.parametrize(
    ("model", "stream", "message"),
    [
        (carbon_model(), "lst", "lst: found no skin_temperature in the model dalec2; expected a"),
        (carbon_model(), "sif", "sif: found no sif_slope in the model dalec2; expected a stream"),
        (bucket_model(), "vod", "vod: found no c_wood, lai, leaf_opacity, wood_opacity in the"),
        (
            bucket_model(showing(lai="1")),
            "fapar",
            f"fapar: found no rsds in MJ m-2 d-1 in the model bucket_{SOURCE}; expected",
        ),
        (bucket_model(), "sfi", "operators: unknown plug-in 'sfi'; nearest valid: sif"),
    ],
)
def test_what_a_model_lacks_is_named(model, stream, message):
    assert stream not in model.outputs
    with pytest.raises(ConcertoError, match=message):
        model.check_observable(stream)


def test_observables_that_are_there():
    assert set(bucket_model().observables) == set(WATER)
    assert set(STREAMS) <= set(model_observing("dalec_water", *STREAMS).outputs)
    assert {"fapar", "lai", "nbe"} <= set(carbon_model().observables)
    assert not {"sif", "vod", "biomass"} & set(carbon_model().outputs)
