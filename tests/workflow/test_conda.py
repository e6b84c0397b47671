"""Each rule in an environment of its own, made by conda.

``wheels``: every environment is truly solved and linked, by py-rattler in conda's place, from a
channel on this machine that is made of the package index's wheels. ``conda``: the same with a real
conda and conda-forge, where there are any.

Snakemake lends a rule's script its own packages, after those of the script's environment. It runs
here with little but its own; what this hides is looked for by each environment's interpreter alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from concerto.imports import external_imports
from environments import dependencies, pins
from package_index import Index
from packaging.version import Version
from project import Outcome, Project, small_project
from rule_texts import ROOT, SCRIPTED, path_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.services,
    pytest.mark.network,
    pytest.mark.xdist_group("conda"),
]

ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
(PYTHON,) = {pins(file)["python"] for file in ENVIRONMENTS}
OLDEST_CONDA = "24.7.1"  # that Snakemake takes
CONDA = ("--software-deployment-method", "conda")
LOOK = "look.smk"
FILES = {
    LOOK: """
rule all:
    input: expand("looked/{env}.json", env=glob_wildcards("envs/{env}.yaml").env)

rule look:
    output: "looked/{env}.json"
    conda: "envs/{env}.yaml"
    shell: "python -I look.py {wildcards.env} > {output}"
""",
    "look.py": """
import importlib, json, sys
from importlib.metadata import version

with open("wanted.json") as file:
    wanted = json.load(file)[sys.argv[1]]
for module in wanted["modules"]:
    importlib.import_module(module)
versions = {name: version(name) for name in wanted["distributions"]}
print(json.dumps({"prefix": sys.prefix, "versions": versions}))
""",
}


@dataclass(frozen=True)
class Story:
    """A project whose environments were looked at, and then its default run in them."""

    project: Project
    looked: Outcome
    finished: Outcome

    def found(self, environment: Path) -> dict[str, Any]:
        """What an environment's own interpreter said of it."""
        return json.loads((self.project.root / f"looked/{environment.stem}.json").read_text())


def wanted(environment: Path) -> dict[str, list[str]]:
    """What the scripts of an environment's rules import, and the distributions that it pins."""
    rules = [name for name in SCRIPTED if path_in(name, "conda") == environment]
    modules = {module for rule in rules for module in external_imports(path_in(rule, "script"))}
    return {
        "modules": sorted(modules),
        "distributions": sorted(pins(environment).keys() - {"python"}),
    }


def snakemake_alone(folder: Path) -> Path:
    """Return the interpreter of a new environment with what the Snakefile and the solver need."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON
    interpreter = sys.executable if here else shutil.which(f"python{PYTHON}")
    if interpreter is None:
        pytest.skip(f"the environments are of Python {PYTHON}, which is not here")
    subprocess.run([interpreter, "-m", "venv", folder], check=True)
    lists = ROOT / "envs"
    done = subprocess.run(
        [
            folder / "bin/python", "-m", "pip", "install", "--quiet", "--no-compile",
            "--requirement", lists / "requirements-conda.txt",
            "--constraint", lists / "requirements.txt", "snakemake", "numpy",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "(from versions: none)" in done.stderr:
        pytest.skip(f"no package index is reached: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return folder / "bin/python"


def solver_of_wheels(folder: Path, python: Path) -> dict[str, str]:
    """Make a channel and a ``conda`` that solves from it; return the variables that lead there."""
    channel = [ROOT / "tests/conda_channel.py", ROOT / "envs/requirements.txt", folder]
    subprocess.run([python, *channel, *ENVIRONMENTS], check=True)
    commands = folder / "base/bin"
    commands.mkdir(parents=True)
    frontend = f'exec {python} {ROOT / "tests/conda_frontend.py"} {folder / "base"} "$@"'
    (commands / "conda").write_text(f"#!/bin/sh\n{frontend}\n")
    (commands / "conda").chmod(0o755)
    (commands / "activate").write_text('export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n')
    return {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "CONDA_CHANNEL_ALIAS": f"file://{folder}",
        "CONDA_PKGS_DIRS": str(folder / "packages"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder / "wheels"),
    }


def real_conda() -> dict[str, str]:
    """Skip where no conda is here that Snakemake takes and that reaches conda-forge."""
    if shutil.which("conda") is None:
        pytest.skip("no conda here")
    asked = subprocess.run(["conda", "--version"], capture_output=True, text=True, check=True)
    if Version(asked.stdout.split()[-1]) < Version(OLDEST_CONDA):
        pytest.skip(f"{asked.stdout.strip()} is older than {OLDEST_CONDA}")
    search = ["conda", "search", "--override-channels", "--channel", "conda-forge"]
    if subprocess.run([*search, "python"], stdout=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("conda does not reach conda-forge")
    return {}


@pytest.fixture(scope="module", params=["wheels", "conda"])
def story(request: pytest.FixtureRequest, index: Index) -> Iterator[Story]:
    variables = real_conda() if request.param == "conda" else None
    # Gigabytes: not among the folders that pytest keeps.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        python = snakemake_alone(folder / "snakemake")
        if variables is None:
            variables = solver_of_wheels(folder, python)
        project = replace(
            small_project(folder / "project", index), python=python, variables=variables
        )
        wishes = {file.stem: wanted(file) for file in ENVIRONMENTS}
        for file, text in (FILES | {"wanted.json": json.dumps(wishes)}).items():
            (project.root / file).write_text(text)
        looked = project.snakemake("--snakefile", LOOK, *CONDA)
        yield Story(project, looked, project.snakemake(*CONDA))


@contextmanager
def edited(file: Path, old: str, new: str) -> Iterator[None]:
    """Replace a line of a file for a while."""
    before = file.read_text()
    assert before.count(old) == 1
    file.write_text(before.replace(old, new))
    try:
        yield
    finally:
        file.write_text(before)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda file: file.stem)
def test_environment_is_made_with_its_pins_and_has_what_its_scripts_import(story, environment):
    assert story.looked.code == 0, story.looked.shown
    assert f"Creating conda environment envs/{environment.name}..." in story.looked.shown
    made = pins(environment)
    del made["python"]
    assert story.found(environment)["versions"] == made


def test_each_job_of_the_default_run_is_run_in_the_environment_of_its_rule(story):
    assert story.finished.code == 0, story.finished.shown
    assert "Creating conda environment" not in story.finished.shown
    ran = set(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", story.finished.shown)) - {"all"}
    assert {path_in(rule, "conda") for rule in ran} == set(ENVIRONMENTS)
    logs = {rule: list((story.project.results / "logs").rglob(f"{rule}.*")) for rule in ran}
    assert all(logs.values()), logs
    prefixes = {
        rule: {re.search(r" INFO Python \S+ in (.+)", log.read_text())[1] for log in files}
        for rule, files in logs.items()
    }
    assert prefixes == {rule: {story.found(path_in(rule, "conda"))["prefix"]} for rule in ran}


def test_a_pin_that_no_package_meets_is_refused(story):
    file = story.project.root / "envs/evaluate.yaml"
    pinned = f"scipy={dependencies(file)[0]['scipy']}\n"
    with edited(file, pinned, "scipy=99.9\n"):
        done = story.project.snakemake("--snakefile", LOOK, "looked/evaluate.json", "-f", *CONDA)
    assert done.code == 1
    assert "Could not create conda environment from " in done.shown
    assert re.search(r"scipy\W+99\.9", done.shown), done.shown


def test_a_package_that_only_snakemake_has_is_missed(story):
    file = story.project.root / "envs/publish.yaml"
    pinned = f"  - jinja2={dependencies(file)[0]['jinja2']}\n"
    with edited(file, pinned, ""):
        done = story.project.snakemake("--snakefile", LOOK, "looked/publish.json", "-f", *CONDA)
    assert done.code == 1
    assert "No module named 'jinja2'" in done.shown


def test_a_package_that_an_environment_lacks_stops_its_rule(story):
    file = story.project.root / "envs/acquire.yaml"
    pinned = f"      - pypi-simple=={dependencies(file)[1]['pypi-simple']}\n"
    target = f"{story.project.results.relative_to(story.project.root)}/raw/be_vie_2014"
    with edited(file, pinned, ""):
        done = story.project.snakemake(target, "-f", *CONDA)
    assert done.code == 1
    assert "No module named 'pypi_simple'" in done.shown
