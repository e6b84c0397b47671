"""What every rule's script shares: its log file and one readable line when it fails."""

from __future__ import annotations

import logging
import platform
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from concerto.errors import ConcertoError

FAILURE_MARK = "FAILED: "


@contextmanager
def script_log(path: str | Path) -> Iterator[None]:
    """Send logging and warnings of a rule's script to its log file, which names the environment.

    A :class:`ConcertoError` ends the script with exit code 1 and one line, without a traceback,
    as the log's last line; :func:`failures` reads it back. Any other exception keeps its
    traceback, in the log as well as on the screen.
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


def texts(files: Iterable[str | Path]) -> str:
    """Return what those of the text files say that exist, one after the other."""
    return "".join(Path(f).read_text(encoding="utf-8") for f in files if Path(f).exists())


def _last_line(handler: logging.FileHandler, message: str) -> None:
    handler.stream.write(FAILURE_MARK + " ".join(message.split()) + "\n")
    handler.flush()
