"""Faults of a configuration are all named: the key, where, what was found and what would do."""

from __future__ import annotations

import copy
import datetime
import fnmatch
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from concerto import config as checks
from concerto.errors import ConcertoError, InputError

CONFIG = checks.ROOT / "config/config.yaml"
DELETE = object()


@pytest.fixture
def config() -> dict:
    return checks.load_yaml(CONFIG)


@pytest.fixture
def root(tmp_path) -> Path:
    """A copy of the configuration's folder, to put faults in."""
    shutil.copytree(checks.ROOT / "config", tmp_path / "config")
    return tmp_path


def put(content: dict, path: list, value: object) -> None:
    """Set, or delete, what is under a path of keys."""
    *above, last = path
    for key in above:
        content = content[key]
    if value is DELETE:
        del content[last]
    else:
        content[last] = value


def faults_of(config: dict, root: Path = checks.ROOT) -> str:
    with pytest.raises(ConcertoError) as fault:
        checks.validate_config(config, root)
    return str(fault.value)


def test_default_configuration_is_valid(config):
    checks.validate_config(config)


@pytest.mark.parametrize("file", sorted(CONFIG.parent.glob("runs/*.yaml")), ids=lambda f: f.stem)
def test_each_run_is_valid(file):
    checks.validate_config(checks.load_yaml(file))


@pytest.mark.parametrize("file", sorted(CONFIG.parent.glob("sources/*.yaml")), ids=lambda f: f.stem)
def test_each_source_is_valid(file):
    source = checks.read_source(file.stem)
    for pattern in source.get("tables", {}):
        assert fnmatch.filter(source["members"], pattern)


@pytest.mark.parametrize("file", sorted(CONFIG.parent.glob("models/*.yaml")), ids=lambda f: f.stem)
def test_each_model_is_valid(file):
    checks.read_model(file.stem)


BE_VIE = ["sites", "BE-Vie"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ([*BE_VIE, "elevation"], 1, r"BE-Vie\.elevation: unknown key; nearest valid: elevation_m"),
        (["sed"], 1, "sed: unknown key; nearest valid: seed"),
        (["seed"], DELETE, "seed: missing"),
        (["seed"], 1.5, r"seed: found 1\.5; expected a whole number"),
        (["seed"], True, "seed: found True; expected a whole number"),
        (["run"], "../elsewhere", "run: found '../elsewhere'; expected text that matches"),
        (["sites", "a/b"], {}, "sites: found 'a/b'; expected text that matches"),
        (["sites"], {}, "sites: found a mapping with no keys; expected at least 1 key"),
        ([*BE_VIE], None, "sites.BE-Vie: found nothing; expected a mapping"),
        ([*BE_VIE, "latitude"], 95, "latitude: found 95; expected at most 90"),
        ([*BE_VIE, "longitude"], "5.99E", "longitude: found '5.99E'; expected a finite number"),
        ([*BE_VIE, "igbp"], "MX", "igbp: found 'MX'; nearest valid: MF"),
        (
            [*BE_VIE, "records", 0, "reader"],
            "fluxnt",
            r"records\[0\]\.reader: unknown name 'fluxnt'",
        ),
        ([*BE_VIE, "records", 0, "source"], "be_vie", "'be_vie'; nearest valid: be_vie_2014"),
        ([*BE_VIE, "records", 1, "file"], "merged.csv", r"unknown member 'merged\.csv'; nearest"),
        ([*BE_VIE, "records"], [], r"records: found a list of 0; expected at least 1 item"),
        ([*BE_VIE, "streams"], ["nee", "gdp"], r"streams\[1\]: unknown name 'gdp'; nearest.*: gpp"),
        (
            [*BE_VIE, "streams"],
            ["nee", "nee"],
            "streams: found a list of 2; expected no item twice",
        ),
        ([*BE_VIE, "training"], {}, "expected at least 1 key.* of period, blocks"),
        ([*BE_VIE, "training", "period"], ["2014-01-01", "2014-02-01"], "expected at most 1 key"),
        ([*BE_VIE, "training", "blocks", "train"], 3, "train: found 3; expected less than of"),
        (["sites", "CH-Dav", "training", "period", 1], "2012-01-01", "expected less than item 1"),
        (["sites", "CH-Dav", "training", "period", 1], "2018-02-30", "expected a date"),
        (
            ["sites", "CH-Dav", "training", "period", 0],
            datetime.date(2013, 1, 1),
            "found 2013-01-01 without quotes; expected text",
        ),
        (
            ["borders", "file"],
            "lowres.shp",
            r"borders\.file: unknown member 'lowres\.shp'; nearest",
        ),
        (["quality", "minimum_good_fraction"], 80, "found 80; expected at most 1"),
        (["quality", "minimum_good_fraction"], float("nan"), "found nan; expected a finite number"),
        (["quality", "gap_correlation_halfhours"], 0, "found 0; expected at least 1"),
        (["model"], "dalec", "model: unknown name 'dalec'; nearest valid: dalec2"),
        (
            ["constraints", 0],
            "turnover",
            r"constraints\[0\]: found 'turnover'; nearest valid: turn",
        ),
        (
            ["assimilation", "methods", 0],
            "demc",
            r"methods\[0\]: unknown name 'demc'; nearest.*demcz",
        ),
        (["assimilation", "methods"], ["esmda"], "product: unknown name 'hmc'; nearest.*: esmda"),
        (["assimilation", "budgets", "esmda"], DELETE, "budgets.esmda: missing; methods names it"),
        (["assimilation", "budgets", "enkf"], {}, "budgets: unknown name 'enkf'; nearest"),
        (["assimilation", "budgets", "esmda", "members"], -5, "found -5; expected more than 0"),
        (
            ["assimilation", "budgets", "esmda", "localisation"],
            "yes",
            "localisation: found 'yes'; expected a finite number or true or false",
        ),
        ([*BE_VIE, "cubes"], {"of": "CH-Dav", "step": "day"}, "records: found beside cubes"),
        ([*BE_VIE, "records"], DELETE, r"sites\.BE-Vie\.records: missing"),
        ([*BE_VIE, "step"], "month", r"BE-Vie\.records: found a list of 2; expected at most 1"),
        (["cost", "cases"], {"A": ["CH-Dov"]}, r"cases\.A: unknown site 'CH-Dov'; nearest"),
        (["folders"], {"fluxvol": "x"}, "folders: unknown name 'fluxvol'; nearest valid: fluxval"),
        (["projection", "members"], 1, "members: found 1; expected at least 2"),
        (["forecast", "sites"], ["CH-Dov"], "forecast.sites: found 'CH-Dov', no site of days; nea"),
        (["forecast", "method"], "esmda", "found 'esmda', which leaves no state to go on from; n"),
        (
            ["forecast", "method"],
            "particle_filter",
            r"found 'particle_filter'; expected it to be one of assimilation\.methods, which are h",
        ),
        (["scenarios", "places"], ["CH-Dov"], "scenarios.places: unknown name 'CH-Dov'; nearest"),
        (["scenarios", "baseline"], "stop", "baseline: unknown name 'stop'; nearest valid"),
        (
            ["scenarios", "cases", "restored", "climate"],
            "warm",
            r"scenarios\.cases\.restored\.climate: unknown name 'warm'; nearest valid: warmer",
        ),
        (
            ["scenarios", "land_uses", "continued", "transitions", 0, "to"],
            "present",
            r"continued\.transitions\[0\]\.to: found 'present'; expected another",
        ),
        (
            ["scenarios", "land_uses", "continued", "management", 0, "cover"],
            "crop",
            r"management\[0\]\.cover: unknown name 'crop'; nearest valid: cropland",
        ),
        (
            ["scenarios", "climates", "warmer", "co2", "file"],
            "x.csv",
            r"scenarios\.climates\.warmer\.co2\.file: unknown member 'x.csv'",
        ),
        (["scenarios", "climates", "warmer", "supplied"], "x.nc", "found beside supplied"),
        (["scenarios", "clearing"], {"burned": 1.5}, "clearing.burned: found 1.5"),
        (["forecast", "day"], 90, r"forecast\.day: unknown key; nearest valid: days"),
        (["forecast", "members"], DELETE, r"forecast\.members: missing"),
    ],
)
def test_fault_is_named(config, path, value, message):
    put(config, path, value)
    assert re.search(message, faults_of(config))


LEARNED = {"learned_from": "CH-Dav", "method": "hmc", "widen": 1.5}


def test_a_setting_of_a_method_may_be_a_switch(config):
    config["assimilation"]["budgets"]["esmda"]["localisation"] = False
    checks.validate_config(config)


def test_a_learned_prior_is_valid(config):
    config["sites"]["BE-Vie"]["prior"] = dict(LEARNED)
    checks.validate_config(config)
    elsewhere = {"learned_from": "XX-Yyy", "method": "demcz", "widen": 1.0, "run": "before"}
    config["sites"]["CH-Dav"]["prior"] = elsewhere
    checks.validate_config(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learned_from": "CH-Dva"}, r"learned_from: unknown site 'CH-Dva'; nearest valid: CH-Dav"),
        ({"method": "demcz"}, r"prior\.method: unknown name 'demcz'; .*hmc"),
        ({"method": "mcmc", "run": "before"}, r"prior\.method: unknown name 'mcmc'"),
        ({"widen": 0.5}, r"widen: found 0\.5; expected at least 1"),
        ({"widn": 2}, r"prior\.widn: unknown key; nearest valid: widen"),
        ({"learned_from": "BE-Vie"}, "found BE-Vie from BE-Vie; expected no circle"),
    ],
)
def test_fault_of_a_learned_prior_is_named(config, changes, message):
    config["sites"]["BE-Vie"]["prior"] = LEARNED | changes
    found = faults_of(config)
    assert re.search(message, found)
    assert "sites.BE-Vie.prior" in found


def test_sites_that_learn_from_each_other_are_named(config):
    config["sites"]["Third"] = copy.deepcopy(config["sites"]["BE-Vie"])
    for site, teacher in {"BE-Vie": "CH-Dav", "CH-Dav": "BE-Vie", "Third": "BE-Vie"}.items():
        config["sites"][site]["prior"] = LEARNED | {"learned_from": teacher}
    found = faults_of(config)
    assert found.startswith("configuration: 2 faults")
    assert "BE-Vie.prior.learned_from: found BE-Vie from CH-Dav from BE-Vie; expected no" in found


def derived(config: dict, of: str) -> dict:
    """Return a site whose cubes are those of another one."""
    site = copy.deepcopy(config["sites"]["CH-Dav"]) | {"cubes": {"of": of, "step": "month"}}
    return {key: said for key, said in site.items() if key not in ("records", "disturbance")}


@pytest.mark.parametrize("of", ["CH-Dav", "transect"])
def test_site_of_other_cubes(config, of):
    config["sites"]["X"] = derived(config, of)
    checks.validate_config(config)
    assert checks.site_kind(config["sites"]["X"]) == "derived"
    expected = ["ch_dav_2013_2022", "co2_ssp245"] if of == "CH-Dav" else ["transect_2000"]
    assert checks.source_names(config["sites"]["X"], config["sites"]) == expected


@pytest.mark.parametrize("of", ["CH-Dov", "Y"])
def test_cubes_are_of_a_site_with_daily_records(config, of):
    config["sites"] |= {"X": derived(config, of), "Y": derived(config, "CH-Dav")}
    message = faults_of(config)
    assert f"sites.X.cubes.of: found {of!r}, no site with daily records; nearest" in message


def test_forecasts_are_of_days(config):
    config["sites"]["X"] = derived(config, "CH-Dav")
    config["forecast"]["sites"] = ["X"]
    message = faults_of(config)
    assert "forecast.sites: found 'X', no site of days; nearest valid" in message
    config["sites"]["X"]["cubes"]["step"] = "day"
    checks.validate_config(config)


def test_maps_of_classes_are_members_of_a_source_of_records():
    europe = checks.load_yaml(CONFIG.parent / "runs/europe.yaml")
    classes = europe["areas"]["europe"]["classes"]
    classes["igbp"] = "igpb.nc"
    assert "areas.europe.classes.igbp.file: unknown member 'igpb.nc'; nearest" in faults_of(europe)
    classes["source"] = "esa_cci_land_cover"
    expected = "areas.europe.classes.koppen.source: found 'esa_cci_land_cover', a source of fields"
    assert expected in faults_of(europe)
    europe["areas"]["europe"]["classes"] = {"source": "land_classes"}
    assert "expected at least 2 key(s) of source, igbp, koppen" in faults_of(europe)


@pytest.fixture
def towers() -> dict:
    return checks.load_yaml(CONFIG.parent / "runs/fluxval.yaml")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["footprint"], 1, r"networks\.fluxval\.footprint: unknown key; nearest.*: footprint_m"),
        (["streams"], DELETE, r"networks\.fluxval\.streams: missing"),
        (["streams"], ["gdp"], r"streams\[0\]: unknown name 'gdp'; nearest valid: gpp"),
        (["set_aside"], ["unlikly"], r"set_aside\[0\]: found 'unlikly'; nearest valid: unlikely"),
        (["records", "source"], "fluxvol", "unknown name 'fluxvol'; nearest valid: fluxval"),
        (["records", "reader"], "cbff", "unknown name 'cbff'; nearest valid: cbf"),
        (["records", "table"], "sites.csv", r"\.records\.table: unknown member 'sites\.csv'"),
        (["records", "source"], "modis_lai", "found 'modis_lai', a source of fields; expected one"),
        (["heights", "file"], "x.nc", r"networks\.fluxval\.heights\.file: unknown member 'x\.nc'"),
    ],
)
def test_fault_of_a_network_is_named(towers, path, value, message):
    put(towers, ["networks", "fluxval", *path], value)
    assert re.search(message, faults_of(towers))


def test_network_has_a_name_of_its_own(towers, config):
    towers["sites"] = config["sites"]
    towers["networks"] = {"CH-Dav": towers["networks"]["fluxval"]}
    assert "networks.CH-Dav: another place has the same name" in faults_of(towers)


def test_table_of_one_s_own_files_may_be_of_a_pattern(towers):
    towers["networks"]["fluxval"]["records"] |= {"source": "own_cbf", "table": "sites.csv"}
    checks.validate_config(towers)


def test_all_faults_are_named_at_once(config):
    config["sites"]["BE-Vie"]["latitude"] = 95
    config["sites"]["CH-Dav"]["longitude"] = 195
    config["model"] = "dalec3"
    message = faults_of(config)
    assert message.startswith("configuration: 3 faults")
    for word in ("BE-Vie.latitude", "CH-Dav.longitude", "dalec3"):
        assert word in message


def change_file(root: Path, file: str, path: list, value: object) -> None:
    content = yaml.safe_load((root / file).read_text())
    put(content, path, value)
    (root / file).write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["min"], 0.9, r"\[autotrophic_fraction\]\.min: found 0\.9; expected less than max, which"),
        (["max"], 0.2, r"\[autotrophic_fraction\]\.min: found 0\.2; expected less than max"),
        (["max"], "high", "max: found 'high'; expected a finite number"),
        (["unit"], DELETE, r"parameters\[autotrophic_fraction\]\.unit: missing"),
        (["median"], DELETE, r"\[autotrophic_fraction\]\.median: missing"),
        (["min"], 0.0, "min: found 0.0; expected more than 0"),
        (["prior"], "lognormal", "prior: found 'lognormal'; nearest valid: log-normal"),
        (["prior"], "normal", r"parameters\[autotrophic_fraction\]\.mean: missing"),
        (["sd"], 0.0, r"\.sd: found 0\.0; expected more than 0"),
        (["name"], "leaf_mass", "parameters: name 'leaf_mass' more than once"),
    ],
)
def test_fault_of_a_prior_is_named(config, root, path, value, message):
    change_file(root, "config/models/components/six_pools.yaml", ["parameters", 1, *path], value)
    found = faults_of(config, root)
    assert re.search(message, found)
    assert "six_pools.yaml" in found


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["licence"], DELETE, "licence: missing"),
        (["protocol"], "packge", "protocol: unknown name 'packge'; nearest valid: package"),
        (["locator", "sha256"], "abc", "locator.sha256: found 'abc'; expected text that matches"),
        (["locator", "version"], 1.0, r"locator\.version: found 1\.0; expected text"),
        (["locator", "url"], "x", "locator.url: unknown key"),
        (["members", "../x"], "x", r"members: found '\.\./x'; expected text that matches"),
        (["members", "provenance.json"], "x", "members: found 'provenance.json'"),
        (["tables"], {"a.csv": {"tme": {}}}, r"tables\.a\.csv\.tme: unknown key; nearest.*: time"),
    ],
)
def test_fault_of_a_source_is_named(config, root, path, value, message):
    change_file(root, "config/sources/be_vie_2014.yaml", path, value)
    found = faults_of(config, root)
    assert re.search(message, found)
    assert "be_vie_2014.yaml" in found


def fault_of_source(root: Path, name: str, path: list, value: object) -> str:
    change_file(root, f"config/sources/{name}.yaml", path, value)
    with pytest.raises(ConcertoError) as fault:
        checks.read_source(name, root)
    return str(fault.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["grids"], {}, "grids: unknown key; nearest valid: grid"),
        (["tested"], "yes", "tested: found 'yes'; nearest valid"),
        (["reader"], "hdf4", r"reader: found 'hdf4'; nearest valid: .*\(of geotiff, netcdf\)"),
        (["request"], "day", "request: found 'day'; nearest valid"),
        (["bytes_per_value"], 0, "bytes_per_value: found 0; expected more than 0"),
        (["protocol"], "stack", "protocol: unknown name 'stack'; nearest valid: stac"),
        (["locator", "collecton"], "x", r"locator\.collecton: unknown key; nearest.*: collection"),
        (["locator", "api"], DELETE, r"locator\.api: missing"),
        (
            ["mirrors"],
            [{"protocol": "http", "locator": {"urls": []}}],
            r"locator\.urls: unknown key",
        ),
        (
            ["mirrors"],
            [{"protocol": "ftp", "locator": {"a": 1}}],
            r"mirrors\[0\]\.protocol: unknown",
        ),
        (["members"], {"a": "a"}, "members: found beside variables; expected one of them"),
        (
            ["variables"],
            DELETE,
            r"members/variables: found neither; expected members",
        ),
        (["variables"], {}, "variables: found a mapping with no keys"),
        (
            ["variables", "ndwi"],
            {"band": "a", "units": "1"},
            "variables: found 'ndwi'; near",
        ),
        (["variables", "lai", "operator"], DELETE, r"variables\.lai\.operator: missing"),
        (["variables", "lai", "operator"], "leaf", r"operator: unknown name 'leaf'; nearest valid"),
        (["variables", "lai", "operator"], "none", r"variables\.lai\.reason: missing"),
        (["variables", "lai", "units"], DELETE, r"variables\.lai\.units: missing"),
        (["variables", "lai", "classes"], {"tree": [1]}, r"lai\.units: found beside classes"),
        (
            ["variables", "lai", "valid"],
            [100, 0],
            r"valid\[0\]: found 100; expected less than",
        ),
        (["variables", "lai", "quality", 0, "keep"], DELETE, "'keep' is a dependency of 'bits'"),
        (["variables", "lai", "quality", 0, "values"], [1], "bits: found beside values"),
        (
            ["variables", "lai", "quality", 0, "meaning"],
            "detectors working",
            "quality: meaning 'detectors working' more than once",
        ),
        (["variables", "lai", "uncertainty", "relative"], 0.1, "relative: found beside band"),
        (["variables", "lai", "error_correlation", "shared_fraction"], 2, "expected at most 1"),
        (
            ["variables", "lai", "accumulated"],
            {"reset": "hour"},
            "reset: found 'hour'; near",
        ),
        (
            ["grid", "resolution"],
            "500 metres",
            r"resolution: found '500 metres'; expected",
        ),
        (["grid", "step"], "8 days", "step: found '8 days'; expected text that matches"),
        (["grid", "first"], "2000-02-30", "first: found '2000-02-30'; expected a date"),
        (
            ["login"],
            {"service": "A", "get": "https://a.org"},
            "neither; expected environment",
        ),
        (
            ["login"],
            {"service": "A", "get": "https://a.org", "netrc": "a.org", "instead": "modis_lia"},
            r"login\.instead: unknown name 'modis_lia'; nearest valid: modis_lai",
        ),
    ],
)
def test_fault_of_a_source_of_fields_is_named(root, path, value, message):
    assert re.search(message, fault_of_source(root, "modis_lai", path, value))


def test_land_cover_has_classes_and_weather_has_no_operator(root):
    name, path = "esa_worldcover_2021", ["variables", "land_cover", "classes"]
    assert "land_cover.classes: missing" in fault_of_source(root, name, path, DELETE)
    for variable in checks.read_source("terraclimate")["variables"].values():
        assert "operator" not in variable


def test_a_source_of_fields_is_no_record(config):
    put(config, [*BE_VIE, "records", 0, "source"], "modis_lai")
    expected = (
        "sites.BE-Vie.records[0].source: found 'modis_lai', a source of fields; "
        "expected one of records"
    )
    assert expected in faults_of(config)


ERA = {"arco_era5": ["tas", "tdps", "rsds"]}


def with_fields(config: dict, fields: dict, **weather: object) -> dict:
    """Return a configuration whose Vielsalm has fields around it."""
    added = {"fields": fields, "footprint_m": 500, "least_covered": 0.2}
    added |= {"period": ["2014-01-01", "2014-12-31"]} | ({"weather": weather} if weather else {})
    config["sites"]["BE-Vie"] |= added
    return config


def test_weather_of_fields_by_the_day_or_less_is_valid(config):
    wanted = {"correct": "none", "lapse": 6.5, "cell_height_m": {"arco_era5": 400}}
    checks.validate_config(with_fields(config, ERA | {"nasa_power": ["pr"]}, **wanted))


@pytest.mark.parametrize(
    ("fields", "weather", "fault"),
    [
        (
            {"terraclimate": ["tasmin", "pr"]},
            {},
            "fields.terraclimate: found tasmin, pr in steps of P1M; expected a day or less",
        ),
        (
            {"modis_burned_area": ["burned_area_fraction"]},
            {},
            "fields.modis_burned_area: found burned_area_fraction in steps of P1M",
        ),
        (ERA, {"corect": "none"}, "weather.corect: unknown key; nearest valid: correct"),
        (ERA, {"correct": "scaled"}, "weather.correct: found 'scaled'; nearest valid: scale"),
        (ERA, {"lapse": "weekly"}, "weather.lapse: found 'weekly'; expected text that matches"),
        (ERA, {"lapse": 65}, "weather.lapse: found 65; expected at most 20"),
        (
            ERA,
            {"cell_height_m": {"era5_land_sites": 400}},
            "weather.cell_height_m: unknown source 'era5_land_sites'; nearest valid: arco_era5",
        ),
    ],
)
def test_weather_that_cannot_complete_a_site_is_refused(config, fields, weather, fault):
    assert f"sites.BE-Vie.{fault}" in faults_of(with_fields(config, fields, **weather))


def test_weather_without_fields_is_refused(config):
    put(config, [*BE_VIE, "weather"], {"correct": "none"})
    assert "fields" in faults_of(config)


def test_identity_of_a_source_of_fields_is_what_decides_its_files(root):
    file, before = "config/sources/modis_lai.yaml", checks.source_identity("modis_lai", root=root)
    for path, value in ((["variables", "lai", "scale"], 0.2), (["tested"], "archive")):
        change_file(root, file, path, value)
    assert checks.source_identity("modis_lai", root=root) == before
    change_file(root, file, ["locator", "items"], "MYD15A2H.*")
    assert checks.source_identity("modis_lai", root=root) != before


WORDS = [[key] for key in ("title", "licence", "citation", "homepage")]


@pytest.mark.parametrize("path", [*WORDS, ["tested"], ["variables", "lai", "scale"], ["mirrors"]])
def test_what_is_said_of_a_source_does_not_fetch_it_again(root, path):
    file = "config/sources/modis_lai.yaml"
    before = checks.source_identity("modis_lai", ["lai"], root)
    mirror = {"protocol": "http", "locator": {"template": "https://example.org/a"}}
    said = {"scale": 0.2, "tested": "archive", "mirrors": [mirror], "homepage": "https://a.org"}
    change_file(root, file, path, said.get(path[-1], "other words"))
    assert checks.source_identity("modis_lai", ["lai"], root) == before
    words = checks.source_words("modis_lai", root)
    assert path[-1] not in words or words[path[-1]] == "other words"


@pytest.mark.parametrize(
    ("path", "value", "lai", "fapar"),
    [
        (["locator", "items"], "MYD15A2H.*", True, True),
        (["request"], "month", True, True),
        (["protocol"], "earthdata", True, True),
        (["variables", "lai", "band"], "Lai", True, False),
        (["variables", "lai", "uncertainty", "band"], "LaiError", True, False),
        (["variables", "fapar", "band"], "Fpar", False, True),
    ],
)
def test_what_decides_the_bytes_of_the_wanted_files_does(root, path, value, lai, fapar):
    before = [checks.source_identity("modis_lai", [name], root) for name in ("lai", "fapar")]
    if path == ["protocol"]:
        locator = {"short_name": "MOD15A2H", "version": "061"}
        change_file(root, "config/sources/modis_lai.yaml", ["locator"], locator)
    change_file(root, "config/sources/modis_lai.yaml", path, value)
    after = [checks.source_identity("modis_lai", [name], root) for name in ("lai", "fapar")]
    assert [one != other for one, other in zip(before, after, strict=True)] == [lai, fapar]


def test_unknown_source_and_model_name_the_nearest(root):
    with pytest.raises(ConcertoError, match="nearest valid: be_vie_2014"):
        checks.read_source("be_vie_2015", root)
    with pytest.raises(ConcertoError, match="nearest valid: dalec2"):
        checks.read_model("dalec3", root)


def test_identity_of_a_source_leaves_out_how_it_is_read(root):
    before = checks.source_identity("be_vie_2014", root=root)
    change_file(root, "config/sources/be_vie_2014.yaml", ["tables"], DELETE)
    change_file(root, "config/sources/be_vie_2014.yaml", ["licence"], "another")
    assert checks.source_identity("be_vie_2014", root=root) == before
    change_file(root, "config/sources/be_vie_2014.yaml", ["locator", "sha256"], "0" * 64)
    assert checks.source_identity("be_vie_2014", root=root) != before


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1", "key 'a' a second time"),
        ("a: {b: 1, b: 2}\n", "line 1, column 11", "key 'b' a second time"),
        ("a: [1\nb: 2\n", "line 2", "expected"),
        ("a: 1\n\tb: 2\n", "line 2, column 1", "tab|cannot start any token"),
    ],
)
def test_malformed_yaml_names_line_and_column(tmp_path, text, place, found):
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as fault:
        checks.load_yaml(file)
    assert fault.value.file == str(file)
    assert place in fault.value.field
    assert re.search(found, fault.value.found)


def test_yaml_that_is_no_text_or_missing(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        checks.load_yaml(tmp_path / "x.yaml")
    with pytest.raises(InputError, match="found nothing"):
        checks.load_yaml(tmp_path / "y.yaml")


def properties(schema: object, path: str = "") -> Iterator[tuple[str, dict]]:
    """Yield each key that the schema allows, with what it says of it."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == "properties" and path.rpartition(".")[-1] not in ("if", "then"):
                yield from ((f"{path}.{key}", said) for key, said in value.items())
            yield from properties(value, f"{path}.{name}")
    elif isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from properties(value, f"{path}.{number}")


def test_each_key_is_described_and_each_mapping_is_closed():
    schema = checks.load_yaml(checks.ROOT / "config/schema.yaml")
    keys = dict(properties(schema))
    assert len(keys) > 60
    assert [path for path, said in keys.items() if "description" not in said] == []
    mappings = [schema, *schema["$defs"].values(), *keys.values()]
    with_keys = [said for said in mappings if "properties" in said]
    open_ones = [said for said in with_keys if said.get("additionalProperties") is not False]
    assert open_ones == [schema["$defs"]["budget"]]  # each method has settings of its own


def test_names_in_the_schema_are_those_of_the_library():
    """The schema is read without importing what it names, so it repeats some lists of names."""
    from concerto.assimilation import constraints
    from concerto.domain import DISTURBANCES, FIELDS, IGBP, QUANTITIES, STREAMS, SUBDAILY_STREAMS
    from concerto.land_use_categories import CATEGORIES

    schema = checks.load_yaml(checks.ROOT / "config/schema.yaml")
    assert set(schema["properties"]["constraints"]["items"]["enum"]) == set(constraints.NAMES)
    assert set(schema["$defs"]["igbp"]["enum"]) == set(IGBP)
    of_policy = schema["$defs"]["policy_table"]["properties"]["categories"]
    assert tuple(of_policy["additionalProperties"]["enum"]) == CATEGORIES
    columns = schema["$defs"]["table"]["properties"]["variables"]["propertyNames"]["enum"]
    assert set(columns) == set(QUANTITIES) - set(DISTURBANCES)
    fields = schema["$defs"]["field_source"]["properties"]["variables"]
    assert set(fields["propertyNames"]["enum"]) == set(FIELDS)
    compared, land_cover = (key[1:-1].strip("()").split("|") for key in fields["patternProperties"])
    assert set(compared) == {*STREAMS, *SUBDAILY_STREAMS, "ndvi", "evi"}
    assert land_cover == ["land_cover"]


def test_validation_leaves_the_configuration_alone(config):
    before = copy.deepcopy(config)
    checks.validate_config(config)
    assert config == before


@pytest.mark.parametrize(
    "target",
    [
        "all",
        "results/default/report/index.html",
        "results/default/report/BE-Vie.html",
        "results/default/figures/sites.png",
        "results/default/figures/CH-Dav/pools.png",
        "results/default/raw/be_vie_2014",
        "results/default/posterior/BE-Vie/demcz.nc",
        "results/other/prior/XX-Xxx.nc",
        "README.md",
    ],
)
def test_target_of_a_known_site_or_of_none_passes(config, target):
    checks.check_targets([target], config)


@pytest.mark.parametrize("target", checks.ASKED)
def test_an_experiment_that_is_not_configured_names_where_one_is(config, target):
    config.pop(target, None)
    with pytest.raises(ConcertoError) as fault:
        checks.check_targets([target], config)
    files = {name: f"config/runs/{name}.yaml" for name in ("scale", "twin", "upscaling")}
    found, expected = str(fault.value).split("; ")
    assert found == f"{target}: found no {target} in the configuration"
    assert expected.startswith(
        f"expected what to do, as in {files.get(target, 'config/config.yaml')}"
    )
    checks.check_targets([target], {**config, target: {"any": 1}})


@pytest.mark.parametrize(
    "target",
    [
        "results/default/report/BE-Vi.html",
        "results/default/prior/BE-Vi.nc",
        "results/default/cubes/BE-Vi/drivers.nc",
        "results/default/figures/BE-Vi/pools.png",
    ],
)
def test_target_of_an_unknown_site_names_the_nearest(config, target):
    with pytest.raises(ConcertoError) as fault:
        checks.check_targets(["results/default/report/BE-Vie.html", target], config)
    expected = (
        f"{target}: unknown site 'BE-Vi'; nearest valid: BE-Vie (of BE-Vie, CH-Dav, transect)"
    )
    assert str(fault.value) == expected


def test_files_of_a_model(config, root):
    components = ("six_pools", "acm", "pulses", "exponential")
    parts = [f"config/models/components/{name}.yaml" for name in components]
    assert checks.model_files(config, root) == ["config/models/dalec2.yaml", *parts]


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ({"photosyntesis": "acm"}, r"components\.photosyntesis: .*nearest valid: photosynthesis"),
        ({"photosynthesis": "acn"}, r"nearest valid: acm"),
        (
            {"photosynthesis": "pulses"},
            r"components\.photosynthesis: found pulses, which is for phenology; expected a",
        ),
    ],
)
def test_component_that_cannot_play_a_role(config, root, components, message):
    with pytest.raises(ConcertoError, match=message):
        checks.validate_config(config | {"components": components}, root)


def test_parameter_of_two_components(config, root):
    item = {"name": "leaf_mass", "unit": "1", "min": 1, "max": 2, "prior": "uniform"}
    item |= {"description": "one more", "source": "made up"}
    change_file(root, "config/models/components/acm.yaml", ["parameters", 0], item)
    with pytest.raises(ConcertoError, match="'leaf_mass', which six_pools has already"):
        checks.model_files(config, root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"map": "transec"}, "policy.countries.map: unknown map 'transec'; "),
        (
            {"polygons": {"source": "natural_earth_110m", "column": "name"}},
            "policy.countries.polygons.file: missing",
        ),
        (
            {"polygons": {"source": "natural_earth_110m", "file": "x.shp", "column": "name"}},
            "policy.countries.polygons.file: unknown member 'x.shp'",
        ),
        ({"categories": {"WSA": "woodland"}}, "categories.WSA: found 'woodland'; "),
        ({"managed": {"classes": {"BSV": 1.5}}}, "found 1.5; expected at most 1"),
    ],
)
def test_a_table_of_regions_names_what_there_is(config, change, message):
    config["policy"]["countries"] |= change
    with pytest.raises(ConcertoError) as error:
        checks.validate_config(config)
    assert message in str(error.value)


def test_a_table_of_regions_has_a_name_of_its_own(config):
    config["policy"]["transect"] = config["policy"].pop("countries")
    with pytest.raises(ConcertoError, match=r"policy\.transect: a place or a page has the same"):
        checks.validate_config(config)


def with_network(config: dict) -> dict:
    """Return a configuration with the towers of the collection, and the default one's map."""
    towers = checks.load_yaml(CONFIG.parent / "runs/fluxval.yaml")["networks"]
    return config | {"networks": towers, "upscaling": {"network": "fluxval", "cubes": ["transect"]}}


def test_towers_of_a_network_may_teach_a_map(config):
    config = with_network(config)
    config["maps"]["transect"]["upscaled"] = True
    checks.validate_config(config)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda c: c.pop("networks"),
            "upscaling.network: unknown network 'fluxval'; the run has none",
        ),
        (lambda c: c["upscaling"].update(network="fluxva"), "unknown network 'fluxva'; nearest"),
        (
            lambda c: c["upscaling"].update(cubes=["europe"]),
            "upscaling.cubes: unknown area 'europe'",
        ),
        (
            lambda c: (c.pop("upscaling"), c["maps"]["transect"].update(upscaled=True)),
            "maps.transect.upscaled: transect is not among upscaling.cubes",
        ),
        (
            lambda c: c["reconstruction"]["leaves"].update(cubes="europe"),
            "reconstruction.leaves.cubes: unknown area 'europe'",
        ),
        (
            lambda c: c["reconstruction"]["cover"].update(region_deg=9.0),
            "reconstruction.cover.region_deg: found 9; expected a multiple of coarse_deg, 2",
        ),
    ],
)
def test_learners_that_cannot_be_taught_are_refused(config, change, fault):
    config = with_network(config)
    change(config)
    assert fault in faults_of(config)
