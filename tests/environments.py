"""What the files of conda environments pin."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

# What the package index calls what conda-forge calls otherwise.
INDEX_NAMES = {"dask-core": "dask", "matplotlib-base": "matplotlib"}


def plain_name(name: str) -> str:
    """Return a distribution's name on the package index, in one spelling."""
    return re.sub(r"[-_.]+", "-", INDEX_NAMES.get(name, name)).lower()


@cache
def dependencies(environment: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the versions that an environment pins: conda's packages, and those left to pip."""
    listed = yaml.safe_load(environment.read_text())["dependencies"]
    conda = [item.partition("=")[::2] for item in listed if isinstance(item, str)]
    pip = [line.split("==") for item in listed if isinstance(item, dict) for line in item["pip"]]
    return dict(conda), dict(pip)


def pins(environment: Path) -> dict[str, str]:
    """Return the versions that an environment pins, by distribution name."""
    conda, pip = dependencies(environment)
    return {plain_name(name): version for name, version in (conda | pip).items()}
