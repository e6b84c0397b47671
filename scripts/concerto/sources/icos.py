"""Data objects of the ICOS Carbon Portal, whose identifiers are the hashes of their content.

A locator has ``object``, the identifier of a data object or the address of its page; or
``station``, such as ES_BE-Vie, and ``data_type``, such as etcArchiveProduct: then the newest
version of that product is meant, and ``file``, a pattern of names, chooses where there are several.
It may have ``sha256``, which the object must have: a newer version is then refused, not taken
silently.

The portal's addresses may be changed: ``meta`` (https://meta.icos-cp.eu), ``data``
(https://data.icos-cp.eu) and ``login`` (https://cpauth.icos-cp.eu).

Who downloads must have accepted the data's licence: in the profile of an account, whose cookie
``cpauthToken`` is in ``ICOS_TOKEN`` or whose name and password ``icoscp_core`` keeps in its file
~/.icoscp/cpauthToken_auth_conf.json; or without an account, by ``ICOS_LICENCE_ACCEPTED=yes`` in the
environment.

The query and the reading of tokens are ``icoscp_core``'s. Its requests are not used: they have no
time-out, are tried once, keep a part of a file for the whole and do not compare its hash.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from icoscp_core.auth import PasswordAuth, parse_auth_token
from icoscp_core.queries.dataobjlist import dataobj_lite_list

from concerto.errors import ConcertoError, InputError
from concerto.sources import Asset
from concerto.sources._http import Client, public, time_outs

PLACES = {
    "meta": "https://meta.icos-cp.eu",
    "data": "https://data.icos-cp.eu",
    "login": "https://cpauth.icos-cp.eu",
}
STATION = "http://meta.icos-cp.eu/resources/stations/{}"
"""Names of stations and data types look like addresses but are not asked."""
DATA_TYPE = "http://meta.icos-cp.eu/resources/cpmeta/{}"
COOKIE = "cpauthToken"
ACCOUNT = Path(".icoscp/cpauthToken_auth_conf.json")
IDENTIFIER_LENGTH = 24
"""An identifier is the first 18 bytes of a SHA-256 in the base64 that addresses can have."""


def discover(request: Mapping[str, Any]) -> list[Asset]:
    """Return the data object that is meant, with the hash and the citation of its page.

    Raises
    ------
    InputError
        If there is none or more than one, or it is another than the locator's ``sha256`` says.
    ConcertoError
        If the portal cannot be reached.
    """
    places = {name: request.get(name, place).rstrip("/") for name, place in PLACES.items()}
    client = Client(headers={"Accept": "application/json"})
    identifier = _identifier(request.get("object") or _newest(client, places["meta"], request))
    page = f"{places['meta']}/objects/{identifier}"
    described = client.json(page)
    sha256 = _sha256(page, described["hash"])
    if not _encoded(sha256).startswith(identifier):
        raise InputError(page, "hash", described["hash"], f"one that begins with {identifier}")
    if request.get("sha256", sha256) != sha256:
        expected = f"{request['sha256']}: this is another version"
        raise InputError(page, "sha256", sha256, expected)
    start, end = _interval(described)
    references = described.get("references") or {}
    details = places | {
        "citation": references.get("citationString"),
        "licence": (references.get("licence") or {}).get("url"),
    }
    url = f"{places['data']}/objects/{identifier}"
    filename, size = described["fileName"], described.get("size")
    return [Asset(filename, url, sha256, size, start, end, details=details)]


def fetch(asset: Asset, path: Path) -> int:
    """Download a data object to ``path``, as :class:`.Client` does; return bytes received.

    Raises
    ------
    InputError
        If there is no login and no accepted licence, or the hash is wrong.
    ConcertoError
        If the portal cannot be reached, or refuses.
    """
    accepted = os.environ.get("ICOS_LICENCE_ACCEPTED", "").lower() == "yes"
    session = requests.Session()
    token = _token(asset.details["login"])
    if token:
        data = urlsplit(asset.url)
        secure = data.scheme == "https"
        session.cookies.set(COOKIE, token, domain=data.hostname, path="/", secure=secure)
    elif not accepted:
        raise InputError("ICOS Carbon Portal", "login", "none", _ways(asset))
    client = Client(session=session, sign=_accepting if accepted else None)
    try:
        client.download(asset, path)
    except InputError:
        raise
    except ConcertoError as error:
        raise ConcertoError(f"{error}; {_ways(asset)}") from error
    return client.received


def _newest(client: Client, meta: str, request: Mapping[str, Any]) -> str:
    """Return the address of the newest version of a station's product."""
    station = STATION.format(request["station"])
    data_type = DATA_TYPE.format(request["data_type"])
    newest_first = {"prop": "submTime", "descending": True}
    query = dataobj_lite_list(data_type, station, [], False, newest_first, limit=100, offset=0)
    found = client.json(f"{meta}/sparql", params={"query": query})["results"]["bindings"]
    pattern = request.get("file", "*")
    names = {row["dobj"]["value"]: row["fileName"]["value"] for row in found}
    chosen = [address for address, name in names.items() if fnmatch(name, pattern)]
    if len(chosen) != 1:
        what = f"{request['data_type']} of {request['station']}"
        listed = ", ".join(sorted(names.values())) or "nothing"
        raise InputError(meta, what, listed, f"one file like {pattern} (`file` chooses)")
    return chosen[0]


def _identifier(address: str) -> str:
    return urlsplit(address).path.rpartition("/")[2][:IDENTIFIER_LENGTH]


def _sha256(page: str, written: str) -> str:
    """Return a hash in hexadecimal, which the portal writes in base64 or hexadecimal."""
    try:
        raw = base64.b64decode(written + "=" * (-len(written) % 4), "-_", validate=True)
        if len(raw) != 32:
            raw = bytes.fromhex(written)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != 32:
        raise InputError(page, "hash", repr(written), "a SHA-256")
    return raw.hex()


def _encoded(sha256: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode()


def _interval(described: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the first instant that an object covers and the first after it, None if not said."""
    specific = described.get("specificInfo") or {}
    interval = (specific.get("acquisition") or specific.get("temporal") or {}).get("interval") or {}
    return interval.get("start"), interval.get("stop")


def _accepting(url: str) -> str:
    """Return the address that accepts an object's licence and then leads to the object."""
    parts = urlsplit(url)
    identifier = parts.path.rpartition("/")[2]
    ids = quote(json.dumps([identifier]), safe="")
    return f"{parts.scheme}://{parts.netloc}/licence_accept?ids={ids}"


def _ways(asset: Asset) -> str:
    licence = asset.details["licence"] or "the licence that its page names"
    return (
        f"accept {licence} in the profile of an account at {asset.details['login']} and set "
        f"ICOS_TOKEN to its cookie {COOKIE}, or accept it by ICOS_LICENCE_ACCEPTED=yes"
    )


def _token(login: str) -> str | None:
    """Return the value of the login's cookie, None where there is no login."""
    token = os.environ.get("ICOS_TOKEN")
    if token:
        return _valid(token.strip().removeprefix(f"{COOKIE}="), login)
    file = Path.home() / ACCOUNT
    if not file.exists():
        return None
    try:
        account = json.loads(file.read_text())
        user, password = account["user_id"], PasswordAuth.decode_password(account["password"])
    except (ValueError, KeyError, TypeError):
        # What is wrong in it may hold the password.
        raise InputError(
            f"~/{ACCOUNT}", "content", "not readable", "a file of icoscp_core"
        ) from None
    return _logged_in(login, user, password)


def _valid(token: str, login: str) -> str:
    try:
        expired = parse_auth_token(f"{COOKIE}={token}").is_expired()
    except Exception:  # of any kind, and some of its messages hold the token
        raise InputError("ICOS_TOKEN", "token", "not one", f"the cookie {COOKIE}") from None
    if expired:
        raise InputError("ICOS_TOKEN", "token", "expired", f"a new cookie {COOKIE} of {login}")
    return token


def _logged_in(login: str, user: str, password: str) -> str:
    """Return the cookie that the portal gives for a name and a password."""
    url = f"{login}/password/login"
    try:
        response = requests.post(
            url, data={"mail": user, "password": password}, timeout=time_outs(),
            allow_redirects=False,
        )  # fmt: skip
    except requests.RequestException as error:
        raise ConcertoError(f"{public(url)}: no answer ({type(error).__name__})") from None
    token = response.cookies.get(COOKIE)
    if not token:
        found = f"answer {response.status_code} without a cookie"
        raise InputError(f"~/{ACCOUNT}", "name and password", found, f"an account at {login}")
    return token
