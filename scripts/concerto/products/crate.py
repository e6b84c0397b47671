"""The record of a run as a research object: what went in, what was done with it, what came out.

RO-Crate 1.1 (Soiland-Reyes et al. 2022, Data Science 5, 97, doi:10.3233/DS-210053) with
the profiles Process Run Crate and Workflow Run Crate 0.5 (Leo et al. 2024, PLoS ONE 19, e0309210,
doi:10.1371/journal.pone.0309210) and Workflow RO-Crate 1.0. The folder of the run's results is the
crate: its metadata say of each file and folder what it is, and its hash.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.dataset import Dataset
from rocrate.model.entity import Entity
from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from concerto import provenance
from concerto.products.lineage import Origin, Release

METADATA = "ro-crate-metadata.json"
WORKFLOW = "workflow"
"""The folder of a run's results with all that is needed to run it again."""
CONFIG = "config/run.yaml"
"""The run's configuration, within that folder."""
ENVIRONMENT = "environment.txt"
"""The packages that were there, within that folder."""
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    _WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
_BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
_SNAKEMAKE = "https://snakemake.github.io"
_TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
_TYPES = {
    ".nc": "application/x-netcdf",
    ".yaml": "application/yaml",
    ".bib": "application/x-bibtex",
    ".md": "text/markdown",
    ".cff": "application/yaml",
    ".parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True)
class Input:
    """A folder of raw data, below the folder of results, with the record kept in it."""

    folder: Path
    origin: Origin
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Package:
    """A package that was there, with the page that it names as its own, if any."""

    name: str
    version: str
    url: str


@dataclass(frozen=True)
class Execution:
    """What is known of a run besides its files.

    ``began`` and ``ended`` are those of its first and last job; ``author`` may have ``name``,
    ``orcid`` and ``affiliation``, or nothing; ``packages`` are the main ones of its software.
    """

    run: str
    run_id: str
    seed: int
    began: datetime
    ended: datetime
    author: Mapping[str, str]
    release: Release
    packages: Sequence[Package]


def crate_of(
    results: Path, execution: Execution, inputs: Sequence[Input], products: Sequence[Path]
) -> dict[str, Any]:
    """Return the metadata of a run's crate.

    Parameters
    ----------
    results
        The folder of the run's results, which has :data:`WORKFLOW` already.
    execution
        What is known of the run.
    inputs
        Raw data.
    products
        Files and folders that were made, below ``results``; they are hashed here.

    Returns
    -------
    dict
        JSON-LD, the same for the same files.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(_TERMS)
    workflow = _add_workflow(crate, results, execution.release)
    config = crate.get(f"{WORKFLOW}/{CONFIG}")
    sources = [_add_input(crate, results, raw) for raw in inputs]
    made = [_add_product(crate, results, product) for product in products]
    settings = [
        _add_value(crate, "run_id", execution.run_id),
        _add_value(crate, "seed", execution.seed),
    ]
    _add_parameters(
        crate, workflow, {"configuration": [config], "sources": sources}, "input", required=True
    )
    _add_parameters(crate, workflow, _by_kind(made), "output", required=False)
    action = _add_action(crate, execution, workflow)
    action["object"] = [config, *sources, *settings]
    action["result"] = made
    _describe_root(crate, execution, inputs, action)
    return _sorted(crate.metadata.generate())


def products_in(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of each product in a crate, by its path; a folder's ends in a slash."""
    by_id = {entity["@id"]: entity for entity in metadata["@graph"]}
    actions = [entity for entity in metadata["@graph"] if entity["@type"] == "CreateAction"]
    return {
        result["@id"]: by_id[result["@id"]]["sha256"]
        for action in actions
        for result in action["result"]
    }


def _add_workflow(crate: ROCrate, results: Path, release: Release) -> Entity:
    """Add the folder with the workflow, and its files that people look for first."""
    folder = results / WORKFLOW
    workflow = crate.add(
        ComputationalWorkflow(
            crate,
            dest_path=f"{WORKFLOW}/Snakefile",
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
                "name": release.title,
                "version": release.version,
                "url": _SNAKEMAKE,
                "license": release.license,
                "encodingFormat": "text/x-python",
                "sha256": provenance.sha256_of(folder / "Snakefile"),
            },
        )
    )
    language = {
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
        "url": {"@id": _SNAKEMAKE},
    }
    workflow["programmingLanguage"] = crate.add(
        ContextEntity(crate, "https://w3id.org/workflowhub/workflow-ro-crate#snakemake", language)
    )
    workflow["conformsTo"] = _add_profile(crate, _BIOSCHEMAS, "ComputationalWorkflow", "1.0")
    words = {
        CONFIG: "Configuration of the run: `snakemake --configfile config/run.yaml` repeats it",
        ENVIRONMENT: "Packages that were installed where the crate was written",
        "CITATION.cff": "What this software is",
    }
    parts = [_add_file(crate, folder / name, results, name=text) for name, text in words.items()]
    whole = _add_folder(crate, folder, results, name="The workflow as it was run")
    whole["hasPart"] = [workflow, *parts]
    crate.mainEntity = workflow
    return workflow


def _add_input(crate: ROCrate, results: Path, raw: Input) -> Entity:
    origin, record = raw.origin, raw.record
    entity = _add_folder(
        crate,
        raw.folder,
        results,
        name=origin.title,
        description=f"Source {origin.name}, from the {record['origin']}",
        license=origin.licence,
        citation=origin.citation,
    )
    if origin.homepage:
        entity["url"] = origin.homepage
    if "version" in record:
        entity["version"] = str(record["version"])
    if "sha256" in record:
        entity["sha256"] = record["sha256"]
    entity["dateModified"] = record["retrieved"]
    files = record.get("members", record.get("files", {}))
    parts = [_add_entry(crate, raw.folder / local, results, said) for local, said in files.items()]
    entity["hasPart"] = _plain(parts)
    return entity


def _add_entry(crate: ROCrate, file: Path, results: Path, said: Mapping[str, Any]) -> Entity:
    """Add a downloaded file with the hash that was taken then."""
    return _add_file(crate, file, results, name=file.name, sha256=said["sha256"])


def _add_product(crate: ROCrate, results: Path, product: Path) -> Entity:
    add = _add_folder if product.is_dir() else _add_file
    name = product.relative_to(results).as_posix()
    return add(crate, product, results, name=name, sha256=provenance.tree_sha256(product))


def _add_file(crate: ROCrate, file: Path, results: Path, **properties: Any) -> Entity:
    described = {
        "contentSize": str(file.stat().st_size),
        "encodingFormat": _format(file),
        **properties,
    }
    if "sha256" not in described:
        described["sha256"] = provenance.sha256_of(file)
    path = file.relative_to(results).as_posix()
    return crate.add(File(crate, dest_path=path, properties=described))


def _format(file: Path) -> str:
    known = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0]
    return known or "application/octet-stream"


def _add_folder(crate: ROCrate, folder: Path, results: Path, **properties: Any) -> Entity:
    path = folder.relative_to(results).as_posix()
    return crate.add(Dataset(crate, dest_path=f"{path}/", properties=properties))


def _add_value(crate: ROCrate, name: str, value: str | int) -> Entity:
    said = {"@type": "PropertyValue", "name": name, "value": value}
    return crate.add(ContextEntity(crate, f"#{name}", said))


def _plain(entities: Sequence[Entity]) -> Entity | list[Entity]:
    """Return one entity as itself: RO-Crate has no lists of one."""
    return entities[0] if len(entities) == 1 else list(entities)


def _by_kind(made: Iterable[Entity]) -> dict[str, list[Entity]]:
    """Return files and folders apart: a formal parameter is of one kind."""
    kinds: dict[str, list[Entity]] = {}
    for entity in made:
        name = "product_folders" if isinstance(entity, Dataset) else "products"
        kinds.setdefault(name, []).append(entity)
    return kinds


def _add_parameters(
    crate: ROCrate,
    workflow: Entity,
    examples: Mapping[str, Sequence[Entity]],
    direction: str,
    *,
    required: bool,
) -> None:
    """Add the formal parameters of a workflow, each with the entities that it stood for."""
    parameters = []
    for name, entities in examples.items():
        said = {
            "@type": "FormalParameter",
            "name": name,
            "additionalType": "Dataset" if isinstance(entities[0], Dataset) else "File",
            "valueRequired": required,
        }
        parameter = crate.add(ContextEntity(crate, f"#{direction}-{name}", said))
        parameter["conformsTo"] = _add_profile(crate, _PARAMETER, "FormalParameter", "1.0")
        parameter["workExample"] = _plain(entities)
        for entity in entities:
            entity["exampleOfWork"] = parameter
        parameters.append(parameter)
    workflow[direction] = _plain(parameters)


def _add_action(crate: ROCrate, execution: Execution, workflow: Entity) -> Entity:
    said = {
        "@type": "CreateAction",
        "name": f"Run {execution.run}",
        "description": f"Run {execution.run_id} of {execution.release.title}",
        "startTime": execution.began.isoformat(timespec="seconds"),
        "endTime": execution.ended.isoformat(timespec="seconds"),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    action = crate.add(ContextEntity(crate, f"#run-{execution.run_id}", said))
    action["instrument"] = workflow
    workflow["softwareRequirements"] = [
        _add_package(crate, package) for package in execution.packages
    ]
    if execution.author:
        author = _add_author(crate, execution.author)
        action["agent"] = crate.root_dataset["author"] = author
    return action


def _add_package(crate: ROCrate, package: Package) -> Entity:
    said = {
        "@type": "SoftwareApplication",
        "name": package.name,
        "softwareVersion": package.version,
        "url": package.url,
    }
    kept = {key: value for key, value in said.items() if value}
    return crate.add(ContextEntity(crate, f"pkg:pypi/{package.name}@{package.version}", kept))


def _add_author(crate: ROCrate, author: Mapping[str, str]) -> Entity:
    orcid = author.get("orcid")
    said: dict[str, Any] = {"@type": "Person", "name": author["name"]}
    person = crate.add(
        ContextEntity(crate, f"https://orcid.org/{orcid}" if orcid else "#author", said)
    )
    if "affiliation" in author:
        said = {"@type": "Organization", "name": author["affiliation"]}
        person["affiliation"] = crate.add(ContextEntity(crate, "#affiliation", said))
    return person


def _add_profile(crate: ROCrate, address: str, name: str, version: str) -> Entity:
    said = {"@type": "CreativeWork", "name": name, "version": version}
    return crate.add(ContextEntity(crate, address, said))


def _describe_root(
    crate: ROCrate, execution: Execution, inputs: Sequence[Input], action: Entity
) -> None:
    licences = sorted({" ".join(raw.origin.licence.split()) for raw in inputs})
    crate.name = f"Run {execution.run} of {execution.release.title}"
    crate.description = (
        f"Carbon fluxes and pools with their uncertainty, run {execution.run_id}: "
        "raw data, workflow, configuration, environment and products."
    )
    crate.datePublished = execution.ended
    said = {
        "@type": "CreativeWork",
        "name": f"Software: {execution.release.license}; data keep their own licences",
        "description": "; ".join(licences),
    }
    crate.license = crate.add(ContextEntity(crate, "#licence", said))
    crate.metadata["conformsTo"] = [
        {"@id": address} for address in ("https://w3id.org/ro/crate/1.1", _WORKFLOW_CRATE)
    ]
    root = crate.root_dataset
    root["identifier"] = execution.run_id
    root["mentions"] = action
    root["conformsTo"] = [
        _add_profile(crate, address, name, version)
        for address, (name, version) in _PROFILES.items()
    ]


def _sorted(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata with entities in the order of their names, the crate's own first."""
    first = (METADATA, "./")
    graph = sorted(
        metadata["@graph"],
        key=lambda entity: (
            first.index(entity["@id"]) if entity["@id"] in first else len(first),
            entity["@id"],
        ),
    )
    return {**metadata, "@graph": graph}
