"""Protocols by which records are obtained: one module each, found by its file name.

A protocol module has the two functions of :class:`Source`. What they share, resuming and verifying
a download and taking members out of an archive, is in the modules with an underscore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Asset:
    """One file that can be downloaded.

    Parameters
    ----------
    filename
        Name of the file, without a folder.
    url
        Where it is.
    sha256
        Hash that its content must have, in lower-case hexadecimal.
    size
        Its length in bytes, None where the index does not say.
    """

    filename: str
    url: str
    sha256: str
    size: int | None = None


class Source(Protocol):
    """What a protocol module offers."""

    def discover(self, request: Mapping[str, Any]) -> list[Asset]:
        """Return the files that a source's ``locator`` describes, without downloading them."""

    def fetch(self, asset: Asset, path: Path) -> None:
        """Download a file to ``path``: resumed, retried, verified, and whole or not at all."""
