"""The rules as text: each has what it must have, and its environment what its script imports."""

from __future__ import annotations

import os
import re
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from concerto.imports import external_imports
from environments import pins, plain_name
from rule_texts import ROOT, RULES, SCRIPTED, path_in


@cache
def required(file: str = "requirements.txt") -> dict[str, str]:
    """Return the versions that a list of requirements pins, by distribution name."""
    text = (ROOT / "envs" / file).read_text()
    lines = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)", text, flags=re.M)
    return {plain_name(name): version for name, version in lines}


@cache
def installed() -> dict[str, set[str]]:
    """Return the distributions here that bring each module."""
    return {
        module: {plain_name(name) for name in names}
        for module, names in packages_distributions().items()
    }


def commands(file: Path) -> list[list[str]]:
    """Return the lines of each block of shell commands in a text."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", file.read_text(), flags=re.M | re.S)
    return [block.splitlines() for block in blocks]


def test_there_are_rules():
    assert SCRIPTED


@pytest.mark.parametrize("name", sorted(RULES))
def test_rule_has_all_directives_in_order(name):
    _, parts = RULES[name]
    wanted = ["output", "log", "benchmark", "conda", "threads", "resources", "message", "script"]
    if name not in (
        "all",
        "benchmark",
        "canopy",
        "compare_runs",
        "cost",
        "emulator",
        "scale",
        "twin",
        "twin_map",
        "upscaling",
    ):  # they only name what others make
        assert [part for part in parts if part in wanted] == wanted


@pytest.mark.parametrize("name", SCRIPTED)
def test_rule_says_what_it_does_and_logs_under_its_name(name):
    _, parts = RULES[name]
    assert re.fullmatch(r'\s*"[A-Z].{10,}"\s*', parts["message"])
    for directive, folder in (("log", "logs"), ("benchmark", "benchmarks")):
        assert f"{{RUN}}/{folder}/{name}." in parts[directive]


@pytest.mark.parametrize("name", sorted(set(SCRIPTED) - {"acquire_source", "acquire_fields"}))
def test_rule_is_run_again_when_its_library_changes(name):
    _, parts = RULES[name]
    assert f'library=library("{name}")' in parts["params"]


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
        if not installed().get(module, set()) & pinned.keys()
    }
    assert missing == {}, f"not in {path_in(name, 'conda').name}"


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda file: file.stem)
def test_environment_is_pinned_exactly_and_like_the_others(file):
    assert yaml.safe_load(file.read_text())["channels"] == ["conda-forge", "nodefaults"]
    found = dict(pins(file))
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


def test_what_the_environments_pin_is_required():
    """A run without conda has what one with it has."""
    pinned = {
        name: version for file in ROOT.glob("envs/*.yaml") for name, version in pins(file).items()
    }
    del pinned["python"], pinned["pip"]
    asked = required("requirements.in")
    assert pinned.keys() <= asked.keys()
    assert asked.keys() - pinned.keys() == {"snakemake"}


def test_requirements_are_complete_and_those_of_the_tests_contain_the_others():
    run, test = required(), required("requirements-test.txt")
    asked = [required(file) for file in ("requirements.in", "requirements-test.in")]
    assert asked[0].items() <= run.items() <= test.items()
    assert asked[1].items() <= test.items()
    for file in ("requirements.txt", "requirements-test.txt"):
        text = (ROOT / "envs" / file).read_text()
        assert [line for line in text.splitlines() if line[0] != "#" and "==" not in line] == []


def test_readme_begins_with_the_two_commands():
    run, test, *_ = commands(ROOT / "README.md")
    assert run[0] == "python3 -m venv .venv"
    assert run[1] == test[0] == ". .venv/bin/activate"
    assert run[2:] == ["pip install --quiet -r envs/requirements.txt", "snakemake"]
    assert test[1] == "pip install --quiet -r envs/requirements-test.txt"
    assert test[2].startswith("pytest")
    assert len(test) == 3


def test_the_checks_end_with_the_test_command_of_the_readme():
    script = ROOT / ".ci/run"
    _, test, *_ = commands(ROOT / "README.md")
    *checks, last = script.read_text().splitlines()
    assert last == test[-1]
    assert test[1] in checks
    assert "set -euo pipefail" in checks
    for tool in ("ruff check", "ruff format --check", "snakefmt --check", "snakemake --lint"):
        assert any(line.startswith(tool) for line in checks), tool
    assert os.access(script, os.X_OK)
