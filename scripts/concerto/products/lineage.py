"""Where a product comes from: what its files say of sources, configuration and software."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

SOFTWARE = ("netCDF4", "numpy", "xarray", "zarr")


@dataclass(frozen=True)
class Origin:
    """A source that went into a product, as its file in config/sources has it.

    One's own folder has no ``homepage``: it is empty.
    """

    name: str
    title: str
    licence: str
    citation: str
    homepage: str


@dataclass(frozen=True)
class Release:
    """What CITATION.cff says of this software."""

    title: str
    version: str
    license: str


def read_origins(files: Iterable[Path]) -> list[Origin]:
    """Read what the files of sources say of them, by name."""
    wanted = ("title", "licence", "citation")
    origins = []
    for file in sorted(files, key=lambda file: file.stem):
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        words = {key: said[key].strip() for key in wanted}
        origins.append(Origin(file.stem, **words, homepage=said.get("homepage", "")))
    return origins


def read_release(file: Path) -> Release:
    """Read CITATION.cff."""
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    return Release(said["title"], str(said["version"]), said["license"])


def lineage(
    origins: Iterable[Origin], configuration: Mapping[str, Any], release: Release
) -> dict[str, str]:
    """Return the global attributes that say where a product comes from.

    Parameters
    ----------
    origins
        Sources that went in.
    configuration
        The part of the configuration that the product rests on.
    release
        This software.

    Returns
    -------
    dict
        ``references`` (a CF attribute) has the citations; ``configuration_sha256`` is that of the
        configuration as JSON with sorted keys.
    """
    origins = list(origins)
    text = json.dumps(configuration, sort_keys=True)
    software = [f"{name} {metadata.version(name)}" for name in SOFTWARE]
    return {
        "references": "; ".join(origin.citation for origin in origins),
        "inputs": "; ".join(f"{o.name}: {o.title}, {o.homepage}".rstrip(", ") for o in origins),
        "licences_of_inputs": "; ".join(f"{o.name}: {o.licence}" for o in origins),
        "configuration_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "software": "; ".join([f"concerto {release.version}", *software]),
    }
