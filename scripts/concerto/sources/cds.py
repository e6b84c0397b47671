"""Requests to a data store of ECMWF: the Climate, the Atmosphere and other Copernicus stores.

A store puts each request in a queue, makes a file and lets it be downloaded for some days. A
locator has

``url``
    Of the store's interface, such as https://cds.climate.copernicus.eu/api.
``dataset``
    As the store names it.
``query``
    What its web form shows as the request. A value ``{years}``, ``{months}`` or ``{days}`` is
    replaced by the list of those that are asked for, ``{variables}`` by the ``names`` of the bands.
``names``
    How a request names what the files call by the band's name, for ``{variables}``.
``area``
    A resolution in degrees: only the area is asked for, widened to whole multiples of it; or
    ``true``: as it is. Without it the store sends its whole grid.
``key``
    ``{environment: CDSAPI_KEY, file: ~/.cdsapirc}`` unless given: where the user's key is. The
    file's ``url`` must be on the store's host. ``CDSAPI_RC`` may name another file.
``poll``
    ``{first: 1, longest: 120, patience: 86400}`` unless given: seconds between questions whether
    the file is ready, at first and at most, and seconds after which to give up.

The job's identifier is kept beside the file, so that a run that was ended while its request was
queued goes on with the same job.

This speaks the interface itself (OGC API - Processes, as ``ecmwf-datastores-client`` 0.5.3 does)
because the client waits without an end, turns a failure to reach the store into a warning, deletes
what an interrupted download had got and, through ``cdsapi``, writes the key into its log.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import time
import zipfile
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import xarray as xr

from concerto.errors import ConcertoError, InputError
from concerto.sources import Asset, halves
from concerto.sources._archive import extract
from concerto.sources._http import Client, MissingError
from concerto.whole import whole_file

KEY = {"environment": "CDSAPI_KEY", "file": "~/.cdsapirc"}
POLL = {"first": 1.0, "longest": 120.0, "patience": 86400.0}
GROWTH = 1.5
BEGINNINGS = (b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF")
"""First bytes of NetCDF files."""

log = logging.getLogger(__name__)


def discover(request: Mapping[str, Any]) -> list[Asset]:
    """Return the files that the store will make: one a box, and a run of years of equal months."""
    return [
        _asset(request, box, first, last)
        for first, last in _spans(request)
        for box in _boxes(request)
    ]


def fetch(asset: Asset, path: Path) -> int:
    """Order a file, wait until it is made, and download it to ``path``; return bytes received.

    A zip archive is unpacked; several NetCDF files in it become one, with all variables and times.

    Raises
    ------
    InputError
        If there is no key, the store refuses the request or fails, or the file is no NetCDF.
    ConcertoError
        If the store cannot be reached, or the request is still queued when patience ends.
    """
    store = _Store(asset.details)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = path.with_name(path.name + ".job")
    made = store.made(kept)
    # It lies on another host, which must not see the key.
    client = Client()
    raw = path.with_name(path.name + ".raw")
    try:
        client.download(made, raw)
    except MissingError as error:
        kept.unlink()
        raise ConcertoError(f"{error}; run again to ask for it anew") from error
    _unpack(raw, path)
    kept.unlink()
    return store.client.received + client.received


def _asset(
    request: Mapping[str, Any], box: tuple[float, ...] | None, first: date, last: date
) -> Asset:
    """Return the file of one box, north, west, south and east, from the first to the last day."""
    months = range(first.month, last.month + 1) if first.year == last.year else range(1, 13)
    in_one = (first.year, first.month) == (last.year, last.month)
    days = range(first.day, last.day + 1) if in_one else range(1, 32)
    names = request.get("names", {})
    lists = {
        "{years}": [str(year) for year in range(first.year, last.year + 1)],
        "{months}": [f"{month:02d}" for month in months],
        "{days}": [f"{day:02d}" for day in days],
        "{variables}": [names.get(band, band) for band in request.get("bands", ())],
    }
    inputs = {key: _filled(value, lists, first, last) for key, value in request["query"].items()}
    if box is not None:
        inputs["area"] = list(box)
    details = {
        "url": request["url"].rstrip("/"),
        "dataset": request["dataset"],
        "inputs": inputs,
        "key": KEY | request.get("key", {}),
        "poll": POLL | request.get("poll", {}),
    }
    where = "" if box is None else "_" + "_".join(f"{edge:g}" for edge in box)
    filename = f"{request['dataset']}_{first:%Y%m%d}-{last:%Y%m%d}{where}.nc"
    url = f"{details['url']}/retrieve/v1/processes/{request['dataset']}"
    end = last + timedelta(days=1)
    bands = tuple(request.get("bands", ()))
    return Asset(
        filename, url, None, None, f"{first}T00:00:00Z", f"{end}T00:00:00Z", bands, details
    )


def _filled(value: Any, lists: Mapping[str, list[str]], first: date, last: date) -> Any:
    if isinstance(value, list):
        return [_filled(item, lists, first, last) for item in value]
    if not isinstance(value, str):
        return value
    return lists.get(value) or value.replace("{start}", str(first)).replace("{end}", str(last))


def _spans(request: Mapping[str, Any]) -> list[tuple[date, date]]:
    """Return spans of days, in each of which all years have the same months.

    A request names years and months apart, and means each month in each year.
    """
    start, end = (date.fromisoformat(str(request[side])) for side in ("start", "end"))
    if "{months}" not in request["query"].values():
        return [(start, end)]
    firsts = {start}
    if (start.month, start.day) != (1, 1):
        firsts.add(date(start.year + 1, 1, 1))
    if (end.month, end.day) != (12, 31):
        firsts.add(date(end.year, 1, 1))
    ordered = sorted(first for first in firsts if start <= first <= end)
    lasts = [first - timedelta(days=1) for first in ordered[1:]] + [end]
    return list(zip(ordered, lasts, strict=True))


def _boxes(request: Mapping[str, Any]) -> list[tuple[float, ...] | None]:
    """Return the boxes to ask for, north, west, south and east; None for all there is."""
    area = request.get("area")
    if not area:
        return [None]
    west, south, east, north = (request[side] for side in ("west", "south", "east", "north"))
    if area is not True:
        south, north = _outward(south, -90.0, area), -_outward(-north, -90.0, area)
        west, east = _outward(west, -180.0, area), -_outward(-east, -180.0, area)
    return [(north, left, south, right) for left, right in halves(west, east)]


def _outward(edge: float, least: float, step: float) -> float:
    """Return the multiple of ``step`` at or below an edge, not below ``least``."""
    return max(round(math.floor(edge / step + 1e-9) * step, 9), least)


class _Store:
    """One store, to which one request is put."""

    def __init__(self, details: Mapping[str, Any]) -> None:
        self._details = details
        self._session = _Session(_key(details))
        self.client = Client(session=self._session)
        self._api = f"{details['url']}/retrieve/v1"

    def made(self, kept: Path) -> Asset:
        """Return the file that the store made, of the job that is kept or of a new one."""
        job = self._kept(kept)
        if job is not None:
            log.info("%s: going on with job %s", self._details["dataset"], job)
            try:
                return self._wait(kept, job)
            except MissingError:
                log.info("%s: the store has forgotten job %s", self._details["dataset"], job)
        return self._wait(kept, self._submit(kept))

    def _kept(self, kept: Path) -> str | None:
        try:
            record = json.loads(kept.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return record["job"] if record["inputs"] == self._details["inputs"] else None

    def _submit(self, kept: Path) -> str:
        dataset, inputs = self._details["dataset"], self._details["inputs"]
        url = f"{self._api}/processes/{dataset}/execution"
        try:
            job = self.client.json(url, method="POST", body={"inputs": inputs})["jobID"]
        except ConcertoError as error:
            raise self._refused(error) from None
        with whole_file(kept) as part:
            part.write_text(json.dumps({"job": job, "inputs": inputs}), encoding="utf-8")
        log.info("%s: asked for, job %s", dataset, job)
        return job

    def _refused(self, error: ConcertoError) -> ConcertoError:
        """Return an error with what the store said, and what to do about it."""
        said, status = self._session.said, self._session.status
        dataset = self._details["dataset"]
        if status is None or status >= 500:
            return error
        title = str(said.get("title", ""))
        expected = "a request that the dataset's page allows"
        if status == requests.codes.unauthorized:
            expected = f"the key of {self._page('profile')} in {_places(self._details['key'])}"
        elif "licence" in title:
            expected = f"accept at {self._page(f'datasets/{dataset}?tab=download#manage-licences')}"
        elif "cost limits" in title or "too large" in str(said.get("detail", "")):
            expected = "a smaller request: a shorter `request` in the source's file, or area"
        return InputError(self._details["url"], dataset, self._session.message() or error, expected)

    def _page(self, path: str) -> str:
        """Return the address of one of the store's pages for people."""
        return f"{self._details['url'].removesuffix('/api')}/{path}"

    def _wait(self, kept: Path, job: str) -> Asset:
        """Return what a job made, asking whether it is ready at growing intervals."""
        poll, began = self._details["poll"], time.monotonic()
        wait = poll["first"]
        while (status := self._status(job)) in ("accepted", "running"):
            waited = time.monotonic() - began
            if waited + wait > poll["patience"]:
                what = f"{self._details['dataset']}: job {job} is {status} after {waited:.0f} s"
                raise ConcertoError(f"{what}; run again later to go on with it")
            log.info("%s: job %s is %s, %.0f s", self._details["dataset"], job, status, waited)
            time.sleep(wait)
            wait = min(wait * GROWTH, poll["longest"])
        if status != "successful":
            kept.unlink(missing_ok=True)  # else a run after mending the cause would find it again
            found = f"job {job} {status}: {self._reason(job)}"
            raise InputError(self._details["url"], self._details["dataset"], found, "a result")
        results = f"{self._api}/jobs/{job}/results"
        value = self.client.json(results)["asset"]["value"]
        name = f"{self._details['dataset']}, job {job}"
        return Asset(name, urljoin(results, value["href"]), None, int(value["file:size"]))

    def _status(self, job: str) -> str:
        try:
            return self.client.json(f"{self._api}/jobs/{job}")["status"]
        except MissingError:
            raise
        except ConcertoError as error:
            raise self._refused(error) from None

    def _reason(self, job: str) -> str:
        """Return why a job failed, as the store says where its result would be."""
        try:
            self.client.json(f"{self._api}/jobs/{job}/results")
        except ConcertoError as error:
            return self._session.message() or str(error)
        return "no reason given"


class _Session(requests.Session):
    """Connections to one store with the user's key, which follows no redirect.

    ``status`` and ``said`` are of the last answer that was a refusal.
    """

    def __init__(self, key: str) -> None:
        super().__init__()
        self.headers.update({"User-Agent": "concerto", "PRIVATE-TOKEN": key})
        self.max_redirects = 0
        self.auth = lambda request: request  # else requests adds what ~/.netrc has for the host
        self.status: int | None = None
        self.said: Mapping[str, Any] = {}
        self.hooks["response"].append(self._note)

    def message(self) -> str:
        """Return what the store said: a title, details, and the last line of a traceback."""
        traceback = str(self.said.get("traceback", "")).strip().rpartition("\n")[2]
        parts = [self.said.get("title"), self.said.get("detail"), traceback]
        return ": ".join(str(part) for part in parts if part)

    def _note(self, answer: requests.Response, **_: Any) -> None:
        if answer.status_code >= 400:
            self.status = answer.status_code
            try:
                self.said = dict(answer.json())
            except (ValueError, TypeError):
                self.said = {}


def _key(details: Mapping[str, Any]) -> str:
    """Return the user's key.

    Raises
    ------
    InputError
        If neither the environment nor a file for the store's host has one.
    """
    places = details["key"]
    key = os.environ.get(places["environment"], "").strip()
    host = urlsplit(details["url"]).netloc
    for file in filter(None, (os.environ.get("CDSAPI_RC"), places["file"])):
        path = Path(file).expanduser()
        if key or not path.exists():
            continue
        lines = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
        settings = {name.strip(): value.strip() for name, _, value in lines}
        # The file of another store must not give its key away.
        if urlsplit(settings.get("url", "")).netloc == host:
            key = settings.get("key", "")
    if not key:
        raise InputError(host, "key", "none", f"one in {_places(places)}, with this host's url")
    return key


def _places(places: Mapping[str, str]) -> str:
    return f"the variable {places['environment']} or the file {places['file']}"


def _unpack(raw: Path, path: Path) -> None:
    """Give a NetCDF file its name, taking it out of a zip archive if it is in one."""
    if not zipfile.is_zipfile(raw):
        _check_netcdf(raw, path.name)
        os.replace(raw, path)
        return
    with zipfile.ZipFile(raw) as archive:
        members = sorted(name for name in archive.namelist() if not name.endswith("/"))
    if not members or any(not name.endswith(".nc") for name in members):
        raise InputError(path.name, "archive", ", ".join(members) or "empty", "NetCDF files")
    folder = path.with_name(path.name + ".members")
    extract(raw, {f"{number}.nc": name for number, name in enumerate(members)}, folder)
    try:
        files = [folder / f"{number}.nc" for number in range(len(members))]
        for file, name in zip(files, members, strict=True):
            _check_netcdf(file, name)
        os.replace(files[0] if len(files) == 1 else _merged(files, path.name), path)
    finally:
        shutil.rmtree(folder)
    raw.unlink()


def _check_netcdf(file: Path, name: str) -> None:
    with file.open("rb") as opened:
        begin = opened.read(4)
    if begin not in BEGINNINGS:
        expected = "a NetCDF file; `query` needs data_format: netcdf"
        raise InputError(name, "content", repr(begin), expected)


def _merged(files: Sequence[Path], name: str) -> Path:
    """Write files on one grid to one file beside them, numbers as stored.

    Those with the same variables follow each other in time, the others have the same times.
    """
    target = files[0].with_name("merged.nc")
    with ExitStack() as stack:
        try:
            alike: dict[frozenset[Hashable], list[xr.Dataset]] = {}
            for file in files:
                opened = xr.open_dataset(file, engine="h5netcdf", decode_cf=False)
                stack.enter_context(opened)
                alike.setdefault(frozenset(opened.data_vars), []).append(opened)
            merged = xr.merge(
                [_in_turn(group) for group in alike.values()],
                compat="identical",
                join="exact",
                combine_attrs="drop_conflicts",
            )
        except (ValueError, OSError) as error:
            raise InputError(name, "files of the archive", error, "one grid and time") from error
        merged.to_netcdf(target, engine="h5netcdf")
    return target


def _in_turn(files: Sequence[xr.Dataset]) -> xr.Dataset:
    """Return files with the same variables, such as those of days, one after the other in time."""
    if len(files) == 1:
        return files[0]
    first = files[0]
    times = [name for name in first.dims if " since " in str(first[name].attrs.get("units"))]
    if len(times) != 1:
        raise ValueError(f"files with the same variables, and {len(times)} times in them")
    # Those of files may differ, such as dates; attributes of variables give numbers their meaning.
    return xr.concat(
        [file.drop_attrs(deep=False) for file in sorted(files, key=lambda f: f[times[0]][0])],
        times[0],
        data_vars="minimal",
        coords="minimal",
        compat="identical",
        join="exact",
        combine_attrs="identical",
    )
