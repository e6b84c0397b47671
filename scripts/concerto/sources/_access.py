"""Logins: which a run needs and lacks, told before anything is downloaded, never the secrets."""

from __future__ import annotations

import netrc
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concerto.config import ROOT, read_source
from concerto.errors import ConcertoError


@dataclass(frozen=True)
class Login:
    """One service's login, and the sources that need it.

    Parameters
    ----------
    service
        What the account is called.
    sources
        Names of the sources that need it.
    found
        Where its secret is, such as ``EARTHDATA_TOKEN`` or ``~/.netrc``; None where it is missing.
    ways
        What would do, each one alone, in words.
    get
        Where to register.
    instead
        Sources without login that may serve in place of some, by these sources' names.
    """

    service: str
    sources: tuple[str, ...]
    found: str | None
    ways: tuple[str, ...]
    get: str
    instead: Mapping[str, str]


def logins(
    sources: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str], home: Path
) -> list[Login]:
    """Return the logins that some sources need, one a service, in the services' order.

    Parameters
    ----------
    sources
        What the catalogue says of each, by its name.
    environ
        The environment.
    home
        The folder of the user's own files.
    """
    by_service: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, source in sources.items():
        if "login" in source:
            by_service.setdefault(source["login"]["service"], {})[name] = source["login"]
    return [
        Login(
            service,
            tuple(stated),
            next(filter(None, (_found(login, environ, home) for login in stated.values())), None),
            tuple(dict.fromkeys(way for login in stated.values() for way in _ways(login))),
            next(iter(stated.values()))["get"],
            {name: login["instead"] for name, login in stated.items() if "instead" in login},
        )
        for service, stated in sorted(by_service.items())
    ]


def missing_logins(
    sources: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str], home: Path
) -> list[Login]:
    """Return those of the logins that some sources need for which there is no secret."""
    return [login for login in logins(sources, environ, home) if login.found is None]


def require_logins(
    names: Iterable[str], environ: Mapping[str, str], home: Path, root: Path = ROOT
) -> None:
    """Check that the logins are there that some sources need.

    Parameters
    ----------
    names
        Names of the sources.
    environ, home
        The environment, and the folder of the user's own files.
    root
        The folder that has the folder config.

    Raises
    ------
    ConcertoError
        Naming all logins that are missing, and what to do.
    """
    wanted = {name: read_source(name, root) for name in sorted(names)}
    missing = missing_logins(wanted, environ, home)
    if missing:
        raise ConcertoError(message(missing))


def message(missing: Iterable[Login]) -> str:
    """Say in one text all that is missing, what to do about it, and what serves without."""
    lines = ["logins are missing; nothing was downloaded."]
    for login in missing:
        lines += [
            f"{login.service}, for {', '.join(login.sources)}: register at {login.get};",
            f"  then {'; or '.join(login.ways)}.",
            *(
                f"  Without a login: {other} in place of {one}."
                for one, other in login.instead.items()
            ),
        ]
    return "\n".join(lines)


def report(sources: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str], home: Path) -> str:
    """Return which logins are there, and of those that are missing how to get them, as text."""
    lines = []
    for login in logins(sources, environ, home):
        state = f"found in {login.found}" if login.found else f"missing; register at {login.get}"
        lines += [f"{login.service}: {state}", f"  for {', '.join(login.sources)}"]
    return "".join(f"{line}\n" for line in lines)


def unsafe_files(sources: Mapping[str, Mapping[str, Any]], home: Path) -> list[str]:
    """Return warnings of files with secrets that cannot be read, or that others can read."""
    files = dict.fromkeys(
        file
        for source in sources.values()
        if "login" in source
        for file in _files(source["login"], home)
    )
    return [warning for file in files for warning in _warnings(file, home)]


def _found(login: Mapping[str, Any], environ: Mapping[str, str], home: Path) -> str | None:
    """Return the first of a login's places that has a secret."""
    for names in login.get("environment", []):
        if all(environ.get(name, "").strip() for name in names.split("+")):
            return names
    machine = login.get("netrc")
    if machine and machine in _machines(home / ".netrc"):
        return "~/.netrc"
    file = login.get("file")
    return file if file and _readable(_in_home(file, home)) else None


def _ways(login: Mapping[str, Any]) -> list[str]:
    ways = [
        f"set {' and '.join(names.split('+'))} in the environment"
        for names in login.get("environment", [])
    ]
    if "netrc" in login:
        line = f"machine {login['netrc']} login NAME password PASSWORD"
        ways.append(f"put the line `{line}` into ~/.netrc")
    if "file" in login:
        ways.append(f"write {login['file']}, as the service describes it")
    return ways


def _files(login: Mapping[str, Any], home: Path) -> list[Path]:
    files = [_in_home(login["file"], home)] if "file" in login else []
    return files + [home / ".netrc"] * ("netrc" in login)


def _in_home(file: str, home: Path) -> Path:
    return home / file.removeprefix("~/")


def _machines(file: Path) -> set[str]:
    """Return the machines of a netrc file, none where it cannot be read."""
    try:
        return set(netrc.netrc(file).hosts)
    except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
        return set()


def _readable(file: Path) -> bool:
    try:
        return bool(file.read_bytes().strip())
    except OSError:
        return False


def _warnings(file: Path, home: Path) -> list[str]:
    name = f"~/{file.relative_to(home)}"
    try:
        mode = file.stat().st_mode
        if file.name == ".netrc":
            netrc.netrc(file)
        else:
            file.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        return [f"{name}: cannot be read ({error.strerror}); it is passed over"]
    except (UnicodeDecodeError, netrc.NetrcParseError) as error:
        # What cannot be understood may be a secret: the line's number alone is safe to tell.
        line = getattr(error, "lineno", None)
        return [f"{name}: no netrc file{f', line {line}' if line else ''}; it is passed over"]
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        return [f"{name}: others can read it; chmod 600 {name}"]
    return []
