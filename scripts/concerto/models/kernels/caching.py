"""Machine code kept on disk for kernels that are put together at run time."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit
from numba.core.caching import FunctionCache


class _KeyedCache(FunctionCache):
    """A cache that knows a function by its name alone.

    numba's own key holds the pickled cells of a closure. A compiled function in a cell pickles
    differently in every process, so that a closure over one would never be found again.
    """

    def _index_key(self, sig, codegen):
        return sig, codegen.magic_tuple(), self._py_func.__qualname__


def compile_closure(function: Callable, key: str | None, **options) -> Callable:
    """Compile ``function``, or take its machine code from disk if ``key`` was compiled before.

    Parameters
    ----------
    function
        A closure, over other compiled functions for example.
    key
        Says what the closure holds, with a digest of all source that it rests on but its own file.
        Each key has files of its own, so that processes which write at once cannot mix them up.
        None compiles anew and keeps nothing.
    options
        What :func:`numba.njit` takes.
    """
    compiled = njit(**options)(function)
    if key is not None:
        function.__qualname__ = f"{function.__name__}_{key}"
        compiled._cache = _KeyedCache(function)
    return compiled
