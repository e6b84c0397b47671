"""Protocols by which records and fields are obtained: one module each, found by its file name.

A protocol module has the two functions of :class:`Source`. What they share, such as resuming and
verifying a download and taking members out of an archive, is in the modules with an underscore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Asset:
    """One file that can be obtained.

    Parameters
    ----------
    filename
        Name of the file, without a folder; no two of a request have the same.
    url
        Where it is.
    sha256
        Hash that its content must have, in lower-case hexadecimal; None where none is published.
    size
        Its length in bytes, None where the archive does not say.
    start, end
        The first instant that it covers and the first after it, ISO 8601, UTC.
    bands
        The bands that it holds, in the order of a GeoTIFF's bands.
    details
        What the protocol's ``fetch`` needs besides.
    """

    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    start: str | None = None
    end: str | None = None
    bands: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """What a protocol module offers."""

    def discover(self, request: Mapping[str, Any]) -> list[Asset]:
        """Return the files that a request describes, without downloading them."""

    def fetch(self, asset: Asset, path: Path) -> int:
        """Obtain a file as ``path``, whole or not at all; return the bytes that the network sent.

        It is resumed, retried and verified.
        """


def halves(west: float, east: float) -> list[tuple[float, float]]:
    """Return the ranges of longitudes, degrees, of an area that may cross the antimeridian."""
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
