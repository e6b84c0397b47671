"""Where numba keeps machine code: by what the library says, not by where it lies or how old it is.

numba knows a function's code by the path and the age of its file alone. Two copies of the library
then share nothing, and a function is not compiled anew when another file changes that it calls. The
variable ``NUMBA_CACHE_LOCATOR_CLASSES`` of the environment makes numba ask the locator here.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from numba.core.caching import UserProvidedCacheLocator

_LIBRARY = Path(__file__).parent


class LibraryLocator(UserProvidedCacheLocator):
    """Keeps machine code in a folder of ``NUMBA_CACHE_DIR`` that a digest of the library names.

    Copies of the same library share it, wherever they lie; one that differs has a folder of its
    own, so that runs may go on side by side.
    """

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """Return the folder of a file's functions, relative to that of all machine code."""
        folder = Path(os.path.abspath(py_file)).parent
        own = folder.relative_to(_LIBRARY) if folder.is_relative_to(_LIBRARY) else folder.name
        return str(Path(library_digest(), own))

    def get_source_stamp(self) -> str:
        """Return what the folder's name says already."""
        return library_digest()


@cache
def library_digest() -> str:
    """Return a digest (12 hex digits) of all source of the library."""
    hashed = hashlib.sha256()
    for file in sorted(_LIBRARY.rglob("*.py")):
        hashed.update(file.relative_to(_LIBRARY).as_posix().encode() + file.read_bytes())
    return hashed.hexdigest()[:12]
