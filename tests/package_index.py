"""A package index on this machine, with the faults that real ones have."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Index:
    """A simple repository (HTML or JSON pages) that serves files from memory.

    ``faults`` holds, by file name, what happens to the next requests for it, in turn: ``503`` or
    ``429``, or ``cut N``, which announces all bytes and sends N of them.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    ranges: bool = True
    json: bool = True

    def add(self, filename: str, content: bytes) -> str:
        """Publish a file; return its hash."""
        self.files[filename] = content
        self.digests[filename] = hashlib.sha256(content).hexdigest()
        return self.digests[filename]

    @property
    def simple(self) -> str:
        """The address to configure as a package index."""
        return f"{self.address}/simple/"

    def downloads(self, filename: str) -> list[str | None]:
        """Return the Range header of each request for a file."""
        return [sent for path, sent in self.requests if path == f"/files/{filename}"]

    def page(self, project: str) -> tuple[str, bytes] | None:
        """Return content type and content of a project's page."""
        written = project.replace("-", "_")  # in the names of files
        names = [name for name in self.files if name.startswith(f"{written}-")]
        if not names:
            return None
        if self.json:
            entries = [
                {
                    "filename": name,
                    "url": f"{self.address}/files/{name}",
                    "hashes": {"sha256": self.digests[name]},
                    "size": len(self.files[name]),
                }
                for name in names
            ]
            page = {"meta": {"api-version": "1.1"}, "name": project, "files": entries}
            return "application/vnd.pypi.simple.v1+json", json.dumps(page).encode()
        links = "".join(f'<a href="../../files/{name}">{name}</a>' for name in names)
        return "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            """Keep the tests' output clean."""

        def do_GET(self) -> None:
            index.requests.append((self.path, self.headers.get("Range")))
            kind, _, name = self.path.strip("/").partition("/")
            if kind == "simple":
                found = index.page(name)
                self._send(200, found[1], found[0]) if found else self._send(404, b"")
            elif name in index.files:
                self._send_file(name)
            else:
                self._send(404, b"")

        def _send_file(self, name: str) -> None:
            content, faults = index.files[name], index.faults.get(name, [])
            fault = faults.pop(0) if faults else ""
            if fault.isdecimal():
                self._send(int(fault), b"", **{"Retry-After": "0"})
                return
            headers, status, start = {}, 200, 0
            sent = self.headers.get("Range")
            if sent and index.ranges:
                start = int(sent.removeprefix("bytes=").removesuffix("-"))
                status = 206 if start < len(content) else 416
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            kept = int(fault.removeprefix("cut ")) if fault else None
            self._send(status, content[start:], kept=kept, **headers)

        def _send(self, status: int, body: bytes, type_: str = "", kept=None, **headers) -> None:
            self.send_response(status)
            self.send_header("Content-Type", type_ or "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[:kept])
            self.close_connection = kept is not None or self.close_connection

    return Handler


@contextmanager
def serve() -> Iterator[Index]:
    """Serve an empty index on a free port of this machine."""
    served = Index()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(served)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        served.address = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()
