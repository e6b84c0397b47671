"""The files of operators' parameters: checked like a model's, each parameter with one owner."""

import shutil

import pytest
import yaml
from concerto import config as checks
from concerto.errors import ConcertoError


@pytest.fixture
def root(tmp_path):
    """A copy of the configuration's folder, to put faults in."""
    shutil.copytree(checks.ROOT / "config", tmp_path / "config")
    return tmp_path


@pytest.fixture
def config():
    content = checks.load_yaml(checks.ROOT / "config/config.yaml")
    content["sites"]["BE-Vie"]["streams"] = ["nee", "sif", "gpp"]
    content["sites"]["CH-Dav"]["streams"] = ["vod", "sif"]
    return content


def change(root, name, values):
    file = root / f"config/operators/{name}.yaml"
    content = yaml.safe_load(file.read_text())
    content["parameters"][0] |= values
    file.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize("file", sorted((checks.ROOT / "config/operators").glob("*.yaml")), ids=str)
def test_each_is_valid(file):
    assert checks.read_operator(file.stem)["parameters"]


def test_files_of_the_streams_follow_those_of_the_model(config):
    files = checks.model_files(config)
    assert files[-2:] == ["config/operators/sif.yaml", "config/operators/vod.yaml"]
    assert sum("operators" in file for file in files) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "leaf_mass"}, r"sif\.yaml: sif has a parameter 'leaf_mass', which \w+ has"),
        ({"name": "leaf_opacity"}, "vod has a parameter 'leaf_opacity', which sif has already"),
        ({"min": 1.0}, r"sif\.yaml: parameters\[sif_slope\]\.min: found 1\.0; expected less than"),
        ({"range": 1}, r"sif\.yaml: parameters\[sif_slope\]\.range: unknown key; nearest valid"),
    ],
)  # fmt: skip
def test_fault_is_named(config, root, values, message):
    change(root, "sif", values)
    with pytest.raises(ConcertoError, match=message):
        checks.validate_config(config, root)


def test_unknown_operator_names_the_nearest(root):
    with pytest.raises(ConcertoError, match="unknown operator 'siv'; nearest valid: sif"):
        checks.read_operator("siv", root)
