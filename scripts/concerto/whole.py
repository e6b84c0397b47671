"""Files and folders that are there whole or not at all.

They are written under a hidden name, and renamed. It is that of the process, since one whose
Snakemake was killed may still be at work when the next run begins. What a killed process has left
is removed by the next one that writes the same.
"""

from __future__ import annotations

import errno
import glob
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from concerto.errors import ConcertoError, InputError

_OF_STORAGE = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
)  # fmt: skip
_PROBE = bytes(2**20)  # what a disk with room surely takes


def require_writable(files: Iterable[Path | str]) -> None:
    """Check that folders take the files that are to be written to them.

    Raises
    ------
    InputError
        Names the first that does not: of another owner, say, or on a disk that is read-only.
    """
    folders = {next(folder for folder in Path(file).parents if folder.exists()) for file in files}
    for folder in sorted(folders):
        if not os.access(folder, os.W_OK | os.X_OK):
            expected = "one to write to; is it another user's, or its disk read-only?"
            raise InputError(folder, "folder", "one that takes no files", expected)


@contextmanager
def whole_directory(directory: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``directory`` if nothing is raised.

    Raises
    ------
    ConcertoError
        If the disk is full or takes nothing.
    """
    with _beside(directory) as temporary:
        temporary.mkdir()
        yield temporary
        shutil.rmtree(directory, ignore_errors=True)
        os.replace(temporary, directory)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield where to write a file that takes the place of ``path`` if nothing is raised.

    Raises
    ------
    ConcertoError
        If the disk is full or takes nothing.
    """
    with _beside(path) as temporary:
        yield temporary
        os.replace(temporary, path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a name of this process beside a path, of which nothing is left afterwards."""
    node = platform.node()
    temporary = path.with_name(f".{path.name}.{node}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{glob.escape(path.name)}.{node}.*.part"):
            if not _alive(int(left.suffixes[-2][1:])):
                _remove(left)
        yield temporary
    except (OSError, RuntimeError) as error:
        cause = _storage_fault(path.parent, error)
        if cause:
            raise ConcertoError(f"{path}: could not be written: {cause}") from error
        raise
    finally:
        _remove(temporary)


def _storage_fault(folder: Path, error: Exception) -> str:
    """Return what is wrong with the disk that an error comes from, or nothing.

    The disk itself is asked first, while the part is still there: the libraries of NetCDF say of a
    full one that permission was denied, or nothing.
    """
    faults = [error]
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(_PROBE)
    except OSError as fault:
        faults.insert(0, fault)
    numbers = [fault.errno for fault in faults if isinstance(fault, OSError)]
    return next((os.strerror(number) for number in numbers if number in _OF_STORAGE), "")


def _alive(process: int) -> bool:
    """Return whether another process of this machine goes on."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return process != os.getpid()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
