"""Ports for servers that must be told theirs before they start."""

from __future__ import annotations

import contextlib
import random
import socket

# Below those that systems hand out: while a server starts, no other test's can be given its port.
_RANGE = range(20_000, 32_000)
# By the system's entropy, not a seed: tests that run at once must not go through them alike.
_ORDER = iter(random.SystemRandom().sample(_RANGE, len(_RANGE)))


def free_port() -> int:
    """Return a port of this machine that nobody listens on, a different one each time.

    Raises
    ------
    OSError
        If none is left.
    """
    for port in _ORDER:
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no free port left of {_RANGE.start} to {_RANGE.stop - 1}")
