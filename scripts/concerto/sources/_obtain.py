"""Obtain the files of one request of a field source: all of them, verified, or none.

What is complete stays beside the request's folder, in ``.downloads``, until all is, so that a run
that was killed goes on. A journal there has a line for each complete file, with its hash.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from concerto.errors import ConcertoError, InputError
from concerto.plugins import load
from concerto.progress import Progress
from concerto.provenance import FILENAME, sha256_of
from concerto.sources import Asset
from concerto.sources._http import none_served, public

LOOK_S = 0.5

log = logging.getLogger(__name__)
_journal_lock = threading.Lock()


def obtain(
    name: str,
    source: Mapping[str, Any],
    request: Mapping[str, Any],
    directory: Path,
    connections: int = 2,
) -> None:
    """Fill ``directory`` with the files of a request and their provenance, whole or not at all.

    The source's own place is asked first, then each of its mirrors. None is asked where the
    directory holds the files of the same request already.

    Parameters
    ----------
    name
        The source's name, a file in config/sources.
    source
        What that file says.
    request
        ``west``, ``south``, ``east``, ``north``, ``start``, ``end`` and ``bands``; each place's
        locator is added to it.
    directory
        Where to put the files.
    connections
        How many files are fetched at a time.

    Raises
    ------
    ConcertoError
        If neither the source's own place nor a mirror has all of them; says why of each.
    """
    places = [(place["protocol"], {**place["locator"], **request}) for place in _places(source)]
    if _is_here(directory, name, places):
        log.info("%s: here already, hashes as recorded", directory)
        return
    faults: list[ConcertoError] = []
    for protocol, asked in places:
        try:
            work, records = _fetch_all(name, protocol, asked, directory, connections)
        except ConcertoError as error:
            log.warning("%s: %s", name, error)
            faults.append(error)
            continue
        _publish(work, directory, _provenance(name, source, protocol, asked, records))
        received = sum(record["received"] for record in records) / 1e6
        log.info("%s: %d files, %.3f MB received, %s", name, len(records), received, directory)
        return
    raise none_served(faults)


def _places(source: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (source, *source.get("mirrors", ()))


def _fetch_all(
    name: str, protocol: str, asked: Mapping[str, Any], directory: Path, connections: int
) -> tuple[Path, list[dict[str, Any]]]:
    """Complete the files of a request from one place; return their folder and records."""
    module = load("sources", protocol)
    assets = _checked(name, module.discover(asked))
    text = json.dumps([protocol, asked], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    work = directory.parent / ".downloads" / f"{directory.name}.{digest}"
    (work / "files").mkdir(parents=True, exist_ok=True)
    records = _complete(work, assets)
    wanted = [asset for asset in assets if asset.filename not in records]
    log.info("%s: %d of %d files are here already", name, len(records), len(assets))
    files = _Files(work / "files", assets)
    with ThreadPoolExecutor(connections) as pool, files.start(name, len(records)) as progress:
        running = {pool.submit(_fetch_one, module, asset, work) for asset in wanted}
        try:
            while running:
                ended, running = wait(running, LOOK_S, FIRST_COMPLETED)
                for record in [future.result() for future in ended]:
                    records[record["filename"]] = record
                files.tell(progress, len(records))
        finally:
            # Files under way are let come to their end: the next run finds them complete.
            pool.shutdown(cancel_futures=True)
    return work, [records[asset.filename] for asset in assets]


def _fetch_one(module: ModuleType, asset: Asset, work: Path) -> dict[str, Any]:
    """Fetch a file and write its record into the journal; return the record."""
    path = work / "files" / asset.filename
    record = _record(asset, path, module.fetch(asset, path))
    with _journal_lock, (work / "journal").open("a", encoding="utf-8") as journal:
        journal.write(json.dumps(record) + "\n")
    log.info("%s: %.3f MB", asset.filename, record["bytes"] / 1e6)
    return record


def _record(asset: Asset, path: Path, received: int) -> dict[str, Any]:
    found = sha256_of(path)
    if asset.sha256 not in (None, found):
        raise InputError(asset.filename, "sha256", found, asset.sha256)
    return {
        "filename": asset.filename,
        "url": public(asset.url),
        "sha256": found,
        "bytes": path.stat().st_size,
        "received": received,
        "start": asset.start,
        "end": asset.end,
        "bands": list(asset.bands),
    }


def _complete(work: Path, assets: Sequence[Asset]) -> dict[str, dict[str, Any]]:
    """Return the records of files that an earlier run completed and that are as it left them."""
    journal = work / "journal"
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    kept = {record["filename"]: record for record in map(_read, lines) if record is not None}
    found = {}
    for asset in assets:
        record, path = kept.get(asset.filename), work / "files" / asset.filename
        if record is None or not path.exists():
            continue
        try:
            same = _record(asset, path, record["received"]) == record
        except InputError:
            same = False
        if same:
            found[asset.filename] = record
    return found


def _read(line: str) -> dict[str, Any] | None:
    """Return a line of the journal, or None for one that a killed run left unfinished."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def _checked(name: str, assets: list[Asset]) -> list[Asset]:
    """Return the files if each has a name of its own that stays within its folder."""
    seen = {FILENAME}
    for asset in assets:
        plain = asset.filename == Path(asset.filename).name and asset.filename[:1] not in ("", ".")
        if not plain or asset.filename in seen:
            raise InputError(name, "file", repr(asset.filename), "a plain file name, each once")
        seen.add(asset.filename)
    return assets


def _publish(work: Path, directory: Path, record: Mapping[str, Any]) -> None:
    """Put files and provenance in their place, and remove what was kept to go on."""
    files, names = work / "files", set(record["files"])
    for path in files.iterdir():
        if path.name not in names:
            path.unlink() if path.is_file() else shutil.rmtree(path)
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (files / FILENAME).write_text(text, encoding="utf-8")
    shutil.rmtree(directory, ignore_errors=True)
    os.replace(files, directory)
    for leftover in work.parent.glob(f"{directory.name}.*"):
        shutil.rmtree(leftover)


def _provenance(
    name: str,
    source: Mapping[str, Any],
    protocol: str,
    asked: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    return {
        "source": name,
        "title": source["title"],
        "origin": protocol,
        "request": _without_secrets(asked),
        "licence": source["licence"],
        "citation": source["citation"],
        "retrieved": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {
            record["filename"]: {key: value for key, value in record.items() if key != "filename"}
            for record in records
        },
    }


def _is_here(directory: Path, name: str, places: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    """Return whether a folder holds what one of the places was asked for, as it was obtained."""
    file = directory / FILENAME
    if not file.exists():
        return False
    record = json.loads(file.read_text(encoding="utf-8"))
    obtained = (record["source"], record["origin"], record["request"])
    if obtained not in [(name, protocol, _without_secrets(asked)) for protocol, asked in places]:
        return False
    files = {directory / local: entry["sha256"] for local, entry in record["files"].items()}
    return all(path.exists() and sha256_of(path) == sha256 for path, sha256 in files.items())


def _without_secrets(value: Any) -> Any:
    """Return a request as JSON has it, its addresses without query, user and password."""
    if isinstance(value, Mapping):
        return {key: _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    if isinstance(value, str):
        return public(value) if "://" in value else value
    return value if value is None or isinstance(value, int | float) else str(value)


class _Files:
    """How far the files of a request have come, by what lies in their folder."""

    def __init__(self, folder: Path, assets: Sequence[Asset]) -> None:
        sizes = [asset.size for asset in assets]
        self._folder, self._files = folder, len(assets)
        self._bytes = None if None in sizes else sum(sizes)

    def start(self, name: str, here: int) -> Progress:
        """Return what tells of it, by bytes or, where these are not known, by files."""
        if self._bytes is None:
            return Progress(name, self._files, here, unit="files", size=1.0)
        return Progress(name, self._bytes, self._length())

    def tell(self, progress: Progress, here: int) -> None:
        """Tell how many files are complete, and how many bytes are here."""
        length = self._length()
        of = "" if self._bytes is None else f" of {self._bytes / 1e6:.1f}"
        words = f"{here} of {self._files} files, {length / 1e6:.1f}{of} MB"
        progress.report(here if self._bytes is None else length, words)

    def _length(self) -> int:
        """Return the bytes of complete and incomplete files."""
        sizes = []
        for path in self._folder.iterdir():
            try:
                sizes.append(path.stat().st_size)
            except FileNotFoundError:  # renamed since, being complete
                continue
        return sum(sizes)
