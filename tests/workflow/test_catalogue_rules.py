"""What Snakemake shows of the catalogue, without asking the network for anything."""

from __future__ import annotations

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
    assert shown.last_line.startswith("Done. results/default/plan/sources.txt, ")


def test_a_new_file_is_listed_and_the_table_shown_each_time(project, shown):
    text = (project.root / "config/sources/noaa_co2.yaml").read_text()
    (project.root / "config/sources/my_own.yaml").write_text(text)
    for _ in range(2):
        again = project.snakemake("list_sources")
        assert again.code == 0, again.shown
        assert "\nmy_own  " in again.shown
