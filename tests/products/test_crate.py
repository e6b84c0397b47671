"""The record of a run: references that resolve, hashes that are those of the files."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from concerto import provenance
from concerto.config import ROOT, load_yaml, validate_config
from concerto.errors import ConcertoError
from concerto.products.crate import Execution, Package, crate_of, products_in
from concerto.products.lineage import read_release
from concerto.products.reproduction import compared, table_of
from crate_validator import MissingPartError, install
from write_crate import copy_workflow, read_input

CONFIG = {"run": "tiny", "seed": 7, "sites": {}, "folders": {"own_cbf": "/home/me"}}
AUTHOR = {"name": "A. Person", "orcid": "0000-0002-1825-0097", "affiliation": "Nowhere"}
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXECUTION = Execution(
    run="tiny",
    run_id="0123456789abcdef",
    seed=7,
    began=MOMENT,
    ended=MOMENT.replace(hour=4),
    author=AUTHOR,
    release=read_release(ROOT / "CITATION.cff"),
    packages=[Package("numpy", "2.4.6", "https://numpy.org")],
)
SOURCE = {
    "title": "A tower",
    "protocol": "package",
    "locator": {"distribution": "pyrealm", "version": "1.0.1", "sha256": "0" * 64},
    "members": {"flux.csv": "tower/flux.csv"},
    "licence": "CC0-1.0",
    "citation": "Nobody (2014)",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """A run in little: one source, a product that is a file, one that is a folder, the workflow."""
    folder = tmp_path_factory.mktemp("crate") / "tiny"
    raw = folder / "raw/be_vie_2014"
    raw.mkdir(parents=True)
    (raw / "flux.csv").write_text("nee\n1\n")
    archive = folder.with_name("tower.zip")
    archive.write_bytes(b"as downloaded")
    provenance.write(raw, "be_vie_2014", SOURCE, archive)
    layers = folder / "products/map/layers"
    layers.mkdir(parents=True)
    (layers / "b.tif").write_bytes(b"b")
    (layers / "a.tif").write_bytes(b"a")
    (folder / "products/fluxes.nc").write_bytes(b"fluxes")
    (folder / "workflow").mkdir()
    copy_workflow(CONFIG, folder / "workflow")
    made = crate_of(
        folder,
        EXECUTION,
        [read_input(raw)],
        [folder / "products/fluxes.nc", layers],
    )
    (folder / "ro-crate-metadata.json").write_text(json.dumps(made))
    return folder


@pytest.fixture
def crate(results) -> dict:
    return json.loads((results / "ro-crate-metadata.json").read_text())


def references(value) -> set[str]:
    """Return all that the properties of an entity refer to."""
    if isinstance(value, dict):
        return {value["@id"]} if set(value) == {"@id"} else set()
    return (
        {name for item in value for name in references(item)} if isinstance(value, list) else set()
    )


def test_all_that_entities_refer_to_is_described(crate):
    known = {entity["@id"] for entity in crate["@graph"]}
    assert len(known) == len(crate["@graph"])
    referred = {
        name
        for entity in crate["@graph"]
        for key, value in entity.items()
        if key != "url"
        for name in references(value)
    }
    outside = {name for name in referred - known if not name.startswith("https://")}
    assert outside == set()


def test_files_are_there_with_their_hashes(results, crate):
    files = [entity for entity in crate["@graph"] if "File" in entity["@type"]]
    assert {"products/fluxes.nc", "raw/be_vie_2014/flux.csv", "workflow/Snakefile"} <= {
        file["@id"] for file in files
    }
    for file in files:
        assert file["sha256"] == provenance.sha256_of(results / file["@id"])


def test_products_have_the_hashes_by_which_they_are_compared(results, crate):
    known = products_in(crate)
    assert set(known) == {"products/fluxes.nc", "products/map/layers/"}
    table = table_of(known, compared(known), results)
    assert list(table["same"]) == ["yes", "yes"]
    assert compared(known, ["products/map/layers"]) == ["products/map/layers/"]
    with pytest.raises(ConcertoError, match=r"'products/fluxs.nc'; .*products/fluxes.nc"):
        compared(known, ["products/fluxs.nc"])


def test_a_product_that_changed_is_seen(results, crate, tmp_path):
    (tmp_path / "products/map/layers").mkdir(parents=True)
    for name, content in {"fluxes.nc": b"fluxes", "map/layers/a.tif": b"a"}.items():
        (tmp_path / "products" / name).write_bytes(content)
    known = products_in(crate)
    table = table_of(known, compared(known), tmp_path).set_index("product")
    assert table["same"].to_dict() == {"products/fluxes.nc": "yes", "products/map/layers/": "no"}


def test_pages_are_not_compared_unless_asked_for():
    known = {"report/index.html": "0", "products/fluxes.nc": "1"}
    assert compared(known) == ["products/fluxes.nc"]
    assert compared(known, ["report/index.html"]) == ["report/index.html"]


def test_what_is_of_one_machine_is_not_kept(results):
    """The configuration in the crate names no folder of the machine."""
    assert "/home/me" not in (results / "workflow/config/run.yaml").read_text()
    assert "run: tiny" in (results / "workflow/config/run.yaml").read_text()
    packages = (results / "workflow/environment.txt").read_text().splitlines()
    assert any(line.startswith("rocrate==") for line in packages)


def test_the_workflow_in_the_crate_is_the_one_here(results):
    assert provenance.code_sha256(ROOT) != provenance.code_sha256(results / "workflow")
    (results / "workflow/config/run.yaml").rename(results / "run.yaml")
    try:
        assert provenance.code_sha256(ROOT) == provenance.code_sha256(results / "workflow")
    finally:
        (results / "run.yaml").rename(results / "workflow/config/run.yaml")


def test_a_run_of_nobody_names_nobody(results):
    raw = [read_input(results / "raw/be_vie_2014")]
    made = crate_of(results, replace(EXECUTION, author={}), raw, [results / "products/fluxes.nc"])
    (action,) = [entity for entity in made["@graph"] if entity["@type"] == "CreateAction"]
    assert "agent" not in action
    assert not [entity for entity in made["@graph"] if entity["@type"] == "Person"]


def test_the_hash_of_a_folder_is_what_the_command_says(results):
    folder = results / "products/map/layers"
    listed = subprocess.run(
        "sha256sum a.tif b.tif | sha256sum", shell=True, cwd=folder, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    before = provenance.tree_sha256(folder)
    assert listed.stdout.split()[0] == before
    (folder / ".snakemake_timestamp").touch()
    assert provenance.tree_sha256(folder) == before


@pytest.mark.services
@pytest.mark.network
@pytest.mark.parametrize("profile", ["process-run-crate", "workflow-run-crate"])
def test_the_validator_finds_no_fault(results, profile, tmp_path_factory):
    try:
        validator = install(tmp_path_factory.mktemp("validator") / "environment")
    except MissingPartError as error:
        pytest.skip(str(error))
    assert validator.faults(results, profile, "required") == []
    # a crate that does not say what made it is none of a run
    text = (results / "ro-crate-metadata.json").read_text()
    broken = tmp_path_factory.mktemp("broken") / "crate"
    broken.mkdir()
    (broken / "ro-crate-metadata.json").write_text(text.replace('"instrument"', '"tool"'))
    assert validator.faults(broken, profile, "required")


def test_an_orcid_of_another_form_is_refused():
    config = load_yaml(ROOT / "config/config.yaml")
    validate_config(config | {"author": AUTHOR, "reproduce": {"products": ["CITATIONS.md"]}})
    with pytest.raises(ConcertoError, match=r"author\.orcid: found '0000-0002'"):
        validate_config(config | {"author": AUTHOR | {"orcid": "0000-0002"}})
