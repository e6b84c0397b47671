"""Granules of NASA's archives, found in the Common Metadata Repository (CMR).

A locator has ``short_name`` and ``version`` of a collection and, where they are needed,

``provider``
    Which of several archives of the collection, such as LPCLOUD.
``files``
    A pattern of the names of a granule's files; without it all its data files are wanted.
``subset``
    ``{x: x, y: y, crs: EPSG:6933}``: of HDF5 and NetCDF-4 files only the wanted bands in the window
    around the area are read, through ranges of bytes, into a NetCDF-4 file. ``x`` and ``y`` are
    one-dimensional variables of the files with the middles of columns and rows, in ``crs`` or,
    without it, degrees. Without a subset whole files are fetched, whose length and hash (SHA-256,
    MD5) are compared as far as the repository has them.
``opendap``
    ``{LC_Type1: /MCD12Q1/Data_Fields/LC_Type1}``: paths of the bands in a granule, which OPeNDAP
    sends as a NetCDF-4 file, for archives whose own files no reader reads. Its address of the
    granule is in the metadata; it states neither length nor hash.
``cmr``, ``login``
    Addresses of the repository and of Earthdata Login, if not NASA's.

The login is a token in ``EARTHDATA_TOKEN``; or ``EARTHDATA_USERNAME`` and ``EARTHDATA_PASSWORD``,
or the machine of Earthdata Login in ~/.netrc: these are sent to Earthdata Login alone, to which the
archives redirect. A token goes to the archives, which must have the repository's scheme (https).

``earthaccess`` 0.17 is not used: it neither resumes downloads nor compares lengths or hashes, tries
again what cannot pass, such as a licence that is not accepted, and logs in over https alone.
"""

from __future__ import annotations

import base64
import json
import netrc
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests
from requests.auth import HTTPBasicAuth
from requests.cookies import RequestsCookieJar

from concerto.errors import ConcertoError, InputError
from concerto.sources import Asset
from concerto.sources._http import Client, RemoteFiles, public
from concerto.sources._window import write_window

CMR = "https://cmr.earthdata.nasa.gov"
LOGIN = "https://urs.earthdata.nasa.gov"
PAGE_SIZE = 2000
"""The most that the repository gives at a time."""
OPENDAP = "OPENDAP DATA"
"""What the metadata call links to OPeNDAP, where they call them anything."""
HASHES = {"SHA-256": "sha256", "MD5": "md5"}
"""Names of the hashes that are compared, in the metadata (UMM-G 1.6) and here."""


def discover(request: Mapping[str, Any]) -> list[Asset]:
    """Return the data files of the granules that touch the area and the period, by time.

    Raises
    ------
    InputError
        If there is none (unless ``may_be_empty``), a granule has no data file, or two have files of
        one name.
    ConcertoError
        If the repository cannot be reached, or gives fewer granules than it counts.
    """
    assets = [asset for granule in _granules(request) for asset in _assets(granule, request)]
    if not assets and not request.get("may_be_empty"):
        box = "/".join(f"{request[side]:g}" for side in ("west", "south", "east", "north"))
        when = f"{request['start']} to {request['end']}"
        raise InputError(
            request.get("cmr", CMR),
            f"{request['short_name']} {request['version']}, {box} degrees, {when}",
            "no granule",
            "at least one; see the collection's page for its area, period and version",
        )
    times = Counter(asset.filename for asset in assets)
    twice = [name for name, count in times.items() if count > 1]
    if twice:
        expected = "different names; `provider` chooses one of several archives"
        raise InputError(request.get("cmr", CMR), request["short_name"], twice[0], expected)
    return sorted(assets, key=lambda asset: (asset.start or "", asset.filename))


def fetch(asset: Asset, path: Path) -> int:
    """Fetch a file, or the wanted part of it, to ``path``; return the bytes received.

    Raises
    ------
    InputError
        If there is no login or it has expired, or the hash is wrong.
    ConcertoError
        If the archive cannot be reached, or refuses.
    """
    session = _Session(asset.details["login"])
    client = Client(session=session)
    try:
        if "subset" in asset.details:
            _read_window(client, asset, path)
        else:
            client.download(asset, path)
    except ConcertoError as error:
        if not session.advice:
            raise
        raise ConcertoError(f"{error}; {session.advice}") from error
    return client.received


def _granules(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the metadata (UMM-G) of all granules that touch the area and the period."""
    start, stop = _period_asked(request)
    last = stop - timedelta(milliseconds=1)
    params = {
        "short_name": request["short_name"],
        "version": str(request["version"]),
        "bounding_box": ",".join(f"{request[s]}" for s in ("west", "south", "east", "north")),
        "temporal": f"{_iso(start, 'milliseconds')},{_iso(last, 'milliseconds')}",
        "sort_key[]": ["start_date", "granule_ur"],
        "page_size": PAGE_SIZE,
    }
    if "provider" in request:
        params["provider"] = request["provider"]
    granules = [item["umm"] for item in _pages(request.get("cmr", CMR), params)]
    # The repository counts a granule that ends where the period begins.
    return [granule for granule in granules if _touches(granule, start)]


def _pages(cmr: str, params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the items of all pages; the place where a next one starts comes as a header."""
    session = requests.Session()
    after: list[str | None] = [None]
    session.hooks["response"].append(
        lambda answer, **_: after.append(answer.headers.get("CMR-Search-After"))
    )
    client = Client(session=session)
    url = f"{cmr.rstrip('/')}/search/granules.umm_json"
    items: list[Mapping[str, Any]] = []
    while True:
        page = client.json(url, params=params)
        items += page["items"]
        if not page["items"] or after[-1] is None or len(items) >= page["hits"]:
            break
        session.headers["CMR-Search-After"] = after[-1]
    if len(items) != page["hits"]:
        raise ConcertoError(
            f"{public(url)}: {len(items)} of {page['hits']} granules came; try again"
        )
    return items


def _assets(granule: Mapping[str, Any], request: Mapping[str, Any]) -> Iterator[Asset]:
    """Yield the wanted data files of a granule."""
    if "opendap" in request:
        yield _of_service(granule, request)
        return
    pattern = request.get("files", "*")
    scheme = urlsplit(request.get("cmr", CMR)).scheme
    links = [
        link["URL"]
        for link in granule.get("RelatedUrls", [])
        if link["Type"] == "GET DATA" and urlsplit(link["URL"]).scheme == scheme
    ]
    wanted = [url for url in dict.fromkeys(links) if fnmatch(_name(url), pattern)]
    if not wanted:
        found = ", ".join(map(_name, links)) or "none"
        raise InputError(granule["GranuleUR"], "links to data", found, f"a file like {pattern}")
    start, end = _period(granule)
    for url in wanted:
        known = _described(granule, _name(url))
        sha256, size = known.get("sha256"), known.get("size")
        details = {"login": request.get("login", LOGIN).rstrip("/")}
        if request.get("subset"):
            area = {side: request[side] for side in ("west", "south", "east", "north")}
            details |= {"subset": request["subset"], "area": area, "size": size}
            sha256 = size = None  # those of the whole file
        elif "md5" in known:
            details["md5"] = known["md5"]
        bands = tuple(request.get("bands", ()))
        yield Asset(_name(url), url, sha256, size, start, end, bands, details)


def _of_service(granule: Mapping[str, Any], request: Mapping[str, Any]) -> Asset:
    """Return the bands of a granule as OPeNDAP sends them, whole, in NetCDF-4."""
    links = [
        link["URL"]
        for link in granule.get("RelatedUrls", [])
        if link["Type"] == "USE SERVICE API" and link.get("Subtype", OPENDAP) == OPENDAP
    ]
    if not links:
        raise InputError(granule["GranuleUR"], "links to OPeNDAP", "none", "one")
    bands = tuple(request.get("bands", ())) or tuple(request["opendap"])
    for band in bands:
        if band not in request["opendap"]:
            expected = f"one of {', '.join(request['opendap'])}"
            raise InputError("locator", "opendap", f"no path of {band}", expected)
    wanted = ";".join(request["opendap"][band] for band in bands)
    address = links[0].removesuffix(".html")
    url = f"{address}.dap.nc4?dap4.ce={quote(wanted, safe='/;')}"
    details = {"login": request.get("login", LOGIN).rstrip("/")}
    return Asset(f"{_name(address)}.nc4", url, None, None, *_period(granule), bands, details)


def _described(granule: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return length (``size``) and hash of a file, as far as the metadata have them."""
    listed = granule.get("DataGranule", {}).get("ArchiveAndDistributionInformation", [])
    files = [file for entry in listed for file in (entry, *entry.get("Files", []))]
    file = next((file for file in files if file.get("Name") == name), {})
    known = {"size": file["SizeInBytes"]} if "SizeInBytes" in file else {}
    checksum = file.get("Checksum", {})
    if checksum.get("Algorithm") in HASHES:
        known[HASHES[checksum["Algorithm"]]] = checksum["Value"].lower()
    return known


def _period_asked(request: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Return the first instant of the period and the first after its last day."""
    start, end = (_time(str(request[side])) for side in ("start", "end"))
    return start, end + timedelta(days=1)


def _period(granule: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the first instant that a granule covers and the first after it."""
    extent = granule.get("TemporalExtent", {})
    span = extent.get("RangeDateTime", {})
    start = span.get("BeginningDateTime") or extent.get("SingleDateTime")
    end = span.get("EndingDateTime") or extent.get("SingleDateTime")
    return (_iso(_time(start)) if start else None), (_iso(_after(_time(end))) if end else None)


def _touches(granule: Mapping[str, Any], start: datetime) -> bool:
    """Whether a granule lasts until after ``start``, or is of that very instant."""
    first, end = _period(granule)
    return end is None or _time(end) > start or (first is not None and _time(first) >= start)


def _after(end: datetime) -> datetime:
    """Return the first instant after a period, whose last second the archives may write."""
    if end.second == 59:
        return end.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return end


def _time(written: str) -> datetime:
    time = datetime.fromisoformat(written)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _iso(time: datetime, timespec: str = "seconds") -> str:
    return time.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def _name(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2]


def _read_window(client: Client, asset: Asset, path: Path) -> None:
    """Fetch the wanted bands in the window around the area, if the file has its length."""
    size = asset.details["size"]
    if size is not None:
        found = client.size(asset.url)
        if found != size:
            raise InputError(asset.filename, "length", found, size)
    write_window(
        RemoteFiles(client), asset.url, path, asset.bands, asset.details["subset"],
        asset.details["area"],
    )  # fmt: skip


class _Session(requests.Session):
    """Connections to archives that send their users to a login service and take them back.

    A name and a password reach the login service alone, a token the host that is asked first.
    ``advice`` says what to do after the last answer, if it was a refusal.
    """

    def __init__(self, login: str) -> None:
        super().__init__()
        self.headers["User-Agent"] = "concerto"
        self.advice = ""
        self._login = login
        self._token, self._password = _credentials(login)
        if self._password:
            self.cookies = _cookies(login, self._password[0])
        self.auth = self._authorize  # also keeps requests from taking one of ~/.netrc
        self.hooks["response"].append(self._note)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Give a redirected request the login that its new host may see."""
        if self.should_strip_auth(response.request.url, prepared_request.url):
            prepared_request.headers.pop("Authorization", None)
        if self._password and _origin(prepared_request.url) == _origin(self._login):
            HTTPBasicAuth(*self._password)(prepared_request)

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _note(self, answer: requests.Response, **_: Any) -> None:
        self.advice = _advice(answer, self._login)


def _advice(answer: requests.Response, login: str) -> str:
    """Say what to do about a refusal."""
    if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
        try:
            said = dict(answer.json())
        except (ValueError, TypeError):
            said = {}
        reason = said.get("error_description", "the login was refused")
        if "resolution_url" in said:
            return f"{reason}: approve it at {said['resolution_url']}"
        return f"{reason}: make a new token at {login}/profile or correct name and password"
    if answer.ok and "html" in answer.headers.get("Content-Type", ""):
        return f"approve the archive's application and its licence (EULA) at {login}/profile"
    return ""


def _credentials(login: str) -> tuple[str | None, tuple[str, str] | None]:
    """Return a token or, without one, a name and a password.

    Raises
    ------
    InputError
        If there is neither, or the token has expired.
    """
    token = os.environ.get("EARTHDATA_TOKEN", "").strip()
    if token:
        expiry = _expiry(token)
        if expiry is not None and expiry <= datetime.now(UTC):
            expected = f"a new one of {login}/profile"
            raise InputError("EARTHDATA_TOKEN", "token", f"expired {_iso(expiry)}", expected)
        return token, None
    named = tuple(os.environ.get(f"EARTHDATA_{part}", "") for part in ("USERNAME", "PASSWORD"))
    password = named if all(named) else _of_netrc(urlsplit(login).hostname)
    if password is None:
        names = "EARTHDATA_TOKEN, or EARTHDATA_USERNAME and EARTHDATA_PASSWORD"
        expected = f"{names}, or {urlsplit(login).hostname} in ~/.netrc"
        raise InputError(login, "login", "none", expected)
    return None, password


def _of_netrc(machine: str) -> tuple[str, str] | None:
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if not file.exists():
        return None
    try:
        entry = netrc.netrc(file).hosts.get(machine)
    except netrc.NetrcParseError as error:
        # Its message may hold a password.
        raise InputError(file, f"line {error.lineno}", "not readable", "netrc") from None
    return (entry[0], entry[2]) if entry else None


def _expiry(token: str) -> datetime | None:
    """Return when a token (JWT) expires, None where it does not say."""
    try:
        claims = token.split(".")[1]
        expiry = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return datetime.fromtimestamp(expiry, UTC)
    except (IndexError, ValueError, KeyError, TypeError):
        return None


@cache
def _cookies(login: str, user: str) -> RequestsCookieJar:
    """Return the cookies that a user's connections share: one dance serves many files."""
    return RequestsCookieJar()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
