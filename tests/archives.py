"""Archives made in memory."""

from __future__ import annotations

import io
import tarfile
import zipfile


def sdist(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """Return a gzipped tar file with the members, and symbolic links."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            file.addfile(info)
    return packed.getvalue()


def wheel(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """Return a zip file with the members, and symbolic links as Unix stores them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
        for name, target in (links or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            file.writestr(info, target)
    return packed.getvalue()
