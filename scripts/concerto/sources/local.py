"""Records that lie in a folder of this machine, because no protocol here obtains them.

A locator has the ``folder``, relative to where the workflow runs, and ``files``, a pattern of
names; a single zip or tar file is taken as the archive of the records. The ``sha256``, which one's
own files may do without, is that of the list of all hashes, as `LC_ALL=C sha256sum FILES |
sha256sum` gives it in the folder. A run's ``folders`` may name another folder.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from concerto.errors import InputError
from concerto.provenance import sha256_of
from concerto.sources import Asset
from concerto.sources._archive import is_archive
from concerto.whole import whole_file


def discover(request: Mapping[str, Any]) -> list[Asset]:
    """Return the files of a folder as one archive, whose ``url`` is the pattern of their paths.

    Raises
    ------
    InputError
        If the folder has no such file.
    """
    folder, pattern = Path(request["folder"]), request["files"]
    files = _files(folder, pattern)
    if not files:
        expected = "the records; `folders` of the configuration says where they are"
        raise InputError(folder, pattern, "no such file", expected)
    name = files[0].name if _is_archive(files) else f"{folder.name}.tar"
    size = sum(file.stat().st_size for file in files)
    return [Asset(name, str(folder / pattern), request.get("sha256"), size)]


def fetch(asset: Asset, path: Path) -> int:
    """Pack the files of a folder into an archive ``path``, whole or not at all; return 0.

    Raises
    ------
    InputError
        If the hash is wrong.
    """
    pattern = Path(asset.url)
    files = _files(pattern.parent, pattern.name)
    lines = "".join(f"{sha256_of(file)}  {file.name}\n" for file in files)
    found = hashlib.sha256(lines.encode()).hexdigest()
    if asset.sha256 not in (None, found):
        raise InputError(asset.url, f"sha256 of {len(files)} files", found, asset.sha256)
    with whole_file(path) as part:
        if _is_archive(files):
            shutil.copyfile(files[0], part)
        else:
            with tarfile.open(part, "w") as tar:
                for file in files:
                    tar.add(file, file.name)
    return 0


def _is_archive(files: Sequence[Path]) -> bool:
    return len(files) == 1 and is_archive(files[0])


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for file in folder.glob(pattern) if file.is_file())
