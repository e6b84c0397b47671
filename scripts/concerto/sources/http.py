"""Fields in plain files on a web server, whole or as members of archives.

A locator has

``template``
    Address of the file of one period, such as ``https://host/{year}/a_{year}{month:02d}.nc``.
    Its fields are ``year``, ``month``, ``day``, ``doy`` (day of the year) and ``band`` (one file
    for each band). Without fields it is one file for all.
``step``
    Which period one file holds: ``year``, ``month`` or ``day``; not given: any.
``tile_degrees``
    Files are of tiles of so many degrees, each named by the corner with the greatest latitude and
    the least longitude, the fields ``north`` and ``west``: ``N60`` and ``E010``.
``sparse``
    The archive leaves out tiles or periods without data: each file is asked for its length, and
    one that is not there is left out.
``files``
    Instead of a template the files one by one: ``url``, and optionally ``filename``, ``sha256``,
    ``md5``, ``size``, ``bands``, ``mirrors``, ``start`` and ``end`` (the first instant that the
    file covers and the first after it). Files that hold no wanted band or day are left out.
``filename``, ``mirrors``
    Templates of the name that a file gets, if not its own, and of other addresses of it.
``members``
    The files are zip or tar archives: patterns of the paths of their members, one file each. The
    fields of a template are replaced in them too. An archive is downloaded once for all members
    of a request, so that a request should cover what an archive does.
``checksums``
    Address of the hashes: lines as ``sha256sum`` and ``md5sum`` write them, or the JSON of a
    record, or of a record's files, on Zenodo or another archive of its kind (InvenioRDM).

Without a hash, what is verified is the length; the hash is recorded.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from concerto.errors import InputError
from concerto.sources import Asset, halves
from concerto.sources._archive import extract, matching
from concerto.sources._http import Client, MissingError, public

_HASH = re.compile(r"\\?([0-9a-f]{64}|[0-9a-f]{32})[ \t]+\*?(.+)", re.IGNORECASE)
_downloading: dict[Path, threading.Lock] = {}

log = logging.getLogger(__name__)


def discover(request: Mapping[str, Any]) -> list[Asset]:
    """Return the files that a locator describes for a period.

    Parameters
    ----------
    request
        The locator, and where they matter ``start`` and ``end`` (ISO dates, end inclusive) and
        ``bands``.

    Raises
    ------
    InputError
        If no file holds a wanted band, two have the same name, or the locator is at fault, or
        lacks a hash that its list of hashes should have.
    ConcertoError
        If the list of hashes cannot be had.
    """
    entries = [*(_listed(request) if "files" in request else _expanded(request))]
    if request.get("sparse"):
        entries = _those_there(entries)
    _check_bands(entries, request)
    published = _published(request["checksums"]) if "checksums" in request else None
    assets = [asset for entry in entries for asset in _assets(entry, published)]
    names = [asset.filename for asset in assets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        expected = "each name once; `filename` says how files are to be called"
        raise InputError("locator", "files", f"{twice} {names.count(twice)} times", expected)
    return assets


def fetch(asset: Asset, path: Path) -> int:
    """Download a file, or take it out of an archive, which is kept beside it for other members.

    Raises
    ------
    InputError
        If the archive is none, or does not have exactly one such member.
    ConcertoError
        If the file cannot be had, or its hash is wrong.
    """
    client = Client()
    mirrors = asset.details.get("mirrors", ())
    if "member" not in asset.details:
        client.download(asset, path, mirrors)
        return client.received
    packed = Asset(**asset.details["archive"])
    digest = hashlib.sha256(asset.url.encode()).hexdigest()[:12]
    archive = path.with_name(f".{digest}.{packed.filename}")
    # The members that come after the first wait until the archive is here.
    with _downloading.setdefault(archive, threading.Lock()):
        if not archive.exists():
            client.download(packed, archive, mirrors)
    _take(archive, asset.details["member"], path)
    return client.received


def _take(archive: Path, pattern: str, path: Path) -> None:
    """Take the one member that a pattern describes out of an archive."""
    taken = path.with_name(f".{path.name}.member")
    try:
        extract(archive, {path.name: matching(archive, pattern)}, taken)
    except InputError as error:
        if error.field in ("format", "content"):
            archive.unlink()  # else the next attempt would find it again
        raise
    os.replace(taken / path.name, path)
    shutil.rmtree(taken)


def _expanded(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the files of a template, by period and band."""
    split = "{band" in request["template"]
    wanted = list(request.get("bands", ()))
    for start, end, fields in _periods(request):
        parts = [[band] for band in wanted] if split else [wanted]
        for bands, tile in product(parts, _tiles(request)):
            known = fields | tile | ({"band": bands[0]} if split else {})
            entry = {"start": start, "end": end, "bands": bands}
            for key in ("filename", "mirrors", "members"):
                if key in request:
                    entry[key] = _filled(request[key], known, key)
            yield entry | {"url": _filled(request["template"], known, "template")}


def _tiles(request: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the fields of each tile that the area touches, none of the one where all is one."""
    size = request.get("tile_degrees")
    if size is None:
        return [{}]
    low, high = (math.floor(request["south"] / size), math.ceil(request["north"] / size))
    names = []
    for row, (left, right) in product(
        range(max(high, low + 1), low, -1), halves(request["west"], request["east"])
    ):
        first, last = math.floor(left / size), math.ceil(right / size)
        for column in range(first, max(last, first + 1)):
            north, west = row * size, column * size
            names.append(
                {
                    "north": f"{'S' if north < 0 else 'N'}{abs(north):02d}",
                    "west": f"{'W' if west < 0 else 'E'}{abs(west):03d}",
                }
            )
    return names


def _those_there(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the files that the archive has, with their lengths."""
    client, there = Client(), []
    for entry in entries:
        try:
            there.append(entry | {"size": client.size(entry["url"])})
        except MissingError:
            log.info("%s: not there", public(entry["url"]))
    log.info("%d of %d files are there", len(there), len(entries))
    return there


def _periods(
    request: Mapping[str, Any],
) -> Iterator[tuple[str | None, str | None, dict[str, Any]]]:
    """Yield first instant, end and fields of the files' periods that begin before the last day."""
    step = request.get("step")
    if step is None:
        yield None, None, {}
        return
    day, last = (_day(request[key]) for key in ("start", "end"))
    if step in ("year", "month"):
        day = day.replace(day=1, month=1 if step == "year" else day.month)
    length = {"year": 366, "month": 31, "day": 1}[step]
    while day <= last:
        after = day + timedelta(days=length)
        if step in ("year", "month"):
            after = after.replace(day=1)
        fields = {"year": day.year, "month": day.month, "day": day.day}
        yield day.isoformat(), after.isoformat(), fields | {"doy": day.timetuple().tm_yday}
        day = after


def _filled(template: Any, fields: Mapping[str, Any], key: str) -> Any:
    """Return a template, or each of a list, with its fields replaced."""
    if isinstance(template, list):
        return [_filled(item, fields, key) for item in template]
    try:
        return template.format_map(fields)
    except KeyError as error:
        expected = f"one of {', '.join(fields) or 'none, as there is no `step`'}"
        raise InputError("locator", key, f"field {error}", expected) from None


def _listed(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield those of the files named one by one that hold a wanted day and band."""
    wanted = list(request.get("bands", ()))
    first, last = (request.get(key) for key in ("start", "end"))
    for file in request["files"]:
        entry = {"bands": wanted, "members": request.get("members", [])} | file
        before = first and entry.get("end") and _day(entry["end"]) <= _day(first)
        after = last and entry.get("start") and _day(entry["start"]) > _day(last)
        held = not wanted or set(wanted) & set(entry["bands"])
        if held and not before and not after:
            yield entry


def _check_bands(entries: list[dict[str, Any]], request: Mapping[str, Any]) -> None:
    held = {band for entry in entries for band in entry["bands"]}
    missing = [band for band in request.get("bands", ()) if band not in held]
    if missing and not request.get("may_be_empty"):
        period = f"{request.get('start')} to {request.get('end')}"
        expected = f"one that holds {', '.join(missing)} in the period {period}"
        raise InputError("locator", "files", "none", expected)


def _assets(entry: Mapping[str, Any], published: Mapping[str, Any] | None) -> Iterator[Asset]:
    """Yield what is to be obtained of one file: itself, or members of it."""
    url = entry["url"]
    original = unquote(PurePosixPath(urlsplit(url).path).name)
    said = {key: entry[key] for key in ("sha256", "md5", "size") if key in entry}
    if published is not None:
        if original not in published:
            expected = f"that of {original}, as of all files of the source"
            raise InputError("locator", "checksums", "no hash", expected)
        said = published[original] | said
    md5 = said.pop("md5", None)
    details = {"md5": md5} if md5 else {}
    covered = {key: _text(entry.get(key)) for key in ("start", "end")}
    covered["bands"] = tuple(entry["bands"])
    mirrors = {"mirrors": list(entry["mirrors"])} if entry.get("mirrors") else {}
    if not entry.get("members"):
        name = entry.get("filename", original)
        yield Asset(name, url, **said, **covered, details=details | mirrors)
    for pattern in entry.get("members") or ():
        name = entry.get("filename", re.sub(r"[*?\[\]]", "_", PurePosixPath(pattern).name))
        packed = {"filename": original, "url": url, "details": details} | said
        taken = {"archive": packed, "member": pattern} | mirrors
        yield Asset(name, url, **covered, details=taken)


def _published(url: str) -> dict[str, dict[str, Any]]:
    """Return hash, and length if given, by file name, of a list of hashes or a record's files."""
    content = Client().whole(url)
    if content is None:
        raise InputError(public(url), "checksums", "no such file", "a list of hashes")
    text = content.decode("utf-8", errors="replace")
    expected = "lines of SHA-256 or MD5, or a record of InvenioRDM"
    try:
        found = dict(_of_record(json.loads(text)))
    except json.JSONDecodeError:
        found = dict(filter(None, map(_of_line, text.splitlines())))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(public(url), "checksums", "other JSON", expected) from None
    if not found:
        raise InputError(public(url), "checksums", "no hash", expected)
    return found


def _of_record(record: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name, hash and length of the files of a record of InvenioRDM, such as Zenodo."""
    while isinstance(record, dict) and ("files" in record or "entries" in record):
        record = record.get("files", record.get("entries"))
    for file in record.values() if isinstance(record, dict) else record:
        algorithm, _, value = file["checksum"].partition(":")
        yield file["key"], {algorithm: value.lower(), "size": int(file["size"])}


def _of_line(line: str) -> tuple[str, dict[str, str]] | None:
    found = _HASH.fullmatch(line.strip())
    if found is None:
        return None
    algorithm = "sha256" if len(found[1]) == 64 else "md5"
    return PurePosixPath(found[2]).name, {algorithm: found[1].lower()}


def _day(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
