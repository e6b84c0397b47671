"""A copy of the workflow with small records of its own, run by Snakemake as a user would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import geopandas
import yaml
from archives import sdist, wheel
from concerto.config import load_yaml
from concerto.plugins import LIBRARY
from package_index import Index
from shapely.geometry import Polygon, box

ROOT = LIBRARY.parents[1]
DATA = ROOT / "tests/data"
PARTS = ("Snakefile", "rules", "scripts", "envs", "config", "profiles", "CITATION.cff", "LICENSE")
CUTS = {
    "FLX_BE-Vie_2014.csv": DATA / "FLX_BE-Vie_cut.csv",
    "merged_BE-Vie_data.csv": DATA / "merged_BE-Vie_cut.csv",
    "CH-Dav_2013-2022.parquet": DATA / "CH-Dav_cut.parquet",
    "rcmip_concentrations.csv": DATA / "rcmip_cut.csv",
    "igbp.nc": DATA / "igbp_cut.nc",
    "koppen.nc": DATA / "koppen_cut.nc",
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and all that it showed the user."""

    code: int
    shown: str

    @property
    def last_line(self) -> str:
        """The last line that is not empty."""
        return self.shown.strip().splitlines()[-1]


@dataclass(frozen=True)
class Project:
    """A working copy of the repository, and the package index that it downloads from.

    Snakemake is that of ``python``, with ``variables`` on top of the environment's.
    """

    root: Path
    index: Index = field(repr=False)
    python: str | Path = sys.executable
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        """The folder of the run's results."""
        return self.root / "results" / self.read("config/config.yaml")["run"]

    def snakemake(self, *arguments: str, cores: int = 2) -> Outcome:
        """Run Snakemake in the project, as from a shell, and return how it ended."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as shown:
            with self.running(*arguments, cores=cores, shown=shown) as run:
                code = run.wait()
            shown.seek(0)
            return Outcome(code, shown.read())

    def running(
        self, *arguments: str, cores: int = 2, shown: IO[str] | int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """Start Snakemake in the project, as from a shell."""
        environment = dict(os.environ)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment |= {"CONCERTO_PACKAGE_INDEX": self.index.simple, "NO_PROXY": "127.0.0.1"}
        environment |= self.variables
        return subprocess.Popen(
            [self.python, "-m", "snakemake", "--cores", str(cores), *arguments],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=shown,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read(self, file: str) -> dict[str, Any]:
        """Return what a YAML file of the project holds."""
        return load_yaml(self.root / file)

    def change(self, file: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Edit a YAML file of the project in place."""
        content = self.read(file)
        edit(content)
        (self.root / file).write_text(yaml.safe_dump(content, sort_keys=False))

    def publish(self, source: str, members: dict[str, bytes]) -> str:
        """Put a source's members on the index, packed as the source says; return the file's name.

        The source's file gets the hash of the new archive.
        """
        file = f"config/sources/{source}.yaml"
        described = self.read(file)
        locator = described["locator"]
        name, version = locator["distribution"].replace("-", "_"), locator["version"]
        archived = {described["members"][member]: content for member, content in members.items()}
        if locator["kind"] == "sdist":
            filename, content = f"{name}-{version}.tar.gz", sdist(archived)
        else:
            filename, content = f"{name}-{version}-py3-none-any.whl", wheel(archived)
        digest = self.index.add(filename, content)
        self.change(file, lambda source: source["locator"].update(sha256=digest))
        return filename


def copy_workflow(root: Path, index: Index) -> Project:
    """Copy the repository's workflow, with its default configuration, to a new folder."""
    root.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, root / part)
    return Project(root, index)


def small_project(root: Path, index: Index) -> Project:
    """Return the default run in little: cuts of its records, and budgets that cannot converge."""
    project = copy_workflow(root, index)
    for file in sorted((root / "config/sources").glob("*.yaml")):
        wanted = load_yaml(file).get("members", {"of fields": ""})
        if file.stem == "natural_earth_110m":
            project.publish(file.stem, borders())
        elif wanted.keys() <= CUTS.keys():
            members = {member: CUTS[member].read_bytes() for member in wanted}
            project.publish(file.stem, members)
    project.change("config/config.yaml", _make_small)
    return project


def _make_small(config: dict[str, Any]) -> None:
    config["run"] = "small"
    # Maps have a project of their own.
    for key in ("maps", "twin_map", "policy", "scenarios", "reconstruction"):
        del config[key]
    # The cuts are of May to August 2014: too little for a constraint on the growth within years.
    config["constraints"].remove("pool_growth")
    config["sites"]["CH-Dav"]["training"] = {"period": ["2014-05-01", "2014-07-15"]}
    for site in config["sites"].values():
        site.pop("budgets", None)
    config["assimilation"]["budgets"] = {
        "hmc": {"chains": 4, "warm_up": 25, "draws": 30},
        "demcz": {"chains": 3, "generations": 300, "thin": 10},
        "esmda": {"members": 300, "steps": 4, "most_steps": 8},
        "letkf": {"members": 120, "window_days": 20, "passes": 4, "relaxation": 0.0},
    }
    config["projection"]["members"] = 20
    # The last of Vielsalm's blocks of ten days is withheld.
    config["forecast"] = {"sites": ["BE-Vie"], "method": "letkf", "days": 90, "members": 20}
    smoother = config["assimilation"]["budgets"]["esmda"]
    config["twin"] = {
        "calibration": {
            "site": "BE-Vie", "truths": 3, "draws": 9, "jobs": 2,
            "budgets": {"hmc": [{"chains": 4, "warm_up": 10, "draws": 10}], "esmda": [smoother]},
        },
        "information": {
            "site": "BE-Vie", "truths": 2, "free": 30, "jobs": 2, "method": "esmda",
            "budget": smoother, "streams": {"biomass": {"every_days": 60, "error": 0.5}},
            "subsets": [["biomass"], ["gpp", "nee"], ["biomass", "gpp", "nee"]],
        },
    }  # fmt: skip


SQUARES = {"Belgium": box(3, 49, 6.5, 51), "Switzerland": box(6, 45, 10.5, 48)}


def scripts_of(project: Project, rule: str = "") -> list[int]:
    """Return the processes that run scripts of a project's rules, or of one of them."""
    scripts = str(project.root / ".snakemake/scripts")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            program, *arguments = (process / "cmdline").read_text().rstrip("\0").split("\0")
        except OSError:
            continue  # it has ended
        last = arguments[-1] if arguments else ""
        if "python" in program and last.startswith(scripts) and last.endswith(f"{rule}.py"):
            found.append(int(process.name))
    return sorted(found)


def borders(squares: Mapping[str, Polygon] = SQUARES) -> dict[str, bytes]:
    """Return countries, square ones, as the files of a layer of polygons, by name."""
    layer = geopandas.GeoDataFrame(
        {"name": list(squares), "geometry": list(squares.values())}, crs="EPSG:4326"
    )
    with tempfile.TemporaryDirectory() as folder:
        layer.to_file(Path(folder, "naturalearth_lowres.shp"))
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}
