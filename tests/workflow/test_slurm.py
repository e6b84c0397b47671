"""A map's tiles on a real SLURM of one node: they share jobs, one of which is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec

import pytest
import yaml
from project import ROOT, Outcome, Project, scripts_of
from slurm_cluster import Cluster, Job, obstacle, start_cluster
from small_map import POSTERIORS, TILES, map_project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm")]

RULE = "assimilate_tile"
MADE = [str(POSTERIORS / f"{tile}.nc") for tile in TILES[:3]]
# Two tiles to a job, so that there are two jobs; they are asked after sooner than suits a cluster.
ON_SLURM = [
    *("--workflow-profile", "profiles/slurm"),
    *("--group-components", "tiles=2"),
    *("--slurm-init-seconds-before-status-checks", "3"),
]
EXECUTOR = "CONCERTO_SLURM_EXECUTOR"  # the folder that has it, if it is not installed


@dataclass(frozen=True)
class Story:
    """What one machine alone made, what the cluster made, how that ended, and by which jobs."""

    local: dict[str, bytes]
    made: dict[str, bytes]
    outcome: Outcome
    jobs: list[Job]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A running cluster, which the environment leads to."""
    reason = obstacle()
    if (
        not reason
        and EXECUTOR not in os.environ
        and not find_spec("snakemake_executor_plugin_slurm")
    ):
        reason = "SLURM's executor is not installed: envs/requirements-slurm.txt"
    if reason:
        pytest.skip(reason)
    with start_cluster() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        if EXECUTOR in os.environ:
            patch.setenv("PYTHONPATH", os.environ[EXECUTOR])
        yield running


@pytest.fixture(scope="module")
def story(cluster, tmp_path_factory, index) -> Story:
    project = map_project(tmp_path_factory.mktemp("slurm") / "run", index)
    alone = project.snakemake(*MADE)
    assert alone.code == 0, alone.shown
    local = contents(project)
    for tile in MADE:
        (project.root / tile).unlink()
    with ThreadPoolExecutor() as pool:
        running = pool.submit(project.snakemake, *ON_SLURM, *MADE, cores=1)
        kill_one(project, running)
        outcome = running.result()
    assert outcome.code == 0, outcome.shown
    return Story(local, contents(project), outcome, cluster.jobs())


def contents(project: Project) -> dict[str, bytes]:
    return {tile: (project.root / tile).read_bytes() for tile in MADE}


def kill_one(project: Project, running: Future[Outcome]) -> None:
    """Kill the first assimilation that runs, without warning, as a node does that has no memory."""
    while not (found := scripts_of(project, RULE)):
        assert not running.done(), running.result().shown
        time.sleep(0.1)
    os.kill(found[0], signal.SIGKILL)


def test_tiles_share_jobs_and_the_killed_one_is_given_again_with_twice_the_memory(story):
    states = {job.id: job.state for job in story.jobs}
    assert sorted(states.values()) == ["COMPLETED", "COMPLETED", "FAILED"], story.outcome.shown
    failed = next(job for job in story.jobs if job.state == "FAILED")
    first, second, again = story.jobs
    assert failed in (first, second)
    assert first.mem_mb == second.mem_mb
    assert again.mem_mb == pytest.approx(2 * failed.mem_mb, abs=1)
    assert {job.cores for job in story.jobs} == {1}


@pytest.mark.parametrize("tile", MADE)
def test_the_cluster_makes_the_same_bytes_as_one_machine(story, tile):
    assert story.made[tile] == story.local[tile]


def test_the_profile_has_what_the_default_one_has():
    """It is read in its place."""
    profiles = [
        yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
        for name in ("slurm", "default")
    ]
    for profile in profiles:
        del profile["cores"]
    assert profiles[1].items() <= profiles[0].items()


def test_the_profile_groups_rules_that_there_are():
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    text = "".join(file.read_text() for file in sorted((ROOT / "rules").glob("*.smk")))
    assert [rule for rule in profile["groups"] if f"rule {rule}:" not in text] == []
    assert set(profile["groups"].values()) == profile["group-components"].keys()
