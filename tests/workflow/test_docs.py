"""What README and the pages of docs/ show is true: files are used, commands are tried.

A fenced block with a title is a file, put where its title says into a copy of the project; blocks
of ``sh`` are commands. Those of Snakemake are tried as dry runs in that copy; others are of a kind
that is tried elsewhere, which ELSEWHERE names. Blocks without a language are neither.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from package_index import Index
from project import Project, copy_workflow
from rule_texts import ROOT, SCRIPTED

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("docs")]

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results/README.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```(\w*)(?: title=\"(.+?)\")?\n(.*?)^```$", flags=re.M | re.S)
# What commands that are not of Snakemake's own are tried by.
ELSEWHERE = {
    "python3 -m venv": "each check of a change, .ci/run",
    ". .venv/bin/activate": "each check of a change, .ci/run",
    "pip install": "each check of a change, .ci/run",
    "ruff": "each check of a change, .ci/run",
    "snakefmt": "each check of a change, .ci/run",
    "snakemake --lint": "each check of a change, .ci/run",
    "pytest": "each check of a change, .ci/run",
    "snakemake --rulegraph": "test_the_picture_of_the_data_flow_is_up_to_date",
}
# Commands whose dry run needs what only a cluster has: its options alone are left out.
WITHOUT = ("--workflow-profile profiles/slurm",)
# Pages of the site that are made of other files.
GENERATED = tuple(f"reference/{name}.md" for name in ("configuration", "rules", "library/index"))
GRAPH = ["--rulegraph"]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    title: str
    text: str


def blocks() -> Iterator[Block]:
    for page in PAGES:
        for language, title, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            yield Block(page.relative_to(ROOT).as_posix(), language, title, text)


BLOCKS = list(blocks())
FILES = [block for block in BLOCKS if block.title]


def commands() -> list[str]:
    """Return all lines of blocks of commands, each once, without their comments."""
    lines = [
        line.partition(" #")[0].strip()
        for block in BLOCKS
        if block.language == "sh"
        for line in block.text.splitlines()
    ]
    return list(dict.fromkeys(line for line in lines if line))


def dry_run(command: str) -> str:
    """Return a command of Snakemake as a dry run."""
    for part in WITHOUT:
        command = command.replace(part, "")
    first, *words = shlex.split(command)
    return shlex.join([first, "-n", *(word for word in words if word != "-n")])


ASKED = [line for line in commands() if not line.startswith(tuple(ELSEWHERE))]
# It is tried there, and takes as long as all others together.
BY_TEST_EUROPE = "snakemake -n --configfile config/runs/europe.yaml"
# Commands that differ in that one is a dry run are tried once.
COMMANDS = [line for line in dict.fromkeys(map(dry_run, ASKED)) if line != BY_TEST_EUROPE]


def put(root: Path, block: Block) -> None:
    """Write a file of a page into a project."""
    file = root / block.title
    assert not (ROOT / block.title).exists(), f"{block.page} shows {block.title}, which is there"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.text)


@pytest.fixture(scope="module")
def project(tmp_path_factory, index: Index) -> Project:
    """A copy of the workflow with all files that the pages show."""
    project = copy_workflow(tmp_path_factory.mktemp("docs") / "project", index)
    shutil.copytree(ROOT / "tests/data", project.root / "tests/data")
    for file in (ROOT / "tests").glob("*.py"):
        shutil.copy2(file, project.root / "tests")
    for block in FILES:
        put(project.root, block)
    guide = (ROOT / "docs/sources.md").read_text()
    example = re.search(r"`(config/sources/\w+\.yaml)`:\n\n```yaml\n(.*?)```", guide, flags=re.S)
    (project.root / example[1]).write_text(example[2])
    return project


def run(project: Project, program: str, given: object = None) -> object:
    """Run one of the tests' programs in a project; return its answer."""
    environment = dict(os.environ) | {
        "PYTHONPATH": os.pathsep.join(str(project.root / name) for name in ("scripts", "tests")),
        "NUMBA_CACHE_DIR": str(project.root / "numba_cache"),
    }
    done = subprocess.run(
        [sys.executable, project.root / "tests" / program],
        input=json.dumps(given), cwd=project.root, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def tried(project) -> dict[str, tuple[int, str]]:
    """How each command of Snakemake ended, as a dry run, and the graph of the rules."""
    asked = [*(shlex.split(command)[1:] for command in COMMANDS), GRAPH]
    answers = run(project, "dry_runs.py", asked)
    return dict(zip([*COMMANDS, "graph"], map(tuple, answers), strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_one_that_snakemake_takes(tried, command):
    code, shown = tried[command]
    assert code == 0, shown
    assert "This was a dry-run" in shown


def test_commands_are_of_a_kind_that_is_tried():
    assert {command.split()[0] for command in ASKED} == {"snakemake"}
    for start in ELSEWHERE:
        assert any(line.startswith(start) for line in commands()), f"no page shows {start}"


def test_the_extensions_that_the_pages_show_do_what_these_say(project):
    found = run(project, "extensions.py")
    models = found["models"]
    assert models["open"] < 1e-9 * 1e5  # of all the carbon that there is
    assert models["off"] < 1e-9
    assert min(models["above_soil"], models["below_canopy"]) >= 0.0
    assert found["ndvi"] == {
        "units": "1",
        "long_name": "normalised difference vegetation index",
        "standard_name": "normalized_difference_vegetation_index",
        "cell_methods": "time: mean",
    }
    assert found["axis"] == "NDVI (1)"
    drawn = found["importance"]
    assert drawn["members"] == 50
    assert drawn["converged"] == (drawn["effective"] >= 50.0)
    assert drawn["verdict"].startswith(f"{drawn['effective']:.1f} effective draws")


def test_the_files_that_the_pages_show_are_written_as_all_code_is(project):
    files = [project.root / block.title for block in FILES if block.title.endswith(".py")]
    assert len(files) >= 3
    ruff = [sys.executable, "-m", "ruff"]
    settings = ["--config", ROOT / "pyproject.toml"]
    for words in (["check", *settings], ["format", "--check", *settings]):
        done = subprocess.run([*ruff, *words, *files], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}:{block.title}")
def test_block_is_of_a_language_that_is_tried(block):
    assert block.language in ("sh", "yaml", "python", "text", "csv", "")
    if block.language == "yaml":
        assert isinstance(yaml.safe_load(block.text), dict)
    if block.language == "python":
        assert block.title, "python that is no file is not tried"


def test_the_picture_of_the_data_flow_is_up_to_date(tried):
    """If not: snakemake --rulegraph | python docs/data_flow.py."""
    described = importlib.util.spec_from_file_location("data_flow", ROOT / "docs/data_flow.py")
    data_flow = importlib.util.module_from_spec(described)
    described.loader.exec_module(data_flow)
    code, graph = tried["graph"]
    assert code == 0, graph
    edges = data_flow.edges_of(graph)
    assert ("assimilate_site", "project_site") in edges
    assert data_flow.edges_in(data_flow.PICTURE.read_text()) == edges


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_a_page_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)", page.read_text()):
        assert (page.parent / link).exists() or link.endswith(GENERATED), link


def test_the_tour_of_the_house_names_what_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    tour = text[text.index("## A tour") : text.index("## A new rule")]
    named = re.findall(r"`([\w./]+)`", tour)
    paths = [name for name in named if "/" in name or name.endswith(".py")]
    assert len(paths) > 25
    places = (ROOT, ROOT / "scripts/concerto", ROOT / "scripts/concerto/plots")
    for name in paths:
        if "NAME" not in name and "STAGE" not in name:
            assert any((place / name).exists() for place in places), name


def test_each_rule_file_is_in_the_readme_or_named_by_its_target():
    text = (ROOT / "README.md").read_text()
    stages = re.findall(r"^\| `(\w+)\.smk` \|", text, flags=re.M)
    assert all((ROOT / f"rules/{name}.smk").exists() for name in stages)
    assert len(stages) >= 9
    assert SCRIPTED
