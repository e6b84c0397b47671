"""A STAC API on PostgreSQL with PostGIS, as large archives have it: pgstac and stac-fastapi.

Neither is among the project's packages. PostgreSQL and PostGIS are the system's (Debian:
``apt-get install postgresql-15-postgis-3``), the rest is installed in an environment of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ports import free_port
from stac_archive import wait_for

PACKAGES = ("pypgstac[psycopg]==0.10.0", "stac-fastapi-pgstac==7.2.0", "uvicorn==0.54.0")
EXTENSIONS = {"postgis", "btree_gist"}


class MissingPartError(Exception):
    """A part of the API is not on this machine and cannot be installed."""


@dataclass(frozen=True)
class Programs:
    """Where the programs of PostgreSQL and those of pgstac are."""

    postgres: Path
    pgstac: Path


def install(folder: Path) -> Programs:
    """Find PostgreSQL and install pgstac in a new environment.

    Raises
    ------
    MissingPartError
        If there is no PostgreSQL with PostGIS, or the packages cannot be had.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = found[-1] if found else shutil.which("initdb")
    if not initdb:
        raise MissingPartError("PostgreSQL is not here: apt-get install postgresql-15-postgis-3")
    venv.create(folder, with_pip=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", *PACKAGES]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingPartError(f"pip: {done.stderr.strip().splitlines()[-1]}")
    return Programs(Path(initdb).parent, folder / "bin")


@contextmanager
def database(programs: Programs) -> Iterator[dict[str, str]]:
    """Run an empty database with the tables of pgstac; yield the variables that lead to it.

    Raises
    ------
    MissingPartError
        If PostgreSQL lacks an extension.
    """
    # PostgreSQL does not run as root, nor may its user look into the folders of pytest.
    other = {"user": "postgres"} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as name:
        if other:
            shutil.chown(name, **other)
        data, port = Path(name, "data"), free_port()
        made = ["--username=postgres", "--auth=trust", "--no-sync", f"--pgdata={data}"]
        _run([programs.postgres / "initdb", *made], cwd=name, **other)
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        options = [word for setting in settings for word in ("-c", setting)]
        command = [programs.postgres / "postgres", "-D", data, "-p", str(port), *options]
        variables = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGDATABASE": "postgres"}
        variables |= {"PGUSER": "postgres", "PGPASSWORD": "none"}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, cwd=name, **other, **quiet) as process:
            try:
                wait_for(port, process)
                psql = [programs.postgres / "psql", "--no-psqlrc", "--tuples-only", "--no-align"]
                query = "select name from pg_available_extensions"
                here = _run([*psql, "--command", query], env=os.environ | variables).split()
                if missing := EXTENSIONS - set(here):
                    raise MissingPartError(f"PostgreSQL lacks {', '.join(sorted(missing))}")
                _run([programs.pgstac / "pypgstac", "migrate"], env=os.environ | variables)
                yield variables
            finally:
                process.terminate()


class Backend:
    """Serves collections of a database; to be given to :func:`stac_archive.serve`."""

    def __init__(self, programs: Programs, variables: dict[str, str]) -> None:
        self._programs = programs
        self._environment = os.environ | variables

    @contextmanager
    def __call__(
        self,
        folder: Path,
        collection: dict[str, Any],
        items: list[dict[str, Any]],
        address: str,  # stac-fastapi takes the one that it was asked as
        port: int,
    ) -> Iterator[None]:
        for table, rows in (("collections", [collection]), ("items", items)):
            file = folder / f"{table}.ndjson"
            file.write_text("\n".join(map(json.dumps, rows)) + "\n")
            load = [self._programs.pgstac / "pypgstac", "load", table, file]
            _run([*load, "--method", "insert"], env=self._environment)
        served = ["stac_fastapi.pgstac.app:create_app", "--factory", "--port", str(port)]
        command = [self._programs.pgstac / "uvicorn", *served, "--log-level", "error"]
        with subprocess.Popen(command, cwd=folder, env=self._environment) as process:
            try:
                wait_for(port, process)
                yield
            finally:
                process.terminate()


def _run(command: list[str | Path], **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
