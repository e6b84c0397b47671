"""A web server on this machine with the faults that real ones and the ways to them have.

What happens to the next requests for a path is scripted as a list of faults, in turn:

``503``             that status, and any other
``429 1``           too many requests: come back in a second
``429 date 2``      the same, as a date two seconds from now
``reset``           the connection is closed without an answer
``cut 200``         the body ends after 200 bytes
``stall 200``       after 200 bytes nothing comes until the server is closed
``drip 10 0.01``    10 bytes at a time, each 0.01 s after the last
``short 5``         5 bytes less are announced, and sent
``long 5``          5 bytes more are announced than sent
``corrupt``         a byte in the middle is another one
``html``            a login page with status 200
``hidden html``     the same page, as if it were data
``redirect URL``    the answer is elsewhere
``empty``           a body without a byte
``whole``           the asked range is ignored
``other range``     bytes from one too late
``unsaid range``    the asked range, without saying that it is one
``no length``       the length is not announced and the connection closed at the end
``no length 200``   the same, cut after 200 bytes
``chunked``         in chunks, without a length
``chunked 200``     the same, cut after 200 bytes
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

LOGIN_PAGE = b"<!DOCTYPE html>\n<html><body><form>user, password</form></body></html>"


@dataclass
class Request:
    """One request as it came, and how many bytes of a body it got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    sent: int = 0

    @property
    def range(self) -> str | None:
        return self.headers.get("Range")


@dataclass
class FaultServer:
    """Files from memory or of a folder, by path, with or without faults.

    Attributes
    ----------
    files
        Content by path, such as ``/a/b.nc``; these prevail over those of ``folder``.
    faults
        What happens to the next requests for a path, in turn; then all is well.
    signature
        If given, what the query's ``sig`` must be; other requests get 403.
    ranges
        Whether parts of files are sent.
    validators
        Whether ETag and Last-Modified are sent.
    types
        Content types by path, where not application/octet-stream.
    requests
        All that were made, in their order.
    """

    folder: Path | None = None
    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    signature: str | None = None
    ranges: bool = True
    validators: bool = True
    requests: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def add(self, path: str, content: bytes, *faults: str) -> str:
        """Serve a file, with what happens to its next requests; return its address."""
        self.files[path] = content
        self.faults[path] = list(faults)
        return self.address + path

    def asked(self, path: str) -> list[Request]:
        """Return the requests for a path."""
        return [request for request in self.requests if request.path == path]

    def sent(self, path: str) -> int:
        """Return how many bytes of bodies went out for a path."""
        return sum(request.sent for request in self.asked(path))

    def content(self, path: str) -> bytes | None:
        """Return what is served under a path, or None."""
        if path in self.files:
            return self.files[path]
        file = self.folder / path.lstrip("/") if self.folder is not None else None
        return file.read_bytes() if file is not None and file.is_file() else None


@contextmanager
def serve(folder: Path | None = None) -> Iterator[FaultServer]:
    """Serve a folder, or nothing yet, on a free port of this machine."""
    served = FaultServer(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(served)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        served.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield served
        finally:
            served.closing.set()
            server.shutdown()


def _handler(served: FaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_arguments: object) -> None:
            """Keep the tests' output clean."""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            self.asked = Request(self.command, parts.path, query, dict(self.headers))
            served.requests.append(self.asked)
            length = int(self.headers.get("Content-Length", 0))
            self.rfile.read(length)
            faults = served.faults.get(parts.path, [])
            word, *rest = (faults.pop(0) if faults else "serve").split()
            content = served.content(parts.path)
            if word.isdecimal():
                self.refuse(int(word), rest)
            elif word == "reset":
                self.close_connection = True
            elif word == "redirect":
                self.answer(302, b"", {"Location": rest[0]})
            elif served.signature is not None and query.get("sig") != served.signature:
                self.refuse(403, [])
            elif content is None:
                self.refuse(404, [])
            elif word == "html":
                self.answer(200, LOGIN_PAGE, {"Content-Type": "text/html; charset=utf-8"})
            elif word == "hidden":
                self.answer(200, LOGIN_PAGE, {})
            elif word == "empty":
                self.answer(200, b"", {})
            else:
                self.serve(content, word, rest)

        do_POST = do_GET

        def refuse(self, status: int, rest: list[str]) -> None:
            headers = {}
            if rest:
                later = datetime.now(UTC) + timedelta(seconds=float(rest[-1]))
                date = format_datetime(later, usegmt=True)
                headers["Retry-After"] = date if rest[0] == "date" else rest[0]
            self.answer(status, b"refused", headers)

        def serve(self, content: bytes, word: str, rest: list[str]) -> None:
            headers = {
                "Content-Type": served.types.get(self.asked.path, "application/octet-stream")
            }
            etag = f'"{hashlib.md5(content).hexdigest()}"'
            if served.validators:
                headers |= {"ETag": etag, "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
            start, stop, status = 0, len(content), 200
            changed = self.headers.get("If-Range") not in (None, etag)
            if self.asked.range and served.ranges and word != "whole" and not changed:
                first, _, last = self.asked.range.removeprefix("bytes=").partition("-")
                start = int(first) + (word == "other")
                stop = min(int(last) + 1 if last else stop, stop)
                status = 206 if start < len(content) else 416
                said = f"{start}-{stop - 1}" if status == 206 else "*"
                if word != "unsaid":
                    headers["Content-Range"] = f"bytes {said}/{len(content)}"
            body = content[start:stop] if status != 416 else b""
            if word == "corrupt" and body:
                middle = len(body) // 2
                body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
            self.send(status, body, headers, word, rest)

        def send(
            self, status: int, body: bytes, headers: dict[str, str], word: str, rest: list[str]
        ) -> None:
            """Send a body with what is wrong with its length or pace."""
            if word == "short":
                self.answer(status, body[: len(body) - int(rest[0])], headers)
            elif word == "long":
                self.answer(status, body, headers, announced=len(body) + int(rest[0]))
            elif word in ("cut", "stall"):
                self.answer(status, body[: int(rest[0])], headers, announced=len(body))
                if word == "stall":
                    served.closing.wait(30)
            elif word in ("no", "chunked"):
                cut = rest[1:] if word == "no" else rest
                kept = int(cut[0]) if cut else len(body)
                self.unannounced(status, body[:kept], headers, word == "chunked", bool(cut))
            elif word == "drip":
                self.start(status, headers | {"Content-Length": str(len(body))})
                for offset in range(0, len(body), int(rest[0])):
                    self.write(body[offset : offset + int(rest[0])])
                    time.sleep(float(rest[1]))
            else:
                self.answer(status, body, headers)

        def unannounced(
            self, status: int, body: bytes, headers: dict[str, str], chunked: bool, cut: bool
        ) -> None:
            if not chunked:
                self.start(status, headers | {"Connection": "close"})
                self.write(body)
                self.close_connection = True
                return
            self.start(status, headers | {"Transfer-Encoding": "chunked"})
            self.wfile.write(b"%x\r\n" % len(body))
            self.write(body)
            self.wfile.write(b"\r\n" if cut else b"\r\n0\r\n\r\n")
            self.close_connection = cut

        def answer(
            self, status: int, body: bytes, headers: dict[str, str], announced: int | None = None
        ) -> None:
            length = len(body) if announced is None else announced
            self.start(status, headers | {"Content-Length": str(length)})
            self.write(body)
            if length != len(body):
                self.close_connection = True

        def start(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()

        def write(self, body: bytes) -> None:
            # Before they go out: a client that has them finds them counted.
            self.asked.sent += len(body)
            try:
                self.wfile.write(body)
                self.wfile.flush()
            except ConnectionError:  # the client left, as it may
                self.asked.sent -= len(body)
                self.close_connection = True

    return Handler
