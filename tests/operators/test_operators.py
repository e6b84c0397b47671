"""What every observable is, in which unit, and how it changes with what it is made of."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from concerto import plugins
from concerto.config import model_files, read_operator
from concerto.domain import STREAMS
from concerto.models import load_model
from concerto.units import convert
from scipy.integrate import quad
from scipy.special import expn
from synthetic_dalec import ROOT

NAMES = plugins.available("operators")
AS_IT_IS = {
    "gpp": "gpp",
    "nee": "nee",
    "nbe": "nbe",
    "reco": "reco",
    "fire_emission": "fire_emission",
    "et": "et",
    "le": "latent_heat",
    "lai": "lai",
    "surface_soil_moisture": "soil_moisture_surface",
    "root_zone_soil_moisture": "soil_moisture_root",
    "lst": "skin_temperature",
}
LATITUDES = (-70.0, -35.0, 0.0, 23.0, 50.0, 65.0)
DAYS = (20.5, 80.5, 172.5, 265.5, 355.5)
LEAVES = (0.1, 0.5, 1.0, 3.0, 6.0)


def observe(name, parameters=None, weather=None, **outputs):
    p, w = (SimpleNamespace(**(values or {})) for values in (parameters, weather))
    return float(plugins.load("operators", name).observe(SimpleNamespace(**outputs), p, w))


def test_every_stream_has_an_operator():
    assert set(NAMES) == set(STREAMS)


@pytest.mark.parametrize("name", NAMES)
def test_unit_is_that_of_the_cubes(name):
    """Ensembles of operators and cubes of observations are compared without another look."""
    unit = plugins.load("operators", name).UNIT
    assert convert(1.0, STREAMS[name].units, unit, file="f", field=name) == 1.0


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("biomass", "Mg ha-1", 0.1),
        ("sif", "W m-2 um-1 sr-1", 1.0),
        ("surface_soil_moisture", "percent", 0.01),
        ("tws", "cm", 10.0),
        ("le", "MJ m-2 d-1", 1e6 / 86400.0),
    ],
)
def test_unit_that_products_use_converts(name, unit, factor):
    target = plugins.load("operators", name).UNIT
    assert convert(1.0, unit, target, file="f", field=name) == pytest.approx(factor, rel=1e-12)


def test_kelvin_of_a_product_converts():
    assert convert(300.0, "K", "degC", file="f", field="lst") == pytest.approx(26.85)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_its_file(name):
    wanted = plugins.load("operators", name).PARAMETERS
    if not wanted:
        assert not (ROOT / f"config/operators/{name}.yaml").exists()
        return
    described = read_operator(name)["parameters"]
    assert tuple(item["name"] for item in described) == wanted


def test_files_of_all_operators_go_together():
    """No parameter has its name from two files, whatever is observed together."""
    config = {"model": "dalec2", "sites": {"X": {"streams": NAMES}}}
    parameters = load_model([ROOT / file for file in model_files(config)]).parameter_names
    operators = [plugins.load("operators", name) for name in NAMES]
    assert {name for part in operators for name in part.PARAMETERS} <= set(parameters)


@pytest.mark.parametrize("name", AS_IT_IS)
def test_what_the_model_has_is_seen_as_it_is(name):
    operator = plugins.load("operators", name)
    assert list(operator.OUTPUTS) == [AS_IT_IS[name]]
    assert not operator.PARAMETERS
    assert not operator.DRIVERS
    assert observe(name, **{AS_IT_IS[name]: -1.5}) == -1.5


class TestFapar:
    """Against the integral over all hours of the day and all of the sky."""

    @staticmethod
    def seen(lai, day, latitude, rsds=10.0):
        weather = {"day_of_year": day, "latitude": latitude, "rsds": rsds}
        return observe("fapar", weather=weather, lai=lai)

    @staticmethod
    def path_of_the_sun(day, latitude):
        """The parts of cos z that do and do not change with the hour, and the half day, rad."""
        declination = math.radians(-23.4) * math.cos(2.0 * math.pi * (day + 10.0) / 365.0)
        phi = math.radians(latitude)
        level = math.sin(phi) * math.sin(declination)
        swing = math.cos(phi) * math.cos(declination)
        return level, swing, math.acos(max(-1.0, min(1.0, -level / swing)))

    def under_the_sun(self, lai, day, latitude):
        level, swing, half_day = self.path_of_the_sun(day, latitude)

        def cosine(hour):
            return max(0.05, level + swing * math.cos(hour))

        def passed(hour):
            return cosine(hour) * math.exp(-0.35 * lai / cosine(hour))

        return 1.0 - quad(passed, 0.0, half_day)[0] / quad(cosine, 0.0, half_day)[0]

    @staticmethod
    def under_the_sky(lai):
        return 1.0 - 2.0 * expn(3, 0.35 * lai)

    @pytest.mark.parametrize("latitude", LATITUDES)
    def test_is_the_mean_over_the_day(self, latitude):
        for day in DAYS:
            if self.path_of_the_sun(day, latitude)[2] < 0.3:
                continue  # the sun hardly rises
            for lai in LEAVES:
                sun, sky = self.under_the_sun(lai, day, latitude), self.under_the_sky(lai)
                bright, dull = (self.seen(lai, day, latitude, rsds) for rsds in (100.0, 0.0))
                assert bright == pytest.approx(0.77 * sun + 0.23 * sky, abs=0.01)
                assert dull == pytest.approx(sky, abs=0.01)

    @pytest.mark.parametrize(
        ("clearness", "share"), [(0.05, 1.0), (0.2, 0.96113), (0.5, 0.6), (0.7, 0.308), (0.8, 0.23)]
    )
    def test_clouds_spread_the_light(self, clearness, share):
        """At the equator in March, where 37.9 MJ m-2 d-1 reach the air."""
        lai, day = 2.0, 80.5
        sky, bright = (self.seen(lai, day, 0.0, rsds) for rsds in (0.0, 100.0))
        sun = (bright - 0.23 * sky) / 0.77
        seen = self.seen(lai, day, 0.0, 37.9 * clearness)
        assert (seen - sun) / (sky - sun) == pytest.approx(share, abs=0.01)

    @pytest.mark.parametrize("latitude", [-35.0, 0.0, 23.0, 45.0])
    def test_few_leaves_are_seen_along_the_mean_light(self, latitude):
        """Light from the sky takes twice the way that light from the zenith takes."""
        for day in DAYS:
            level, swing, half_day = self.path_of_the_sun(day, latitude)
            mean_cosine = level + swing * math.sin(half_day) / half_day
            slope = self.seen(1e-6, day, latitude, rsds=100.0) / 1e-6
            assert slope == pytest.approx(0.35 * (0.77 / mean_cosine + 0.23 * 2.0), rel=0.01)

    def test_rises_with_leaves_from_none_to_all(self):
        for latitude in (*LATITUDES, -90.0, 90.0):
            for day in DAYS:
                series = [self.seen(lai, day, latitude) for lai in np.linspace(0.0, 8.0, 50)]
                assert series[0] == pytest.approx(0.0, abs=1e-15)
                assert (np.diff(series) >= 0.0).all()
                assert series[-1] <= 1.0
                assert self.seen(np.inf, day, latitude) == 1.0

    def test_a_low_sun_sees_more_leaves(self):
        winter, summer = (self.seen(2.0, day, 50.0, rsds=100.0) for day in (355.5, 172.5))
        tropics = self.seen(2.0, 80.5, 0.0, rsds=100.0)
        assert winter > summer > tropics > 1.0 - math.exp(-0.35 * 2.0)  # the sun overhead

    def test_polar_night_has_the_light_of_the_sky(self):
        seen = self.seen(1.0, 355.5, 80.0, rsds=0.0)
        assert seen == pytest.approx(self.under_the_sky(1.0), abs=0.01)


def test_fluorescence_is_proportional_to_photosynthesis():
    assert observe("sif", {"sif_slope": 0.05}, gpp=10.0) == pytest.approx(0.5)
    assert observe("sif", {"sif_slope": 0.05}, gpp=0.0) == 0.0


def test_optical_depth_adds_leaves_and_wood():
    parameters = {"leaf_opacity": 0.06, "wood_opacity": 0.05}
    seen = [
        observe("vod", parameters, lai=lai, c_wood=wood)
        for lai, wood in ((0.0, 0.0), (4.0, 0.0), (0.0, 12e3), (4.0, 12e3))
    ]
    np.testing.assert_allclose(seen, [0.0, 0.24, 0.6, 0.84], rtol=1e-12)


def test_biomass_is_leaves_and_wood_above_ground():
    seen = observe("biomass", {"above_ground_share": 0.8}, c_leaf=200.0, c_wood=10e3)
    assert seen == pytest.approx(8.2)  # kgC m-2
    assert observe("biomass", {"above_ground_share": 0.8}, c_leaf=0.0, c_wood=0.0) == 0.0


def test_total_biomass_is_all_that_lives():
    pools = {"c_labile": 300.0, "c_leaf": 200.0, "c_root": 500.0, "c_wood": 10e3}
    assert observe("total_biomass", **pools) == pytest.approx(11.0)  # kgC m-2


def test_water_storage_is_seen_from_its_reference():
    assert observe("tws", {"reference_storage": 400.0}, water_storage=350.0) == -50.0
    assert observe("tws", {"reference_storage": 400.0}, water_storage=400.0) == 0.0
