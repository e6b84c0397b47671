"""What the screen shows of a run while it goes on: what is at work, how far, how long yet.

A terminal gets one line for each job that is done and, below them, a bar and the jobs at work, each
with the newest line of its log. What is no terminal gets the workflow manager's own lines, and now
and then one that says how long it may take. Everything else that is logged, failures above all,
goes to the handler that would have had it. Records are known by their attribute ``event``.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from concerto.pace import Pace
from concerto.progress import REPORT_FRACTION, REPORT_S, TAKEN, WIDTH, clock

TICK_S = 1.0
MOST_JOBS = 8
TAIL_BYTES = 4096
SELECTING = "Select jobs to execute"


def watch(logger: logging.Logger, name: str, pace: Pace) -> Console | None:
    """Put a console in the place of a logger's handler of a name, and return it.

    Returns None if there is no such handler, because another way to log was asked for.
    """
    plain = next((one for one in logger.handlers if one.get_name() == name), None)
    if not isinstance(plain, logging.StreamHandler):
        return None
    terminal = plain.stream.isatty() and os.environ.get("TERM") != "dumb"
    console = (Screen if terminal else Lines)(plain, pace)
    logger.removeHandler(plain)
    logger.addHandler(console)
    return console


def release(logger: logging.Logger) -> None:
    """Take what a logger's consoles draw off the screen, before the last words of a run."""
    for handler in logger.handlers:
        if isinstance(handler, Console):
            handler.close()


class Console(logging.Handler):
    """Keeps account of the jobs for which it gets records; ``plain`` shows what it does not."""

    def __init__(
        self, plain: logging.StreamHandler, pace: Pace, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(plain.level)
        for one in plain.filters:
            self.addFilter(one)
        self.plain, self.pace, self.now = plain, pace, now
        self.begun = now()
        self.done = self.total = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Note what a record says, and show it."""
        event = str(getattr(record, "event", None) or "")
        if event == "job_info":
            self.pace.start(record.jobid, self.now())
        elif event == "job_finished":
            self.pace.finish(record.job_id, self.now())
        elif event == "progress":
            self.done, self.total = record.done, record.total
        self.show(event, record)

    def show(self, event: str, record: logging.LogRecord) -> None:
        """Show a record of an event, which has no name if it is a mere message."""
        raise NotImplementedError

    def times(self) -> str:
        """Return in words how long it has taken and may take."""
        now = self.now()
        left = self.pace.left(now)
        return f"{clock(now - self.begun)} gone, about {clock(left)} left"


class Lines(Console):
    """Plain lines, for logs: those of ``plain``, and how long it may take."""

    def __init__(self, *arguments: object, **more: object) -> None:
        super().__init__(*arguments, **more)
        self._told, self._at = 0.0, self.begun

    def show(self, event: str, record: logging.LogRecord) -> None:
        """Show a record, and after the count of jobs, if it is due, the time that is left."""
        self.plain.handle(record)
        if event != "progress" or self.done >= self.total:
            return
        now, fraction = self.now(), self.done / self.total
        if now - self._at >= REPORT_S or fraction - self._told >= REPORT_FRACTION:
            self._at, self._told = now, fraction
            words = {"msg": self.times(), "levelno": logging.INFO, "levelname": "INFO"}
            self.plain.handle(logging.makeLogRecord(words))


@dataclass(frozen=True)
class _Job:
    words: str
    log: str
    begun: float


class Screen(Console):
    """A terminal, whose last lines are drawn anew each second."""

    def __init__(self, *arguments: object, **more: object) -> None:
        super().__init__(*arguments, **more)
        self._jobs: dict[int, _Job] = {}
        self._lines = self._failed = 0
        self._over = threading.Event()
        self.total = len(self.pace)
        os.environ[TAKEN] = "yes"
        threading.Thread(target=self._tick, daemon=True).start()

    def show(self, event: str, record: logging.LogRecord) -> None:
        """Show a record above the lines that are drawn anew."""
        if self._over.is_set():
            self.plain.handle(record)
            return
        self._clear()
        if event == "job_info":
            words = record.rule_msg or record.rule_name
            log = record.log[0] if record.log else ""
            self._jobs[record.jobid] = _Job(" ".join(words.split()), log, self.now())
        elif event == "job_finished":
            job = self._jobs.pop(record.job_id, None)
            if job:
                self._write(self._cut(f"{clock(self.now() - job.begun):>10}  {job.words}") + "\n")
        elif event not in ("job_started", "progress", "shellcmd") and not (
            str(record.msg).startswith(SELECTING)
        ):
            if event == "job_error":
                self._failed += self._jobs.pop(record.jobid, None) is not None
            self.plain.handle(record)
        self._draw()

    def close(self) -> None:
        """Take the lines off the screen; from now on records go to the plain handler."""
        with self.lock:
            if not self._over.is_set():
                self._over.set()
                self._clear()
                os.environ.pop(TAKEN, None)
        super().close()

    def _tick(self) -> None:
        while not self._over.wait(TICK_S):
            with self.lock:
                if not self._over.is_set():
                    self._clear()
                    self._draw()

    def _draw(self) -> None:
        now = self.now()
        room = shutil.get_terminal_size().lines - 3
        most = max(min(MOST_JOBS, room), 1)
        fraction = self.pace.fraction(now)
        full = round(WIDTH * fraction)
        failed = f", {self._failed} failed" if self._failed else ""
        lines = [
            f"[{'#' * full}{'.' * (WIDTH - full)}] {self.done} of {self.total} jobs{failed}, "
            f"{100 * fraction:.0f} % of the work, {self.times()}"
        ]
        for job in list(self._jobs.values())[:most]:
            latest = _latest(job.log, time.time() - (now - job.begun))
            lines.append(f"{clock(now - job.begun):>10}  {job.words}{latest and ': '}{latest}")
        if len(self._jobs) > most:
            lines.append(f"{'':>10}  and {len(self._jobs) - most} more")
        self._write("\n".join(map(self._cut, lines)))
        self._lines = len(lines)

    def _clear(self) -> None:
        if self._lines:
            up = f"\x1b[{self._lines - 1}A" if self._lines > 1 else ""
            self._write(f"\r{up}\x1b[J")
            self._lines = 0

    def _cut(self, line: str) -> str:
        width = shutil.get_terminal_size().columns - 1
        return line if len(line) <= width else line[: max(width - 3, 0)] + "..."

    def _write(self, text: str) -> None:
        self.plain.stream.write(text)
        self.plain.flush()


def _latest(log: str, since: float) -> str:
    """Return what the newest line of a job's log says, or nothing if it is of an earlier time."""
    try:
        if os.path.getmtime(log) < since - TICK_S:
            return ""
        with Path(log).open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(file.tell() - TAIL_BYTES, 0))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    said = lines[-1].partition(" INFO ")[2] if lines else ""
    return "" if said.startswith("Python ") else said
