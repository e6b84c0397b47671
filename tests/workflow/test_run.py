"""The whole workflow on cuts of the real records, from a package index to the report.

One project serves all tests. Davos' record arrives damaged, so Vielsalm is finished alone; the
record is mended and prepared; Davos is left out and the report made, and with it the crate from
which products are made again; then nothing is left to do.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from concerto.provenance import sha256_of
from project import DATA, Outcome, Project, small_project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("run")]

SITE, BROKEN = "BE-Vie", "CH-Dav"
RUN = Path("results/small")
PRODUCTS = [f"{RUN}/products/{SITE}/{name}" for name in ("fluxes.nc", "budget.csv")]
CUBE = f"{RUN}/cubes/{BROKEN}/observations.nc"
WHEEL = "diive-0.90.0-py3-none-any.whl"
# Timing takes a quiet machine and minutes; a prior is learned from another site, which is left out;
# the rules of other kinds of sites and of networks are asked for by none; a map has a project of
# its own.
LEFT_OUT = {
    "measure_speed", "plot_speed", "measure_methods", "plot_methods", "tabulate_methods",
    "learn_prior", "learn_parameters", "prepare_transect", "read_monthly", "derive_site",
    "list_sources", "check_access", "plan_downloads",
    "acquire_fields", "aggregate_fields", "compose_area", "plot_gaps",
    "plot_map", "score_map", "plot_map_scores", "plot_status", "plot_hovmoller",
    "plot_fapar", "plot_regions", "write_map_page",
    "write_map", "write_layers", "write_catalog",
    "make_synthetic", "measure_cores", "count_land", "tabulate_scale", "plot_scale", "write_scale",
    "state_map_errors", "assimilate_tile", "project_tile", "sum_regions",
    "read_network", "project_batch", "project_priors", "learn_flux", "score_towers",
    "write_predictions",
    "explain_towers", "plot_tower_scores", "plot_tower_map", "plot_tower_reliability",
    "plot_tower_worst", "write_network_page",
    "weigh_regions", "tabulate_regions", "tabulate_futures", "reconcile_inventory",
    "write_factsheet",
    "write_region_page",
    "make_scenario", "make_land_use", "project_scenario", "compare_scenarios", "plot_scenarios",
    "write_scenarios_page",
    "classify_towers", "monthly_cells", "learn_upscaling", "map_upscaling", "plot_upscaling",
    "write_upscaling", "prepare_cover", "reconstruct_cover", "reconstruct_leaves",
    "plot_reconstruction", "write_reconstruction",
    "learn_emulator", "assimilate_emulator", "plot_emulator", "write_emulator",
    "draw_truth_maps", "place_sums", "judge_sums", "plot_sums", "write_twin_map",
    "tabulate_runs", "plot_runs", "write_runs",
}  # fmt: skip


@dataclass(frozen=True)
class Story:
    """What became of a project.

    ``left`` are the files after the first run, ``requests`` how many the index had seen before the
    last one.
    """

    project: Project
    broken: Outcome
    left: list[Path]
    prepared: Outcome
    finished: Outcome
    reproduced: Outcome
    again: Outcome
    canopy: Outcome
    twins: Outcome
    requests: int
    damaged: str
    whole: str


@pytest.fixture(scope="module")
def story(tmp_path_factory, index) -> Story:
    project = small_project(tmp_path_factory.mktemp("run") / "first", index)
    products = [str(Path(product).relative_to(RUN)) for product in PRODUCTS]
    project.change(
        "config/config.yaml", lambda config: config.update(reproduce={"products": products})
    )
    whole, damaged = index.files[WHEEL], index.files[WHEEL][:-1] + b"?"
    digests = {}
    for name, content in {"damaged": damaged, "whole": whole}.items():
        file = project.root.with_name(name)
        file.write_bytes(content)
        digests[name] = sha256_of(file)

    index.files[WHEEL] = damaged
    broken = project.snakemake()
    left = sorted(path.relative_to(project.root) for path in project.results.rglob("*"))
    index.files[WHEEL] = whole
    prepared = project.snakemake(CUBE)
    project.change("config/config.yaml", lambda config: config["sites"].pop(BROKEN))
    finished = project.snakemake()
    reproduced = project.snakemake("reproduce")
    requests = len(index.requests)
    again = project.snakemake()
    canopy, twins = project.snakemake("canopy"), project.snakemake("twin")
    return Story(
        project,
        broken,
        left,
        prepared,
        finished,
        reproduced,
        again,
        canopy,
        twins,
        requests,
        **digests,
    )


def test_a_damaged_record_is_named_and_the_other_site_is_finished(story):
    assert story.broken.code == 1
    shown = story.broken.shown
    fault = f"{WHEEL}: sha256: found {story.damaged}; expected {story.whole}"
    assert f"Failed: acquire_source.ch_dav_2013_2022: {fault}\n" in shown
    assert f"Sites with a report: {RUN}/report/{SITE}.html\n" in shown
    assert RUN / f"report/{SITE}.html" in story.left
    assert "Traceback" not in shown


def test_nothing_is_left_of_what_failed(story):
    assert not [path for path in story.left if path.name.endswith((".part", ".tmp"))]
    kept = {path.parts[2] for path in story.left if BROKEN in str(path)}
    assert kept <= {"benchmarks", "logs"}
    assert RUN / "raw/ch_dav_2013_2022" not in story.left
    assert RUN / "report/index.html" not in story.left


def test_the_mended_record_goes_through(story):
    assert story.prepared.code == 0, story.prepared.shown
    assert story.prepared.last_line == f"Done. Made: {CUBE}"
    assert " min gone, about " in story.prepared.shown
    assert "\x1b" not in story.prepared.shown  # as it is no terminal
    raw = pd.read_parquet(DATA / "CH-Dav_cut.parquet")
    assert len(raw) == 48 * xr.load_dataset(story.project.root / CUBE).sizes["time"]


def test_the_run_ends_with_a_line_that_names_the_report(story):
    assert story.finished.code == 0, story.finished.shown
    assert story.finished.last_line == f"Done. Report: {RUN}/report/index.html"
    assert (story.project.results / "report/index.html").exists()


def test_only_what_depends_on_the_list_of_sites_is_made_anew(story):
    made = set(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", story.finished.shown))
    anew = {"plot_sites", "write_report", "write_crate", "write_citations"}
    anew |= {"write_start_page", "write_explorer", "write_provenance_page"}
    anew |= {"write_assimilation_page", "write_evaluation_page"}
    # as the run is another one, so is the name of it that products carry
    assert made == {*anew, "write_product", "write_budget", "all"}


def test_every_declared_output_exists(story):
    listed = story.project.snakemake("--summary").shown
    header, *rows = [line.split("\t") for line in listed.splitlines() if "\t" in line]
    files = pd.DataFrame(rows, columns=header)
    assert len(files) > 30
    missing = [file for file in files.output_file if not (story.project.root / file).exists()]
    assert missing == []
    assert set(files.status) == {"ok"}
    for kind, suffix in (("logs", "log"), ("benchmarks", "tsv")):
        names = {path.name.split(".")[0] for path in (story.project.results / kind).iterdir()}
        rules = {Path(script).stem for script in (story.project.root / "scripts").glob("*.py")}
        assert names == rules - LEFT_OUT, f"a rule without a .{suffix}"


def test_the_report_of_snakemake_has_all_pages(story):
    """It is made without a job; what it shows of each page is the page itself."""
    done = story.project.snakemake("all", "twin", "--report", "shown.zip")
    assert done.code == 0, done.shown
    with zipfile.ZipFile(story.project.root / "shown.zip") as shown:
        held = {Path(name).name: shown.read(name) for name in shown.namelist()}
    pages = {page.name: page.read_bytes() for page in (story.project.results / "report").iterdir()}
    assert len(pages) > 5
    assert [name for name, page in pages.items() if held.get(name) != page] == []


def test_the_canopy_is_run_scored_and_drawn(story):
    assert story.canopy.code == 0, story.canopy.shown
    assert story.canopy.last_line == f"Done. Canopy: {RUN}/figures"
    scores = pd.read_csv(story.project.results / f"evaluation/{SITE}/canopy.csv")
    assert {"gpp", "le", "h"} <= set(scores["stream"])
    assert (story.project.results / f"figures/{SITE}/canopy.png").stat().st_size > 20000


def test_twin_experiments_are_judged_and_drawn(story):
    assert story.twins.code == 0, story.twins.shown
    assert story.twins.last_line == f"Done. Twin experiments: {RUN}/report/twin.html"
    assert re.search(r"^(!!!|   ) hmc: converged: \d+ % of 3 posteriors; ", story.twins.shown, re.M)
    assert f"{SITE}, hmc" not in story.twins.shown
    methods = pd.read_csv(story.project.results / "twin/methods.csv").set_index("method")
    assert set(methods.index) == {"hmc", "esmda"}
    assert (methods.truths == 3).all()
    reduction = pd.read_csv(story.project.results / "twin/error_reduction.csv")
    assert set(reduction.subset) == {"none", "biomass", "gpp+nee", "biomass+gpp+nee"}
    page = (story.project.results / "report/twin.html").read_text()
    assert "What streams are worth" in page


def test_a_second_run_does_nothing_and_asks_nothing_of_the_index(story):
    assert story.again.code == 0
    assert story.again.last_line.startswith("Nothing to be done")
    index = story.project.index
    assert len(index.requests) == story.requests
    # Each record once by the project, and once when its products were made again.
    assert len(index.downloads("fair-1.6.4-py3-none-any.whl")) == 1
    assert len(index.downloads("pyrealm-1.0.1.tar.gz")) == 2


def test_the_records_have_their_provenance(story):
    folder = story.project.results / "raw/be_vie_2014"
    record = json.loads((folder / "provenance.json").read_text())
    source = story.project.read("config/sources/be_vie_2014.yaml")
    assert record["sha256"] == source["locator"]["sha256"]
    assert record["licence"] == source["licence"]
    cut = DATA / "FLX_BE-Vie_cut.csv"
    assert (folder / "FLX_BE-Vie_2014.csv").read_bytes() == cut.read_bytes()


def test_products_made_again_from_the_crate_elsewhere_are_the_same(story):
    assert story.reproduced.code == 0, story.reproduced.shown
    assert story.reproduced.last_line == f"Done. The same again: {RUN}/reproduction/products.csv"
    found = pd.read_csv(story.project.results / "reproduction/products.csv").set_index("product")
    assert {str(RUN / product) for product in found.index} == set(PRODUCTS)
    assert set(found["same"]) == {"yes"}
    for product, row in found.iterrows():
        assert row["sha256_again"] == sha256_of(story.project.results / product)
    assert not (story.project.results / "reproduction/again").exists()


def test_all_that_a_run_made_carries_its_name(story):
    crate = json.loads((story.project.results / "ro-crate-metadata.json").read_text())
    values = {item["name"]: item["value"] for item in crate["@graph"] if "value" in item}
    assert xr.open_dataset(story.project.root / PRODUCTS[0]).attrs["run_id"] == values["run_id"]
    assert set(pd.read_csv(story.project.root / PRODUCTS[1], dtype=str).run_id) == {
        values["run_id"]
    }
    assert values["run_id"] in (story.project.results / "CITATIONS.md").read_text()


def test_the_crate_has_all_that_went_in_and_came_out(story):
    results = story.project.results
    crate = json.loads((results / "ro-crate-metadata.json").read_text())
    entities = {item["@id"]: item for item in crate["@graph"]}
    (action,) = [item for item in entities.values() if item["@type"] == "CreateAction"]
    made = {item["@id"] for item in action["result"]}
    names = ("index", "explorer", "assimilation", "evaluation", "provenance", SITE)
    pages = {f"report/{page}.html" for page in names}
    assert pages | {"CITATIONS.md", "citations.bib"} < made
    assert {path for path in made if path.startswith("products/")} == {
        f"products/{SITE}/{name}" for name in ("fluxes.nc", "budget.csv", "budget_mean.csv")
    }
    for path in made:
        assert entities[path]["sha256"] == sha256_of(results / path)
    raw = {item["@id"] for item in action["object"] if item["@id"].startswith("raw/")}
    assert raw == {"raw/be_vie_2014/", "raw/natural_earth_110m/"}
    member = entities["raw/be_vie_2014/FLX_BE-Vie_2014.csv"]
    assert member["sha256"] == sha256_of(DATA / "FLX_BE-Vie_cut.csv")
    assert entities["raw/be_vie_2014/"]["version"] == "1.0.1"


@pytest.mark.parametrize(
    "file",
    [
        f"products/{SITE}/fluxes.nc",
        f"projection/{SITE}/forecast.letkf.nc",
        f"cubes/{SITE}/drivers.nc",
        f"cubes/{SITE}/observations.nc",
    ],
)
def test_files_comply_with_cf(story, file):
    checker = Path(sys.executable).with_name("compliance-checker")
    done = subprocess.run(
        [checker, "--test=cf:1.11", story.project.results / file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_days_after_the_record_are_forecast_scored_and_shown(story):
    made = xr.load_dataset(story.project.results / f"projection/{SITE}/forecast.letkf.nc")
    cube = xr.load_dataset(story.project.results / f"cubes/{SITE}/observations.nc")
    assert made.indexes["time"].equals(cube.indexes["time"][-made.sizes["time"] :])
    assert made["nee_total"].dims == ("member", "location", "time")
    posterior = xr.load_dataset(story.project.results / f"posterior/{SITE}/letkf.nc")
    assert made["forecast_reference_time"] == posterior["time"] == made["time"][0]
    assert made.attrs["verdict"] == posterior.attrs["verdict"]
    scores = pd.read_csv(story.project.results / f"evaluation/{SITE}/forecast.csv")
    assert {"week 1", "all weeks"} <= set(scores.step)
    assert {"forecast", "hmc", "climatology"} <= set(scores.predictor)
    words = json.loads((story.project.results / f"figures/{SITE}/forecast.json").read_text())
    assert made.attrs["verdict"] in words["caption"]
    page = (story.project.results / f"report/{SITE}.html").read_text()
    assert "Forecast from the newest data" in page


def test_what_has_not_converged_is_marked(story):
    product = xr.load_dataset(story.project.root / PRODUCTS[0])
    assert product.attrs["converged"] == "no"
    line = f"!!! {SITE}, hmc (published): converged: no; {product.attrs['verdict']}\n"
    assert line in story.broken.shown
    assert line in story.finished.shown
    assert f" {SITE}, esmda: converged: " in story.finished.shown
    assert "R-hat" in product.attrs["verdict"]
    assert set(pd.read_csv(story.project.root / PRODUCTS[1]).converged) == {"no"}
    for page in (SITE, "index"):
        text = (story.project.results / f"report/{page}.html").read_text()
        assert '<span class="badge no">not converged</span>' in text
        assert product.attrs["verdict"] in text.replace("&#39;", "'")
    words = json.loads((story.project.results / f"figures/{SITE}/pools.json").read_text())
    assert "has not converged" in words["caption"]


@pytest.mark.parametrize(
    ("edited", "rules"),
    [
        ("plots/pools.py", {"plot_pools", "write_report", "write_provenance_page", "write_crate"}),
        (
            "products/report.html.j2",
            {
                "write_report",
                "write_start_page",
                "write_explorer",
                "write_assimilation_page",
                "write_evaluation_page",
                "write_provenance_page",
                "write_crate",
            },
        ),
        ("sources/_http.py", {"write_provenance_page", "write_crate"}),
    ],
)
def test_editing_the_library_reruns_what_uses_it(story, edited, rules):
    file = story.project.root / "scripts/concerto" / edited
    before = file.read_bytes()
    file.write_bytes(before + b"\n")
    try:
        planned = story.project.snakemake("--dry-run").shown
    finally:
        file.write_bytes(before)
    counted = set(re.findall(r"^(\w+) +\d+$", planned, flags=re.M)) - {"all", "total"}
    assert counted == rules, planned
