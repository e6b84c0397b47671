"""A map in little through the faults of machines and data: what comes out is the same bytes.

One project serves all tests. Undisturbed, it makes the map once; each test then undoes some of it,
spoils something, and has the same command finish the work.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from concerto.evaluation.region_totals import read_rows
from concerto.plots.cells import read_map
from concerto.plots.status import shares
from concerto.products.map_page import verdict
from html_page import parse
from project import Outcome, Project, scripts_of
from small_map import NAME, POSTERIORS, SEA, TILES, map_project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("map faults")]

PRODUCTS = Path("results/map/products", NAME)
WANTED = [str(PRODUCTS / product) for product in ("catalog", "regions.csv")]
BETWEEN = [
    str(folder / f"{tile}.nc")
    for folder in (POSTERIORS, PRODUCTS / "tiles", PRODUCTS / "sums")
    for tile in TILES
]
STATUS = {"45.25N 24.25E": 1, "45.75N 24.25E": 1, "47.25N 24.25E": 1, "47.75N 24.25E": 3,
          "48.25N 24.25E": 2, "48.75N 24.25E": 4}  # fmt: skip
KILLS = 20
BOSSES = 6
"""How many of the kills are of Snakemake itself."""


@dataclass(frozen=True)
class Made:
    """A project that has made its map, and the content of each file that it made."""

    project: Project
    files: dict[str, bytes] = field(repr=False)

    def undo(self, *paths: Path) -> None:
        """Remove files and folders of the results, by default all that tiles were made into."""
        for path in paths or (POSTERIORS, PRODUCTS):
            target = self.project.root / path
            shutil.rmtree(target) if target.is_dir() else target.unlink()

    def finish(self) -> None:
        """Finish the work, and check that it ends as if nothing had happened."""
        # What is between is named too: if all that comes of it is there, it is not missed.
        outcome = self.project.snakemake(*BETWEEN, *WANTED)
        assert outcome.code == 0, outcome.shown
        self.check()

    def check(self) -> None:
        """Check that the files are those of the undisturbed run, bit by bit."""
        found = contents(self.project)
        assert found.keys() == self.files.keys()
        assert [name for name in found if found[name] != self.files[name]] == []


@pytest.fixture(scope="module")
def made(tmp_path_factory, index) -> Made:
    project = map_project(tmp_path_factory.mktemp("faults") / "map", index)
    outcome = project.snakemake(*WANTED)
    assert outcome.code == 0, outcome.shown
    return Made(project, contents(project))


def contents(project: Project) -> dict[str, bytes]:
    """Return what is in each file of the products, and in the posteriors of tiles."""
    return {
        str(file.relative_to(project.root)): file.read_bytes()
        for folder in (POSTERIORS, PRODUCTS)
        for file in sorted((project.root / folder).rglob("*"))
        if file.is_file() and file.name != ".snakemake_timestamp"
    }


def failures(outcome: Outcome) -> dict[str, str]:
    """Return what is said of each job that failed."""
    lines = [line for line in outcome.shown.splitlines() if line.startswith("Failed: ")]
    return dict(line.removeprefix("Failed: ").split(": ", 1) for line in lines)


# -- Faults of the data


def test_cells_that_fail_are_masked_with_the_reason(made):
    for tile in TILES:
        cells = xr.load_dataset(made.project.root / PRODUCTS / f"tiles/{tile}.nc")
        for cell in cells["location"].to_numpy():
            values = cells.sel(location=cell)
            assert int(values["status"]) == STATUS[cell]
            for name in cells.data_vars:
                if cells[name].dims == ("location", "time"):
                    assert np.isfinite(values[name]).all() == (STATUS[cell] < 2), name
    posterior = xr.load_dataset(made.project.root / POSTERIORS / "r3c0.nc")
    assert posterior["reason"].to_numpy().tolist() == [
        "no stream has a value",
        "esmda: 260 of 260 runs of the model gave no finite result for pool_growth",
    ]


def test_a_tile_of_the_sea_alone_has_no_cell(made):
    tile = xr.load_dataset(made.project.root / PRODUCTS / "tiles/r1c0.nc")
    assert tile.sizes["location"] == 0
    status = read_map(made.project.root / PRODUCTS / "map.nc", [])["status"].to_numpy().ravel()
    assert [str(status[row]) for row in SEA] == ["not_land", "not_land"]


def test_cells_that_fail_are_counted(made):
    table = pd.read_csv(made.project.root / PRODUCTS / "regions.csv")
    assert set(table.cells[table.kind == "all"]) == {3}
    logs = made.project.results / "logs"
    assert "small, r3c0: 1 no observation, 1 assimilation failed\n" in (
        (logs / f"assimilate_tile.{NAME}.r3c0.log").read_text()
    )
    assert "3 of 6 cells have values\n" in (logs / f"sum_regions.{NAME}.log").read_text()
    words = " ".join(verdict(shares(read_map(made.project.root / PRODUCTS / "map.nc", []))))
    words = words.replace("\N{NO-BREAK SPACE}", " ")
    assert words.startswith("Of 6 cells of land, 0 (0 %) converged. 3 (50 %) did not converge")
    assert "drivers missing 1" in words
    assert "assimilation failed 1" in words


def test_regions_have_a_table_a_page_and_the_way_to_their_inventory(made):
    """Pieces of regions add up to the map; what failed is land without values."""
    report = Path("results/map/report")
    outcome = made.project.snakemake(str(report / "countries.html"))
    assert outcome.code == 0, outcome.shown
    folder = made.project.root / "results/map/policy/countries"
    table = read_rows(folder / "regions.csv")
    whole = table[(table.kind == "all") & (table.region == "whole map")].set_index("variable")
    older = pd.read_csv(made.project.root / PRODUCTS / "regions.csv")
    older = older[older.kind == "all"].set_index("variable")
    for name in ("gpp", "reco", "nee"):
        assert float(whole.loc[name, "mean"]) == pytest.approx(older.loc[name, "mean"], rel=1e-5)
    closed = whole.loc["nbp", "mean"] - whole.loc["stock_change", "mean"]
    assert abs(closed) < 1e-5 * whole.loc["gpp", "mean"]
    areas = read_rows(folder / "areas.csv").set_index("region")
    assert areas.loc["North", "without_values_km2"] > 0.0
    assert areas.loc["whole map", "cells"] == 6
    bridge = read_rows(folder / "inventory.csv")
    terms = bridge[~bridge["is_sum"]]["mean"].sum()
    assert terms == pytest.approx(10e-3 * 12 / 44, abs=1e-4)
    _, said = parse((made.project.root / report / "countries.north.html").read_text())
    assert "Beside the inventory" in said
    assert (made.project.root / report / "countries.north.pdf").read_bytes().startswith(b"%PDF")


# -- Faults of files


def flip(file: Path) -> None:
    """Change a bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x10
    file.write_bytes(content)


def test_spoilt_files_are_named_and_made_anew(made):
    truncated = made.project.root / POSTERIORS / "r0c0.nc"
    flipped = made.project.root / POSTERIORS / "r2c0.nc"
    truncated.write_bytes(truncated.read_bytes()[:-5000])
    flip(flipped)
    outcome = made.project.snakemake(*WANTED)
    assert outcome.code == 1, outcome.shown
    said = failures(outcome)
    for job, file in (("project_tile.small.r0c0", truncated), ("project_tile.small.r2c0", flipped)):
        name = str(file.relative_to(made.project.root))
        assert said[job].startswith(f"{name}: file: found unreadable (")
        assert said[job].endswith("; delete the file, and the next run makes it again")
    truncated.unlink()
    flipped.unlink()
    made.finish()


def test_spoilt_sums_are_named(made):
    summed = made.project.root / PRODUCTS / "sums/r0c0.nc"
    flip(summed)
    outcome = made.project.snakemake(*WANTED)
    name = str(summed.relative_to(made.project.root))
    assert failures(outcome)["sum_regions.small"].startswith(f"{name}: file: found unreadable (")
    summed.unlink()
    made.finish()


# -- Faults of disks


@contextmanager
def mounted(folder: Path, *how: str) -> Iterator[None]:
    """Mount something on a folder, which only a superuser may, and not everywhere."""
    done = subprocess.run(["mount", *how, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(made):
    folder, tile = PRODUCTS / "tiles", str(PRODUCTS / "tiles/r0c0.nc")
    made.undo(folder)
    at = made.project.root / folder
    at.mkdir()
    with mounted(at, "-t", "tmpfs", "-o", "size=16k", "tmpfs"):
        (at / "other").touch()  # Snakemake removes empty folders, which this one cannot be
        outcome = made.project.snakemake(tile)
        assert outcome.code == 1, outcome.shown
        full = f"{tile}: could not be written: No space left on device"
        assert failures(outcome) == {f"project_tile.{NAME}.r0c0": full}
        assert [path.name for path in at.iterdir()] == ["other"]
        subprocess.run(["mount", "-o", "remount,size=8m", str(at)], check=True)
        outcome = made.project.snakemake(tile)
        assert outcome.code == 0, outcome.shown
        assert (made.project.root / tile).read_bytes() == made.files[tile]
    made.finish()


def test_a_disk_that_takes_nothing(made):
    """Also where another file of the same job is there already."""
    folder = made.project.root / PRODUCTS
    tile = PRODUCTS / "tiles/r0c0.nc"
    made.undo(tile)
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        outcome = made.project.snakemake(str(tile))
        nothing = made.project.snakemake("--dry-run", str(PRODUCTS / "tiles/r1c0.nc"))
    assert outcome.code == 1, outcome.shown
    # files that are there already cannot be overwritten: Snakemake itself says which
    assert "Write-protected output files for rule project_tile" in outcome.shown
    assert str(PRODUCTS / "sums/r0c0.nc") in outcome.shown
    assert "Traceback" not in outcome.shown
    assert nothing.code == 0, nothing.shown
    made.finish()


# -- Kills


def test_twenty_kills(made):
    """Of jobs and of Snakemake, whose jobs go on or are killed with it."""
    rng = np.random.default_rng(6)
    left, finished = KILLS, False
    bosses = set(rng.choice(KILLS, BOSSES, replace=False))
    made.undo()
    while left or not finished:
        before = left
        # Some more attempts, so that a run outlives the kills of its jobs.
        with made.project.running("--retries", "9", *WANTED) as run:
            while run.poll() is None and left:
                time.sleep(rng.uniform(0.0, 4.0))
                jobs = scripts_of(made.project)
                if not jobs or run.poll() is not None:
                    continue
                left -= 1
                if left in bosses:
                    run.kill()
                    run.wait()
                    if left % 2:
                        for job in jobs:
                            kill(job)
                else:
                    kill(int(rng.choice(jobs)))
            run.wait()
        finished = run.returncode == 0
        assert finished or left < before, "a run that nobody disturbed has failed"
        if not finished:
            if left == min(bosses):
                assert "--unlock" in made.project.snakemake(*WANTED).shown
            made.project.snakemake("--unlock")
            continue
        made.check()
        if left:
            made.undo()


def kill(process: int) -> None:
    """Kill a process, if it has not ended."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


# -- Tiling


def test_the_result_is_the_same_whatever_the_tiling(made):
    """The last test: it leaves the project with other tiles."""
    project = made.project
    project.change("config/config.yaml", lambda config: config["maps"][NAME].update(tile_size=5))
    made.undo()
    outcome = project.snakemake(*WANTED)
    assert outcome.code == 0, outcome.shown
    assert len(list((project.root / PRODUCTS / "tiles").iterdir())) == 2
    # the run has another id, since its configuration is another
    for product in ("regions.nc", "map.nc"):
        with (
            xr.open_dataset(project.root / PRODUCTS / product) as whole,
            written(made, product) as reference,
        ):
            assert whole.attrs.pop("run_id") != reference.attrs.pop("run_id")
            xr.testing.assert_equal(whole, reference)
    table, before = (
        pd.read_csv(file, dtype=str).drop(columns="run_id")
        for file in (
            project.root / PRODUCTS / "regions.csv",
            io.BytesIO(made.files[str(PRODUCTS / "regions.csv")]),
        )
    )
    pd.testing.assert_frame_equal(table, before)


@contextmanager
def written(made: Made, product: str) -> Iterator[xr.Dataset]:
    """Read a product of the undisturbed run."""
    with netCDF4.Dataset(product, memory=made.files[str(PRODUCTS / product)]) as file:
        yield xr.open_dataset(xr.backends.NetCDF4DataStore(file))
