"""Servers on this machine that speak as archives with a login do, with the faults that those have.

Each follows its archive's documentation: NASA's Common Metadata Repository, Earthdata Login (OAuth)
and an archive behind it; the Copernicus data stores (OGC API - Processes); the ICOS Carbon Portal.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    def one(self, name: str, otherwise: str = "") -> str:
        return self.query.get(name, [otherwise])[0]

    @property
    def cookies(self) -> dict[str, str]:
        return {key: it.value for key, it in SimpleCookie(self.headers.get("cookie", "")).items()}


@dataclass
class Reply:
    """An answer; of its body only ``kept`` bytes are sent where the connection is to be cut."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    kept: int | None = None


def page(status: int = 200) -> Reply:
    return Reply(status, PAGE, {"Content-Type": "text/html; charset=utf-8"})


def answer(content: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(
        status, json.dumps(content).encode(), {"Content-Type": "application/json"} | headers
    )


def to(address: str, **headers: str) -> Reply:
    return Reply(302, b"", {"Location": address} | headers)


def part(content: bytes, asked: Asked, fault: str = "") -> Reply:
    """Answer with a file or the range that is asked for; a fault is a status or ``cut N``."""
    if fault.isdecimal():
        return Reply(int(fault), b"", {"Retry-After": "0"})
    headers = {"ETag": f'"{hashlib.md5(content).hexdigest()}"'}
    headers["Content-Type"] = "application/octet-stream"
    kept = int(fault.removeprefix("cut ")) if fault else None
    sent = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("range", ""))
    if sent is None:
        return Reply(200, content, headers, kept)
    first, last = int(sent[1]), min(int(sent[2] or len(content)), len(content) - 1)
    if first >= len(content):
        return Reply(416, b"", headers | {"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return Reply(206, content[first : last + 1], headers, kept)


@contextmanager
def serving(reply: Callable[[Asked], Reply], host: str = "127.0.0.1") -> Iterator[str]:
    """Serve what ``reply`` returns on a free port; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Keep the tests' output clean."""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            made = reply(Asked(self.command, parts.path, parse_qs(parts.query), headers, body))
            self.send_response(made.status)
            for name, value in ({"Content-Length": str(len(made.body))} | made.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(made.body[: made.kept])

        do_POST = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://{host}:{server.server_port}"
        server.shutdown()


@dataclass
class Earthdata:
    """A repository of metadata, an archive, its bucket and the login service, each on its host.

    Whom it knows, the archive leads to a signed address in the bucket, as it does in the cloud.
    """

    cmr: str = ""
    archive: str = ""
    bucket: str = ""
    login: str = ""
    granules: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    page_size: int = 2000
    lost: int = 0
    token: str = "t0ken-of-jane"
    password: tuple[str, str] = ("jane", "s3cret:of-jane")
    approved: bool = True
    licence: bool = True
    asked: list[tuple[str, Asked]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)

    def add(
        self,
        name: str,
        content: bytes,
        start: str = "2003-01-01T00:00:00.000Z",
        end: str = "2003-01-08T23:59:59.000Z",
        box: tuple[float, float, float, float] = (-180, -90, 180, 90),
        checksum: str | None = "SHA-256",
        provider: str = "LPCLOUD",
        **changes: Any,
    ) -> dict[str, Any]:
        """Publish a file as a granule, as metadata of UMM-G 1.6 describe it; return these."""
        self.files[name] = content
        described: dict[str, Any] = {"Name": name, "SizeInBytes": len(content)}
        if checksum:
            value = hashlib.new(checksum.replace("-", ""), content).hexdigest()
            described["Checksum"] = {"Value": value, "Algorithm": checksum}
        sides = ("West", "South", "East", "North")
        rectangle = {f"{s}BoundingCoordinate": v for s, v in zip(sides, box, strict=True)}
        granule = {
            "GranuleUR": name.rpartition(".")[0],
            "CollectionReference": {"ShortName": "MOD15A2H", "Version": "061"},
            "TemporalExtent": {
                "RangeDateTime": {"BeginningDateTime": start, "EndingDateTime": end}
            },
            "SpatialExtent": {
                "HorizontalSpatialDomain": {"Geometry": {"BoundingRectangles": [rectangle]}}
            },
            "DataGranule": {"ArchiveAndDistributionInformation": [described]},
            "RelatedUrls": [
                {"URL": f"s3://protected/{name}", "Type": "GET DATA VIA DIRECT ACCESS"},
                {"URL": f"s3://protected/{name}", "Type": "GET DATA"},
                {"URL": f"{self.archive}/protected/{name}", "Type": "GET DATA"},
                {"URL": f"{self.archive}/public/{name}.png", "Type": "GET RELATED VISUALIZATION"},
                {"URL": f"{self.archive}/s3credentials", "Type": "VIEW RELATED INFORMATION"},
            ],
        } | changes
        self.granules.append({"meta": {"provider-id": provider}, "umm": granule})
        return granule

    def of(self, server: str) -> list[Asked]:
        """Return what came to one of the servers, in turn."""
        return [asked for name, asked in self.asked if name == server]

    def search(self, asked: Asked) -> Reply:
        if asked.path != "/search/granules.umm_json":
            return Reply(404)
        found = [granule for granule in self.granules if _matches(granule, asked)]
        found.sort(key=lambda granule: (_extent(granule["umm"])[0], granule["umm"]["GranuleUR"]))
        first = json.loads(asked.headers.get("cmr-search-after", "[0]"))[0]
        last = first + min(int(asked.one("page_size", "10")), self.page_size)
        items = found[first:last]
        page = {"hits": len(found) + self.lost, "took": 5, "items": items}
        return answer(page, **({"CMR-Search-After": f"[{last}]"} if items else {}))

    def hold(self, asked: Asked) -> Reply:
        """Answer as an archive: with a file to whom it knows, or leading to the login service."""
        if asked.path == "/login":
            known = asked.one("code") in self.codes
            cookie = {"Set-Cookie": "session=of-jane; Path=/; HttpOnly"}
            return to(asked.one("state"), **cookie) if known else Reply(400)
        sent = asked.headers.get("authorization")
        if sent is None and asked.cookies.get("session") != "of-jane":
            query = {"client_id": "app", "response_type": "code", "state": asked.path}
            query["redirect_uri"] = f"{self.archive}/login"
            return to(f"{self.login}/oauth/authorize?{urlencode(query)}")
        if sent not in (None, f"Bearer {self.token}"):
            return answer({"error": "invalid_token", "error_description": "expired"}, 401)
        if not self.licence:
            where = f"{self.login}/approve_app?client_id=app"
            said = {"error_description": "EULA Acceptance Failure", "resolution_url": where}
            return answer({"status_code": 403} | said, 403)
        name = asked.path.removeprefix("/protected/")
        if name not in self.files:
            return Reply(404)
        return to(f"{self.bucket}/{name}?X-Amz-Signature=s1gned")

    def give(self, asked: Asked) -> Reply:
        """Answer as a bucket, which refuses two ways to log in at once."""
        if asked.one("X-Amz-Signature") != "s1gned" or "authorization" in asked.headers:
            return Reply(400)
        name = asked.path.removeprefix("/")
        faults = self.faults.get(name, [])
        fault = faults.pop(0) if faults else ""
        return page() if fault == "page" else part(self.files[name], asked, fault)

    def authorize(self, asked: Asked) -> Reply:
        """Answer as the login service does to a browser that an archive sent there."""
        if asked.path != "/oauth/authorize":
            return Reply(404)
        sent = asked.headers.get("authorization", "").removeprefix("Basic ")
        if base64.b64decode(sent).decode() != ":".join(self.password):
            return page(401)
        if not self.approved:
            return page()
        self.codes.add(code := f"code-{len(self.codes)}")
        query = {"code": code, "state": asked.one("state")}
        return to(f"{asked.one('redirect_uri')}?{urlencode(query)}")


def _matches(granule: dict[str, Any], asked: Asked) -> bool:
    umm = granule["umm"]
    if asked.one("provider", granule["meta"]["provider-id"]) != granule["meta"]["provider-id"]:
        return False
    reference = umm["CollectionReference"]
    if (asked.one("short_name"), asked.one("version")) != tuple(reference.values()):
        return False
    start, end = (_seconds(time) for time in asked.one("temporal").split(","))
    first, last = _extent(umm)
    west, south, east, north = map(float, asked.one("bounding_box").split(","))
    geometry = umm["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]
    left, low, right, high = geometry["BoundingRectangles"][0].values()
    parts = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    beside = any(left <= stop and right >= begin for begin, stop in parts)
    return first <= end and last >= start and beside and low <= north and high >= south


def _extent(umm: dict[str, Any]) -> tuple[float, float]:
    extent = umm["TemporalExtent"]
    span = extent.get("RangeDateTime", {})
    first = span.get("BeginningDateTime", extent.get("SingleDateTime"))
    return _seconds(first), _seconds(span.get("EndingDateTime", first))


def _seconds(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


@contextmanager
def earthdata() -> Iterator[Earthdata]:
    """Serve an empty collection, its archive and the login service."""
    served = Earthdata()

    def noting(name: str, reply: Callable[[Asked], Reply]) -> Callable[[Asked], Reply]:
        def noted(asked: Asked) -> Reply:
            served.asked.append((name, asked))
            return reply(asked)

        return noted

    with ExitStack() as stack:
        served.cmr = stack.enter_context(serving(noting("cmr", served.search)))
        served.archive = stack.enter_context(serving(noting("archive", served.hold)))
        bucket = serving(noting("bucket", served.give), "localhost")
        served.bucket = stack.enter_context(bucket)
        login = serving(noting("login", served.authorize), "localhost")
        served.login = stack.enter_context(login)
        yield served


@dataclass
class Store:
    """A data store: a queue of jobs on one host, the files that they made on another.

    ``states`` are what a job's status is at each question; the last one stays. ``result`` is what
    each job makes; ``results``, if given, makes it of the job's inputs.
    """

    address: str = ""
    files: str = ""
    key: str = "k3y-of-jane"
    states: list[str] = field(default_factory=lambda: ["accepted", "running", "successful"])
    result: bytes = b""
    results: Callable[[dict[str, Any]], bytes] | None = None
    refusal: tuple[int, dict[str, Any]] | None = None
    traceback: str = ""
    moved: bool = False
    busy: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    dataset: str = "reanalysis-era5-land"
    asked: list[Asked] = field(default_factory=list)
    fetched: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.address}/api"

    def work(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if asked.headers.get("private-token") != self.key:
            said = {"type": "permission denied", "title": "permission denied", "status": 401}
            return answer(said | {"detail": "Authentication failed"}, 401)
        if asked.method == "GET" and self.busy:
            return Reply(self.busy.pop(0), b"", {"Retry-After": "0"})
        kind, _, name = asked.path.removeprefix("/api/retrieve/v1/").partition("/")
        if kind == "processes" and name == f"{self.dataset}/execution":
            return self._execute(asked)
        identifier, _, what = name.partition("/")
        if kind != "jobs" or identifier not in self.jobs:
            return answer({"title": "not found", "detail": f"{kind} {identifier}"}, 404)
        return self._results(identifier) if what == "results" else self._status(identifier)

    def _execute(self, asked: Asked) -> Reply:
        if self.moved:
            return to(f"{self.files}{asked.path}")
        if self.refusal is not None:
            return answer(self.refusal[1], self.refusal[0])
        job = f"job-{len(self.jobs)}"
        self.jobs[job] = json.loads(asked.body)["inputs"]
        return answer({"jobID": job, "status": "accepted", "type": "process"}, 201)

    def _status(self, job: str) -> Reply:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return answer({"jobID": job, "status": state, "type": "process"})

    def _results(self, job: str) -> Reply:
        if self.traceback:
            said = {"type": "job results failed", "title": "The job has failed", "status": 400}
            return answer(said | {"traceback": self.traceback}, 400)
        value = {"type": "application/netcdf", "href": f"{self.files}/cache/{job}.nc"}
        return answer({"asset": {"value": value | {"file:size": len(self._made(job))}}})

    def give(self, asked: Asked) -> Reply:
        self.fetched.append(asked)
        fault = self.faults.pop(0) if self.faults else ""
        job = asked.path.removeprefix("/cache/").removesuffix(".nc")
        return part(self._made(job), asked, fault)

    def _made(self, job: str) -> bytes:
        return self.results(self.jobs[job]) if self.results else self.result


@contextmanager
def store() -> Iterator[Store]:
    """Serve a data store and the host of its files."""
    served = Store()
    with serving(served.work) as served.address, serving(served.give, "localhost") as served.files:
        yield served


@dataclass
class Portal:
    """The ICOS Carbon Portal: metadata, data and login, each on a host of its own."""

    meta: str = ""
    data: str = ""
    login: str = ""
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    account: tuple[str, str] = ("jane@example.org", "s3cret of jane")
    token: str = ""
    licence_in_profile: bool = True
    asked: list[tuple[str, Asked]] = field(default_factory=list)

    def add(
        self,
        name: str,
        content: bytes,
        station: str = "ES_BE-Vie",
        kind: str = "etcArchiveProduct",
        replaces: str | None = None,
    ) -> str:
        """Publish a data object, perhaps as the next version of another; return its identifier."""
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        identifier = digest[:24]
        interval = {"start": "2017-12-31T23:00:00Z", "stop": "2023-12-31T23:00:00Z"}
        self.contents[identifier] = content
        self.objects[identifier] = {
            "hash": digest,
            "accessUrl": f"{self.data}/objects/{identifier}",
            "fileName": name,
            "size": len(content),
            "specification": {"self": {"uri": f"{CPMETA}{kind}"}},
            "specificInfo": {
                "acquisition": {
                    "station": {"org": {"self": {"uri": f"{STATIONS}{station}"}}},
                    "interval": interval,
                }
            },
            "references": {
                "citationString": f"Vincke, C. (2024). {name}",
                "licence": {"url": "http://meta.icos-cp.eu/ontologies/cpmeta/icosLicence"},
            },
        }
        if replaces:
            self.replaced.add(replaces)
        return identifier

    def describe(self, asked: Asked) -> Reply:
        self.asked.append(("meta", asked))
        if asked.path == "/sparql":
            return self._select(asked.one("query"))
        identifier = asked.path.removeprefix("/objects/")
        if identifier not in self.objects:
            return Reply(404)
        return answer(self.objects[identifier]) if "json" in asked.headers["accept"] else page()

    def _select(self, query: str) -> Reply:
        """Answer a query for data objects of certain kinds and stations that nothing replaced."""
        wanted = {name: re.findall(r"<(.*?)>", uris) for name, uris in VALUES.findall(query)}
        current = "FILTER NOT EXISTS {[] cpmeta:isNextVersionOf ?dobj}" in query
        rows = []
        for identifier, described in self.objects.items():
            spec = described["specification"]["self"]["uri"]
            station = described["specificInfo"]["acquisition"]["station"]["org"]["self"]["uri"]
            old = current and identifier in self.replaced
            if spec in wanted["spec"] and station in wanted["station"] and not old:
                row = {"dobj": {"type": "uri", "value": f"{OBJECTS}{identifier}"}}
                row["fileName"] = {"type": "literal", "value": described["fileName"]}
                rows.append(row)
        return answer({"head": {"vars": ["dobj", "fileName"]}, "results": {"bindings": rows}})

    def give(self, asked: Asked) -> Reply:
        self.asked.append(("data", asked))
        if asked.path == "/licence":
            return page()
        if asked.path == "/licence_accept":
            (identifier,) = json.loads(asked.one("ids"))
            target = f"/objects/{identifier}"
            return to(target, **{"Set-Cookie": f"CpLicenseAcceptedFor={identifier}; Path={target}"})
        identifier = asked.path.removeprefix("/objects/")
        if identifier not in self.contents:
            return Reply(404)
        known = self.token and asked.cookies.get("cpauthToken") == self.token
        accepted = asked.cookies.get("CpLicenseAcceptedFor", "").split("|")
        if identifier not in accepted and not (known and self.licence_in_profile):
            return to("/licence?" + urlencode({"ids": json.dumps([identifier])}))
        reply = part(self.contents[identifier], asked, self.faults.pop(0) if self.faults else "")
        gone = f"CpLicenseAcceptedFor=; Path={asked.path}; Max-Age=0"
        return Reply(reply.status, reply.body, reply.headers | {"Set-Cookie": gone}, reply.kept)

    def sign_in(self, asked: Asked) -> Reply:
        self.asked.append(("login", asked))
        sent = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        if asked.path != "/password/login" or (sent["mail"], sent["password"]) != self.account:
            return Reply(401)
        self.token = token_of(3600.0)
        return Reply(200, b"", {"Set-Cookie": f"cpauthToken={self.token}; Path=/; HttpOnly"})


CPMETA = "http://meta.icos-cp.eu/resources/cpmeta/"
STATIONS = "http://meta.icos-cp.eu/resources/stations/"
OBJECTS = "https://meta.icos-cp.eu/objects/"
VALUES = re.compile(r"VALUES \?(\w+) \{(.*?)\}")


def token_of(seconds: float) -> str:
    """Return a portal's token that is good for so many seconds: claims and a signature."""
    claims = json.dumps([(time.time() + seconds) * 1000, "jane@example.org", "Password"])
    return base64.b64encode(claims.encode() + b"\x1e" + b"signature of the portal").decode()


@contextmanager
def portal() -> Iterator[Portal]:
    """Serve an empty portal."""
    served = Portal()
    with (
        serving(served.describe) as served.meta,
        serving(served.give) as served.data,
        serving(served.sign_in, "localhost") as served.login,
    ):
        yield served
