"""What Snakemake shows of the catalogue, without asking the network for anything."""

from __future__ import annotations

from typing import Any

import pytest
from project import Outcome, Project, copy_workflow

pytestmark = pytest.mark.xdist_group("catalogue")


@pytest.fixture(scope="module")
def project(tmp_path_factory, index) -> Project:
    return copy_workflow(tmp_path_factory.mktemp("catalogue") / "project", index)


@pytest.fixture(scope="module")
def shown(project) -> Outcome:
    # No rule may reach a server: every address is sent to a port where nobody listens.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(project.root))
        patch.setenv("ALL_PROXY", "http://127.0.0.1:9")
        patch.setenv("EARTHDATA_TOKEN", "s3cr3t")
        return project.snakemake("list_sources", "check_access", "plan_downloads")


def test_the_tables_are_shown(project, shown):
    assert shown.code == 0, shown.shown
    for name in ("sources", "access", "downloads"):
        text = (project.results / f"plan/{name}.txt").read_text()
        assert text in shown.shown
    assert "modis_lai                    lai, fapar  " in shown.shown
    assert "NASA Earthdata Login: found in EARTHDATA_TOKEN" in shown.shown
    assert "s3cr3t" not in shown.shown
    assert shown.last_line == "Done. Plan: results/default/plan/sources.txt"


def test_a_new_file_is_listed_and_the_table_shown_each_time(project, shown):
    text = (project.root / "config/sources/noaa_co2.yaml").read_text()
    (project.root / "config/sources/my_own.yaml").write_text(text)
    for _ in range(2):
        again = project.snakemake("list_sources")
        assert again.code == 0, again.shown
        assert "\nmy_own  " in again.shown


def test_logins_of_all_that_a_run_uses_are_named(project, monkeypatch):
    """Also those of an area's CO2 and polygons, and of borders; and all of these are planned."""
    used = {"noaa_co2": "CO2_KEY", "nuts_2021": "POLYGONS_KEY", "natural_earth_10m": "BORDERS_KEY"}
    for source, variable in used.items():
        login = {"service": variable, "environment": [variable], "get": "https://example.org"}
        file = f"config/sources/{source}.yaml"
        project.change(file, lambda said, login=login: said.update(login=login))
        monkeypatch.delenv(variable, raising=False)
    run = "config/runs/europe.yaml"

    def edit(config: dict[str, Any]) -> None:
        area = config["areas"]["europe"]
        area["fields"] = {"terraclimate": area["fields"]["terraclimate"]}
        area["co2"] = {"source": "noaa_co2", "file": members["noaa_co2"], "reader": "noaa_co2"}
        del area["resolution_deg"]
        area["polygons"] = {
            "source": "nuts_2021",
            "file": members["nuts_2021"],
            "column": "NUTS_ID",
        }
        borders = {"source": "natural_earth_10m", "file": members["natural_earth_10m"]}
        config["borders"] = borders
        del config["maps"]

    members = {s: next(iter(project.read(f"config/sources/{s}.yaml")["members"])) for s in used}
    project.change(run, edit)
    outcome = project.snakemake("check_access", "--configfile", run)
    assert outcome.code != 0
    for variable in used.values():
        assert f"set {variable} in the environment" in outcome.shown
    planned = project.snakemake("plan_downloads", "--configfile", run)
    assert planned.code == 0, planned.shown
    text = (project.root / "results/europe/plan/downloads.txt").read_text()
    assert [line.split()[0] for line in text.splitlines()[1:5]] == [*sorted(used), "terraclimate"]
