"""The validator of RO-Crates, in an environment of its own, without a network.

What it would fetch, the context of RO-Crate 1.1, is put into its cache from ro-crate-py's own copy.
"""

from __future__ import annotations

import json
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGES = ("roc-validator==0.13.0", "rocrate==0.15.0")
FILL_CACHE = """
import importlib.resources, io, sys
import requests, requests_cache

class Own(requests.adapters.BaseAdapter):
    def send(self, request, **_):
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 200, request.url, request
        answer.headers["Content-Type"] = "application/ld+json"
        text = importlib.resources.files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes()
        from urllib3 import HTTPResponse
        answer.raw = HTTPResponse(io.BytesIO(text), status=200, preload_content=False)
        return answer
    def close(self):
        pass

session = requests_cache.CachedSession(sys.argv[1], backend="sqlite", expire_after=-1)
session.mount("https://", Own())
session.get("https://w3id.org/ro/crate/1.1/context", headers={"Accept": sys.argv[2]})
session.get("https://w3id.org/ro/crate/1.1/context")
"""


class MissingPartError(Exception):
    """The validator cannot be installed here."""


@dataclass(frozen=True)
class Validator:
    """Where the validator's programs and its cache are."""

    programs: Path
    cache: Path

    def faults(self, crate: Path, profile: str, severity: str) -> list[dict[str, Any]]:
        """Return what is wrong with a crate, by a profile with those that it rests on."""
        answer = crate.with_name(f"{profile}.{severity}.json")
        command = [
            self.programs / "rocrate-validator", "--no-interactive", "validate", "--offline",
            "--cache-path", self.cache, "--profile-identifier", profile,
            "--requirement-severity", severity, "--output-format", "json",
            "--output-file", answer, crate,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not answer.exists():
            raise RuntimeError(f"{done.stdout}{done.stderr}")
        said = json.loads(answer.read_text(encoding="utf-8"))
        assert said["passed"] == (not said["issues"])
        return said["issues"]


def install(folder: Path) -> Validator:
    """Install the validator in a new environment and fill its cache.

    Raises
    ------
    MissingPartError
        If the packages cannot be had.
    """
    venv.create(folder, with_pip=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", *PACKAGES]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingPartError(f"pip: {done.stderr.strip().splitlines()[-1]}")
    cache = folder / "http"
    accepted = "application/ld+json, application/json;p=0.9, */*;q=0.1"
    subprocess.run([folder / "bin/python", "-c", FILL_CACHE, cache, accepted], check=True)
    return Validator(folder / "bin", cache)
