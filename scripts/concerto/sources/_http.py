"""HTTP that is polite, survives what networks do, and never leaves a wrong file behind.

Waits and time-outs can be changed by the environment: ``CONCERTO_HTTP_FIRST_WAIT_S``,
``CONCERTO_HTTP_LONGEST_WAIT_S`` and ``CONCERTO_HTTP_TIMEOUT_S``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import random
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3
from fsspec.caching import BaseCache
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from concerto.errors import ConcertoError, InputError
from concerto.progress import Progress
from concerto.sources import Asset

ATTEMPTS = 6
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
LONGEST_ASKED_WAIT_S = 900.0
"""Where a server asks for a longer wait, the user is told to come back."""
CONNECT_TIMEOUT_S = 15.0
TIMEOUT_S = 60.0
LEAST_BYTES_PER_S = 1000
"""A body that comes slower than this during a whole time-out counts as cut."""
PROGRESS_BYTES = 1 << 20
"""A download that grew by this since the last fault has all its attempts again."""
CONNECTIONS_PER_HOST = 4
CHUNK_BYTES = 1 << 18
BLOCK_BYTES = 1 << 16
BLOCKS_KEPT = 256
HEADS_KEPT = 64
LARGEST_WHOLE_BYTES = 1 << 25
"""So much of an object is read where its server does not send parts of it."""

LOGIN = "a login, its renewal or the acceptance of a licence may be missing"
_HTML = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html)", re.IGNORECASE)
_SECRETS = re.compile(r"(?<=//)[^/\s@]*@|(?<=\?)[^\s\"'<>)]+")
"""User and password of an address, and its query, in the text of a log."""
_slots: dict[str, threading.BoundedSemaphore] = {}

log = logging.getLogger(__name__)
T = TypeVar("T")


class MissingError(ConcertoError):
    """The server has no such object."""


class _CutError(requests.ConnectionError):
    """The server ended a body early, or sent another than it announced."""


class _SignatureError(requests.HTTPError):
    """The server refused a signed address, whose signature may have expired."""


class _Version(NamedTuple):
    """What tells one state of an object from another, as far as its server says."""

    length: int
    etag: str | None
    modified: str | None


def public(url: str) -> str:
    """Return an address without its query, fragment, user and password."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _keep_secrets() -> None:
    """Let the libraries below log no secrets, at whatever level.

    Those of HTTP log whole addresses, also signed ones; those of S3 the headers of requests.
    """
    # A logger's filter sees its own records alone, not those of loggers below it.
    for name in list(logging.root.manager.loggerDict):
        library = name.partition(".")[0]
        if library in ("urllib3", "requests"):
            logging.getLogger(name).addFilter(_without_secrets)
        elif library in ("botocore", "aiobotocore", "s3fs"):
            logging.getLogger(name).addFilter(_no_details)


def _without_secrets(record: logging.LogRecord) -> bool:
    """Take what may be secret in addresses out of a message."""
    record.msg, record.args = _SECRETS.sub("", record.getMessage()), ()
    return True


def _no_details(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def none_served(faults: Sequence[ConcertoError]) -> ConcertoError:
    """Return the one error to raise where neither a place nor its mirrors served."""
    if len(faults) == 1:
        return faults[0]
    return ConcertoError("; and of its mirrors, ".join(map(str, faults)))


def time_outs() -> tuple[float, float]:
    """Return how long to wait for a connection and for the next bytes, in seconds."""
    wait = _setting("TIMEOUT_S", TIMEOUT_S)
    return min(CONNECT_TIMEOUT_S, wait), wait


class Client:
    """Asks servers for objects, parts of them and answers, and counts what it receives.

    What may pass is tried again: cut connections, wrong lengths, time-outs, server errors (5xx),
    "too many requests" (429) and, with ``sign``, signatures that have expired (403).

    Parameters
    ----------
    headers
        Sent with each request, such as a login. They follow no redirect to another host, nor do
        mirrors on other hosts get them.
    sign
        Returns the address to ask instead of an object's own. It is asked once for each object,
        and again where the server refuses the signed address.
    session
        Connections with a login of their own, instead of plain ones.
    """

    def __init__(
        self,
        headers: Mapping[str, str] = {},
        sign: Callable[[str], str] | None = None,
        session: requests.Session | None = None,
    ) -> None:
        _keep_secrets()
        self.received = 0
        self._headers = dict(headers)
        self._session = session or _Session(self._headers)
        self._sign = sign
        self._signed: dict[str, str] = {}
        self._versions: dict[str, _Version] = {}
        self._lock = threading.Lock()

    def json(
        self,
        url: str,
        *,
        method: str = "GET",
        params: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Any:
        """Return a server's answer in JSON.

        Parameters
        ----------
        url
            What to ask.
        method
            GET, or POST with a ``body``.
        params
            Of the query.
        body
            Sent as JSON.

        Raises
        ------
        InputError
            If the answer is not JSON.
        ConcertoError
            If the server cannot be reached, or refuses.
        """
        what = public(url)

        def ask() -> bytes:
            with self._answer(url, what, {}, method=method, params=params, json=body) as response:
                return self._body(response, what)

        content = retried(ask, what)
        try:
            return json.loads(content)
        except ValueError:
            raise InputError(what, "answer", repr(content[:80]), "JSON") from None

    def size(self, url: str) -> int:
        """Return the length of an object in bytes."""
        # Asked with a part of it: an address that is signed for GET does not answer HEAD.
        return self.part(url, 0, 1)[1]

    def read(self, url: str, start: int, stop: int) -> bytes:
        """Return the bytes of an object from ``start`` to before ``stop``.

        Raises
        ------
        InputError
            If the object ends before, or changed since a part of it was read.
        ConcertoError
            If the server cannot be reached, or refuses.
        """
        content, length = self.part(url, start, stop)
        if len(content) != stop - start:
            raise InputError(public(url), "length", f"{length} bytes", f"at least {stop} bytes")
        return content

    def part(self, url: str, start: int, stop: int) -> tuple[bytes, int]:
        """Return what an object has from ``start`` to before ``stop``, and its whole length.

        Raises
        ------
        InputError
            If the object changed since a part of it was read.
        ConcertoError
            If the server cannot be reached, or refuses.
        """
        what = public(url)

        def ask() -> tuple[bytes, int]:
            with self._answer(url, what, _plain(f"bytes={start}-{stop - 1}")) as response:
                first, length = _extent(response)
                if length == 0 and response.ok:
                    raise _CutError("the answer was empty")
                if length is None:
                    raise ConcertoError(f"{what}: the server does not say how long the file is")
                self._check_same(url, what, _Version(length, *_validators(response)))
                end = min(stop, length)
                if start >= end:
                    return b"", length
                if first > start or (first < start and end > LARGEST_WHOLE_BYTES):
                    raise ConcertoError(f"{what}: the server does not send parts of files")
                content = self._body(response, what, end - first)[start - first :]
            if len(content) != end - start:
                raise _CutError(f"found {len(content)} bytes; expected {end - start} bytes")
            return content, length

        return retried(ask, what)

    def whole(self, url: str) -> bytes | None:
        """Return a small object, or None where there is none.

        Raises
        ------
        ConcertoError
            If the server cannot be reached, or refuses.
        """
        what = public(url)

        def ask() -> bytes:
            with self._answer(url, what, _plain()) as response:
                if _extent(response)[1] is None and not response.raw.chunked:
                    raise ConcertoError(f"{what}: the server does not say how long the file is")
                return self._body(response, what)

        try:
            return retried(ask, what)
        except MissingError:
            return None

    def download(self, asset: Asset, path: Path, mirrors: Sequence[str] = ()) -> None:
        """Download ``asset`` to ``path`` from its address or, in turn, from ``mirrors``.

        The content goes to ``path`` with ``.part`` added, where an interrupted download leaves
        what it got and the next one goes on; it is renamed once its length and hash are right.
        Where no hash is known (``sha256``, or ``md5`` in the details), the next one goes on only
        if the server says that the file is still the same.

        Raises
        ------
        InputError
            If the hash is wrong; the part is deleted.
        ConcertoError
            If the server cannot be reached, refuses or sends something else.
        """
        part = path.with_name(path.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        faults: list[ConcertoError] = []
        for url in (asset.url, *mirrors):
            # A login is for the host that it was given for.
            client = self if _host(url) == _host(asset.url) else Client()
            try:
                client._fill(part, asset, url)
            except ConcertoError as error:
                log.warning("%s", error)
                faults.append(error)
                continue
            finally:
                if client is not self:
                    self._count(client.received)
            os.replace(part, path)
            log.info("%s: complete, %d bytes", asset.filename, path.stat().st_size)
            return
        raise none_served(faults)

    def _fill(self, part: Path, asset: Asset, url: str) -> None:
        """Complete a part from one address, and verify it."""
        what = f"{asset.filename} from {_host(url)}"
        complete = _hashes(asset) and _length(part) == asset.size
        at_once = False if complete else self._transfer(part, asset, url, what)
        fault = _wrong_hash(part, asset)
        if fault is not None and not at_once:
            log.warning("%s: what several answers brought is not the file; from its start", what)
            _drop(part)
            self._transfer(part, asset, url, what)
            fault = _wrong_hash(part, asset)
        if fault is not None:
            _drop(part)
            raise fault
        _validator_file(part).unlink(missing_ok=True)

    def _transfer(self, part: Path, asset: Asset, url: str, what: str) -> bool:
        """Append what a part lacks; return whether one answer brought all of it."""

        def attempt() -> bool:
            start, known = _length(part), None
            if not _hashes(asset):
                known = _validator(part)
                start = start if known else 0
            asked = _plain(f"bytes={start}-" if start else "", known)
            with self._answer(url, what, asked) as response:
                return self._append(response, part, asset, start)

        return retried(attempt, what, done=lambda: _length(part))

    def _append(self, response: requests.Response, part: Path, asset: Asset, start: int) -> bool:
        """Write an answer to a part; return whether it was the whole file."""
        first, length = _extent(response)
        expected = length if asset.size is None else asset.size
        if length == 0 and asset.size != 0:
            raise _CutError("the answer was empty")
        if length not in (None, expected):
            raise _CutError(f"the server has {length} bytes; expected {expected} bytes")
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if start == expected:
                return False
            _drop(part)
            raise _CutError(f"the server has nothing after byte {start}; from the beginning")
        hashed = bool(_hashes(asset))
        if expected is None and not hashed and not response.raw.chunked:
            raise ConcertoError(
                f"{asset.filename}: the server does not say how long the file is; "
                "the source's file can say its size or sha256"
            )
        if not hashed and first == 0:
            _validator_file(part).write_text(_strong(response), encoding="utf-8")
        elif not hashed and _strong(response) != _validator(part):
            _drop(part)
            raise _CutError("the file changed while it came")
        if first > start:
            raise ConcertoError(f"{asset.filename}: the server sent another part than asked for")
        if first:
            log.info("%s: from byte %d of %s", asset.filename, first, expected or "unknown")
        with part.open("r+b" if first else "wb") as file:
            file.truncate(first)
            file.seek(first)
            of = f" of {expected / 1e6:.1f}" if expected else ""
            # Of small files, of which there may be many, no lines.
            with Progress(asset.filename, expected, first, part=math.inf) as progress:
                for chunk in self._chunks(response):
                    file.write(chunk)
                    progress.report(file.tell(), f"{file.tell() / 1e6:.1f}{of} MB")
        _check_part(part, asset, expected)
        return first == 0 and expected is not None

    @contextmanager
    def _answer(
        self, url: str, what: str, headers: Mapping[str, str], method: str = "GET", **content: Any
    ) -> Iterator[requests.Response]:
        """Yield a server's answer before its body came; raise its refusal."""
        address = url
        if self._sign is not None:
            address = self._signed.get(url) or self._sign(url)
            self._signed[url] = address
        given = {"headers": {**self._headers, **headers}, "stream": True, "timeout": time_outs()}
        with _slot(url), self._session.request(method, address, **given, **content) as response:
            if self._sign is not None and response.status_code == requests.codes.forbidden:
                self._signed.pop(url, None)
                raise _SignatureError(response=response)
            if response.status_code != requests.codes.requested_range_not_satisfiable:
                response.raise_for_status()
            if "html" in response.headers.get("Content-Type", ""):
                raise _page(what)
            yield response

    def _body(self, response: requests.Response, what: str, least: int | None = None) -> bytes:
        """Return a body, or its first ``least`` bytes."""
        content = bytearray()
        for chunk in self._chunks(response):
            content += chunk
            if least is not None and len(content) >= least:
                break
        if _HTML.match(content):
            raise _page(what)
        return bytes(content[:least])

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        """Yield a body as it comes; raise where it is cut or comes too slowly."""
        # As sent: a file that is itself compressed must not be unpacked on the way. Only JSON is
        # asked for compressed.
        decode = response.request.headers.get("Accept-Encoding") != "identity"
        allowed = time_outs()[1]
        since, came = time.monotonic(), 0
        try:
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=decode):
                self._count(len(chunk))
                yield chunk
                came += len(chunk)
                elapsed = time.monotonic() - since
                if elapsed > allowed:
                    if came < LEAST_BYTES_PER_S * elapsed:
                        raise _CutError(f"only {came} bytes came in {elapsed:.0f} s")
                    since, came = time.monotonic(), 0
        except urllib3.exceptions.HTTPError as error:
            raise _CutError(f"the answer broke off ({type(error).__name__})") from None

    def _check_same(self, url: str, what: str, version: _Version) -> None:
        known = self._versions.setdefault(url, version)
        if any(a != b and None not in (a, b) for a, b in zip(known, version, strict=True)):
            raise InputError(what, "file", "another version than before", "one file all the time")

    def _count(self, received: int) -> None:
        with self._lock:
            self.received += received


class _Session(requests.Session):
    """Connections whose own headers, which may be a login, reach no other host by a redirect."""

    def __init__(self, own: Mapping[str, str]) -> None:
        super().__init__()
        self._own = own
        self.headers["User-Agent"] = "concerto"
        if any(name.lower() == "authorization" for name in own):
            # Else requests puts what ~/.netrc has for the host in its place.
            self.auth = lambda request: request

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Take the login away where a redirect leaves its host."""
        if self.should_strip_auth(response.request.url, prepared_request.url):
            for name in self._own:
                prepared_request.headers.pop(name, None)
            super().rebuild_auth(prepared_request, response)


class RemoteFiles(AbstractFileSystem):
    """Remote objects as files that are read by their parts.

    Rasterio (``opener``), h5netcdf and zarr read through it. Paths are addresses. With
    ``GDAL_DISABLE_READDIR_ON_OPEN=EMPTY_DIR`` GDAL asks for no files beside the one to open.

    Attributes
    ----------
    error
        The last error raised inside a library that may hide it, such as GDAL.
    """

    protocol = ("http", "https")
    cachable = False

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.error: Exception | None = None
        self._client = client
        self._heads: OrderedDict[str, tuple[bytes, int]] = OrderedDict()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path

    def ls(self, path: str, detail: bool = True, **_options: Any) -> list[Any]:
        """Return nothing: over HTTP there are files, but no folders."""
        return []

    def info(self, path: str, **_options: Any) -> dict[str, Any]:
        """Return name, type and length of a file."""
        return {"name": path, "type": "file", "size": self._head(path)[1]}

    def exists(self, path: str, **_options: Any) -> bool:
        """Return whether there is such a file; that it is refused does not mean that it is not."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **_options: Any
    ) -> bytes:
        """Return a file's content, or a part of it; a negative ``start`` counts from its end."""
        if start is None and end is None:
            content = self._kept(self._client.whole, path)
            if content is None:
                raise FileNotFoundError(public(path))
            return content
        first = start or 0
        if first < 0 or end is None or end < 0:
            length = self._head(path)[1]
            first = max(first + length, 0) if first < 0 else first
            end = length if end is None else end + length if end < 0 else end
        return self._kept(self._client.part, path, first, end)[0] if first < end else b""

    def _open(self, path: str, mode: str = "rb", **_options: Any) -> _RemoteFile:
        if mode != "rb":
            raise InputError(public(path), "mode", mode, "rb, as remote files are only read")
        head, size = self._head(path)
        return _RemoteFile(self, path, head, size)

    def _head(self, path: str) -> tuple[bytes, int]:
        """Return a file's first block and its length, which come in one request."""
        head = self._heads.get(path)
        if head is None:
            head = self._kept(self._client.part, path, 0, BLOCK_BYTES)
            self._heads[path] = head
            if len(self._heads) > HEADS_KEPT:
                self._heads.popitem(last=False)
        return head

    def _kept(self, ask: Callable[..., T], path: str, *arguments: Any) -> T:
        """Ask the client and keep its error, unless a library is told that there is no file."""
        if not path.startswith(("http://", "https://")):
            raise FileNotFoundError(path)
        try:
            return ask(path, *arguments)
        except MissingError as error:
            # Libraries look for files that may lie beside another; that there is none is the
            # error only where there is no other.
            self.error = self.error or error
            raise FileNotFoundError(public(path)) from None
        except Exception as error:
            self.error = error
            raise


class _RemoteFile(AbstractBufferedFile):
    """One object, whose parts are asked for as they are read."""

    def __init__(self, files: RemoteFiles, path: str, head: bytes, size: int) -> None:
        super().__init__(files, path, "rb", BLOCK_BYTES, cache_type="none", size=size)
        self.cache = _Blocks(BLOCK_BYTES, self._fetch_range, size, head)

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.fs._kept(self.fs._client.read, self.path, start, end)


class _Blocks(BaseCache):
    """Blocks of a file; neighbours that are not here yet come in one request."""

    name = "concerto"

    def __init__(
        self, blocksize: int, fetcher: Callable[[int, int], bytes], size: int, head: bytes
    ) -> None:
        super().__init__(blocksize, fetcher, size)
        self._blocks = OrderedDict({0: head})

    def _fetch(self, start: int | None, stop: int | None) -> bytes:
        start, stop = start or 0, self.size if stop is None else min(stop, self.size)
        if start >= stop:
            return b""
        first, last = start // self.blocksize, (stop - 1) // self.blocksize
        wanted = {n: self._blocks.pop(n, None) for n in range(first, last + 1)}
        for run in _runs(n for n, block in wanted.items() if block is None):
            offset = run[0] * self.blocksize
            content = self.fetcher(offset, min((run[-1] + 1) * self.blocksize, self.size))
            for n in run:
                begin = n * self.blocksize - offset
                wanted[n] = content[begin : begin + self.blocksize]
        self._blocks.update(wanted)
        while len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        offset = first * self.blocksize
        return b"".join(wanted.values())[start - offset : stop - offset]


def retried(attempt: Callable[[], T], what: str, done: Callable[[], int] = lambda: 0) -> T:
    """Return what ``attempt`` returns, trying again after faults that may pass.

    Between attempts lies a randomly spread, exponentially growing wait, or as long as the server
    asks for.

    Parameters
    ----------
    attempt
        Raises what requests raises.
    what
        What is wanted, for the log and for errors.
    done
        Returns how many bytes there are already; where they grow, one does not tire.

    Raises
    ------
    ConcertoError
        If the fault is of another kind or the last attempt fails.
    """
    trial, most, before = 1, done(), None
    while True:
        try:
            return attempt()
        except requests.RequestException as error:
            if done() >= most + PROGRESS_BYTES:
                trial, most = 1, done()
            if trial >= ATTEMPTS or not _may_pass(error, before):
                raise _refusal(what, error) from None
            wait = _wait_s(trial, error, what)
            log.warning("%s: %s; trying again in %.0f s", what, _describe(error), wait)
            before = error
        time.sleep(wait)
        trial += 1


def _may_pass(error: requests.RequestException, before: requests.RequestException | None) -> bool:
    if isinstance(error, requests.exceptions.SSLError):
        return False
    if isinstance(error, _SignatureError):
        return not isinstance(before, _SignatureError)
    if error.response is not None:
        status = error.response.status_code
        return status >= 500 or status == requests.codes.too_many_requests
    cut = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return isinstance(error, cut)


def _wait_s(trial: int, error: requests.RequestException, what: str) -> float:
    wait = _setting("FIRST_WAIT_S", FIRST_WAIT_S) * 2 ** (trial - 1) * random.uniform(0.5, 1.5)
    wait = min(wait, _setting("LONGEST_WAIT_S", LONGEST_WAIT_S))
    asked = _asked_wait_s(error)
    if asked > LONGEST_ASKED_WAIT_S:
        raise ConcertoError(f"{what}: the server asks to come back in {asked:.0f} s") from None
    return max(wait, asked)


def _asked_wait_s(error: requests.RequestException) -> float:
    """Return for how long a server asks to wait, given in seconds or as a date."""
    asked = error.response.headers.get("Retry-After", "") if error.response is not None else ""
    if asked.isdecimal():
        return float(asked)
    try:
        return (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _refusal(what: str, error: requests.RequestException) -> ConcertoError:
    status = error.response.status_code if error.response is not None else None
    if status in (requests.codes.not_found, requests.codes.gone):
        return MissingError(f"{what}: the server has no such file ({status})")
    advice = f"; {LOGIN}" if status in (401, 403) else ""
    return ConcertoError(f"{what}: {_describe(error)}{advice}")


def _page(what: str) -> ConcertoError:
    return ConcertoError(f"{what}: the server sent a page in HTML instead of data; {LOGIN}")


def _describe(error: requests.RequestException) -> str:
    """Say what went wrong without the whole address, which may hold a password."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, _CutError):
        return str(error)
    host = _host(error.request.url) if error.request is not None else "the server"
    return f"no complete answer from {host} ({type(error).__name__})"


def _hashes(asset: Asset) -> dict[str, str]:
    """Return what a file's hashes must be; some archives publish MD5 alone."""
    known = {"sha256": asset.sha256, "md5": asset.details.get("md5")}
    return {algorithm: value for algorithm, value in known.items() if value}


def _wrong_hash(part: Path, asset: Asset) -> InputError | None:
    for algorithm, expected in _hashes(asset).items():
        with part.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != expected:
            return InputError(asset.filename, algorithm, found, expected)
    return None


def _check_part(part: Path, asset: Asset, expected: int | None) -> None:
    """Refuse a part that is not of its length, is empty or is a page of HTML."""
    length = _length(part)
    with part.open("rb") as file:
        begins_as_page = _HTML.match(file.read(512))
    if begins_as_page:
        _drop(part)
        raise _page(asset.filename)
    if length == 0 and asset.size != 0:
        raise _CutError("the answer was empty")
    if expected is not None and length != expected:
        if length > expected:
            _drop(part)
        raise _CutError(f"found {length} bytes; expected {expected} bytes")


def _extent(response: requests.Response) -> tuple[int, int | None]:
    """Return where in its object an answer begins, and the object's length if it is said."""
    if response.status_code == requests.codes.ok:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    sent = re.match(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", ""))
    if sent is None and response.status_code == requests.codes.partial_content:
        raise _CutError("the server does not say which part it sent")
    if sent is None:
        return 0, None
    length = int(sent[2]) if sent[2].isdecimal() else None
    return int(sent[1]) if sent[1] else length or 0, length


def _validators(response: requests.Response) -> tuple[str | None, str | None]:
    etag = response.headers.get("ETag")
    return etag.removeprefix("W/") if etag else None, response.headers.get("Last-Modified")


def _strong(response: requests.Response) -> str:
    """Return what tells that a file is still the same to the byte, empty where nothing does."""
    etag = response.headers.get("ETag", "")
    return response.headers.get("Last-Modified", "") if etag[:2] in ("", "W/") else etag


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator_file(part).unlink(missing_ok=True)


def _validator_file(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _validator(part: Path) -> str:
    file = _validator_file(part)
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _plain(range_: str = "", version: str | None = None) -> dict[str, str]:
    """Return the headers to ask for an object as it is, or for a part of one version of it."""
    headers = {"Accept-Encoding": "identity"}
    if range_:
        headers["Range"] = range_
    if range_ and version:
        headers["If-Range"] = version
    return headers


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Return increasing numbers as runs without a gap."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _slot(url: str) -> threading.BoundedSemaphore:
    return _slots.setdefault(_host(url), threading.BoundedSemaphore(CONNECTIONS_PER_HOST))


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _setting(name: str, usual: float) -> float:
    variable = f"CONCERTO_HTTP_{name}"
    text = os.environ.get(variable)
    if text is None:
        return usual
    try:
        return float(text)
    except ValueError:
        raise InputError("environment", variable, repr(text), "a number of seconds") from None
