"""How far long work has come: lines in the log now and then, and a bar where a terminal watches.

The bar is one line of the terminal that is written anew, and gone when the work is done. Logs get
plain lines alone. Only the main thread draws: several bars would write over each other. Nor does
any draw where the run's own display shows the newest lines of logs, which a variable says.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TextIO

REPORT_S = 5.0
REPORT_FRACTION = 0.05
DRAW_S = 0.1
WIDTH = 24
TAKEN = "CONCERTO_TERMINAL_TAKEN"
"""Variable that says that another draws on the terminal."""

log = logging.getLogger(__name__)


class Progress:
    """Tells how far one piece of work has come.

    Parameters
    ----------
    what
        Its name.
    total
        All that is to be done, in any unit; None where nobody knows.
    done
        What was done before.
    unit, size
        Name of the unit in which the rate is told, and how much of ``total`` is one of it.
    part
        Of all, after which a line of the log is due though the last one is not long ago.
    stream
        Where to draw the bar if it is a terminal, the standard error unless said.
    """

    def __init__(
        self,
        what: str,
        total: float | None,
        done: float = 0.0,
        *,
        unit: str = "MB",
        size: float = 1e6,
        part: float = REPORT_FRACTION,
        stream: TextIO | None = None,
    ) -> None:
        self._what, self._total, self._first = what, total, done
        self._unit, self._size, self._part = unit, size, part
        self._stream = sys.stderr if stream is None else stream
        main = threading.current_thread() is threading.main_thread()
        taken = bool(os.environ.get(TAKEN))
        self._draws = main and not taken and self._stream.isatty()
        self._begun = self._logged = time.monotonic()
        self._drawn = -DRAW_S
        self._told = self._fraction(done)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_fault: object) -> None:
        if self._draws:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def report(self, done: float, words: str) -> None:
        """Log and draw the state, if it is long ago or much has been done since the last time.

        Parameters
        ----------
        done
            How much is done.
        words
            The same in words, such as ``3 of 4 files``.
        """
        now, fraction = time.monotonic(), self._fraction(done)
        if self._draws and now - self._drawn >= DRAW_S:
            self._drawn = now
            full = round(WIDTH * fraction)
            bar = f"[{'#' * full}{'.' * (WIDTH - full)}] " if self._total else ""
            self._stream.write(f"\r\x1b[K{bar}{self._line(done, words, now)}")
            self._stream.flush()
        if now - self._logged >= REPORT_S or fraction - self._told >= self._part:
            self._logged, self._told = now, fraction
            log.info("%s", self._line(done, words, now))

    def _fraction(self, done: float) -> float:
        return min(done / self._total, 1.0) if self._total else 0.0

    def _line(self, done: float, words: str, now: float) -> str:
        rate = (done - self._first) / max(now - self._begun, 1e-3)
        line = f"{self._what}: {words}"
        if self._total:
            line += f", {100 * self._fraction(done):.0f} %"
        line += f", {rate / self._size:.2f} {self._unit}/s"
        if self._total and rate > 0:
            line += f", {clock((self._total - done) / rate)} left"
        return line


def clock(seconds: float) -> str:
    """Return a length of time as minutes and seconds or, if long, hours and minutes."""
    whole = max(round(seconds), 0)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
