"""The rules as text: each has what it must have, and its environment what its script imports."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from concerto.imports import external_imports
from concerto.plugins import LIBRARY

ROOT = LIBRARY.parents[1]
# What the package index calls what conda-forge calls otherwise.
INDEX_NAMES = {"dask-core": "dask", "matplotlib-base": "matplotlib"}


def rules() -> dict[str, tuple[Path, dict[str, str]]]:
    """Return of each rule its file and its directives as text, by the rule's name."""
    found = {}
    for file in sorted((ROOT / "rules").glob("*.smk")):
        head, *blocks = re.split(r"^(?:rule|checkpoint) (\w+):\n", file.read_text(), flags=re.M)
        assert not re.search(r"^(rule|checkpoint)\b", head, flags=re.M)
        for name, block in zip(blocks[::2], blocks[1::2], strict=True):
            assert name not in found, f"two rules are called {name}"
            body = re.split(r"^(?=\S)", block, flags=re.M)[0]
            parts = re.split(r"^    (\w+):", body, flags=re.M)
            found[name] = (file, dict(zip(parts[1::2], parts[2::2], strict=True)))
    return found


RULES = rules()
SCRIPTED = sorted(name for name, (_, parts) in RULES.items() if "script" in parts)


def path_in(name: str, directive: str) -> Path:
    file, parts = RULES[name]
    return (file.parent / re.search(r'"(.+)"', parts[directive])[1]).resolve()


@cache
def pins(environment: Path) -> dict[str, str]:
    """Return the versions that an environment pins, by distribution name."""
    content = yaml.safe_load(environment.read_text())
    plain = [item for item in content["dependencies"] if isinstance(item, str)]
    pip = [
        line for item in content["dependencies"] if isinstance(item, dict) for line in item["pip"]
    ]
    pairs = [item.partition("=")[::2] for item in plain] + [item.split("==") for item in pip]
    return {plain_name(name): version for name, version in pairs}


@cache
def required() -> dict[str, str]:
    """Return the versions that the tests run with, by distribution name."""
    file = ROOT / "envs/requirements.txt"
    lines = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)", file.read_text(), flags=re.M)
    return {plain_name(name): version for name, version in lines}


def plain_name(name: str) -> str:
    """Return a distribution's name on the package index, in one spelling."""
    return re.sub(r"[-_.]+", "-", INDEX_NAMES.get(name, name)).lower()


def distributions(module: str) -> set[str]:
    return {plain_name(name) for name in packages_distributions().get(module, [])}


def test_there_are_rules():
    assert SCRIPTED


@pytest.mark.parametrize("name", sorted(RULES))
def test_rule_has_all_directives_in_order(name):
    _, parts = RULES[name]
    wanted = ["output", "log", "benchmark", "conda", "threads", "resources", "message", "script"]
    if name != "all":
        assert [part for part in parts if part in wanted] == wanted


@pytest.mark.parametrize("name", SCRIPTED)
def test_script_has_the_name_of_its_rule(name):
    assert path_in(name, "script") == ROOT / f"scripts/{name}.py"
    assert path_in(name, "script").exists()


@pytest.mark.parametrize("name", SCRIPTED)
def test_script_has_no_future_import(name):
    """Snakemake writes code of its own before a script's, after which such an import fails."""
    assert "from __future__" not in path_in(name, "script").read_text()


@pytest.mark.parametrize("name", SCRIPTED)
def test_environment_has_what_the_script_imports(name):
    pinned = pins(path_in(name, "conda"))
    missing = {
        module: sorted(file.relative_to(ROOT).as_posix() for file in files)
        for module, files in external_imports(path_in(name, "script")).items()
        if not distributions(module) & pinned.keys()
    }
    assert missing == {}, f"not in {path_in(name, 'conda').name}"


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda file: file.stem)
def test_environment_is_pinned_exactly_and_like_the_others(file):
    assert yaml.safe_load(file.read_text())["channels"] == ["conda-forge", "bioconda", "nodefaults"]
    found = pins(file)
    assert found.pop("python") == "3.11"
    assert {
        name: version for name, version in found.items() if not re.match(r"\d[\w.]*$", version)
    } == {}
    for other in (required(), *(pins(path) for path in file.parent.glob("*.yaml"))):
        shared = found.keys() & other.keys()
        assert {name: found[name] for name in shared} == {name: other[name] for name in shared}


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda file: file.stem)
def test_environment_is_used(file):
    assert file in {path_in(name, "conda") for name in SCRIPTED}


def test_each_script_has_a_rule():
    assert {file.stem for file in (ROOT / "scripts").glob("*.py")} == set(SCRIPTED)
