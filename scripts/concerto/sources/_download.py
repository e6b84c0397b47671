"""Download over HTTP that survives cut connections and never leaves a wrong file behind."""

from __future__ import annotations

import logging
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import urlsplit

import requests

from concerto.errors import ConcertoError, InputError
from concerto.provenance import sha256_of
from concerto.sources import Asset

ATTEMPTS = 6
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
TIMEOUT_S = (15, 60)
CHUNK_BYTES = 1 << 18
REPORT_BYTES = 5_000_000

log = logging.getLogger(__name__)
T = TypeVar("T")


def download(asset: Asset, path: Path, session: requests.Session) -> None:
    """Download ``asset`` to ``path``.

    The content goes to ``path`` with ``.part`` added, where an interrupted download leaves what it
    got and the next one goes on; it is renamed once its length and hash are right.

    Raises
    ------
    InputError
        If the length or the hash is wrong; a part with the wrong hash is deleted.
    ConcertoError
        If the server cannot be reached, or refuses.
    """
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if asset.size is None or _length(part) != asset.size:
        retried(lambda: _transfer(asset, part, session), asset.filename)
    found = sha256_of(part)
    if found != asset.sha256:
        part.unlink()
        raise InputError(asset.filename, "sha256", found, asset.sha256)
    os.replace(part, path)
    log.info("%s: complete, sha256 as expected", asset.filename)


def retried(attempt: Callable[[], T], what: str) -> T:
    """Return what ``attempt`` returns, trying again after faults that may pass.

    Cut or refused connections, time-outs, server errors (5xx) and "too many requests" (429) are
    tried again after a randomly spread, exponentially growing wait, or as long as the server asks.

    Raises
    ------
    ConcertoError
        If the fault is of another kind or the last attempt fails.
    """
    for trial in range(1, ATTEMPTS + 1):
        try:
            return attempt()
        except requests.RequestException as error:
            if trial == ATTEMPTS or not _may_pass(error):
                raise ConcertoError(f"{what}: {_describe(error)}") from error
            wait = _wait_s(trial, error)
            log.warning("%s: %s; trying again in %.0f s", what, _describe(error), wait)
        time.sleep(wait)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _transfer(asset: Asset, part: Path, session: requests.Session) -> None:
    """Append to ``part`` what it lacks, or write it anew where the server cannot go on."""
    start = _length(part)
    # Compressed transfer would make byte ranges and lengths those of another file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with session.get(asset.url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # nothing is left to send: the hash tells whether the part is the file
        response.raise_for_status()
        if not _continues(response, start):
            start = 0
        total = asset.size or _total(response, start)
        log.info("%s: from byte %d of %s", asset.filename, start, total or "unknown")
        with part.open("ab" if start else "wb") as file:
            _copy(response, file, asset.filename, start, total)
    length = _length(part)
    if total is not None and length != total:
        if length > total:
            part.unlink()
        raise _CutError(f"found {length} bytes; expected {total} bytes")


class _CutError(requests.ConnectionError):
    """The server ended a body early without saying so."""


def _copy(
    response: requests.Response, file: IO[bytes], name: str, done: int, total: int | None
) -> None:
    reported = done
    for chunk in response.iter_content(CHUNK_BYTES):
        file.write(chunk)
        done += len(chunk)
        if done - reported >= REPORT_BYTES:
            reported = done
            of = f" of {total / 1e6:.1f}" if total else ""
            log.info("%s: %.1f%s MB", name, done / 1e6, of)


def _continues(response: requests.Response, start: int) -> bool:
    sent = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    partial = response.status_code == requests.codes.partial_content
    return partial and sent is not None and int(sent[1]) == start


def _total(response: requests.Response, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _may_pass(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        return False
    if error.response is not None:
        status = error.response.status_code
        return status >= 500 or status == requests.codes.too_many_requests
    cut = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, cut)


def _wait_s(trial: int, error: requests.RequestException) -> float:
    asked = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    wait = FIRST_WAIT_S * 2 ** (trial - 1) * random.uniform(0.5, 1.5)
    return min(max(wait, float(asked) if asked.isdecimal() else 0.0), LONGEST_WAIT_S)


def _describe(error: requests.RequestException) -> str:
    """Say what went wrong without the whole address, which may hold a password."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, _CutError):
        return str(error)
    host = urlsplit(error.request.url).hostname if error.request is not None else "the server"
    return f"no complete answer from {host} ({type(error).__name__})"
