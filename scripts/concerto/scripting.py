"""What every rule's script shares: its log file and one readable line when it fails."""

from __future__ import annotations

import logging
import platform
import re
import resource
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from concerto.errors import ConcertoError, InputError

FAILURE_MARK = "FAILED: "
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_COST = re.compile(r"INFO took ([\d.]+) s of processors, start included, and (\d+) MB at most\n")


@contextmanager
def script_log(path: str | Path) -> Iterator[None]:
    """Send logging and warnings of a rule's script to its log file, which names the environment.

    A :class:`ConcertoError` ends the script with exit code 1 and one line, without a traceback,
    as the log's last line; :func:`failures` reads it back. Any other exception keeps its
    traceback, in the log as well as on the screen. A script that ends well says what it took, which
    :func:`cost_of` reads back.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    root.info("Python %s in %s", platform.python_version(), sys.prefix)
    try:
        yield
        _say_cost()
    except ConcertoError as error:
        _last_line(handler, str(error))
        sys.exit(1)
    except Exception as error:
        root.exception("unexpected error")
        _last_line(handler, f"{type(error).__name__}: {error}")
        raise
    finally:
        root.removeHandler(handler)
        handler.close()


def failures(logs: str | Path) -> list[tuple[str, str]]:
    """Return the name of each log below a folder that ends in a failure, and its message."""
    found = []
    for log in sorted(Path(logs).rglob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        if lines and lines[-1].startswith(FAILURE_MARK):
            found.append((log.stem, lines[-1].removeprefix(FAILURE_MARK)))
    return found


def span(logs: str | Path) -> tuple[datetime, datetime]:
    """Return when the first of the scripts began whose logs are below a folder, and the last line.

    Raises
    ------
    InputError
        If no log says when its script began.
    """
    begun, ended = [], []
    for log in sorted(Path(logs).rglob("*.log")):
        said = _MOMENT.match(log.read_text(encoding="utf-8", errors="replace"))
        if said:
            begun.append(datetime.fromisoformat(said[0]).astimezone())
            ended.append(datetime.fromtimestamp(log.stat().st_mtime).astimezone())
    if not begun:
        raise InputError(logs, "logs", "no time", "the logs of a run")
    return min(begun), max(ended)


@dataclass(frozen=True)
class Cost:
    """What a script took since it started: seconds of processors, and megabytes at most."""

    cpu_seconds: float
    peak_mb: float


def cost_of(log: str | Path) -> Cost:
    """Return what the script of a log took.

    Raises
    ------
    InputError
        If the log does not say it, because the script failed or still runs.
    """
    said = _COST.search(Path(log).read_text(encoding="utf-8"))
    if said is None:
        raise InputError(log, "last line", "no cost", "that of a script that ended well")
    return Cost(float(said[1]), float(said[2]))


def _say_cost() -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0  # Linux counts in KiB
    logging.getLogger().info(
        "took %.2f s of processors, start included, and %.0f MB at most", time.process_time(), peak
    )


def texts(files: Iterable[str | Path]) -> str:
    """Return what those of the text files say that exist, one after the other."""
    return "".join(Path(f).read_text(encoding="utf-8") for f in files if Path(f).exists())


def _last_line(handler: logging.FileHandler, message: str) -> None:
    handler.stream.write(FAILURE_MARK + " ".join(message.split()) + "\n")
    handler.flush()
