"""Take single members out of a tar or zip archive, without trusting the archive."""

from __future__ import annotations

import fnmatch
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from concerto.errors import InputError
from concerto.plugins import nearest
from concerto.whole import whole_directory


def extract(archive: Path, members: Mapping[str, str], directory: Path) -> None:
    """Write the wanted members of an archive into ``directory``, all of them or none.

    Parameters
    ----------
    archive
        A tar file, compressed or not, or a zip file (a wheel is one).
    members
        Path in the archive of each file to write, keyed by its path below ``directory``.
    directory
        Where to write; made if need be.

    Raises
    ------
    InputError
        If the file is no archive, a member is missing or no regular file, or a path is absolute
        or leads out of its folder.
    """
    for local, member in members.items():
        safe_path(archive, local)
        safe_path(archive, member)
    with _opened(archive) as (regular, read):
        for member in members.values():
            _check_member(archive, member, regular)
        with whole_directory(directory) as temporary:
            for local, member in members.items():
                target = temporary / local
                target.parent.mkdir(parents=True, exist_ok=True)
                with read(member) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)


def matching(archive: Path, pattern: str) -> str:
    """Return the path of the one member of an archive that a pattern (``*``, ``?``) describes.

    Raises
    ------
    InputError
        If the file is no archive, or none or several of its members are of that pattern.
    """
    with _opened(archive) as (regular, _):
        found = fnmatch.filter(regular, pattern)
        if len(found) > 1:
            raise InputError(archive, pattern, f"{len(found)} members", "one member")
        member = found[0] if found else pattern
        _check_member(archive, member, regular)
    return member


def is_archive(file: Path) -> bool:
    """Return whether a file is a tar or zip archive."""
    return tarfile.is_tarfile(file) or zipfile.is_zipfile(file)


def named(file: Path, members: Mapping[str, str]) -> dict[str, str]:
    """Return the members that are wanted of a download, those of patterns one by one.

    Parameters
    ----------
    file
        What was downloaded.
    members
        As for :func:`extract`; where both a key and its path have an asterisk they describe any
        number of members, which keep their names.

    Raises
    ------
    InputError
        If there is none.
    """
    paths = [file.name]
    if is_archive(file):
        with _opened(file) as (regular, _):
            paths = [path for path, is_regular in regular.items() if is_regular]
    found = spelled_out(members, paths)
    if not found:
        raise InputError(file, ", ".join(members), "no such member", "one at least")
    return found


def spelled_out(members: Mapping[str, str], paths: Iterable[str]) -> dict[str, str]:
    """Return members with those in place of patterns that are among some paths."""
    found = {}
    for local, path in members.items():
        if "*" in local:
            matching_paths = sorted(fnmatch.filter(paths, path))
            found |= {PurePosixPath(member).name: member for member in matching_paths}
        else:
            found[local] = path
    return found


def unpack(file: Path, members: Mapping[str, str], directory: Path) -> None:
    """Write the wanted members of a download, which may be an archive or the one member itself.

    Parameters
    ----------
    file
        What was downloaded.
    members, directory
        As for :func:`extract`.

    Raises
    ------
    InputError
        As :func:`extract`; or if a file that is no archive is not the one member.
    """
    if is_archive(file) or list(members.values()) != [file.name]:
        extract(file, members, directory)
        return
    (local,) = members
    with whole_directory(directory) as temporary:
        shutil.copyfile(file, temporary / safe_path(file, local))


def safe_path(archive: Path, name: str) -> PurePosixPath:
    """Return ``name`` as a relative path that stays within its folder on any system.

    Raises
    ------
    InputError
        If it is empty or absolute, has ``..`` or a drive in it, or a backslash or null character.
    """
    path = PurePosixPath(name)
    inside = path.parts and not path.is_absolute() and ".." not in path.parts
    if not inside or any(character in name for character in "\\:\0"):
        raise InputError(archive, "member path", repr(name), "a relative path within its folder")
    return path


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[dict[str, bool], Callable[[str], IO[bytes]]]]:
    """Yield whether each member is a regular file, keyed by its path, and how to open one."""
    try:
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                yield {member.name: member.isreg() for member in tar}, tar.extractfile
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                yield {info.filename: _is_regular(info) for info in packed.infolist()}, packed.open
        else:
            raise InputError(archive, "format", "neither tar nor zip", "an archive")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise InputError(archive, "content", f"damaged ({error})", "a whole archive") from error


def _is_regular(info: zipfile.ZipInfo) -> bool:
    # Unix keeps the kind of file in the high half; other systems leave the kind's bits at zero.
    kind = stat.S_IFMT(info.external_attr >> 16)
    return not info.is_dir() and kind in (0, stat.S_IFREG)


def _check_member(archive: Path, member: str, regular: Mapping[str, bool]) -> None:
    if member not in regular:
        expected = f"a member of the archive, such as {nearest(member, regular)}"
        raise InputError(archive, member, "no such member", expected)
    if not regular[member]:
        raise InputError(archive, member, "a link, folder or device", "a regular file")
